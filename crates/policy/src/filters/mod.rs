//! Policy: filters that WSUS lacks: by architecture, edition, language, title and preview. What a filter names is
//! declined as it comes in, not left out of synchronization: its metadata is still there for servers below, for
//! bundles and for what needs it as a prerequisite, while its files are not fetched and no computer is told of
//! it. So trees stay consistent whatever each server filters.
//!
//! Publishers write most of this into titles, so titles come first. Where a title says nothing, what the update
//! stands under and what its document declares are asked ([`Looks`]).

mod looks;
mod title;

use core::fmt;
use core::str::FromStr;

pub use looks::Looks;

/// Most filters of one server.
pub const MOST_FILTERS: usize = 200;

/// Longest text of a filter, in characters.
const LONGEST: usize = 200;

/// A processor architecture.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Architecture {
    /// 32-bit x86.
    X86,
    /// 64-bit x86.
    X64,
    /// 32-bit Arm.
    Arm,
    /// 64-bit Arm.
    Arm64,
    /// Itanium.
    Ia64,
}

impl Architecture {
    const ALL: [Self; 5] = [Self::X86, Self::X64, Self::Arm, Self::Arm64, Self::Ia64];

    const fn as_str(self) -> &'static str {
        match self {
            Self::X86 => "x86",
            Self::X64 => "x64",
            Self::Arm => "arm",
            Self::Arm64 => "arm64",
            Self::Ia64 => "ia64",
        }
    }

    /// By its number in `PROCESSOR_ARCHITECTURE_…`, as rules write it.
    const fn of_number(number: u16) -> Option<Self> {
        Some(match number {
            0 => Self::X86,
            5 => Self::Arm,
            6 => Self::Ia64,
            9 => Self::X64,
            12 => Self::Arm64,
            _ => return None,
        })
    }

    /// How titles write it.
    const fn words(self) -> &'static [&'static str] {
        match self {
            Self::X86 => &["x86", "32-bit"],
            Self::X64 => &["x64", "amd64", "x86-64"],
            Self::Arm => &["arm", "arm32"],
            Self::Arm64 => &["arm64"],
            Self::Ia64 => &["ia64", "itanium", "itanium-based"],
        }
    }
}

/// A filter: what it names is not wanted.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum UpdateFilter {
    /// For this architecture and no other.
    Architecture(Architecture),
    /// For editions of this name: `business`, `consumer`, `enterprise`, `Server 2016`, …
    Edition(Box<str>),
    /// In this language, written as its tag (`de-de`).
    Language(Box<str>),
    /// With a title like this pattern; `*` stands for anything.
    Title(Box<str>),
    /// Not final: previews, betas and versions for insiders.
    Preview,
}

/// Why a filter is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UpdateFilterError {
    /// No such form.
    #[error(
        "`{0}` is no filter; write architecture=x86|x64|arm|arm64|ia64, edition=NAME, language=TAG, title=PATTERN or preview"
    )]
    Form(String),
    /// It would name every update.
    #[error("the pattern `{0}` is like every title; name a part of the titles that are not wanted")]
    Everything(String),
}

impl fmt::Display for UpdateFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Architecture(architecture) => write!(f, "architecture={}", architecture.as_str()),
            Self::Edition(name) => write!(f, "edition={name}"),
            Self::Language(tag) => write!(f, "language={tag}"),
            Self::Title(pattern) => write!(f, "title={pattern}"),
            Self::Preview => f.write_str("preview"),
        }
    }
}

