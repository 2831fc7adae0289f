//! Fragments: LocalizedProperties, the words for people in one language (MS-WUSP 3.1.1.1).

use super::FragmentError;
use super::reader::{Step, Steps};

/// Title and description in one language.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LocalizedTexts {
    /// Which language, as written.
    pub language: String,
    /// What people call the update.
    pub title: String,
    /// What it is for.
    pub description: String,
}

impl LocalizedTexts {
    /// Reads a LocalizedProperties fragment. Texts that are not there stay empty.
    ///
    /// # Errors
    /// [`FragmentError::Xml`], when it is not well-formed.
    pub fn read(xml: &str) -> Result<Self, FragmentError> {
        let mut steps = Steps::new(xml, "LocalizedProperties");
        let mut texts = Self::default();
        let mut inside = String::new();
        loop {
            match steps.next()? {
                Step::Open { element, empty } => {
                    inside.clear();
                    if !empty {
                        inside.push_str(element.local_name().as_ref());
                    }
                }
                Step::Text(text) => match inside.as_str() {
                    "Language" => texts.language.push_str(&text),
                    "Title" => texts.title.push_str(&text),
                    "Description" => texts.description.push_str(&text),
                    _ => {}
                },
                Step::Close => inside.clear(),
                Step::End => return Ok(texts),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_read_with_their_references_resolved() {
        let texts = LocalizedTexts::read(
            "<LocalizedProperties><Language>de</Language><Title>Werkzeug &amp; Treiber &#8211; 2</Title><MoreInfoUrl>x</MoreInfoUrl></LocalizedProperties>",
        )
        .unwrap();
        assert_eq!(texts.language, "de");
        assert_eq!(texts.title, "Werkzeug & Treiber \u{2013} 2");
        assert_eq!(texts.description, "");
        assert!(LocalizedTexts::read("<Title>").is_ok_and(|t| t.title.is_empty()));
        assert!(LocalizedTexts::read("<a></b>").is_err());
    }
}
