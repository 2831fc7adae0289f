//! The content directory (observed-behaviour 5): `/Content/<last SHA-1 byte>/<SHA-1>.<ending>`, in any
//! letter case. The path is parsed into a digest; nothing of it ever reaches the file system.

use sluicegate_terms::Sha1Digest;

/// What a path below `/Content/` asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The name of the file; only this says which one is meant.
    pub sha1: Sha1Digest,
    /// Its ending as asked, without the dot; may be empty.
    pub ending: String,
}

/// Reads a path below `/Content/`; `None` when no file of ours has such a path. Whoever asks for a file may write its
/// ending as he likes: declared names end in anything, and real servers keep it as it is.
#[must_use]
pub fn asked(path: &str) -> Option<Asked> {
    let (folder, name) = path.split_once('/')?;
    let (stem, ending) = name.split_once('.').unwrap_or((name, ""));
    let sha1 = Sha1Digest::from_hex(stem).ok()?;
    let below = ending.contains(['/', '\\']);
    let here = folder_of(&sha1).eq_ignore_ascii_case(folder) && !below;
    here.then(|| Asked { sha1, ending: ending.to_owned() })
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
        let Asked { sha1, ending } = asked(RECORDED).unwrap();
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
            "AB/2F88DF42DA48AA980FB748D13BAA2DE49CD154AB.e\\..\\x",
            "AB/2F88DF42DA48AA980FB748D13BAA2DE49CD154AB/",
        ] {
            assert_eq!(asked(path), None, "{path}");
        }
    }

    #[test]
    fn the_digest_says_which_file_is_meant_whatever_its_ending_is() {
        let sha1 = asked(RECORDED).unwrap().sha1;
        for ending in ["", "v1_2", "msixbundle-signature", "exe.bak", "%20x"] {
            let path = format!("AB/2F88DF42DA48AA980FB748D13BAA2DE49CD154AB.{ending}");
            assert_eq!(asked(&path), Some(Asked { sha1, ending: ending.to_owned() }), "{path}");
        }
        assert_eq!(asked(&path_of(&sha1, "")), Some(Asked { sha1, ending: String::new() }));
    }
}
