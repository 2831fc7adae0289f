//! Answers made from ready bytes: in both encodings they are the same message, and that message is the
//! one the ordinary writer makes.

mod common;
use common::{assert_same, recorded};
use proptest::prelude::*;
use sluicegate_soap::client::sync_updates::{Day, Encoding};
use sluicegate_soap::client::{
    AnswerWriter, Base64, Cookie, CoreBytes, Deployment, SyncInfo, SyncPrinterCatalogResponse,
    SyncUpdatesResponse, UpdateInfo,
};
use sluicegate_soap::{Limits, ResponseMessage, SoapVersion, ready, text::Text, xpress};
use sluicegate_terms::{DeploymentAction, DeploymentId, RevisionId, Timestamp};

fn cookie() -> Cookie {
    Cookie {
        expiration: "2026-10-04T16:03:35.9967236Z".parse().unwrap(),
        encrypted_data: Some(Base64((0..=223).collect())),
    }
}

fn deployment(id: i64, action: DeploymentAction) -> Deployment {
    let day: Timestamp = "2026-10-04T13:17:07Z".parse().unwrap();
    Deployment::plain(DeploymentId::new(id).unwrap(), action, day)
}

fn revision(id: i64) -> RevisionId {
    RevisionId::new(id).unwrap()
}

fn ids(ids: &[i32]) -> impl Iterator<Item = RevisionId> {
    ids.iter().map(|id| revision(i64::from(*id)))
}

/// Writes `info` from ready bytes.
fn write(info: &SyncInfo<'_>, mut writer: AnswerWriter) -> Vec<u8> {
    for update in &info.new_updates {
        let core = ready::from_fragment(&update.xml.as_ref().unwrap().plain()).unwrap();
        let deployment = update.deployment.as_ref().unwrap();
        writer.new_update(update.id, deployment, update.is_leaf, CoreBytes::from(&core)).unwrap();
    }
    let mut changes = writer.out_of_scope(ids(&info.out_of_scope));
    for update in &info.changed_updates {
        changes.changed(update.id, update.deployment.as_ref().unwrap(), update.is_leaf);
    }
    let not_needed = info.driver_sync_not_needed.as_ref().map(|text| text == "true");
    let cookie = info.new_cookie.as_ref().unwrap();
    changes.finish(info.truncated, cookie, ids(&info.deployed_out_of_scope), not_needed)
}

/// Both encodings hold exactly the message of the ordinary writer; answers the Xpress form.
fn check(info: SyncInfo<'static>, version: SoapVersion) -> Vec<u8> {
    let identity = write(&info, AnswerWriter::new(Encoding::Identity, version));
    let packed = write(&info, AnswerWriter::new(Encoding::Xpress, version));
    let message = SyncUpdatesResponse { info };
    assert_same(&identity, &message.encode(version), "identity");
    let unpacked = xpress::decompress(&packed, 256 << 20).unwrap();
    assert_same(&unpacked, &identity, "xpress");
    assert_eq!(SyncUpdatesResponse::decode(&unpacked, &Limits::ANSWER).unwrap(), message);
    packed
}

fn new_update(id: i64, core: &str) -> UpdateInfo<'static> {
    UpdateInfo {
        id: revision(id),
        deployment: Some(deployment(id, DeploymentAction::Evaluate)),
        is_leaf: id % 2 == 0,
        xml: Some(Text::new(core)),
    }
}

#[test]
fn an_answer_without_news_is_the_shortest() {
    let info = SyncInfo { new_cookie: Some(cookie()), ..SyncInfo::default() };
    let packed = check(info, SoapVersion::V11);
    // One stored block: its two sizes are equal.
    assert_eq!(packed[..4], packed[4..8]);
    assert_eq!(packed.len(), 8 + usize::from(u16::from_le_bytes([packed[0], packed[1]])));
}

