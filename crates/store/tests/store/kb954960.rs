//! August 2008: a new revision of Office 2003 Service Pack 1 came with approvals that some servers stored
//! inconsistently, and from then on SyncUpdates failed for every computer with Office 2003 (KB954960). The
//! story step by step against one server: every such computer keeps scanning, and holds one revision with one
//! deployment at every moment.

use crate::support;

use crate::scans;

use scans::{Agent, serve};
use sluicegate_catalog::Clause;
use sluicegate_catalog::compose::Document;
use sluicegate_policy::{ApprovalAction, SuccessionOptions};
use sluicegate_store::{ApprovalOrder, Store, StoreError};
use sluicegate_terms::{CategoryKind, GroupId, RevisionNumber, UpdateId, UpdateIdentity};
use std::path::Path;
use support::{at, category, import, open, software, uid};

const OFFICE: u128 = 1;
const DETECTOID: u128 = 2;
const MEMBER: u128 = 3;

fn service_pack() -> UpdateId {
    "d359f493-0aad-43fa-af5c-6763326cd98f".parse().unwrap()
}

/// A revision of the service pack: a bundle for computers with Office 2003.
fn revision(number: i64) -> Document {
    let identity = UpdateIdentity { update: service_pack(), revision: RevisionNumber::new(number).unwrap() };
    let mut document = Document::software(identity, "Office 2003 Service Pack 1");
    let relationships = &mut document.relationships;
    relationships.prerequisites =
        vec![Clause { any_of: vec![uid(DETECTOID)], is_category: false }, Clause::category(uid(OFFICE))];
    relationships.bundles = vec![vec![support::identity(MEMBER, 1)]];
    document
}

struct Story {
    store: Store,
    servers: GroupId,
    pilots: GroupId,
    /// Computers with Office 2003: unassigned, in a group, in a nested group, in both.
    fleet: Vec<Agent>,
}

impl Story {
    fn begin(dir: &Path) -> Self {
        let store = open(dir);
        let mut member = software(MEMBER, 1, "Office 2003 Service Pack 1, files");
        member.properties.explicitly_deployable = false;
        let detectoid =
            Document::detectoid(support::identity(DETECTOID, 1), "Office 2003 is installed", "<True />");
        let product = category(OFFICE, CategoryKind::Product, "Office 2003", None);
        import(&store, 0, &[product, detectoid, member, revision(100)]);
        let servers = store.create_group("Servers".parse().unwrap(), None, at(1)).unwrap().id;
        let pilots = store.create_group("Pilots".parse().unwrap(), Some(servers), at(1)).unwrap().id;
        let groups: [&[GroupId]; 4] = [&[], &[servers], &[pilots], &[servers, pilots]];
        Self { store, servers, pilots, fleet: groups.iter().map(|groups| Agent::of(groups)).collect() }
    }

    fn approve(&self, group: GroupId, action: ApprovalAction) {
        let order =
            ApprovalOrder { update: service_pack(), group, action, deadline: None, by: "admin".into() };
        self.store.approve(order, at(2)).unwrap();
    }

    /// Every computer scans, and so does one that is new; `wanted` says what each is told to do with the
    /// service pack, and by which revision. [`Agent::scan`] fails where the server of the story did: when
    /// a revision is in an answer twice.
    fn all_scan(&mut self, wanted: [Option<(u32, &str)>; 4]) {
        let served = serve(&self.store);
        for (agent, wanted) in self.fleet.iter_mut().zip(wanted) {
            let mut newcomer = Agent::of(&agent.groups);
            for agent in [agent, &mut newcomer] {
                agent.scan(&served);
                let told: Vec<(u32, &str)> = agent
                    .held
                    .iter()
                    .filter(|(id, _)| served.identities[id].update == service_pack())
                    .map(|(id, (_, told))| (served.identities[id].revision.get(), told.action.as_str()))
                    .collect();
                assert_eq!(told, wanted.into_iter().collect::<Vec<_>>(), "groups {:?}", agent.groups);
                let detectoid = |id: &&i32| served.identities[id].update == uid(DETECTOID);
                assert_eq!(agent.held.keys().filter(detectoid).count(), 1, "the rest of the scan goes on");
            }
        }
    }
}

