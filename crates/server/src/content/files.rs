//! The content directory (observed-behaviour 5): `/Content/<last SHA-1 byte>/<SHA-1>.<ending>`, in any
//! letter case. The path is parsed into a digest; nothing of it ever reaches the file system.

use sluicegate_terms::Sha1Digest;

/// What a path below `/Content/` asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// A file.
    File {
        /// Its name.
        sha1: Sha1Digest,
        /// Its ending as asked, without the dot.
        ending: String,
    },
    /// A name without an ending: real servers answer 403.
    NoEnding,
    /// No file of ours has such a path.
    Nothing,
}

/// Reads a path below `/Content/`.
#[must_use]
pub fn asked(path: &str) -> Asked {
    let Some((folder, name)) = path.split_once('/') else { return Asked::Nothing };
    let (stem, ending) = match name.split_once('.') {
        Some((stem, ending)) => (stem, ending),
        None => (name, ""),
    };
    let Ok(sha1) = Sha1Digest::from_hex(stem) else { return Asked::Nothing };
    if !folder_of(&sha1).eq_ignore_ascii_case(folder) {
        return Asked::Nothing;
    }
    let plain = ending.len() <= 15 && ending.bytes().all(|b| b.is_ascii_alphanumeric());
    match ending {
        "" => Asked::NoEnding,
        _ if plain => Asked::File { sha1, ending: ending.to_owned() },
        _ => Asked::Nothing,
    }
}

/// The folder of a file: its last byte, two upper-case hexadecimal digits.
#[must_use]
pub fn folder_of(sha1: &Sha1Digest) -> String {
    let [.., last] = sha1.0;
    format!("{last:02X}")
}

/// The path of a file below the server's root, as URLs in answers have it.
#[must_use]
pub fn path_of(sha1: &Sha1Digest, ending: &str) -> String {
    let dot = if ending.is_empty() { "" } else { "." };
    format!("{}/{}{dot}{ending}", folder_of(sha1), sha1.to_hex_upper())
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORDED: &str = "AB/2F88DF42DA48AA980FB748D13BAA2DE49CD154AB.exe";

    #[test]
    fn a_recorded_path_is_read_and_written() {
        let Asked::File { sha1, ending } = asked(RECORDED) else { panic!("not read") };
        assert_eq!(path_of(&sha1, &ending), RECORDED);
        assert_eq!(asked(&RECORDED.to_lowercase()), asked(RECORDED));
    }

    #[test]
    fn a_small_last_byte_has_two_digits() {
        let sha1 = Sha1Digest::from_hex(&format!("{}07", "11".repeat(19))).unwrap();
        assert_eq!(folder_of(&sha1), "07");
    }

    #[test]
    fn other_paths_are_nothing() {
        for path in [
            "",
            "AB",
            "AC/2F88DF42DA48AA980FB748D13BAA2DE49CD154AB.exe",
            "AB/2F88DF42DA48AA980FB748D13BAA2DE49CD154.exe",
            "AB/../AB/2F88DF42DA48AA980FB748D13BAA2DE49CD154AB.exe",
            "AB/2F88DF42DA48AA980FB748D13BAA2DE49CD154AB.e/../x",
            "AB/2F88DF42DA48AA980FB748D13BAA2DE49CD154AB.%00",
            "AB/2F88DF42DA48AA980FB748D13BAA2DE49CD154AB.exe.bak",
        ] {
            assert_eq!(asked(path), Asked::Nothing, "{path}");
        }
        assert_eq!(asked("AB/2F88DF42DA48AA980FB748D13BAA2DE49CD154AB"), Asked::NoEnding);
        assert_eq!(asked("AB/2F88DF42DA48AA980FB748D13BAA2DE49CD154AB."), Asked::NoEnding);
    }
}
