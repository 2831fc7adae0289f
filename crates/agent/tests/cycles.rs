//! A whole agent against a small server: what it fetches, does and reports (observed-behaviour 4 to 6).

mod support;

use sha1::{Digest as _, Sha1};
use sluicegate_agent::cache::Verdict;
use sluicegate_agent::download::DownloadOptions;
use sluicegate_agent::simulated::{Ending, Package, SimulatedMachine};
use sluicegate_agent::{Agent, AgentOptions, HResult, Random};
use sluicegate_catalog::applicability::{RegistryValue, SimulatedFacts};
use sluicegate_soap::Limits;
use sluicegate_soap::client::{
    ExtendedUpdateInfo, FileLocation, GetExtendedUpdateInfoResponse, RefreshCacheResponse, RefreshedRevision,
    SyncInfo, UpdateData, UpdateInfo,
};
use sluicegate_soap::fault::ErrorCode;
use sluicegate_soap::reporting::{ReportEventBatchRequest, ReportingEvent, Request};
use sluicegate_soap::text::Text;
use sluicegate_terms::{
    DeploymentAction, Guid, RevisionId, RevisionNumber, Sha1Digest, UpdateId, UpdateIdentity,
};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use support::protocol::{core, deployment, fault, good, message, page, sync, update};
use support::{Answer, FakeServer, Seen, answer};

const KEY: &str = "HKEY_LOCAL_MACHINE\\SOFTWARE\\Tool";

/// Rules of an update that brings the tool to this version.
fn rules(version: &str) -> String {
    let test = |comparison: &str, data: &str| {
        format!(
            r#"<b.RegSzToVersion Key="HKEY_LOCAL_MACHINE" Subkey="SOFTWARE\Tool" Value="Version" Comparison="{comparison}" Data="{data}" />"#
        )
    };
    let (newer, older) = (test("GreaterThanOrEqualTo", version), test("LessThan", version));
    format!(
        "<ApplicabilityRules><IsInstalled>{newer}</IsInstalled><IsInstallable>{older}</IsInstallable></ApplicabilityRules>"
    )
}

fn software(id: i64, number: u128, action: DeploymentAction, version: &str) -> UpdateInfo<'static> {
    update(id, action, true, &core(number, "Software", &rules(version)))
}

/// A server with one catalog: updates delivered at once, each installed by one package.
struct Shop {
    updates: Vec<UpdateInfo<'static>>,
    packages: Vec<(i64, Vec<u8>)>,
    /// Whether it sends the content it locates.
    holds_content: bool,
}

impl Shop {
    fn digest(bytes: &[u8]) -> Sha1Digest {
        Sha1Digest(Sha1::digest(bytes).into())
    }

    fn respond(&self, base: &str, seen: &Seen) -> Answer {
        match seen.operation.as_str() {
            "SyncUpdates" if seen.body.contains("<OtherCachedUpdateIDs>") => sync(SyncInfo::default()),
            "SyncUpdates" if seen.body.contains("<InstalledNonLeafUpdateIDs>") => sync(SyncInfo::default()),
            "SyncUpdates" => page(self.updates.clone(), false),
            "GetExtendedUpdateInfo" => message(&self.extended(base, seen)),
            "" => self.content(seen),
            _ => good(seen),
        }
    }

    fn extended(&self, base: &str, seen: &Seen) -> GetExtendedUpdateInfoResponse<'static> {
        let mut info = ExtendedUpdateInfo::default();
        for (id, bytes) in
            self.packages.iter().filter(|(id, _)| seen.body.contains(&format!("<int>{id}</int>")))
        {
            let (id, sha1) = (RevisionId::new(*id).unwrap(), Self::digest(bytes));
            let (digest, size) = (sha1.to_base64(), bytes.len());
            let extended = format!(
                r#"<ExtendedProperties DefaultPropertiesLanguage="en" /><Files><File Digest="{digest}" FileName="tool.exe" Size="{size}" /></Files>"#
            );
            let localized = format!(
                "<LocalizedProperties><Language>en</Language><Title>Tool {id}</Title></LocalizedProperties>"
            );
            for xml in [extended, localized] {
                info.updates.push(UpdateData { id, xml: Some(Text::new(&xml)) });
            }
            let url = format!("{base}/Content/{:02X}/{sha1}.exe", sha1.0[19]);
            info.file_locations.push(FileLocation {
                file_digest: Some(sha1),
                url: Some(url),
                ..Default::default()
            });
        }
        GetExtendedUpdateInfoResponse { info }
    }

    fn content(&self, seen: &Seen) -> Answer {
        let bytes = self
            .packages
            .iter()
            .map(|(_, bytes)| bytes)
            .find(|bytes| seen.path.contains(&Self::digest(bytes).to_string()));
        match bytes {
            Some(bytes) if self.holds_content => answer(200, bytes.clone()),
            _ => answer(404, ""),
        }
    }

    async fn open(self) -> FakeServer {
        let base: Arc<Mutex<String>> = Arc::default();
        let known = Arc::clone(&base);
        let server = FakeServer::start(move |seen| self.respond(&known.lock().unwrap().clone(), seen)).await;
        *base.lock().unwrap() = server.address.to_string();
        server
    }
}