fn everywhere(revision: u32, action: &'static str) -> [Option<(u32, &'static str)>; 4] {
    [Some((revision, action)); 4]
}

#[test]
fn kb954960_a_new_revision_with_inherited_approvals_breaks_no_scan() {
    let dir = tempfile::tempdir().unwrap();
    let mut story = Story::begin(dir.path());
    story.all_scan(everywhere(100, "PreDeploymentCheck"));

    // Approved for everybody, and once more for a group that inherits it; a nested group goes without.
    story.approve(GroupId::ALL_COMPUTERS, ApprovalAction::Install);
    story.approve(story.servers, ApprovalAction::Install);
    story.store.unapprove(service_pack(), Some(story.pilots), "admin".into(), at(3)).unwrap();
    let before = [
        Some((100, "Install")),
        Some((100, "Install")),
        Some((100, "PreDeploymentCheck")),
        Some((100, "Install")),
    ];
    story.all_scan(before);
    let ids_before: Vec<_> = story.store.decisions().approvals.values().map(|a| a.deployment).collect();

    // The new revision arrives. Its approvals are the old one's, each once, with deployments of their own.
    let report = import(&story.store, 4, &[revision(101)]);
    assert_eq!((report.revised, report.decisions.followed), (1, 1));
    let decisions = story.store.decisions();
    assert_eq!(decisions.approvals.len(), 3);
    assert!(decisions.approvals.values().all(|a| !ids_before.contains(&a.deployment)));
    story.all_scan(before.map(|told| told.map(|(_, action)| (101, action))));

    // The server is restarted, and the same revision is synchronized once more.
    drop(decisions);
    drop(story.store);
    story.store = open(dir.path());
    assert_eq!(import(&story.store, 5, &[revision(101)]).unchanged, 1);
    story.all_scan(before.map(|told| told.map(|(_, action)| (101, action))));

    // The remedy of the article, approve and decline, does no harm either.
    story.approve(GroupId::ALL_COMPUTERS, ApprovalAction::Install);
    story.store.decline(service_pack(), at(6)).unwrap();
    story.all_scan([None; 4]);
    story.approve(GroupId::ALL_COMPUTERS, ApprovalAction::Install);
    story.all_scan(everywhere(101, "Install"));
}

#[test]
fn kb954960_while_a_revision_waits_for_review_the_approved_one_stays() {
    let dir = tempfile::tempdir().unwrap();
    let mut story = Story::begin(dir.path());
    let review = SuccessionOptions { approvals_follow: false, ..SuccessionOptions::default() };
    story.store.set_succession(review, at(1)).unwrap();
    story.approve(GroupId::ALL_COMPUTERS, ApprovalAction::Install);
    story.all_scan(everywhere(100, "Install"));
    for number in [101, 102] {
        let report = import(&story.store, 2, &[revision(number)]);
        assert!(report.decisions.held.contains(&service_pack()));
        story.all_scan(everywhere(100, "Install"));
    }
    story.store.accept_revision(service_pack(), at(3)).unwrap();
    story.all_scan(everywhere(102, "Install"));
    assert!(matches!(story.store.accept_revision(service_pack(), at(4)), Err(StoreError::Decision(_))));
}

#[test]
fn kb954960_the_inconsistent_rows_of_the_story_cannot_be_written() {
    let dir = tempfile::tempdir().unwrap();
    let story = Story::begin(dir.path());
    story.approve(GroupId::ALL_COMPUTERS, ApprovalAction::Install);
    drop(story.store);
    let database = rusqlite::Connection::open(dir.path().join("sluicegate.db")).unwrap();
    database.pragma_update(None, "foreign_keys", true).unwrap();
    let second = "INSERT INTO approval (update_id, group_id, action, changed, changed_at, decided_by)
                  SELECT update_id, group_id, 'uninstall', changed, changed_at, decided_by FROM approval";
    let refused = database.execute(second, []).unwrap_err();
    assert!(refused.to_string().contains("UNIQUE constraint failed"), "{refused}");
    let of_nothing = second.replace("SELECT update_id", "SELECT x'00000000000000000000000000000077'");
    let refused = database.execute(&of_nothing, []).unwrap_err();
    assert!(refused.to_string().contains("FOREIGN KEY constraint failed"), "{refused}");
}
