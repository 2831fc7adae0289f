//! Filters: what they look at, and whether one names it. The title decides where it says something; else the
//! names of what the update stands under and needs; else what its document declares.

use super::title::{has_phrase, has_word, like, names_file};
use super::{Architecture, UpdateFilter};
use sluicegate_terms::Locale;
use std::collections::BTreeSet;

/// The words by which titles say that something is not final.
const PREVIEW: &[&str] = &["preview", "beta", "insider", "insiders", "prerelease", "pre-release"];

/// What filters look at.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Looks {
    /// The title.
    pub title: String,
    /// The titles of the products it stands under.
    pub products: Vec<String>,
    /// The titles of everything else it stands under or needs: classifications, families, detectoids.
    pub others: Vec<String>,
    /// The processor architectures that its rules, or those of what it needs, ask for, by their numbers in
    /// `PROCESSOR_ARCHITECTURE_…`.
    pub processors: BTreeSet<u16>,
    /// The languages it declares; none when it is for all.
    pub languages: Vec<Locale>,
    /// The names of its files.
    pub files: Vec<String>,
    /// Its publisher says that it is not final.
    pub beta: bool,
}

impl Looks {
    /// Nothing but a title.
    #[must_use]
    pub fn titled(title: &str) -> Self {
        Self { title: title.to_owned(), ..Self::default() }
    }

    /// The architectures it is for, as far as anything says; the first that says something is believed.
    fn architectures(&self) -> BTreeSet<Architecture> {
        let in_title = named_in(&self.title);
        if !in_title.is_empty() {
            return in_title;
        }
        let around: BTreeSet<Architecture> =
            self.products.iter().chain(&self.others).flat_map(|name| named_in(name)).collect();
        if !around.is_empty() {
            return around;
        }
        self.processors.iter().filter_map(|number| Architecture::of_number(*number)).collect()
    }

    /// Whether it is for a language, or regions of it, and for no other.
    fn is_only_in(&self, tag: &str) -> bool {
        if !self.languages.is_empty() {
            return self.languages.iter().all(|language| is_within(language.as_str(), tag));
        }
        // In names of files a tag of two letters can be anything.
        tag.contains('-') && !self.files.is_empty() && self.files.iter().all(|name| names_file(name, tag))
    }
}

/// The architectures a text names.
fn named_in(text: &str) -> BTreeSet<Architecture> {
    let text = text.to_lowercase();
    let named = |one: &Architecture| one.words().iter().any(|word| has_word(&text, word));
    Architecture::ALL.into_iter().filter(named).collect()
}

