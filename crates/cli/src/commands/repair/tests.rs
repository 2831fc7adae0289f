//! Repair, against servers that break off at every step, and against real ones.

use super::journal::Journal;
use super::managed::{Again, Answer, KeptApproval, ManagedServer, UpdateState};
use super::sluicegate::Sluicegate;
use super::tree::Node;
use super::{plan, run};
use crate::admin_client::AdminClient;
use crate::endpoint::Endpoint;
use bytes::Bytes;
use serde_json::{Value, json};
use sluicegate_catalog::compose::Document;
use sluicegate_server::{Running, Server, ServerOptions};
use sluicegate_terms::{Guid, RevisionNumber, UpdateId, UpdateIdentity};
use std::cell::{Cell, RefCell};
use std::path::Path;
use std::rc::Rc;

fn office() -> UpdateId {
    "D359F493-0AAD-43FA-AF5C-6763326CD98F".parse().unwrap()
}

fn unrelated() -> UpdateId {
    UpdateId(Guid::from_u128(77))
}

/// Calls that change something, counted over all servers; the one with this number fails.
#[derive(Default)]
struct Trouble {
    calls: Cell<usize>,
    fails: Cell<Option<usize>>,
}

/// A server in memory.
struct Pretended {
    name: String,
    replica: Cell<bool>,
    state: RefCell<UpdateState>,
    resets: Cell<usize>,
    /// Whether approvals are against its rules.
    refuses: Cell<bool>,
    trouble: Rc<Trouble>,
}

impl Pretended {
    fn call(&self) -> anyhow::Result<()> {
        let number = self.trouble.calls.get();
        self.trouble.calls.set(number + 1);
        anyhow::ensure!(self.trouble.fails.get() != Some(number), "call {number} broke off");
        Ok(())
    }
}

impl ManagedServer for Rc<Pretended> {
    fn name(&self) -> &str {
        &self.name
    }

    fn is_replica(&self) -> Answer<'_, bool> {
        Box::pin(async { Ok(self.replica.get()) })
    }

    fn set_replica(&self, replica: bool) -> Answer<'_, ()> {
        Box::pin(async move {
            self.call()?;
            self.replica.set(replica);
            Ok(())
        })
    }

    fn update(&self, _: UpdateId) -> Answer<'_, Option<UpdateState>> {
        Box::pin(async { Ok(Some(self.state.borrow().clone())) })
    }

    fn approve<'a>(&'a self, _: UpdateId, approval: &'a KeptApproval) -> Answer<'a, Again> {
        Box::pin(async move {
            assert!(!self.replica.get(), "a replica refuses");
            self.call()?;
            let mut state = self.state.borrow_mut();
            if self.refuses.get() {
                return Ok(Again::Refused("it has licence terms".to_owned()));
            }
            state.declined = false;
            state.approvals.retain(|known| known.group != approval.group);
            state.approvals.push(approval.clone());
            Ok(Again::Given)
        })
    }

    fn decline(&self, _: UpdateId) -> Answer<'_, ()> {
        Box::pin(async move {
            assert!(!self.replica.get(), "a replica refuses");
            assert!(!self.state.borrow().declined, "declining twice is refused");
            self.call()?;
            self.resets.set(self.resets.get() + 1);
            let mut state = self.state.borrow_mut();
            state.declined = true;
            state.approvals.clear();
            Ok(())
        })
    }

    fn synchronize(&self) -> Answer<'_, ()> {
        Box::pin(async { self.call() })
    }
}

fn approval() -> KeptApproval {
    KeptApproval {
        group: "g".to_owned(),
        group_name: "Pilots".to_owned(),
        action: "install".to_owned(),
        deadline: None,
        refused: None,
    }
}

/// Three levels: a top and two replicas below each other.
fn three_levels() -> (Vec<Rc<Pretended>>, Rc<Trouble>) {
    let trouble = Rc::new(Trouble::default());
    let server = |name: &str, replica| {
        let state = UpdateState {
            title: "Office".to_owned(),
            declined: false,
            approvals: vec![approval()],
            held: None,
        };
        Rc::new(Pretended {
            name: name.to_owned(),
            replica: Cell::new(replica),
            state: RefCell::new(state),
            resets: Cell::new(0),
            refuses: Cell::new(false),
            trouble: Rc::clone(&trouble),
        })
    };
    (vec![server("top", false), server("middle", true), server("bottom", true)], trouble)
}

fn boxed(servers: &[Rc<Pretended>]) -> Vec<Box<dyn ManagedServer>> {
    servers.iter().map(|server| Box::new(Rc::clone(server)) as Box<dyn ManagedServer>).collect()
}

