//! The fleet simulator against a small server that is sometimes busy.

mod support;

use sluicegate_agent::cache::Verdict;
use sluicegate_agent::fleet::{self, Connections, FleetOptions, Installed};
use sluicegate_agent::recovery::Patience;
use sluicegate_soap::client::SyncInfo;
use sluicegate_soap::fault::ErrorCode;
use sluicegate_terms::DeploymentAction;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use support::protocol::{compressed, core, fault, good, page, sync, update};
use support::{Answer, FakeServer, Seen, answer};

/// Delivers a category, then what needs it, then nothing more.
fn catalog(seen: &Seen) -> Answer {
    let holds = |id: i32| seen.body.contains(&format!("<int>{id}</int>"));
    compressed(match seen.operation.as_str() {
        "SyncUpdates" if !holds(1) => {
            page(vec![update(1, DeploymentAction::Evaluate, false, &core(2, "Category", ""))], false)
        }
        "SyncUpdates" if !holds(2) => {
            let leaf = |id| update(id, DeploymentAction::Install, true, &core(3, "Software", ""));
            page((2..12).map(leaf).collect(), false)
        }
        "SyncUpdates" => sync(SyncInfo::default()),
        _ => return good(seen),
    })
}

fn installed() -> Arc<Installed> {
    Arc::new(|_, update| if update.0.as_u128() == 2 { Verdict::Installed } else { Verdict::NotApplicable })
}

#[tokio::test]
async fn in_a_storm_everyone_finishes_though_many_are_refused_at_first() {
    let calls = AtomicUsize::new(0);
    let server = FakeServer::start(move |seen| {
        // Every third call finds the server busy.
        if calls.fetch_add(1, Ordering::Relaxed).is_multiple_of(3) {
            let mut busy = answer(503, "");
            busy.headers_mut().insert("retry-after", "0".parse().unwrap());
            return busy;
        }
        catalog(seen)
    })
    .await;
    let options = FleetOptions::storm(server.address.clone(), 100, 1);
    let report = fleet::run(&options, installed()).await.unwrap();
    assert_eq!((report.first.finished, report.first.unfinished_count()), (100, 0), "{report}");
    assert_eq!((report.first.new_updates, report.first.most_trips), (1100, 2));
    assert!(report.first.refusals() > 200, "{report}");
    assert_eq!(report.first.operations["SyncUpdates"].latency.count, 200);
    assert!(report.first.body_bytes > report.first.wire_bytes);
    let mut names: Vec<String> = server
        .seen()
        .iter()
        .filter(|seen| seen.operation == "GetAuthorizationCookie")
        .map(|seen| seen.body.split("<clientId>").nth(1).unwrap()[..36].to_owned())
        .collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 100, "every agent has an identity of its own");
}

#[tokio::test]
async fn a_steady_fleet_rescans_with_what_it_holds_over_shared_connections() {
    let server = FakeServer::start(catalog).await;
    let mut options = FleetOptions::steady(server.address.clone(), 20, 2, 3, Duration::from_millis(10));
    options.connections = Connections::Shared(4);
    let report = fleet::run(&options, installed()).await.unwrap();
    let rescans = report.rescans.as_ref().unwrap();
    assert_eq!((report.first.finished, rescans.finished), (20, 60), "{report}");
    assert_eq!(rescans.new_updates, 0);
    // With a cookie and a warm cache a scan is one call.
    assert_eq!(rescans.operations.keys().copied().collect::<Vec<_>>(), ["SyncUpdates"]);
    assert_eq!(rescans.operations["SyncUpdates"].latency.count, 60);
}

#[tokio::test]
async fn agents_that_do_not_finish_are_counted_by_their_code() {
    let server = FakeServer::start(|seen| match seen.operation.as_str() {
        "SyncUpdates" => fault(ErrorCode::InvalidParameters),
        "GetConfig" if seen.header("ms-cv").starts_with(|c: char| c.is_ascii_lowercase()) => answer(503, ""),
        _ => good(seen),
    })
    .await;
    let mut options = FleetOptions::storm(server.address.clone(), 40, 3);
    options.patience = Patience { refusals: 1, first_wait: Duration::from_millis(1), ..Patience::default() };
    let report = fleet::run(&options, installed()).await.unwrap();
    assert_eq!((report.first.finished, report.first.unfinished_count()), (0, 40), "{report}");
    let codes: Vec<u32> = report.first.unfinished.keys().copied().collect();
    assert_eq!(codes, [0x8024_400D, 0x8024_4022], "{report}");
    assert!(report.to_string().contains("0x8024400D"), "{report}");
}
