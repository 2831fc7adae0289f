//! Catalog: what a document says beside its texts that few decisions ask for: whether it can be removed or may
//! ask the user something, and whom it is for. Short, so that it can be kept beside every listing.

use crate::UpdateDocument;
use crate::xml::{Element, Step};
use sluicegate_terms::Locale;
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// Most languages that are kept of one update; there are about two hundred.
const MOST_LANGUAGES: usize = 400;

/// What few decisions ask for.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Traits {
    /// It can be removed again (`UninstallationBehavior`).
    pub removable: bool,
    /// Installing it may ask the user something (`InstallationBehavior/@CanRequestUserInput`).
    pub may_ask: bool,
    /// Its publisher says that it is not final (`Properties/@IsBeta`).
    pub beta: bool,
    /// The processor architectures its rules ask for, by their numbers in `PROCESSOR_ARCHITECTURE_…`.
    pub processors: BTreeSet<u16>,
    /// The languages it is for; none when it is for all, or does not say.
    pub languages: Vec<Locale>,
}

impl Traits {
    /// As one line of words, which [`Traits::from_text`] reads back.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        let flags = [(self.removable, "removable"), (self.may_ask, "asks"), (self.beta, "beta")];
        for (_, word) in flags.into_iter().filter(|(set, _)| *set) {
            text.push_str(word);
            text.push(' ');
        }
        for number in &self.processors {
            // Writing to a String cannot fail.
            let _ = write!(text, "cpu:{number} ");
        }
        for language in self.languages.iter().take(MOST_LANGUAGES) {
            let _ = write!(text, "lang:{language} ");
        }
        text.truncate(text.trim_end().len());
        text
    }

    /// Reads what [`Traits::to_text`] wrote; words of a newer program are passed over.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        let mut traits = Self::default();
        for word in text.split_ascii_whitespace() {
            match word.split_once(':').unwrap_or((word, "")) {
                ("removable", _) => traits.removable = true,
                ("asks", _) => traits.may_ask = true,
                ("beta", _) => traits.beta = true,
                ("cpu", number) => traits.processors.extend(number.parse::<u16>().ok()),
                ("lang", tag) => traits.languages.extend(tag.parse::<Locale>().ok()),
                _ => {}
            }
        }
        traits
    }
}

impl UpdateDocument {
    /// What few decisions ask for. An update whose only texts are in one language that is not English is for
    /// that language: what is for everybody has English texts.
    #[must_use]
    pub fn traits(&self) -> Traits {
        let properties = &self.properties;
        let languages = match (properties.languages.as_slice(), self.texts.as_slice()) {
            ([], [only]) if !only.language.as_str().starts_with("en") => vec![only.language.clone()],
            (declared, _) => declared.to_vec(),
        };
        Traits {
            removable: properties.can_uninstall,
            may_ask: properties.may_ask,
            beta: properties.beta,
            processors: self.processors.clone(),
            languages,
        }
    }
}

/// The architectures that `IsInstallable` asks for, or `IsInstalled` where there is no such rule (detectoids).
/// What stands under a `Not` is not asked for.
pub(crate) fn processors(rules: Element<'_>) -> BTreeSet<u16> {
    let mut found = BTreeSet::new();
    for name in ["IsInstallable", "IsInstalled"] {
        let Some(rule) = rules.child(name) else { continue };
        let mut refused = 0_u32;
        rule.walk(|step| match step {
            Step::Open { element, empty: false } if element.local() == "Not" => refused += 1,
            Step::Close(element) if element.local() == "Not" => refused = refused.saturating_sub(1),
            Step::Open { element, .. } if is_processor(element) && refused == 0 => {
                found.extend(
                    element.attribute("Architecture").and_then(|text| text.trim().parse::<u16>().ok()),
                );
            }
            _ => {}
        });
        break;
    }
    found
}

/// Written `bar:Processor` or, as in Core fragments, `b.Processor`.
fn is_processor(element: Element<'_>) -> bool {
    matches!(element.local(), "Processor" | "b.Processor")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limits;
    use crate::compose::Document;
    use sluicegate_terms::{Guid, RevisionNumber, UpdateId, UpdateIdentity};

    fn identity() -> UpdateIdentity {
        UpdateIdentity { update: UpdateId(Guid::from_u128(7)), revision: RevisionNumber::new(1).unwrap() }
    }

    fn read(document: &Document) -> Traits {
        crate::parse(document.to_xml().as_bytes(), &Limits::default()).unwrap().traits()
    }

    #[test]
    fn what_a_document_says_is_read_and_comes_back_from_its_text() {
        let mut document = Document::software(identity(), "Update");
        assert_eq!(read(&document), Traits::default());
        document.properties.can_uninstall = true;
        document.properties.may_ask = true;
        document.properties.beta = true;
        document.properties.languages = vec!["de".parse().unwrap(), "pt-br".parse().unwrap()];
        let traits = Traits { processors: [9, 12].into(), ..read(&document) };
        assert!(traits.removable && traits.may_ask && traits.beta && traits.languages.len() == 2);
        assert_eq!(traits.to_text(), "removable asks beta cpu:9 cpu:12 lang:de lang:pt-br");
        assert_eq!(Traits::from_text(&traits.to_text()), traits);
        assert_eq!(Traits::from_text("colour:red cpu:x"), Traits::default());
    }

    #[test]
    fn texts_in_one_language_that_is_not_english_say_whom_it_is_for() {
        let mut document = Document::software(identity(), "Aktualisierung");
        document.texts[0].language = "de".parse().unwrap();
        assert_eq!(read(&document).to_text(), "lang:de");
        let mut english = document.texts[0].clone();
        english.language = "en".parse().unwrap();
        document.texts.push(english);
        assert_eq!(read(&document).to_text(), "");
    }

    #[test]
    fn a_processor_that_a_rule_refuses_is_not_one_it_asks_for() {
        let rule =
            "<And><b.Processor Architecture=\"9\" /><Not><b.Processor Architecture=\"0\" /></Not></And>";
        let detectoid = Document::detectoid(identity(), "x64", rule);
        assert_eq!(read(&detectoid).processors, [9].into());
    }
}