async fn repair(servers: &[Box<dyn ManagedServer>], journal: &Path, keep: bool) -> anyhow::Result<()> {
    let mut journal = Journal::open(journal, office(), keep)?;
    let plan = plan::make(servers, office(), &journal, keep).await?;
    run::carry_out(servers, &plan, &mut journal).await?;
    journal.finish()
}

#[tokio::test]
async fn wherever_it_breaks_off_replicas_are_replicas_again_and_the_second_run_completes_it() {
    let dir = tempfile::tempdir().unwrap();
    let (servers, trouble) = three_levels();
    repair(&boxed(&servers), &dir.path().join("j"), false).await.unwrap();
    let calls = trouble.calls.get();
    assert!(calls > 12, "{calls}");
    for server in &servers {
        assert!(server.state.borrow().declined && server.resets.get() == 2);
    }
    for keep in [false, true] {
        for fails in 0..calls {
            let path = dir.path().join(format!("{keep}-{fails}"));
            let (servers, trouble) = three_levels();
            trouble.fails.set(Some(fails));
            let first = repair(&boxed(&servers), &path, keep).await;
            // A failed synchronization is only told; --keep makes fewer calls.
            let restoring = servers.iter().position(|server| !server.replica.get()).filter(|at| *at > 0);
            if let Some(at) = restoring {
                let error = format!("{:#}", first.as_ref().unwrap_err());
                assert!(error.contains(&servers[at].name) && error.contains("replica"), "{error}");
            }
            trouble.fails.set(None);
            if first.is_err() {
                assert!(path.exists(), "the journal stays");
                repair(&boxed(&servers), &path, keep).await.unwrap();
            }
            assert!(!path.exists(), "and goes when all is done");
            let modes: Vec<bool> = servers.iter().map(|server| server.replica.get()).collect();
            assert_eq!(modes, [false, true, true], "after a failure of call {fails}");
            for server in &servers {
                let state = server.state.borrow();
                assert_eq!(state.declined, !keep, "{} after call {fails}", server.name);
                let approvals = if keep { vec![approval()] } else { Vec::new() };
                assert_eq!(state.approvals, approvals, "{} after call {fails}", server.name);
            }
        }
    }
}

#[tokio::test]
async fn what_would_not_be_as_it_was_is_left_alone_on_every_server() {
    let dir = tempfile::tempdir().unwrap();
    type Change = fn(&mut UpdateState);
    let held: Change = |state| state.held = Some("its newest revision waits (review)".to_owned());
    let refused: Change = |state| state.approvals[0].refused = Some("it has expired".to_owned());
    for (number, (change, said)) in [(held, "waits (review)"), (refused, "it has expired")].iter().enumerate()
    {
        let (servers, trouble) = three_levels();
        change(&mut servers[1].state.borrow_mut());
        let path = dir.path().join(format!("journal-{number}"));
        let error = repair(&boxed(&servers), &path, true).await.unwrap_err().to_string();
        assert!(error.contains("nothing was changed (middle: ") && error.contains(said), "{error}");
        assert_eq!((trouble.calls.get(), path.exists()), (0, false));
        // To be declined in the end, it needs no approval.
        repair(&boxed(&servers), &path, false).await.unwrap();
        assert!(servers.iter().all(|server| server.state.borrow().declined));
    }
}

#[tokio::test]
async fn an_approval_that_was_not_given_back_is_an_error_and_the_next_run_gives_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal");
    let (servers, _) = three_levels();
    servers[1].refuses.set(true);
    let error = format!("{:#}", repair(&boxed(&servers), &path, true).await.unwrap_err());
    assert!(error.contains("`middle` failed") && error.contains("licence terms"), "{error}");
    assert!(servers[1].replica.get() && servers[2].resets.get() == 0);
    servers[1].refuses.set(false);
    repair(&boxed(&servers), &path, true).await.unwrap();
    for server in &servers {
        let state = server.state.borrow();
        assert_eq!((state.declined, &state.approvals), (false, &vec![approval()]), "{}", server.name);
    }
}

#[tokio::test]
async fn what_is_not_deployed_is_kept_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    for declined in [false, true] {
        let (servers, _) = three_levels();
        let denied = KeptApproval { action: "not-approved".to_owned(), ..approval() };
        let approvals = if declined { Vec::new() } else { vec![denied] };
        for server in &servers {
            *server.state.borrow_mut() =
                UpdateState { declined, approvals: approvals.clone(), ..UpdateState::default() };
        }
        repair(&boxed(&servers), &dir.path().join("journal"), true).await.unwrap();
        for server in &servers {
            let state = server.state.borrow();
            assert_eq!((server.resets.get(), state.declined, &state.approvals), (0, declined, &approvals));
        }
    }
}

