//! Keys of encrypted files: given to agents and to servers below, and carried to networks without a connection.

use crate::support;

use sluicegate_soap::Limits;
use sluicegate_soap::ResponseMessage as _;
use sluicegate_soap::client::{
    Base64, FragmentType, GetExtendedUpdateInfo2Request, GetExtendedUpdateInfo2Response,
};
use sluicegate_soap::server_sync::{GetUpdateDecryptionDataRequest, GetUpdateDecryptionDataResponse};
use sluicegate_terms::Sha1Digest;
use support::catalog::{self, FILE_SHA1, PLAIN, identity};

use support::{Agent, Downstream, Site};

/// An update whose only file is encrypted, and its categories.
async fn encrypted(site: &Site) {
    let mut files: Vec<(String, Vec<u8>)> = Vec::new();
    for document in catalog::small() {
        let mut xml = document.to_xml();
        if document.identity == identity(PLAIN, 200) {
            xml = xml.replace("FileName=\"Fox.EXE\"", "FileName=\"Fox.EXE\" IsEncrypted=\"true\"");
            assert!(xml.contains("IsEncrypted"), "{xml}");
        }
        files.push((format!("{}.xml", document.identity), xml.into_bytes()));
    }
    let files: Vec<(&str, &[u8])> = files.iter().map(|(name, xml)| (name.as_str(), xml.as_slice())).collect();
    let report = site.import_files(&files).await;
    assert_eq!(report["report"]["quarantined"], serde_json::json!([]), "{report}");
}

fn sha1() -> Sha1Digest {
    Sha1Digest::from_hex(FILE_SHA1).unwrap()
}

/// What a server below is told: revisions with files and their keys.
async fn told(site: &Site) -> Vec<(String, Vec<(Sha1Digest, Vec<u8>)>)> {
    let server = Downstream::authorized(site, 1).await;
    let request = GetUpdateDecryptionDataRequest {
        cookie: server.cookie.clone(),
        update_ids: Some(catalog::small().iter().map(|document| document.identity).collect()),
    };
    let answer = server.call(&request).await;
    let data = GetUpdateDecryptionDataResponse::decode(&answer.body, &Limits::ANSWER).unwrap().data;
    let key = |file: &sluicegate_soap::server_sync::ServerSyncFileDecryption| {
        (file.file_digest.unwrap(), file.decryption_key.clone().unwrap().0)
    };
    let told = |update: &sluicegate_soap::server_sync::ServerSyncUpdateFileDecryption| {
        (update.id.to_string(), update.files.iter().map(key).collect())
    };
    data.updates.iter().map(told).collect()
}

#[tokio::test]
async fn keys_are_given_to_servers_below_and_to_agents() {
    let site = Site::start().await;
    encrypted(&site).await;
    assert!(told(&site).await.is_empty(), "no key has come yet");
    let store = site.running.as_ref().unwrap().store().clone();
    assert_eq!(store.wanted_keys().unwrap(), [identity(PLAIN, 200)]);
    let key = vec![9; 32];
    store.record_file_keys(&[(sha1(), key.clone())], &[identity(PLAIN, 200)]).unwrap();
    assert!(store.wanted_keys().unwrap().is_empty());
    let expected = (identity(PLAIN, 200).to_string(), vec![(sha1(), key.clone())]);
    assert!(told(&site).await.contains(&expected));

    let mut agent = Agent::new(&site, "pc-1");
    agent.join().await;
    let request = GetExtendedUpdateInfo2Request {
        cookie: Some(agent.cookie.clone()),
        update_ids: catalog::small().iter().map(|document| document.identity).collect(),
        info_types: vec![FragmentType::FileDecryption],
        ..GetExtendedUpdateInfo2Request::default()
    };
    let answer = agent.call(&request).await;
    let info = GetExtendedUpdateInfo2Response::decode(&answer.body, &Limits::ANSWER).unwrap().info;
    let [file] = info.file_decryption_data.as_slice() else { panic!("{:?}", info.file_decryption_data) };
    assert_eq!((file.file_digest, file.decryption_key.clone()), (Some(sha1()), Some(Base64(key.clone()))));
    assert_eq!(file.security_data, [Base64(key)]);
    assert_eq!(info.file_decryption_data2.len(), 1);
    let says =
        |id| info.update_encryption_details.iter().find(|d| d.identity == id).map(|d| d.has_encrypted_files);
    assert_eq!(says(identity(PLAIN, 200)), Some(true));
    assert!(info.update_encryption_details.iter().any(|detail| !detail.has_encrypted_files));
}

#[tokio::test]
async fn keys_are_carried_beside_the_decisions_also_without_them() {
    let (from, to) = (Site::start().await, Site::start().await);
    encrypted(&from).await;
    let store = from.running.as_ref().unwrap().store().clone();
    store.record_file_keys(&[(sha1(), vec![3; 32]), (Sha1Digest([1; 20]), vec![4; 32])], &[]).unwrap();
    let bearer = |site: &Site| format!("Bearer {}", site.token());
    let answer = from
        .request("GET", "/api/v1/export?decisions=false", &[("Authorization", &bearer(&from))], b"")
        .await;
    let lines: Vec<serde_json::Value> = answer
        .body
        .split(|byte| *byte == b'\n')
        .filter_map(|line| serde_json::from_slice::<serde_json::Value>(line).ok())
        .filter_map(|line| line.get("decision").cloned())
        .collect();
    assert_eq!(lines.len(), 1, "the key of a file that nobody declares stays: {lines:?}");
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let answer = to
        .request("POST", "/api/v1/import/decisions", &[("Authorization", &bearer(&to))], text.as_bytes())
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let there = to.running.as_ref().unwrap().store().clone();
    assert_eq!(there.file_key(sha1()).unwrap(), Some(vec![3; 32]));
}
