//! The upstream side over HTTP: decisions for replicas, files that are asked for, and the list of servers
//! that may come (MS-WSUSSS 3.1.4.10, 3.1.4.11).

use crate::support;

use serde_json::json;
use sluicegate_policy::Group;
use sluicegate_policy::hierarchy::{ContentWhen, SyncFilter};
use sluicegate_soap::fault::ErrorCode;
use sluicegate_soap::server_sync::{
    DownloadFilesRequest, GetDeploymentsRequest, GetDeploymentsResponse, GetRevisionIdListRequest,
    ServerSyncDeploymentResult, ServerSyncFilter, SyncAction,
};
use sluicegate_soap::{Limits, ResponseMessage};
use sluicegate_store::hierarchy::DeploymentNews;
use sluicegate_store::{Store, StoreOptions};
use sluicegate_terms::{GroupId, Guid, Sha1Digest, Timestamp};
use support::catalog::{self, BUNDLE, PLAIN, update};
use support::{Agent, Downstream, Site};

async fn deployments(
    server: &Downstream<'_>,
    since: Option<&str>,
    synced: &str,
) -> ServerSyncDeploymentResult {
    let request = GetDeploymentsRequest {
        cookie: server.cookie.clone(),
        deployment_anchor: since.map(str::to_owned),
        sync_anchor: Some(synced.to_owned()),
    };
    let answer = server.call(&request).await;
    GetDeploymentsResponse::decode(&answer.body, &Limits::ANSWER).unwrap().result
}

#[tokio::test]
async fn a_replica_is_told_groups_approvals_withdrawals_and_declines() {
    let site = Site::start().await;
    site.import(&catalog::small()).await;
    let group = site.manage("POST", "groups", json!({ "name": "Pilots", "parent": "All Computers" })).await;
    let path = |number: u128, action: &str| format!("updates/{}/{action}", update(number));
    let order = json!({ "group": "Pilots", "action": "install", "deadline": "2026-12-01" });
    site.manage("POST", &path(PLAIN, "approve"), order).await;
    let server = Downstream::authorized(&site, 1).await;
    let synced = server.updates_since(None).await.anchor.unwrap();

    let first = deployments(&server, None, &synced).await;
    let pilots = first.groups.iter().find(|known| known.id.to_string() == group["id"]).unwrap();
    assert_eq!((pilots.name.as_deref(), pilots.is_builtin), (Some("Pilots"), false));
    assert_eq!(pilots.parent, GroupId::ALL_COMPUTERS.0);
    assert_eq!(first.groups.iter().filter(|group| group.is_builtin).count(), 2);
    assert_eq!(first.deployments.len(), 1);
    let deployment = &first.deployments[0];
    assert_eq!((deployment.update, deployment.revision.get()), (update(PLAIN), 200));
    assert_eq!((deployment.action, deployment.is_assigned), (SyncAction::Install, true));
    assert_eq!(deployment.deadline, "2026-12-01T00:00:00Z".parse().unwrap());
    assert!(first.dead_deployments.is_empty() && first.hidden_updates.is_empty());

    // Nothing new.
    let anchor = first.anchor.unwrap();
    let second = deployments(&server, Some(&anchor), &synced).await;
    assert!(second.deployments.is_empty() && second.dead_deployments.is_empty());
    assert_eq!(second.groups.len(), 3, "groups are always all of them");

    site.manage("POST", &path(PLAIN, "unapprove"), json!({ "group": "Pilots" })).await;
    let order = json!({ "group": "All Computers", "action": "uninstall" });
    site.manage("POST", &path(BUNDLE, "approve"), order).await;
    let third = deployments(&server, Some(&anchor), &synced).await;
    assert_eq!(third.dead_deployments, [deployment.deployment], "by the id it was told under");
    assert_eq!(third.deployments.len(), 1);
    assert_eq!(third.deployments[0].action, SyncAction::Uninstall);
    assert_eq!(third.deployments[0].deadline, Timestamp::MAX, "for none");

    site.manage("POST", &path(BUNDLE, "decline"), json!({})).await;
    let fourth = deployments(&server, third.anchor.as_deref(), &synced).await;
    assert_eq!(fourth.hidden_updates, [update(BUNDLE).0]);
}