#[test]
fn a_page_of_updates_is_the_same_message_in_both_encodings() {
    let fragment = r#"<UpdateIdentity UpdateID="x" RevisionNumber="1" /><Properties A="&amp;" />"#.repeat(40);
    let mut info = SyncInfo {
        new_updates: (1..=200).map(|id| new_update(id, &fragment)).collect(),
        out_of_scope: (5000..9000).collect(),
        truncated: true,
        new_cookie: Some(cookie()),
        deployed_out_of_scope: vec![1, 2, 3],
        driver_sync_not_needed: Some("false".to_owned()),
        ..SyncInfo::default()
    };
    info.changed_updates = (300..900).map(|id| UpdateInfo { xml: None, ..new_update(id, "") }).collect();
    let packed = check(info.clone(), SoapVersion::V11);
    let identity = write(&info, AnswerWriter::new(Encoding::Identity, SoapVersion::V11));
    assert!(packed.len() * 4 < identity.len(), "{} of {}", packed.len(), identity.len());
    check(info, SoapVersion::V12);
}

#[test]
fn rare_fields_of_a_deployment_are_written_in_their_places() {
    let full = Deployment {
        deadline: Some("2026-11-01T03:00:00Z".parse().unwrap()),
        is_assigned: false,
        last_change: Day::of("1999-12-31T23:59:59Z".parse().unwrap()),
        download_priority: Some("High <1>".to_owned()),
        hardware_ids: vec![r"PCI\VEN_8086&DEV_2918".to_owned(), "*PNP0F13".to_owned()],
        flag_bitmask: Some(0),
        ..deployment(1 << 30, DeploymentAction::Install)
    };
    let bare = Deployment {
        auto_select: None,
        auto_download: None,
        supersedence_behavior: None,
        ..deployment(7, DeploymentAction::Uninstall)
    };
    let update = |deployment| UpdateInfo { deployment: Some(deployment), ..new_update(9, "<a />") };
    let info = SyncInfo {
        new_updates: vec![update(full.clone()), update(bare.clone()), update(full), update(bare)],
        new_cookie: Some(cookie()),
        ..SyncInfo::default()
    };
    check(info, SoapVersion::V11);
}

#[test]
fn printers_are_answered_under_their_own_names() {
    let info = SyncInfo {
        new_updates: vec![new_update(3, "<b />")],
        new_cookie: Some(cookie()),
        ..SyncInfo::default()
    };
    let written = write(&info, AnswerWriter::for_printers(Encoding::Identity, SoapVersion::V11));
    assert_same(&written, &SyncPrinterCatalogResponse { info }.encode(SoapVersion::V11), "printers");
}

#[test]
fn ready_bytes_that_do_not_decode_are_an_error_and_not_a_broken_answer() {
    let mut writer = AnswerWriter::new(Encoding::Identity, SoapVersion::V11);
    let broken = CoreBytes { blocks: &[1, 2, 3], escaped_len: 100 };
    assert!(writer.new_update(revision(1), &deployment(1, DeploymentAction::Bundle), true, broken).is_err());
}

#[test]
fn recorded_pages_are_reproduced_from_ready_bytes() {
    for exchange in ["client-scan/000006", "client-scan/000008", "client-scan/000009", "client-flow/000001"] {
        let Some(body) = recorded(&format!("captures/{exchange}/response.xml")) else { return };
        let info = SyncUpdatesResponse::decode(&body, &Limits::ANSWER).unwrap().info;
        let packed = write(&info, AnswerWriter::new(Encoding::Xpress, SoapVersion::V11));
        assert_same(&xpress::decompress(&packed, 1 << 24).unwrap(), &body, exchange);
        assert_same(&write(&info, AnswerWriter::new(Encoding::Identity, SoapVersion::V11)), &body, exchange);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_answer_is_the_same_message_in_both_encodings(
        cores in prop::collection::vec("[ -~äß€\n\t]{1,400}", 0..12),
        out_of_scope in prop::collection::vec(1..i32::MAX, 0..40),
        changed in prop::collection::vec(1..i32::MAX, 0..200),
        truncated: bool,
    ) {
        let info = SyncInfo {
            new_updates: cores.iter().zip(1..).map(|(core, id)| new_update(id, core)).collect(),
            out_of_scope,
            changed_updates: changed
                .iter()
                .map(|id| UpdateInfo { xml: None, ..new_update(i64::from(*id), "") })
                .collect(),
            truncated,
            new_cookie: Some(cookie()),
            ..SyncInfo::default()
        };
        check(info, SoapVersion::V11);
    }
}
