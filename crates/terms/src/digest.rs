//! Terms: the digests that name files (SHA-1, as documents and URLs do) and prove them (SHA-256 too).

use crate::{TermError, excerpt};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use core::fmt;

macro_rules! digest {
    ($(#[$doc:meta])* $name:ident, $len:literal, $label:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; $len]);

        impl $name {
            /// Reads the Base64 form that update documents and messages use.
            ///
            /// # Errors
            /// [`TermError::Digest`] for another encoding or length.
            pub fn from_base64(text: &str) -> Result<Self, TermError> {
                STANDARD
                    .decode(text.trim())
                    .ok()
                    .and_then(|bytes| bytes.try_into().ok())
                    .map(Self)
                    .ok_or_else(|| TermError::Digest(excerpt(text), $label))
            }

            /// Reads hexadecimal digits in any letter case.
            ///
            /// # Errors
            /// [`TermError::Digest`] for another encoding or length.
            pub fn from_hex(text: &str) -> Result<Self, TermError> {
                let bad = || TermError::Digest(excerpt(text), $label);
                if text.len() != $len * 2 {
                    return Err(bad());
                }
                let mut out = [0_u8; $len];
                for (slot, pair) in out.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
                    let [high, low] = pair else { return Err(bad()) };
                    let high = char::from(*high).to_digit(16).ok_or_else(bad)?;
                    let low = char::from(*low).to_digit(16).ok_or_else(bad)?;
                    *slot = u8::try_from(high << 4 | low).map_err(|_| bad())?;
                }
                Ok(Self(out))
            }

            /// The Base64 form.
            #[must_use]
            pub fn to_base64(&self) -> String {
                STANDARD.encode(self.0)
            }

            /// Upper-case hexadecimal digits, as file names in the content directory use.
            #[must_use]
            pub fn to_hex_upper(&self) -> String {
                use fmt::Write as _;
                self.0.iter().fold(String::with_capacity($len * 2), |mut out, byte| {
                    // Writing to a String cannot fail.
                    let _ = write!(out, "{byte:02X}");
                    out
                })
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.to_hex_upper())
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.to_hex_upper())
            }
        }
    };
}

digest! {
    /// A SHA-1 digest: the name of a file in documents, messages and URLs (MS-WUSP 3.1.5.10).
    Sha1Digest, 20, "SHA-1"
}
digest! {
    /// A SHA-256 digest: `AdditionalDigest` of a file.
    Sha256Digest, 32, "SHA-256"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_agree() {
        let digest = Sha1Digest::from_base64("h/W9BGlYUAaqXTp30cZi/SiV3c0=").unwrap();
        assert_eq!(digest.to_hex_upper(), "87F5BD0469585006AA5D3A77D1C662FD2895DDCD");
        assert_eq!(Sha1Digest::from_hex("87f5bd0469585006aa5d3a77d1c662fd2895ddcd").unwrap(), digest);
        assert_eq!(digest.to_base64(), "h/W9BGlYUAaqXTp30cZi/SiV3c0=");
    }

    #[test]
    fn wrong_lengths_are_refused() {
        assert!(Sha1Digest::from_base64("AAAA").is_err());
        assert!(Sha256Digest::from_hex("00").is_err());
        assert!(Sha1Digest::from_hex(&"zz".repeat(20)).is_err());
    }
}