fn is_within(language: &str, tag: &str) -> bool {
    let language = language.to_lowercase();
    language.strip_prefix(tag).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

impl UpdateFilter {
    /// Whether it names an update that looks like this. What is for several architectures, editions or
    /// languages is wanted for the others.
    #[must_use]
    pub fn names(&self, looks: &Looks) -> bool {
        let title = looks.title.to_lowercase();
        match self {
            Self::Architecture(unwanted) => looks.architectures().into_iter().eq([*unwanted]),
            Self::Edition(name) => {
                let name = name.to_lowercase();
                has_phrase(&title, &name)
                    || (!looks.products.is_empty()
                        && looks.products.iter().all(|product| has_phrase(&product.to_lowercase(), &name)))
            }
            Self::Language(tag) => {
                let tag = tag.to_lowercase();
                has_word(&title, &tag) || looks.is_only_in(&tag)
            }
            Self::Title(pattern) => like(&title, &pattern.to_lowercase()),
            Self::Preview => {
                let not_final = |text: &str| PREVIEW.iter().any(|word| has_word(text, word));
                looks.beta
                    || not_final(&title)
                    || looks.products.iter().chain(&looks.others).any(|name| not_final(&name.to_lowercase()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(filter: &str, looks: &Looks) -> bool {
        filter.parse::<UpdateFilter>().unwrap().names(looks)
    }

    #[test]
    fn an_architecture_that_the_title_does_not_name_is_looked_for_around_it_and_then_in_its_rules() {
        let by_rules = Looks { processors: [12].into(), ..Looks::titled("Update for Visual C++") };
        assert!(names("architecture=arm64", &by_rules) && !names("architecture=x64", &by_rules));
        let by_need = Looks { others: vec!["x64-based systems".into()], ..by_rules.clone() };
        assert!(names("architecture=x64", &by_need) && !names("architecture=arm64", &by_need));
        let by_title = Looks { title: "Runtime for x86-based Systems".into(), ..by_need };
        assert!(names("architecture=x86", &by_title) && !names("architecture=x64", &by_title));
        let several = Looks { processors: [0, 9].into(), ..Looks::titled("Runtime") };
        assert!(!names("architecture=x86", &several) && !names("architecture=x64", &several));
        let by_product = Looks { products: vec!["Windows XP x64 Edition".into()], ..Looks::titled("Fix") };
        assert!(names("architecture=x64", &by_product));
        assert!(!names("architecture=x64", &Looks::titled("Fix")), "nothing says anything");
        for (number, filter) in [(0, "x86"), (5, "arm"), (6, "ia64"), (9, "x64"), (12, "arm64")] {
            let looks = Looks { processors: [number].into(), ..Looks::titled("Fix") };
            assert!(names(&format!("architecture={filter}"), &looks), "{number}");
        }
        let unknown = Looks { processors: [77].into(), ..Looks::titled("Fix") };
        assert!(!names("architecture=x86", &unknown));
    }

    #[test]
    fn a_language_is_named_when_it_is_the_only_one_declared() {
        let declared = |tags: &[&str]| Looks {
            languages: tags.iter().map(|tag| tag.parse().unwrap()).collect(),
            ..Looks::titled("Language pack")
        };
        assert!(names("language=de", &declared(&["de"])));
        assert!(names("language=de", &declared(&["de-at", "de-de"])), "with its regions");
        assert!(!names("language=de", &declared(&["de", "fr"])));
        assert!(!names("language=de-de", &declared(&["de"])), "for Austria too");
        assert!(!names("language=d", &declared(&["de"])));
        assert!(!names("language=de", &declared(&[])));
    }

    #[test]
    fn a_language_is_named_when_every_file_carries_its_whole_tag() {
        let files = |names: &[&str]| Looks {
            files: names.iter().map(|name| (*name).to_owned()).collect(),
            ..Looks::titled("Pack")
        };
        assert!(names("language=pt-br", &files(&["windows11-kb1-x64_PT-BR.cab", "lp-pt-br.esd"])));
        assert!(!names("language=pt-br", &files(&["lp-pt-br.esd", "common.cab"])));
        assert!(!names("language=pt-br", &files(&["lp-apt-br.esd"])), "a part of a word");
        assert!(!names("language=it", &files(&["fix-it.exe"])), "two letters can be anything");
        let declared = Looks { languages: vec!["fr".parse().unwrap()], ..files(&["lp-pt-br.esd"]) };
        assert!(!names("language=pt-br", &declared), "what is declared is believed");
    }

    #[test]
    fn an_edition_is_named_when_every_product_is_of_it() {
        let under = |names: &[&str]| Looks {
            products: names.iter().map(|name| (*name).to_owned()).collect(),
            ..Looks::titled("Security Update (KB1)")
        };
        assert!(names("edition=Server 2016", &under(&["Windows Server 2016"])));
        assert!(!names("edition=Server 2016", &under(&["Windows Server 2016", "Windows Server 2019"])));
        assert!(!names("edition=Server 2016", &under(&[])));
    }

    #[test]
    fn a_preview_is_one_by_its_title_its_publisher_or_what_it_stands_under() {
        assert!(names("preview", &Looks { beta: true, ..Looks::titled("Tool") }));
        assert!(names(
            "preview",
            &Looks { products: vec!["Windows Insider Pre-Release".into()], ..Looks::titled("Tool") }
        ));
        assert!(names(
            "preview",
            &Looks { others: vec!["Previews and Beta".into()], ..Looks::titled("Tool") }
        ));
        assert!(!names("preview", &Looks { products: vec!["Windows 11".into()], ..Looks::titled("Tool") }));
    }
}