#[tokio::test]
async fn approvals_that_went_with_their_group_are_told_as_withdrawn_to_whoever_was_told_of_them() {
    let site = Site::start().await;
    site.import(&catalog::small()).await;
    let group = site.manage("POST", "groups", json!({ "name": "Pilots", "parent": "All Computers" })).await;
    let order = json!({ "group": group["id"], "action": "install" });
    site.manage("POST", &format!("updates/{}/approve", update(PLAIN)), order).await;
    let server = Downstream::authorized(&site, 1).await;
    let synced = server.updates_since(None).await.anchor.unwrap();
    let told = deployments(&server, None, &synced).await;
    assert_eq!(told.deployments.len(), 1);
    site.manage("DELETE", "groups/Pilots", json!(null)).await;
    let gone = deployments(&server, told.anchor.as_deref(), &synced).await;
    assert_eq!(gone.dead_deployments, [told.deployments[0].deployment]);
    assert!(deployments(&server, gone.anchor.as_deref(), &synced).await.dead_deployments.is_empty());
    let anew = deployments(&server, None, &synced).await;
    assert!(anew.dead_deployments.is_empty(), "who asks for everything has nothing to take away");
}

#[tokio::test]
async fn an_approval_of_an_update_the_replica_cannot_have_yet_is_told_with_the_next_synchronization() {
    let site = Site::start().await;
    site.import(&catalog::small()).await;
    let server = Downstream::authorized(&site, 1).await;
    let before = server.updates_since(None).await.anchor.unwrap();
    site.clock.advance_seconds(60);
    site.import(&[catalog::plain(70, 200, "Came later")]).await;
    for number in [70, PLAIN] {
        let path = format!("updates/{}/approve", update(number));
        site.manage("POST", &path, json!({ "group": "All Computers", "action": "install" })).await;
    }
    let first = deployments(&server, None, &before).await;
    let told: Vec<_> = first.deployments.iter().map(|deployment| deployment.update).collect();
    assert_eq!(told, [update(PLAIN)]);
    let after = server.updates_since(None).await.anchor.unwrap();
    let second = deployments(&server, first.anchor.as_deref(), &after).await;
    assert!(second.deployments.iter().any(|deployment| deployment.update == update(70)));
    let third = deployments(&server, second.anchor.as_deref(), &after).await;
    assert!(third.deployments.is_empty());
}

#[tokio::test]
async fn a_deployment_is_told_for_the_revision_in_service_and_again_when_another_is() {
    let site = Site::start().await;
    site.import(&catalog::small()).await;
    let order = json!({ "group": "All Computers", "action": "install" });
    site.manage("POST", &format!("updates/{}/approve", update(PLAIN)), order).await;
    let server = Downstream::authorized(&site, 1).await;
    let old = server.updates_since(None).await.anchor.unwrap();
    let told = |result: &ServerSyncDeploymentResult| -> Vec<u32> {
        result.deployments.iter().map(|deployment| deployment.revision.get()).collect()
    };
    let first = deployments(&server, None, &old).await;
    assert_eq!(told(&first), [200]);

    // It follows to a revision that the replica asks for only later.
    site.clock.advance_seconds(60);
    site.import(&[catalog::plain(PLAIN, 201, "Revised")]).await;
    let early = deployments(&server, first.anchor.as_deref(), &old).await;
    assert_eq!(told(&early), [200]);
    let new = server.updates_since(None).await.anchor.unwrap();
    let later = deployments(&server, early.anchor.as_deref(), &new).await;
    assert_eq!(told(&later), [201], "what was told for another revision is told again");
    assert!(deployments(&server, later.anchor.as_deref(), &new).await.deployments.is_empty());

    // One that waits here is told of as waiting, and then as serving.
    site.manage("PUT", "rules/options", json!({ "approvals_follow": false })).await;
    site.clock.advance_seconds(60);
    site.import(&[catalog::plain(PLAIN, 202, "Waits")]).await;
    let newest = server.updates_since(None).await.anchor.unwrap();
    let held = deployments(&server, later.anchor.as_deref(), &newest).await;
    assert_eq!(told(&held), [201]);
    site.manage("POST", &format!("updates/{}/accept-revision", update(PLAIN)), json!({})).await;
    let released = deployments(&server, held.anchor.as_deref(), &newest).await;
    assert_eq!(told(&released), [202]);
}

