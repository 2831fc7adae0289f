//! Terms: the identifiers of MS-WUSP 3.1.1 (revision table, deployment table, client table) as types.

use crate::{Guid, TermError};
use core::fmt;
use core::str::FromStr;

macro_rules! guid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(pub Guid);

        impl FromStr for $name {
            type Err = TermError;
            fn from_str(text: &str) -> Result<Self, TermError> {
                text.parse().map(Self)
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
        impl From<Guid> for $name {
            fn from(guid: Guid) -> Self {
                Self(guid)
            }
        }
    };
}

guid_id! {
    /// What all revisions of one update have in common (MS-WUSP 3.1.1, UpdateID).
    UpdateId
}
guid_id! {
    /// A target group (MS-WUSP 3.1.1 knows groups by name; like WSUS we give each an id too).
    GroupId
}

impl GroupId {
    /// The group that every computer is in. WSUS uses this id on every server (MS-WSUSSS 3.1.4.10, example).
    pub const ALL_COMPUTERS: Self = Self(Guid::from_u128(0xa0a0_8746_4dbe_4a37_9adf_9e76_52c0_b421));
    /// The group of computers nobody assigned. WSUS uses this id on every server.
    pub const UNASSIGNED_COMPUTERS: Self = Self(Guid::from_u128(0xb73c_a6ed_5727_47f3_84de_015e_03f6_a88a));
}

/// Counts the revisions of one update, from 0; higher is newer. At most `i32::MAX`, since the wire
/// type is `xs:int`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct RevisionNumber(u32);

impl RevisionNumber {
    /// Checks the range 0..=`i32::MAX`.
    ///
    /// # Errors
    /// [`TermError::Range`].
    pub fn new(value: i64) -> Result<Self, TermError> {
        i32::try_from(value).ok().and_then(|v| u32::try_from(v).ok()).map(Self).ok_or(TermError::Range {
            term: "RevisionNumber",
            value,
            expected: "0 to 2147483647",
        })
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl fmt::Display for RevisionNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// The compact, server-assigned id of one revision (MS-WUSP 3.1.1, RevisionID); 1 to `i32::MAX`.
/// It stays the same for the life of the data folder and is never given to another revision.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RevisionId(core::num::NonZeroU32);

impl RevisionId {
    /// Checks the range 1..=`i32::MAX`.
    ///
    /// # Errors
    /// [`TermError::Range`].
    pub fn new(value: i64) -> Result<Self, TermError> {
        i32::try_from(value)
            .ok()
            .and_then(|v| u32::try_from(v).ok())
            .and_then(core::num::NonZeroU32::new)
            .map(Self)
            .ok_or(TermError::Range { term: "RevisionID", value, expected: "1 to 2147483647" })
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0.get()
    }
}

impl fmt::Display for RevisionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// The server-assigned id of a deployment, its own id space beside [`RevisionId`]; 1 to `i32::MAX`.
/// The lower half (below [`DeploymentId::FIRST_EXPLICIT`]) is the implicit deployment of the
/// revision with the same number; the upper half counts approvals.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct DeploymentId(u32);

impl DeploymentId {
    /// The first id given to an administrator's approval.
    pub const FIRST_EXPLICIT: u32 = 1 << 30;

    /// Checks the range 1..=`i32::MAX`.
    ///
    /// # Errors
    /// [`TermError::Range`].
    pub fn new(value: i64) -> Result<Self, TermError> {
        RevisionId::new(value).map(|id| Self(id.get())).map_err(|_| TermError::Range {
            term: "DeploymentID",
            value,
            expected: "1 to 2147483647",
        })
    }

    /// The deployment every revision has without an administrator's doing (Evaluate, Bundle or
    /// PreDeploymentCheck).
    #[must_use]
    pub const fn implicit(revision: RevisionId) -> Self {
        Self(revision.get())
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl fmt::Display for DeploymentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// One revision, named the same on every server (MS-WUSP 2.2.3.6).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct UpdateIdentity {
    /// Which update.
    pub update: UpdateId,
    /// Which revision of it.
    pub revision: RevisionNumber,
}

impl fmt::Display for UpdateIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} revision {}", self.update, self.revision)
    }
}

/// A position in this server's history of changes: each committed change of catalog or decisions
/// takes the next number. 0 is before everything. What a cookie carries to answer "changed since?".
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Anchor(pub u64);

impl Anchor {
    /// Before every change.
    pub const START: Self = Self(0);
}

impl fmt::Display for Anchor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// A client's own name for itself: the `clientId` of GetAuthorizationCookie (MS-WUSP 2.2.2.1.1), 1 to
/// 255 characters without control characters. Agents send a GUID, the specification allows any
/// string; letter case does not distinguish computers, so it is kept in lower case.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ComputerId(Box<str>);

impl ComputerId {
    /// Longest accepted id, in characters.
    pub const MAX_CHARS: usize = 255;

    /// The id, in lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ComputerId {
    type Err = TermError;
    fn from_str(text: &str) -> Result<Self, TermError> {
        let text = text.trim();
        let bad = |reason| TermError::Text { term: "ComputerID", reason };
        if text.is_empty() {
            return Err(bad("it is empty"));
        }
        if text.chars().count() > Self::MAX_CHARS {
            return Err(bad("it is longer than 255 characters"));
        }
        if text.chars().any(char::is_control) {
            return Err(bad("it has control characters"));
        }
        Ok(Self(text.to_lowercase().into_boxed_str()))
    }
}

impl fmt::Display for ComputerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A language tag as documents and agents write it (`en`, `en-US`, `zh-hant`), kept in lower case.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Locale(Box<str>);

impl Locale {
    /// The tag, in lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Locale {
    type Err = TermError;
    fn from_str(text: &str) -> Result<Self, TermError> {
        let text = text.trim();
        let fits = (1..=35).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        if fits {
            Ok(Self(text.to_ascii_lowercase().into_boxed_str()))
        } else {
            Err(TermError::Text {
                term: "language tag",
                reason: "expected 1 to 35 ASCII letters, digits or hyphens",
            })
        }
    }
}

impl fmt::Display for Locale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn revision_ids_keep_the_range_of_the_wire_type() {
        assert!(RevisionId::new(0).is_err());
        assert!(RevisionId::new(-1).is_err());
        assert!(RevisionId::new(i64::from(i32::MAX) + 1).is_err());
        assert_eq!(RevisionId::new(108_226).unwrap().get(), 108_226);
        assert_eq!(RevisionNumber::new(0).unwrap().get(), 0);
        assert!(RevisionNumber::new(-1).is_err());
    }

    #[test]
    fn computer_ids_do_not_distinguish_letter_case() {
        let upper: ComputerId = "E1DA06A3-5601-43C9-BAC3-52D5DB701494".parse().unwrap();
        let lower: ComputerId = "e1da06a3-5601-43c9-bac3-52d5db701494".parse().unwrap();
        assert_eq!(upper, lower);
        assert!("".parse::<ComputerId>().is_err());
        assert!("a\u{7}b".parse::<ComputerId>().is_err());
        assert!("x".repeat(256).parse::<ComputerId>().is_err());
    }

    #[test]
    fn locales_are_tags() {
        assert_eq!("en-US".parse::<Locale>().unwrap().as_str(), "en-us");
        assert!("en us".parse::<Locale>().is_err());
        assert!("".parse::<Locale>().is_err());
    }
}
