//! Browse: words of a search against the text of an update. Text is in lower case, one thing a line.

use memchr::memmem;
use sluicegate_terms::UpdateId;

/// Most words of one search; more are passed over.
const MOST_WORDS: usize = 32;

/// What a search says about an update's text and id.
#[derive(Debug, Default)]
pub(crate) struct Words {
    parts: Vec<memmem::Finder<'static>>,
    lines: Vec<memmem::Finder<'static>>,
    ids: Vec<UpdateId>,
}

impl Words {
    pub(crate) fn new(search: Option<&str>, kb: Option<&str>, cve: Option<&str>) -> Self {
        let mut words = Self::default();
        for word in search.unwrap_or_default().split_whitespace().take(MOST_WORDS) {
            match word.parse() {
                Ok(id) => words.ids.push(id),
                Err(_) => words.parts.push(memmem::Finder::new(&word.to_lowercase()).into_owned()),
            }
        }
        let mut line = |line: &str| words.lines.push(memmem::Finder::new(line).into_owned());
        if let Some(kb) = kb {
            let kb = kb.trim().to_lowercase();
            line(&if kb.starts_with("kb") { kb } else { format!("kb{kb}") });
        }
        if let Some(cve) = cve {
            line(&cve.trim().to_lowercase());
        }
        words
    }

    /// Whether everything fits.
    pub(crate) fn are_none(&self) -> bool {
        self.parts.is_empty() && self.lines.is_empty() && self.ids.is_empty()
    }

    pub(crate) fn fit(&self, id: Option<UpdateId>, text: &[u8]) -> bool {
        self.ids.iter().all(|wanted| Some(*wanted) == id)
            && self.parts.iter().all(|part| part.find(text).is_some())
            && self.lines.iter().all(|line| has_line(text, line))
    }
}

/// Whether one of the lines is this one. The first is the title and does not count.
fn has_line(text: &[u8], line: &memmem::Finder<'_>) -> bool {
    let ends = |at: usize| text.get(at).is_none_or(|byte| *byte == b'\n');
    line.find_iter(text).any(|at| at.checked_sub(1).is_some_and(ends) && ends(at + line.needle().len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluicegate_terms::Guid;

    const TEXT: &str = "cumulative update kb77\nkb5000001\nms08-067\ncve-2024-0001";

    fn fits(search: Option<&str>, kb: Option<&str>, cve: Option<&str>) -> bool {
        Words::new(search, kb, cve).fit(Some(UpdateId(Guid::from_u128(7))), TEXT.as_bytes())
    }

    #[test]
    fn every_word_must_be_somewhere() {
        assert!(fits(Some("UPDATE cumul"), None, None));
        assert!(fits(Some("kb500000"), None, None), "a part of a number");
        assert!(!fits(Some("update nothing"), None, None));
        assert!(fits(Some(&Guid::from_u128(7).to_string()), None, None));
        assert!(!fits(Some(&format!("update {}", Guid::from_u128(8))), None, None));
        assert!(fits(None, None, None));
    }

    #[test]
    fn numbers_of_articles_and_names_of_weaknesses_fit_whole() {
        assert!(fits(None, Some("5000001"), None) && fits(None, Some(" KB5000001"), None));
        assert!(!fits(None, Some("500000"), None), "a part is another article");
        assert!(!fits(None, Some("77"), None), "what the title says is no article");
        assert!(fits(None, None, Some("CVE-2024-0001")) && fits(None, None, Some("MS08-067")));
        assert!(!fits(None, None, Some("CVE-2024-00")) && !fits(None, None, Some("E-2024-0001")));
        assert!(!fits(None, None, Some("")) && !fits(None, None, Some("cumulative update kb77")));
    }
}