fn agent(server: &FakeServer) -> Agent<SimulatedMachine> {
    let mut facts = SimulatedFacts::workstation(26_200);
    facts.set_value(KEY, "Version", RegistryValue::Text("1.0".to_owned()));
    let download = DownloadOptions { attempts_per_piece: 1, retry_delay: Duration::from_millis(1) };
    let options = AgentOptions { download, ..AgentOptions::default() };
    Agent::new(server.session(), SimulatedMachine::new(facts, Vec::new()), options, Random::seeded(4))
}

fn events(server: &FakeServer) -> Vec<ReportingEvent> {
    let reports = server.seen().into_iter().filter(|seen| seen.operation == "ReportEventBatch");
    reports.flat_map(|seen| decode(&seen.body).events).collect()
}

fn decode(body: &str) -> ReportEventBatchRequest {
    match Request::decode(body.as_bytes(), None, &Limits::REQUEST).unwrap().1 {
        Request::ReportEventBatch(request) => request,
        other => panic!("{other:?}"),
    }
}

/// Number, update and code of each event.
fn told(server: &FakeServer) -> Vec<(i32, u128, u32)> {
    let basics = events(server).into_iter().map(|event| event.basic.unwrap());
    basics
        .map(|basic| {
            (basic.event_id, basic.update.unwrap().update.as_u128(), basic.win32_hresult.cast_unsigned())
        })
        .collect()
}

fn package(version: &str, ending: Ending) -> Vec<u8> {
    Package { ending, ..Package::setting(KEY, &[("Version", version)]) }.to_bytes(1500)
}

fn shop(action: DeploymentAction, ending: Ending) -> Shop {
    Shop {
        updates: vec![software(7, 0xa, action, "2.0")],
        packages: vec![(7, package("2.0", ending))],
        holds_content: true,
    }
}

#[tokio::test]
async fn an_approved_update_is_downloaded_installed_and_reported_in_the_observed_order() {
    let server = shop(DeploymentAction::Install, Ending::Succeeds).open().await;
    let mut agent = agent(&server);
    let summary = agent.cycle().await.unwrap();
    assert_eq!((summary.needed, summary.succeeded, summary.failed, summary.downloads), (1, 1, 0, 1));
    let told = told(&server);
    assert_eq!(told, [(147, 0, 0), (156, 0, 0), (167, 0xa, 0), (162, 0xa, 0), (181, 0xa, 0), (183, 0xa, 0)]);
    let events = events(&server);
    let status = &events[1].extended.as_ref().unwrap().misc_data;
    assert!(status.contains(&"U=00000000-0000-0000-0000-00000000000A".to_owned()), "{status:?}");
    let downloaded = &events[3].extended.as_ref().unwrap().misc_data;
    assert!(downloaded.contains(&format!("B={}", summary.downloaded_bytes)), "{downloaded:?}");
    assert_eq!(events[5].extended.as_ref().unwrap().replacement_strings, ["Tool 7"]);
    // The next scan's status tells that it is there.
    let summary = agent.cycle().await.unwrap();
    assert_eq!((summary.needed, summary.installed, summary.succeeded, summary.events), (0, 1, 0, 2));
}

#[tokio::test]
async fn unapproved_updates_are_detected_described_and_left_alone() {
    let server = shop(DeploymentAction::PreDeploymentCheck, Ending::Succeeds).open().await;
    let mut agent = agent(&server);
    let summary = agent.cycle().await.unwrap();
    assert_eq!((summary.needed, summary.succeeded, summary.downloads), (1, 0, 0));
    assert_eq!(told(&server), [(147, 0, 0), (156, 0, 0)]);
    assert_eq!(events(&server)[0].extended.as_ref().unwrap().replacement_strings, ["0"]);
    let revision = agent.cache().iter().next().unwrap();
    assert_eq!(revision.title.as_deref(), Some("Tool 7"));
    assert_eq!(revision.extended.as_ref().unwrap().files.len(), 1);
}

