//! Policy: which files a server fetches from its upstream, and when.

use core::fmt;
use core::str::FromStr;

/// When files are fetched (MS-WSUSSS 3.1.1: `LazySync` and `CatalogOnlySync` in one word).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum ContentWhen {
    /// As soon as an update is in the catalog.
    All,
    /// Once an update is approved for installation.
    #[default]
    Approved,
    /// Never; agents get their files from where the upstream says.
    Never,
}

impl ContentWhen {
    /// The word commands and the admin API use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Approved => "approved",
            Self::Never => "never",
        }
    }
}

impl fmt::Display for ContentWhen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Not a word for a content policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` does not say when files are fetched (use all, approved or never)")]
pub struct ContentError(String);

impl FromStr for ContentWhen {
    type Err = ContentError;
    fn from_str(text: &str) -> Result<Self, ContentError> {
        [Self::All, Self::Approved, Self::Never]
            .into_iter()
            .find(|when| when.as_str().eq_ignore_ascii_case(text.trim()))
            .ok_or_else(|| ContentError(text.chars().take(40).collect()))
    }
}

/// Which files are fetched from the upstream.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct ContentPolicy {
    /// When.
    pub when: ContentWhen,
    /// Also the express forms (`PatchingType="Express"`), which are large and save agents traffic
    /// (MS-WSUSSS 3.1.1, ServerHostsPsfFiles).
    pub express: bool,
}

impl ContentPolicy {
    /// Whether a file of this patching type is wanted at all.
    #[must_use]
    pub fn wants(&self, patching: Option<&str>) -> bool {
        self.when != ContentWhen::Never
            && (self.express || !patching.is_some_and(|kind| kind.eq_ignore_ascii_case("Express")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn express_files_are_fetched_only_on_request() {
        let plain = ContentPolicy { when: ContentWhen::All, express: false };
        assert!(plain.wants(None) && plain.wants(Some("SelfContained")));
        assert!(!plain.wants(Some("Express")));
        assert!(ContentPolicy { express: true, ..plain }.wants(Some("Express")));
        assert!(!ContentPolicy { when: ContentWhen::Never, express: true }.wants(None));
    }

    #[test]
    fn words_come_back() {
        for when in [ContentWhen::All, ContentWhen::Approved, ContentWhen::Never] {
            assert_eq!(when.to_string().to_uppercase().parse::<ContentWhen>().unwrap(), when);
        }
        assert!("some".parse::<ContentWhen>().is_err());
    }
}