#[tokio::test]
async fn a_change_of_mode_says_what_is_put_aside_and_what_is_in_force() {
    let site = Site::start().await;
    site.import(&catalog::small()).await;
    site.manage("POST", "groups", json!({ "name": "Pilots" })).await;
    let order = json!({ "group": "Pilots", "action": "install" });
    site.manage("POST", &format!("updates/{}/approve", update(PLAIN)), order).await;
    let set = async |wanted| site.manage("PUT", "upstream", wanted).await;
    let parent = json!({ "source": "http://127.0.0.1:9", "mode": "replica", "probe": false });
    let replica = set(parent.clone()).await;
    let sentence = replica["switched"].as_str().unwrap();
    assert!(
        sentence.contains("a replica now: 1 group, 1 approval and 0 declines are put aside"),
        "{sentence}"
    );
    assert!(set(parent).await["switched"].is_null(), "nothing is different");
    let alone = set(json!({ "source": null })).await;
    assert!(alone["switched"].as_str().unwrap().contains("autonomous now"), "{alone}");
    let alerts = site.manage("GET", "alerts", json!(null)).await.to_string();
    assert!(alerts.contains("upstream set http://127.0.0.1:9 --replica`"), "{alerts}");
    assert!(alerts.contains("The mode was replica and is autonomous."), "{alerts}");
}

#[tokio::test]
async fn a_change_of_mode_says_how_many_computers_ask_for_groups_that_it_does_not_have() {
    let mut site = Site::start().await;
    site.manage("PUT", "config", json!({ "targeting": "client" })).await;
    let parent = json!({ "source": "http://127.0.0.1:9", "mode": "replica", "probe": false });
    site.manage("PUT", "upstream", parent).await;
    site.stop().await;
    {
        let store = Store::open(site.dir.path(), StoreOptions::new(support::noon())).unwrap();
        let parent = Some(GroupId::ALL_COMPUTERS);
        let pilots = Group { id: GroupId(Guid::from_u128(1)), name: "Pilots".parse().unwrap(), parent };
        let anchor = "1".to_owned();
        let news = DeploymentNews { groups: vec![pilots], anchor, complete: true, ..Default::default() };
        store.adopt_deployments(&news, support::noon()).unwrap();
    }
    site.restart().await;
    for (id, group) in [("pc-1", "pilots"), ("pc-2", "Nowhere; Pilots"), ("pc-3", "Nowhere")] {
        let mut agent = Agent::new(&site, id);
        agent.group = Some(group.to_owned());
        agent.join().await;
    }
    let alone = site.manage("PUT", "upstream", json!({ "source": null })).await;
    let sentence = alone["switched"].as_str().unwrap();
    assert!(sentence.contains(" 2 computers are in Unassigned Computers now"), "{sentence}");
    let until = "they are in groups of the names asked for as soon as there are such.";
    assert!(sentence.ends_with(until), "{sentence}");
}