impl FromStr for UpdateFilter {
    type Err = UpdateFilterError;
    fn from_str(text: &str) -> Result<Self, UpdateFilterError> {
        let text = text.trim();
        let refused = || UpdateFilterError::Form(text.chars().take(60).collect());
        if text.chars().count() > LONGEST || text.chars().any(char::is_control) {
            return Err(refused());
        }
        let (part, value) = text.split_once('=').unwrap_or((text, ""));
        let value = value.trim();
        match (part.trim(), value) {
            ("preview", "") => Ok(Self::Preview),
            (_, "") => Err(refused()),
            ("architecture", name) => {
                let named = Architecture::ALL.into_iter().find(|a| a.as_str().eq_ignore_ascii_case(name));
                named.map(Self::Architecture).ok_or_else(refused)
            }
            ("edition", name) => Ok(Self::Edition(name.into())),
            ("language", tag) if tag.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') => {
                Ok(Self::Language(tag.into()))
            }
            ("title", pattern) if pattern.chars().all(|c| c == '*' || c == ' ') => {
                Err(UpdateFilterError::Everything(pattern.to_owned()))
            }
            ("title", pattern) => Ok(Self::Title(pattern.into())),
            _ => Err(refused()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(filter: &str, title: &str) -> bool {
        filter.parse::<UpdateFilter>().unwrap().names(&Looks::titled(title))
    }

    #[test]
    fn an_architecture_is_named_when_it_is_the_only_one() {
        for (filter, yes) in [
            ("architecture=arm64", "2024-06 Cumulative Update for Windows 11 for ARM64-based Systems (KB1)"),
            ("architecture=x86", "Security Update for Office 2016 (KB2) 32-Bit Edition"),
            ("architecture=x86", "Update for Windows 10 for x86-based Systems"),
            ("architecture=ia64", "Security Update for Windows Server 2008 R2 for Itanium-based Systems"),
            ("architecture=x64", "Update for Windows Server 2019 for x64-based Systems"),
        ] {
            assert!(names(filter, yes), "{filter} {yes}");
        }
        for (filter, no) in [
            ("architecture=arm", "Update for ARM64-based Systems"),
            ("architecture=x86", "Update for x64-based Systems"),
            ("architecture=x64", "Runtime for x86 and x64"),
            ("architecture=arm64", "Update for Windows Server 2019"),
            ("architecture=arm", "Alarm Manager"),
        ] {
            assert!(!names(filter, no), "{filter} {no}");
        }
    }

    #[test]
    fn editions_languages_and_previews_are_whole_words() {
        assert!(names("edition=consumer", "Windows 11 (consumer editions), version 23H2, de-de"));
        assert!(!names("edition=server", "Observer Update"));
        assert!(names("edition=Server 2016", "Update for Windows Server 2016 (KB1)"));
        assert!(names("language=de-de", "Windows 11 (business editions), version 23H2, de-DE x64"));
        assert!(!names("language=de", "Windows 11 (business editions), de-de"));
        assert!(names("preview", "2024-06 Cumulative Update Preview for Windows 11"));
        assert!(names("preview", "Windows 11 Insider Build"));
        assert!(!names("preview", "Print Previewer Update"));
    }

    #[test]
    fn a_title_is_like_a_pattern_as_a_whole() {
        assert!(names("title=*Silverlight*", "Update for Microsoft Silverlight (KB1)"));
        assert!(names("title=Update*KB?", "Update KB?"));
        assert!(!names("title=Silverlight", "Update for Microsoft Silverlight"));
        assert!(names("title=a*b*c", "a b b c"));
        assert!(!names("title=a*b*c", "a b b c d"));
    }

    #[test]
    fn what_is_written_is_read_back_and_nonsense_is_refused() {
        for text in ["architecture=ia64", "edition=Home", "language=ja-jp", "title=*x*", "preview"] {
            assert_eq!(text.parse::<UpdateFilter>().unwrap().to_string(), text);
        }
        for bad in ["", "preview=1", "architecture=z80", "edition=", "language=a b", "colour=red", "title"] {
            assert!(matches!(bad.parse::<UpdateFilter>(), Err(UpdateFilterError::Form(_))), "{bad}");
        }
        assert!(matches!("title=**".parse::<UpdateFilter>(), Err(UpdateFilterError::Everything(_))));
    }

    #[test]
    fn a_filter_is_as_long_as_it_may_be_and_without_control_characters() {
        let title = |length: usize| format!("title={}", "x".repeat(length - "title=".len()));
        assert!(title(LONGEST).parse::<UpdateFilter>().is_ok());
        assert_eq!(title(LONGEST).chars().count(), LONGEST);
        assert!(matches!(title(LONGEST + 1).parse::<UpdateFilter>(), Err(UpdateFilterError::Form(_))));
        assert!(matches!("title=a\u{7}b".parse::<UpdateFilter>(), Err(UpdateFilterError::Form(_))));
    }
}
