//! Simulated: a package, the file that stands for an installer in demonstrations and tests. It is text that
//! says what installing it changes in the registry, padded to any length, so that it downloads, verifies and
//! fails like a real one.

use crate::hresult::HResult;
use crate::random::Random;
use sluicegate_catalog::applicability::RegistryValue;
use std::fmt::Write as _;

/// First line of every package.
const MAGIC: &str = "SLUICEGATE SIMULATED PACKAGE 1";
/// Last line before the padding.
const END: &str = "END";

/// What installing does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// Changes, in order.
    pub steps: Vec<Step>,
    /// How it ends.
    pub ending: Ending,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Registry key in full, `HKEY_LOCAL_MACHINE\…`.
    pub key: String,
    /// Name of the value.
    pub name: String,
    /// Its new data; `None` removes it.
    pub data: Option<RegistryValue>,
}

/// How an installation ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// At once.
    Succeeds,
    /// Its changes take effect when the computer restarts.
    Restarts,
    /// With this code, and nothing changed.
    Fails(HResult),
}

/// A file that is no package, or a broken one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PackageError {
    /// It does not begin like one.
    #[error("the file is no simulated package (its first line is not `{MAGIC}`)")]
    NoPackage,
    /// A line that says nothing known.
    #[error("line {line} of the simulated package is not understood")]
    Line {
        /// Counted from 1.
        line: usize,
    },
    /// It ends before its end.
    #[error("the simulated package has no line `{END}`")]
    NoEnd,
}

impl Package {
    /// A package that sets text values below one key.
    #[must_use]
    pub fn setting(key: &str, values: &[(&str, &str)]) -> Self {
        let steps = values
            .iter()
            .map(|(name, text)| Step {
                key: key.to_owned(),
                name: (*name).to_owned(),
                data: Some(RegistryValue::Text((*text).to_owned())),
            })
            .collect();
        Self { steps, ending: Ending::Succeeds }
    }

    /// The file, padded with reproducible noise to at least `length` bytes.
    #[must_use]
    pub fn to_bytes(&self, length: usize) -> Vec<u8> {
        let mut text = format!("{MAGIC}\n");
        for Step { key, name, data } in &self.steps {
            // Writing to a String cannot fail.
            let _ = match data {
                Some(RegistryValue::Dword(number)) => writeln!(text, "number\t{key}\t{name}\t{number}"),
                Some(other) => writeln!(text, "text\t{key}\t{name}\t{}", other.text().unwrap_or_default()),
                None => writeln!(text, "remove\t{key}\t{name}"),
            };
        }
        match self.ending {
            Ending::Succeeds => {}
            Ending::Restarts => text.push_str("restart\n"),
            Ending::Fails(code) => {
                let _ = writeln!(text, "fail\t{}", code.0);
            }
        }
        text.push_str(END);
        text.push('\n');
        let mut bytes = text.into_bytes();
        let mut noise = Random::seeded(
            bytes.iter().fold(length as u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(*byte))),
        );
        while bytes.len() < length {
            bytes.extend_from_slice(&noise.next_u64().to_le_bytes());
        }
        bytes
    }

    /// Reads a file.
    ///
    /// # Errors
    /// [`PackageError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, PackageError> {
        let mut lines =
            bytes.split(|byte| *byte == b'\n').map(|line| str::from_utf8(line).unwrap_or_default());
        if lines.next() != Some(MAGIC) {
            return Err(PackageError::NoPackage);
        }
        let mut package = Self { steps: Vec::new(), ending: Ending::Succeeds };
        for (at, line) in lines.enumerate() {
            let fields: Vec<&str> = line.split('\t').collect();
            // The first line was the magic one.
            let bad = || PackageError::Line { line: at + 2 };
            let (key, name, data) = match fields.as_slice() {
                [END] => return Ok(package),
                ["restart"] => {
                    package.ending = Ending::Restarts;
                    continue;
                }
                ["fail", code] => {
                    package.ending = Ending::Fails(HResult(code.parse().map_err(|_| bad())?));
                    continue;
                }
                ["text", key, name, text] => (key, name, Some(RegistryValue::Text((*text).to_owned()))),
                ["number", key, name, number] => {
                    (key, name, Some(RegistryValue::Dword(number.parse().map_err(|_| bad())?)))
                }
                ["remove", key, name] => (key, name, None),
                _ => return Err(bad()),
            };
            package.steps.push(Step { key: (*key).to_owned(), name: (*name).to_owned(), data });
        }
        Err(PackageError::NoEnd)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(ending: Ending) -> Package {
        let key = "HKEY_LOCAL_MACHINE\\SOFTWARE\\Example";
        let mut package = Package::setting(key, &[("Version", "1.2")]);
        let step = |name: &str, data| Step { key: key.to_owned(), name: name.to_owned(), data };
        package.steps.push(step("Count", Some(RegistryValue::Dword(7))));
        package.steps.push(step("Old", None));
        package.ending = ending;
        package
    }

    #[test]
    fn packages_survive_being_written_and_padded() {
        for ending in [Ending::Succeeds, Ending::Restarts, Ending::Fails(HResult(0x8007_0643))] {
            let package = package(ending);
            for length in [0, 5_000] {
                let bytes = package.to_bytes(length);
                assert!(bytes.len() >= length);
                assert_eq!(Package::from_bytes(&bytes).unwrap(), package);
                assert_eq!(bytes, package.to_bytes(length), "the same package is the same file");
            }
        }
    }

    #[test]
    fn other_and_broken_files_are_told_apart() {
        assert_eq!(Package::from_bytes(b"MZ"), Err(PackageError::NoPackage));
        let bytes = package(Ending::Succeeds).to_bytes(0);
        let cut = bytes.len() - END.len() - 1;
        assert_eq!(Package::from_bytes(&bytes[..cut - 1]), Err(PackageError::NoEnd));
        let odd = format!("{MAGIC}\nformat\tC:\n{END}\n");
        assert_eq!(Package::from_bytes(odd.as_bytes()), Err(PackageError::Line { line: 2 }));
    }
}