#[tokio::test]
async fn anchors_of_deployments_are_checked() {
    let site = Site::start().await;
    let server = Downstream::authorized(&site, 1).await;
    let ask = |since: Option<&str>, synced: Option<&str>| GetDeploymentsRequest {
        cookie: server.cookie.clone(),
        deployment_anchor: since.map(str::to_owned),
        sync_anchor: synced.map(str::to_owned),
    };
    let good = "0,2026-10-04 12:00:00.000";
    let wrong = |name: &str| (ErrorCode::InvalidParameters, name.to_owned());
    for bad in [None, Some(""), Some("x")] {
        assert_eq!(server.refusal(&ask(None, bad)).await, wrong("syncAnchor"), "{bad:?}");
    }
    assert_eq!(server.refusal(&ask(Some("x"), Some(good))).await, wrong("deploymentAnchor"));
    // From a state that this server lost.
    let ahead = "99999,2026-10-04 12:00:00.000";
    assert_eq!(server.refusal(&ask(Some(ahead), Some(good))).await.0, ErrorCode::ServerChanged);
    server.call(&ask(Some(""), Some(good))).await;
}

/// Copies a data folder over what is there.
fn copy_folder(from: &std::path::Path, to: &std::path::Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let place = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            std::fs::create_dir_all(&place).unwrap();
            copy_folder(&entry.path(), &place);
        } else {
            std::fs::copy(entry.path(), &place).unwrap();
        }
    }
}

#[tokio::test]
async fn anchors_from_after_the_backup_a_server_was_restored_from_are_refused() {
    let mut site = Site::start().await;
    site.import(&catalog::small()).await;
    let approve = |number: u128| format!("updates/{}/approve", update(number));
    let for_all = || json!({ "group": "All Computers", "action": "install" });
    let (early, early_list) = {
        let server = Downstream::authorized(&site, 1).await;
        let list = server.updates_since(None).await.anchor.unwrap();
        (deployments(&server, None, &list).await.anchor.unwrap(), list)
    };
    site.stop().await;
    let backup = tempfile::tempdir().unwrap();
    copy_folder(site.dir.path(), backup.path());
    site.restart().await;
    site.clock.advance_seconds(60);
    site.manage("POST", &approve(PLAIN), for_all()).await;
    site.import(&[catalog::plain(70, 200, "Lost again")]).await;
    let (late, late_list) = {
        let server = Downstream::authorized(&site, 1).await;
        let list = server.updates_since(Some(&early_list)).await.anchor.unwrap();
        let told = deployments(&server, Some(&early), &list).await;
        assert_eq!(told.deployments.len(), 1, "a start alone makes no anchor useless");
        (told.anchor.unwrap(), list)
    };
    site.stop().await;
    for name in ["sluicegate.db-wal", "sluicegate.db-shm"] {
        std::fs::remove_file(site.dir.path().join(name)).ok();
    }
    copy_folder(backup.path(), site.dir.path());
    site.restart().await;
    // As many changes again as were lost, and more, at the same times.
    site.manage("POST", &approve(BUNDLE), for_all()).await;
    for number in 71..75 {
        site.import(&[catalog::plain(number, 200, "Another")]).await;
    }
    let server = Downstream::authorized(&site, 1).await;
    let ask = |since: &str, synced: &str| GetDeploymentsRequest {
        cookie: server.cookie.clone(),
        deployment_anchor: Some(since.to_owned()),
        sync_anchor: Some(synced.to_owned()),
    };
    assert_eq!(server.refusal(&ask(&late, &late_list)).await.0, ErrorCode::ServerChanged);
    let list = GetRevisionIdListRequest {
        cookie: server.cookie.clone(),
        filter: Some(ServerSyncFilter { anchor: Some(late_list), ..ServerSyncFilter::default() }),
    };
    assert_eq!(server.refusal(&list).await.0, ErrorCode::ServerChanged);
    let since = server.updates_since(Some(&early_list)).await;
    assert_eq!(since.new_revisions.len(), 4, "what was given before the backup is good");
    assert_eq!(deployments(&server, Some(&early), &since.anchor.unwrap()).await.deployments.len(), 1);
}

