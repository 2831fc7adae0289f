//! Catalog: dotted version numbers of files, products and drivers.

use core::fmt;
use core::str::FromStr;

/// A version of up to four parts, compared part by part; missing parts count as 0
/// (observed: `RegSzToVersion` reads `6.3`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Version(pub [u32; 4]);

/// Not one to four numbers with dots between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected one to four numbers with dots between them, for example 10.0.26100.1")]
pub struct VersionError;

impl Version {
    /// As one number of 64 bits, the first part highest, as agents write `DriverVerVersion`
    /// (MS-WUSP 3.1.5.7). `None` when a part passes 65535.
    #[must_use]
    pub fn packed(self) -> Option<u64> {
        self.0
            .iter()
            .try_fold(0_u64, |packed, &part| Some(packed << 16 | u64::from(u16::try_from(part).ok()?)))
    }

    /// From the packed form.
    #[must_use]
    pub fn from_packed(packed: u64) -> Self {
        Self([48, 32, 16, 0].map(|shift| u32::from((packed >> shift) as u16)))
    }
}

impl FromStr for Version {
    type Err = VersionError;
    fn from_str(text: &str) -> Result<Self, VersionError> {
        let mut version = Self::default();
        let mut parts = text.trim().split('.');
        let mut read = 0;
        for (slot, part) in version.0.iter_mut().zip(parts.by_ref()) {
            let digits = !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
            *slot = if digits { part.parse().map_err(|_| VersionError)? } else { return Err(VersionError) };
            read += 1;
        }
        if read == 0 || parts.next().is_some() { Err(VersionError) } else { Ok(version) }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d] = self.0;
        write!(f, "{a}.{b}.{c}.{d}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_compare_as_numbers_and_missing_ones_are_zero() {
        let v = |text: &str| text.parse::<Version>().unwrap();
        assert!(v("1.10") > v("1.9.9.9"));
        assert_eq!(v("6.3"), v("6.3.0.0"));
        assert_eq!(v("10.0.26100.1").to_string(), "10.0.26100.1");
        for bad in ["", ".", "1.", "1..2", "1.2.3.4.5", "v1", "-1.0", "4294967296"] {
            assert!(bad.parse::<Version>().is_err(), "{bad}");
        }
    }

    #[test]
    fn packing_keeps_order_and_refuses_parts_over_16_bits() {
        let v = "6.3.9600.17415".parse::<Version>().unwrap();
        assert_eq!(v.packed(), Some(0x0006_0003_2580_4407));
        assert_eq!(Version::from_packed(0x0006_0003_2580_4407), v);
        assert_eq!("1.70000".parse::<Version>().unwrap().packed(), None);
    }
}
