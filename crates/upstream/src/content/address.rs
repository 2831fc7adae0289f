//! Content: where a parent has a file.

use crate::transport::Url;
use sluicegate_store::content::extension_of;
use sluicegate_terms::Sha1Digest;

/// The address of a file at a parent server: `Content/<last SHA-1 byte>/<SHA-1>.<ending>` in upper case, below the
/// server's own address (observed-behaviour 5; the Base64 folder of MS-WSUSSS 3.2.4.4 is not what real
/// servers use). `file_name` is the declared name. `None` when `server` cannot be continued.
#[must_use]
pub fn parent_address(server: &Url, sha1: Sha1Digest, file_name: &str) -> Option<Url> {
    let hex = sha1.to_hex_upper();
    let folder = hex.get(38..)?;
    // In the letter case of the declared name, since a real server keeps the file under that.
    let ending = extension_of(file_name);
    let dot = if ending.is_empty() { "" } else { "." };
    server.join(&format!("Content/{folder}/{hex}{dot}{ending}")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_lie_in_the_folder_of_their_last_byte() {
        let server: Url = "http://parent:8530".parse().unwrap();
        let sha1 = Sha1Digest::from_hex("000102030405060708090A0B0C0D0E0F1011120E").unwrap();
        let at = |name| parent_address(&server, sha1, name).unwrap().to_string();
        let stem = "http://parent:8530/Content/0E/000102030405060708090A0B0C0D0E0F1011120E";
        assert_eq!(at("windows10-kb5000001-x64.cab"), format!("{stem}.cab"));
        assert_eq!(at("data.v1_2"), format!("{stem}.v1_2"));
        assert_eq!(at("file.msixbundle-signature"), format!("{stem}.msixbundle-signature"));
        for odd in ["README", "odd name", "dot.", "x.c d", "x.a/../b", "x.é"] {
            assert_eq!(at(odd), stem, "{odd}");
        }
    }
}