#[tokio::test]
async fn a_journal_of_another_repair_is_not_taken_up() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("j");
    let mut journal = Journal::open(&path, office(), false).unwrap();
    journal.note("top", "begun", |_| {}).unwrap();
    assert!(Journal::open(&path, office(), true).is_err());
    assert!(Journal::open(&path, UpdateId(Guid::from_u128(1)), false).is_err());
    assert!(Journal::open(&path, office(), false).is_ok());
    std::fs::write(&path, b"something else").unwrap();
    assert!(Journal::open(&path, office(), false).is_err());
}

/// A real server in this process.
struct Site {
    dir: tempfile::TempDir,
    running: Running,
    client: AdminClient,
}

impl Site {
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let running =
            Server::start(ServerOptions::new(dir.path(), "127.0.0.1:0".parse().unwrap())).await.unwrap();
        let base = running.base_url();
        let token = std::fs::read_to_string(dir.path().join("admin-token")).unwrap().trim().to_owned();
        let site = Self { dir, running, client: AdminClient::new(Endpoint { base, token }) };
        site.import().await;
        site
    }

    async fn import(&self) {
        self.bring(&[(office(), "Office 2003 Service Pack 1"), (unrelated(), "A security update")], 102)
            .await;
    }

    async fn bring(&self, updates: &[(UpdateId, &str)], revision: i64) {
        let mut body = String::new();
        for (update, title) in updates {
            let identity =
                UpdateIdentity { update: *update, revision: RevisionNumber::new(revision).unwrap() };
            let xml = Document::software(identity, title).to_xml();
            body.push_str(&json!({ "name": format!("{title}.xml"), "size": xml.len() }).to_string());
            body.push('\n');
            body.push_str(&xml);
        }
        let (chunks, receiver) = tokio::sync::mpsc::channel(1);
        chunks.send(Ok(Bytes::from(body))).await.unwrap();
        drop(chunks);
        let answer = self.client.post_stream("catalog/import", receiver).await.unwrap();
        http_body_util::BodyExt::collect(answer.into_body()).await.unwrap();
    }

    async fn update(&self) -> Value {
        self.client.get(&format!("updates/{}", office()), &[]).await.unwrap()
    }

    /// The groups an update is approved for.
    async fn approved(&self, update: UpdateId) -> Vec<Value> {
        let shown = self.client.get(&format!("updates/{update}"), &[]).await.unwrap();
        shown["approvals"].as_array().unwrap().iter().map(|approval| approval["group"].clone()).collect()
    }

    async fn approve(&self, update: UpdateId, group: &str) {
        let order = json!({ "group": group, "action": "install" });
        self.client.post(&format!("updates/{update}/approve"), &order).await.unwrap();
    }

    async fn groups(&self, names: &[(&str, Option<&str>)]) {
        for (name, parent) in names {
            self.client.post("groups", &json!({ "name": name, "parent": parent })).await.unwrap();
        }
    }

    async fn mode(&self, order: Value) -> Value {
        self.client.put("upstream", &order).await.unwrap()
    }

    async fn synchronize(&self) {
        self.client.post("sync/now", &json!({})).await.unwrap();
        self.settled().await;
    }

    /// Waits for the end of a synchronization.
    async fn settled(&self) {
        loop {
            let status = self.client.get("sync", &[]).await.unwrap();
            if status["running"] == false {
                assert_eq!(status["last_run"]["outcome"], "succeeded", "{status}");
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    }

    fn node(&self, name: &str) -> Box<dyn ManagedServer> {
        let token_file = self.dir.path().join("admin-token");
        let node = Node { name: name.to_owned(), url: self.running.base_url(), token_file, parent: None };
        Box::new(Sluicegate::new(node).unwrap())
    }
}

#[tokio::test]
async fn real_servers_of_a_tree_are_reset_and_their_replica_is_a_replica_again() {
    let (top, replica) = (Site::start().await, Site::start().await);
    let order = json!({ "group": "All Computers", "action": "install" });
    for site in [&top, &replica] {
        site.client.post(&format!("updates/{}/approve", office()), &order).await.unwrap();
    }
    let upstream = json!({ "source": top.running.base_url(), "mode": "replica" });
    replica.client.put("upstream", &upstream).await.unwrap();
    let refused = replica.client.post(&format!("updates/{}/decline", office()), &json!({})).await;
    assert!(refused.unwrap_err().to_string().contains("409"), "a replica decides nothing");

    let dir = tempfile::tempdir().unwrap();
    let servers = vec![top.node("top"), replica.node("branch")];
    repair(&servers, &dir.path().join("journal"), false).await.unwrap();
    assert_eq!(top.update().await["approval"], "declined");
    assert_eq!(replica.client.get("upstream", &[]).await.unwrap()["mode"], "replica");
    // Once more changes nothing but does no harm.
    repair(&servers, &dir.path().join("journal"), false).await.unwrap();
    assert_eq!(top.update().await["approval"], "declined");

    let page = top.client.get("audit", &[("update", Some(office().to_string()))]).await.unwrap();
    let actions: Vec<&str> =
        page["entries"].as_array().unwrap().iter().filter_map(|entry| entry["action"].as_str()).collect();
    assert!(actions.iter().filter(|action| **action == "decline").count() >= 2, "{actions:?}");
    assert!(page["entries"][0]["from"].as_str().unwrap().starts_with("127."), "{page}");
    top.running.shutdown().await;
    replica.running.shutdown().await;
}

#[tokio::test]
async fn nothing_but_the_named_update_changes_on_a_replica_and_what_it_had_decided_before_stays_aside() {
    let (top, branch) = (Site::start().await, Site::start().await);
    branch.groups(&[("Local", None)]).await;
    branch.approve(office(), "Local").await;
    top.groups(&[("Servers", None), ("Pilots", Some("Servers"))]).await;
    top.approve(office(), "Pilots").await;
    top.approve(unrelated(), "Servers").await;
    branch.mode(json!({ "source": top.running.base_url(), "mode": "replica" })).await;
    branch.synchronize().await;
    assert_eq!(
        (branch.approved(office()).await, branch.approved(unrelated()).await),
        (vec![json!("Pilots")], vec![json!("Servers")])
    );

    // A group that is gone when it is approved for, as a run that is taken up again may find.
    let gone =
        KeptApproval { group: Guid::from_u128(9).to_string(), group_name: "Gone".to_owned(), ..approval() };
    let servers = vec![top.node("top"), branch.node("branch")];
    let dir = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(&dir.path().join("journal"), office(), true).unwrap();
    let mut plan = plan::make(&servers, office(), &journal, true).await.unwrap();
    plan.servers[1].approvals.push(gone);
    let watched = async {
        loop {
            assert_eq!(branch.approved(unrelated()).await, [json!("Servers")], "in the middle of the repair");
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        done = run::carry_out(&servers, &plan, &mut journal) => done.unwrap(),
        () = watched => {}
    }
    let told: Vec<&str> = journal.lines().collect();
    assert!(
        told.iter().any(|line| line.contains("not approved for Gone: there is no such group")),
        "{told:?}"
    );
    let mode = branch.client.get("upstream", &[]).await.unwrap();
    assert_eq!((&mode["mode"], &mode["lifted"]), (&json!("replica"), &json!(false)));
    branch.settled().await;
    for update in [office(), unrelated()] {
        assert_eq!(branch.approved(update).await, top.approved(update).await);
    }
    let alone = branch.mode(json!({ "mode": "autonomous" })).await;
    assert_eq!((&alone["mode"], &alone["lifted"]), (&json!("autonomous"), &json!(false)));
    assert_eq!(branch.approved(office()).await, [json!("Local")], "what was put aside is as it was");
    assert_eq!(branch.approved(unrelated()).await, Vec::<Value>::new());
    top.running.shutdown().await;
    branch.running.shutdown().await;
}

#[tokio::test]
async fn a_replica_whose_mode_was_lifted_by_a_run_without_a_journal_is_a_replica_again() {
    let (top, branch) = (Site::start().await, Site::start().await);
    branch.mode(json!({ "source": top.running.base_url(), "mode": "replica" })).await;
    branch.synchronize().await;
    let node = branch.node("branch");
    node.set_replica(false).await.unwrap();
    assert!(node.is_replica().await.unwrap(), "it is one whose mode is lifted");
    let dir = tempfile::tempdir().unwrap();
    repair(&[top.node("top"), node], &dir.path().join("journal"), true).await.unwrap();
    assert_eq!(branch.client.get("upstream", &[]).await.unwrap()["mode"], "replica");
    top.running.shutdown().await;
    branch.running.shutdown().await;
}

#[tokio::test]
async fn a_revision_that_waits_for_review_still_waits_after_a_repair_that_keeps() {
    let top = Site::start().await;
    top.client.put("rules/options", &json!({ "approvals_follow": false })).await.unwrap();
    top.approve(office(), "All Computers").await;
    top.bring(&[(office(), "Office 2003 Service Pack 1")], 103).await;
    let before = top.update().await;
    assert_eq!(before["held"]["serving"], 102, "{before}");
    let dir = tempfile::tempdir().unwrap();
    let error = repair(&[top.node("top")], &dir.path().join("journal"), true).await.unwrap_err();
    let said = error.to_string();
    assert!(said.contains("revision 102 is in service") && said.contains("nothing was changed"), "{said}");
    let after = top.update().await;
    assert_eq!((&after["held"], &after["approvals"]), (&before["held"], &before["approvals"]));
    top.running.shutdown().await;
}