#[tokio::test]
async fn a_restored_server_is_known_by_the_next_list_also_when_nothing_changed_there_since() {
    let mut site = Site::start().await;
    site.import(&catalog::small()).await;
    site.stop().await;
    let backup = tempfile::tempdir().unwrap();
    copy_folder(site.dir.path(), backup.path());
    let mut lost = Vec::new();
    for step in ["a start", "a decision", "a revision"] {
        match step {
            "a decision" => {
                let path = format!("updates/{}/approve", update(PLAIN));
                site.manage("POST", &path, json!({ "group": "All Computers", "action": "install" })).await;
            }
            "a revision" => site.import(&[catalog::plain(70, 200, "Lost again")]).await,
            _ => site.restart().await,
        }
        let anchor = Downstream::authorized(&site, 1).await.updates_since(None).await.anchor.unwrap();
        lost.push((step, anchor));
    }
    site.stop().await;
    for name in ["sluicegate.db-wal", "sluicegate.db-shm"] {
        std::fs::remove_file(site.dir.path().join(name)).ok();
    }
    copy_folder(backup.path(), site.dir.path());
    site.restart().await;
    let server = Downstream::authorized(&site, 1).await;
    for (step, anchor) in lost {
        for get_config in [true, false] {
            let filter =
                ServerSyncFilter { anchor: Some(anchor.clone()), get_config, ..ServerSyncFilter::default() };
            let list = GetRevisionIdListRequest { cookie: server.cookie.clone(), filter: Some(filter) };
            assert_eq!(server.refusal(&list).await.0, ErrorCode::ServerChanged, "{step} was lost");
        }
    }
}

#[tokio::test]
async fn files_that_a_downstream_server_waits_for_are_noted() {
    let mut site = Site::start().await;
    site.import(&catalog::small()).await;
    let known = catalog::file().sha1;
    {
        let server = Downstream::authorized(&site, 1).await;
        let ask = |files: Option<Vec<Sha1Digest>>| DownloadFilesRequest {
            cookie: server.cookie.clone(),
            file_digests: files,
        };
        let wrong = (ErrorCode::InvalidParameters, "fileDigestList".to_owned());
        for bad in [None, Some(Vec::new()), Some(vec![known; 101])] {
            assert_eq!(server.refusal(&ask(bad)).await, wrong);
        }
        let unknown = [Sha1Digest([1; 20]), Sha1Digest([2; 20])];
        let (code, message) = server.refusal(&ask(Some(vec![unknown[0], known, unknown[1]]))).await;
        assert_eq!(code, ErrorCode::FileDigestsMissing);
        assert_eq!(message, format!("{}|{}", unknown[0].to_base64(), unknown[1].to_base64()));
        let answer = server.call(&ask(Some(vec![known]))).await;
        assert!(answer.text().contains("<DownloadFilesResponse "), "{}", answer.text());
    }
    site.stop().await;
    let store = Store::open(site.dir.path(), StoreOptions::new(support::noon())).unwrap();
    let missing =
        store.missing_files(ContentWhen::Never, false, &SyncFilter::default(), support::noon()).unwrap();
    assert_eq!(missing.iter().map(|file| file.sha1).collect::<Vec<_>>(), [known]);
}

#[tokio::test]
async fn a_server_that_is_not_on_the_list_is_sent_away() {
    let mut site = Site::start().await;
    site.stop().await;
    {
        let store = Store::open(site.dir.path(), StoreOptions::new(support::noon())).unwrap();
        store.set_allowed_downstream(&["child-2.example.net".to_owned()], support::noon()).unwrap();
    }
    site.restart().await;
    let stranger = Downstream::new(&site, 1);
    let refusal = stranger.refusal(&stranger.authorization()).await;
    assert_eq!(refusal, (ErrorCode::InvalidParameters, "accountGuid: not allowed".into()));
    let guest = Downstream::authorized(&site, 2).await;
    guest.updates_since(None).await;
    drop(guest);
    site.stop().await;
    let store = Store::open(site.dir.path(), StoreOptions::new(support::noon())).unwrap();
    let known: Vec<_> = store.downstream_servers().unwrap().into_iter().map(|server| server.told).collect();
    assert_eq!(known.len(), 1, "who is sent away leaves no trace");
    assert_eq!((known[0].name.as_str(), known[0].last_sync), ("child-2.example.net", Some(support::noon())));
}
