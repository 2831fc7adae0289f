//! The LZX cabinets that a real server sent as update blobs (recorded GetUpdateData answers) hold exactly
//! the update documents recorded beside them.

use base64::Engine as _;
use sluicegate_soap::cabinet::{self, Limits};
use std::path::PathBuf;

fn recordings() -> Option<PathBuf> {
    let top = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared");
    let shared = std::env::var_os("SLUICEGATE_SHARED").map_or_else(|| PathBuf::from(top), PathBuf::from);
    let folder = shared.join("captures/server-sync");
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: there are no recordings at {}", folder.display());
    None
}

fn utf16(bytes: &[u8]) -> String {
    let (units, rest) = bytes.as_chunks::<2>();
    assert!(rest.is_empty());
    char::decode_utf16(units.iter().map(|unit| u16::from_le_bytes(*unit))).collect::<Result<_, _>>().unwrap()
}

#[test]
fn recorded_lzx_blobs_hold_the_recorded_documents() {
    let Some(folder) = recordings() else { return };
    let documents: Vec<String> = std::fs::read_dir(folder.join("docs"))
        .unwrap()
        .map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap())
        .collect();
    let mut blobs = 0;
    for exchange in std::fs::read_dir(folder.join("exchanges")).unwrap() {
        let Ok(answer) = std::fs::read_to_string(exchange.unwrap().path().join("response.xml")) else {
            continue;
        };
        for part in answer.split("<XmlUpdateBlobCompressed>").skip(1) {
            let encoded = part.split('<').next().unwrap();
            let bytes = base64::engine::general_purpose::STANDARD.decode(encoded).unwrap();
            let members = cabinet::read(&bytes, &Limits::default()).unwrap();
            assert_eq!(members.len(), 1);
            assert_eq!(members[0].name, "blob");
            let text = utf16(&members[0].data);
            assert!(documents.iter().any(|document| document.trim() == text.trim()), "{:.200}", text);
            blobs += 1;
        }
    }
    assert!(blobs >= 3, "only {blobs} blobs were found");
}
