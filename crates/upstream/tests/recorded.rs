//! What a real upstream answered: every document of the recorded GetUpdateData answers, LZX blob or text, becomes a
//! revision, and is kept in the form in which it came. Skipped where the recordings are not.

use sluicegate_catalog::Limits as DocumentLimits;
use sluicegate_soap::server_sync::GetUpdateDataResponse;
use sluicegate_soap::{Limits, ResponseMessage as _};
use sluicegate_store::Document;
use sluicegate_upstream::intake::Intake;
use std::path::PathBuf;

fn exchanges() -> Option<PathBuf> {
    let shared = std::env::var_os("SLUICEGATE_SHARED")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared"), PathBuf::from);
    let folder = shared.join("captures/server-sync/exchanges");
    folder.is_dir().then_some(folder)
}

#[test]
fn documents_of_a_real_upstream_become_revisions() {
    let Some(folder) = exchanges() else {
        println!("skipped: no recordings (set SLUICEGATE_SHARED)");
        return;
    };
    let mut intake = Intake::new(DocumentLimits::default());
    let (mut blobs, mut texts) = (0, 0);
    for exchange in std::fs::read_dir(folder).unwrap() {
        let Ok(body) = std::fs::read(exchange.unwrap().path().join("response.xml")) else { continue };
        if !body.windows(30).any(|w| w.starts_with(b"GetUpdateDataResponse")) {
            continue;
        }
        let answer = GetUpdateDataResponse::decode(&body, &Limits::ANSWER).unwrap();
        for update in answer.data.updates {
            let name = update.id.to_string();
            let prepared = match (update.compressed, update.xml) {
                (Some(blob), _) => {
                    blobs += 1;
                    let prepared = intake.served(name, Document::Cabinet(blob.0.clone())).unwrap();
                    assert_eq!(prepared.document, Document::Cabinet(blob.0));
                    prepared
                }
                (None, text) => {
                    texts += 1;
                    intake.bytes(name, text.unwrap().plain().as_bytes()).unwrap()
                }
            };
            assert_eq!(prepared.record.identity, update.id);
        }
    }
    assert!(blobs > 0 && texts > 0, "{blobs} blobs, {texts} texts");
}