#[tokio::test]
async fn a_restart_is_reported_as_201_and_happens_before_the_next_scan() {
    let server = shop(DeploymentAction::Install, Ending::Restarts).open().await;
    let mut agent = agent(&server);
    agent.cycle().await.unwrap();
    assert_eq!(told(&server).last(), Some(&(201, 0xa, 2_359_301)));
    assert_eq!(agent.cycle().await.unwrap().installed, 1);
}

#[tokio::test]
async fn a_failed_download_is_reported_as_161_and_then_not_downloaded() {
    let mut shop = shop(DeploymentAction::Install, Ending::Succeeds);
    shop.holds_content = false;
    let server = shop.open().await;
    let summary = agent(&server).cycle().await.unwrap();
    assert_eq!((summary.succeeded, summary.failed), (0, 1));
    let expected =
        [(167, 0xa, 0), (161, 0xa, 0x8019_0194), (181, 0xa, 0), (182, 0xa, HResult::NOT_DOWNLOADED.0)];
    assert_eq!(told(&server)[2..], expected);
}

#[tokio::test]
async fn a_failed_installation_is_reported_with_its_code_and_tried_again_next_time() {
    let server = shop(DeploymentAction::Install, Ending::Fails(HResult(0x8007_0643))).open().await;
    let mut agent = agent(&server);
    assert_eq!(agent.cycle().await.unwrap().failed, 1);
    assert_eq!(told(&server).last(), Some(&(182, 0xa, 0x8007_0643)));
    let failed = events(&server).pop().unwrap();
    assert_eq!(failed.extended.unwrap().replacement_strings, ["0x80070643", "Tool 7"]);
    assert_eq!(agent.cycle().await.unwrap().failed, 1);
}

#[tokio::test]
async fn an_uninstall_approval_removes_what_was_installed() {
    let server = shop(DeploymentAction::Uninstall, Ending::Succeeds).open().await;
    let mut facts = SimulatedFacts::workstation(26_200);
    facts.set_value(KEY, "Version", RegistryValue::Text("1.0".to_owned()));
    let mut machine = SimulatedMachine::new(facts, Vec::new());
    machine.preinstall(UpdateId(Guid::from_u128(0xa)), &Package::setting(KEY, &[("Version", "2.0")]));
    let mut agent = Agent::new(server.session(), machine, AgentOptions::default(), Random::seeded(4));
    assert_eq!(agent.cycle().await.unwrap().succeeded, 1);
    assert_eq!(told(&server)[2..], [(226, 0xa, 0), (222, 0xa, 0)]);
    assert_eq!(agent.cache().iter().next().unwrap().verdict, Verdict::Installed);
    assert_eq!(agent.cycle().await.unwrap().needed, 1);
}

#[tokio::test]
async fn a_bundle_installs_its_needed_members_and_both_are_reported() {
    let members = r#"<Relationships><BundledUpdates><AtLeastOne>
        <UpdateIdentity UpdateID="00000000-0000-0000-0000-00000000000b" RevisionNumber="1" />
        <UpdateIdentity UpdateID="00000000-0000-0000-0000-00000000000c" RevisionNumber="1" />
        </AtLeastOne></BundledUpdates></Relationships>"#;
    let never = "<ApplicabilityRules><IsInstalled><False /></IsInstalled></ApplicabilityRules>";
    let shop = Shop {
        updates: vec![
            update(8, DeploymentAction::Bundle, true, &core(0xb, "Software", &rules("2.0"))),
            update(9, DeploymentAction::Bundle, true, &core(0xc, "Software", never)),
            update(7, DeploymentAction::Install, true, &core(0xa, "Software", members)),
        ],
        packages: vec![(8, package("2.0", Ending::Fails(HResult(0x8007_0643))))],
        holds_content: true,
    };
    let server = shop.open().await;
    let summary = agent(&server).cycle().await.unwrap();
    assert_eq!((summary.needed, summary.failed, summary.downloads), (1, 1, 1));
    let code = 0x8007_0643;
    let expected = [(167, 0xa, 0), (162, 0xa, 0), (181, 0xa, 0), (182, 0xb, code), (182, 0xa, code)];
    assert_eq!(told(&server)[2..], expected);
    let events = events(&server);
    let member = &events[5].extended.as_ref().unwrap().misc_data;
    assert!(member.contains(&"M=00000000-0000-0000-0000-00000000000A;1".to_owned()), "{member:?}");
}

