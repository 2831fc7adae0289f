//! Terms: the GUID, in the one byte order we use everywhere (as written, most significant first).

use crate::{TermError, excerpt};
use core::fmt;
use core::str::FromStr;

/// A GUID, 16 bytes in the order they are written. Displays in lower case without braces.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Guid([u8; 16]);

impl Guid {
    /// The GUID of all zeros; the protocol writes it for "no update" (ReportEventBatch).
    pub const ZERO: Self = Self([0; 16]);

    /// From its bytes, most significant first.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// From a number, for example a literal in a test or a generator.
    #[must_use]
    pub const fn from_u128(value: u128) -> Self {
        Self(value.to_be_bytes())
    }

    /// Its bytes, most significant first.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// As a number.
    #[must_use]
    pub const fn as_u128(&self) -> u128 {
        u128::from_be_bytes(self.0)
    }

    /// Reads the ASCII form, any letter case, with or without braces.
    ///
    /// # Errors
    /// [`TermError::Guid`] when the text has another shape.
    pub fn parse_bytes(text: &[u8]) -> Result<Self, TermError> {
        let bad = || TermError::Guid(excerpt(&String::from_utf8_lossy(text)));
        let inner = match text {
            [b'{', inner @ .., b'}'] => inner,
            other => other,
        };
        if inner.len() != 36 {
            return Err(bad());
        }
        let mut value: u128 = 0;
        for (at, &byte) in inner.iter().enumerate() {
            if matches!(at, 8 | 13 | 18 | 23) {
                if byte != b'-' {
                    return Err(bad());
                }
                continue;
            }
            let digit = char::from(byte).to_digit(16).ok_or_else(bad)?;
            value = (value << 4) | u128::from(digit);
        }
        Ok(Self::from_u128(value))
    }
}

impl FromStr for Guid {
    type Err = TermError;
    fn from_str(text: &str) -> Result<Self, TermError> {
        Self::parse_bytes(text.as_bytes())
    }
}

impl fmt::Display for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the machinery of numbers: every answer and every line of a log is full of these.
        const AT: [usize; 16] = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];
        let digit = |half: u8| if half < 10 { b'0' + half } else { b'a' - 10 + half };
        let mut text = [b'-'; 36];
        for (byte, at) in self.as_u128().to_be_bytes().into_iter().zip(AT) {
            if let Some(pair) = text.get_mut(at..at + 2) {
                pair.copy_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
            }
        }
        f.write_str(core::str::from_utf8(&text).unwrap_or_default())
    }
}

impl fmt::Debug for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_any_case_and_braces_and_writes_lower_case() {
        let plain: Guid = "56309036-4C77-4DD9-951A-99EE9C246A94".parse().unwrap();
        assert_eq!(plain.to_string(), "56309036-4c77-4dd9-951a-99ee9c246a94");
        assert_eq!("{56309036-4c77-4dd9-951a-99ee9c246a94}".parse::<Guid>().unwrap(), plain);
        assert_eq!(Guid::from_u128(plain.as_u128()), plain);
    }

    #[test]
    fn refuses_other_shapes() {
        for bad in [
            "",
            "56309036",
            "56309036-4c77-4dd9-951a-99ee9c246a9",
            "5630903g-4c77-4dd9-951a-99ee9c246a94",
            "56309036_4c77-4dd9-951a-99ee9c246a94",
        ] {
            assert!(matches!(bad.parse::<Guid>(), Err(TermError::Guid(_))), "{bad}");
        }
    }
}