#[tokio::test]
async fn extended_information_is_asked_for_in_rising_order_within_the_servers_limit() {
    let updates = [9, 3, 7]
        .map(|id| software(id, u128::try_from(id).unwrap(), DeploymentAction::PreDeploymentCheck, "2.0"));
    let server = Shop { updates: updates.to_vec(), packages: Vec::new(), holds_content: true }.open().await;
    agent(&server).cycle().await.unwrap();
    let seen: Vec<Seen> =
        server.seen().into_iter().filter(|seen| seen.operation == "GetExtendedUpdateInfo").collect();
    // The server's MaxExtendedUpdatesPerRequest is 2.
    assert_eq!(seen.len(), 2);
    assert!(seen[0].body.contains("<revisionIDs><int>3</int><int>7</int></revisionIDs>"), "{}", seen[0].body);
    assert!(seen[1].body.contains("<revisionIDs><int>9</int></revisionIDs>"));
    assert!(seen[0].body.contains("<locales><string>en-US</string><string>en</string></locales>"));
}

#[tokio::test]
async fn a_failed_scan_is_reported_as_148_once_the_server_is_back() {
    let broken = Arc::new(Mutex::new(true));
    let state = Arc::clone(&broken);
    let server = FakeServer::start(move |seen| match seen.operation.as_str() {
        "SyncUpdates" | "ReportEventBatch" if *state.lock().unwrap() => fault(ErrorCode::InternalServerError),
        _ => good(seen),
    })
    .await;
    let mut agent = agent(&server);
    let error = agent.cycle().await.unwrap_err();
    assert_eq!(error.hresult(), HResult::SOAP_CLIENT);
    *broken.lock().unwrap() = false;
    agent.cycle().await.unwrap();
    // The first report was refused; the event is sent again, with the same instance id.
    let told: Vec<i32> = told(&server).into_iter().map(|(id, _, _)| id).collect();
    assert_eq!(told, [148, 148, 147, 156]);
    let instances: Vec<Guid> =
        events(&server).iter().map(|e| e.basic.as_ref().unwrap().event_instance_id).collect();
    assert_eq!(instances[0], instances[1]);
    assert_eq!(events(&server)[0].extended.as_ref().unwrap().replacement_strings, ["0x8024400D"]);
}

#[tokio::test]
async fn another_server_is_asked_for_its_numbers_and_the_cache_is_kept() {
    let changed = Arc::new(Mutex::new(false));
    let state = Arc::clone(&changed);
    let shop = shop(DeploymentAction::PreDeploymentCheck, Ending::Succeeds);
    let server = FakeServer::start(move |seen| match seen.operation.as_str() {
        "SyncUpdates" if std::mem::take(&mut *state.lock().unwrap()) => fault(ErrorCode::ServerChanged),
        "RefreshCache" => {
            let identity = UpdateIdentity {
                update: UpdateId(Guid::from_u128(0xa)),
                revision: RevisionNumber::new(1).unwrap(),
            };
            let revision = RevisionId::new(70).unwrap();
            let deployment = deployment(revision, DeploymentAction::PreDeploymentCheck);
            message(&RefreshCacheResponse {
                revisions: vec![RefreshedRevision {
                    revision,
                    identity: Some(identity),
                    is_leaf: true,
                    deployment: Some(deployment),
                }],
            })
        }
        _ => shop.respond("http://127.0.0.1:1", seen),
    })
    .await;
    let mut agent = agent(&server);
    agent.cycle().await.unwrap();
    *changed.lock().unwrap() = true;
    let summary = agent.cycle().await.unwrap();
    assert_eq!((summary.scan.refreshes, summary.scan.new_updates, summary.needed), (1, 0, 1));
    let seen = server.seen();
    let refresh = seen.iter().position(|seen| seen.operation == "RefreshCache").unwrap();
    assert!(seen[refresh].body.contains("<UpdateID>00000000-0000-0000-0000-00000000000a</UpdateID>"));
    assert_eq!(seen[refresh + 1].operation, "SyncUpdates");
    assert!(seen[refresh + 1].body.contains("<OtherCachedUpdateIDs><int>70</int></OtherCachedUpdateIDs>"));
}

#[tokio::test]
async fn a_revision_without_deployment_fails_the_scan_as_in_a_real_agent() {
    let mut bare = software(7, 0xa, DeploymentAction::Install, "2.0");
    bare.deployment = None;
    let server = Shop { updates: vec![bare], packages: Vec::new(), holds_content: true }.open().await;
    assert_eq!(agent(&server).cycle().await.unwrap_err().hresult(), HResult(0x8007_0057));
}
