//! Target groups over the admin API: what their computers are told when one goes.

use crate::support;

use serde_json::json;
use sluicegate_policy::Group;
use sluicegate_store::hierarchy::DeploymentNews;
use sluicegate_terms::{GroupId, Guid};
use support::agent::held;
use support::catalog::{self, BUNDLE, update};
use support::{Agent, Site, noon};

async fn stocked() -> Site {
    let site = Site::start().await;
    site.import(&catalog::small()).await;
    site
}

async fn approve(site: &Site, group: &str) {
    let path = format!("updates/{}/approve", update(BUNDLE));
    site.manage("POST", &path, json!({ "group": group, "action": "install" })).await;
}

/// What an agent was last told to install.
async fn installs(agent: &mut Agent<'_>, known: &mut [(u32, String, bool)]) -> Vec<u32> {
    let ids = |leaves: bool| -> Vec<i32> {
        known.iter().filter(|k| k.2 == leaves).map(|(id, ..)| i32::try_from(*id).unwrap()).collect()
    };
    let changed = agent.sync(held(&ids(false), &ids(true))).await.changed;
    for (id, action, _) in known.iter_mut() {
        if let Some((_, new)) = changed.iter().find(|(changed, _)| changed == id) {
            action.clone_from(new);
        }
    }
    known.iter().filter(|(_, action, _)| action == "Install").map(|(id, ..)| *id).collect()
}

#[tokio::test]
async fn a_deleted_group_is_gone_for_its_computers_and_whoever_asks() {
    let site = stocked().await;
    let mut agent = Agent::new(&site, "pc-1");
    agent.join().await;
    let mut known = agent.scan().await;
    let servers = site.manage("POST", "groups", json!({ "name": "Servers" })).await;
    site.manage("POST", "groups", json!({ "name": "Web/1 ä", "parent": "Servers" })).await;
    approve(&site, "Servers").await;
    let rule = json!({ "name": "For it", "groups": ["Servers"] });
    let rule = site.manage("POST", "rules", rule).await;
    site.manage("POST", "computers/pc-1/move", json!({ "group": "Web/1 ä" })).await;
    assert_eq!(installs(&mut agent, &mut known).await.len(), 1, "inherited");

    let (status, refused) = site.admin("DELETE", "groups/SERVERS", json!(null)).await;
    let said = refused["error"]["message"].as_str().unwrap();
    assert!(status == 409 && said.contains("(`Web/1 ä`)") && said.contains("--nested"), "{said}");
    for (group, status, said) in [
        ("All%20Computers", 409, "built in"),
        ("unassigned%20computers?nested=true", 409, "built in"),
        ("Nobody", 404, "no group named `Nobody`"),
        ("Servers?nested=maybe", 400, "`nested` must be true or false"),
    ] {
        let (got, refused) = site.admin("DELETE", &format!("groups/{group}"), json!(null)).await;
        assert_eq!(got, status, "{group}: {refused}");
        assert!(refused["error"]["message"].as_str().unwrap().contains(said), "{refused}");
    }
    assert_eq!(installs(&mut agent, &mut known).await.len(), 1);

    let path = format!("groups/{}?nested=true", servers["id"].as_str().unwrap());
    let gone = site.manage("DELETE", &path, json!(null)).await;
    assert_eq!((&gone["name"], &gone["removed"]), (&json!("Servers"), &json!(true)));
    assert_eq!(gone["nested"][0]["name"], "Web/1 ä");
    let numbers = ["approvals", "computers", "unassigned"].map(|name| gone[name].as_u64().unwrap());
    assert_eq!(numbers, [1, 1, 1]);
    assert_eq!((&gone["rules"], &gone["rules_without_group"][0]["id"]), (&json!([]), &rule["id"]));
    assert_eq!(installs(&mut agent, &mut known).await, Vec::<u32>::new());
    let shown = site.manage("GET", "computers/pc-1", json!(null)).await;
    assert_eq!(shown["groups"], json!(["Unassigned Computers"]));
    let list = site.manage("GET", "groups", json!(null)).await;
    assert_eq!(list["groups"].as_array().unwrap().len(), 2);
    let rules = site.manage("GET", "rules", json!(null)).await;
    let left = rules["rules"].as_array().unwrap().iter().find(|one| one["id"] == rule["id"]).unwrap();
    assert_eq!((&left["enabled"], &left["groups"]), (&json!(false), &json!([])));
    // It was enabled, and is again with the next group.
    assert_eq!(
        (&left["waits_for_group"], &gone["rules_without_group"][0]["waits_for_group"]),
        (&json!(true), &json!(true))
    );
    site.manage("POST", "groups", json!({ "name": "Next" })).await;
    let edit = format!("rules/{}", rule["id"]);
    for (change, enabled, waits) in
        [(json!({ "name": "For the next" }), false, true), (json!({ "groups": ["Next"] }), true, false)]
    {
        let now = site.manage("PUT", &edit, change).await;
        assert_eq!((&now["enabled"], &now["waits_for_group"]), (&json!(enabled), &json!(waits)), "{now}");
    }
    let (status, _) = site.admin("DELETE", &path, json!(null)).await;
    assert_eq!(status, 404, "it is gone");
    let (status, refused) = site.admin("GET", "groups/Servers", json!(null)).await;
    assert_eq!((status, &refused["error"]["code"]), (405, &json!("method")));
}

#[tokio::test]
async fn a_package_brings_a_deleted_group_back_without_the_computers_that_were_in_it() {
    let site = stocked().await;
    site.manage("POST", "groups", json!({ "name": "Pilots" })).await;
    approve(&site, "Pilots").await;
    let mut agent = Agent::new(&site, "pc-1");
    agent.join().await;
    site.manage("POST", "computers/pc-1/move", json!({ "group": "Pilots" })).await;
    let mut known = agent.scan().await;
    assert_eq!(installs(&mut agent, &mut known).await.len(), 1);
    let package = site.running.as_ref().unwrap().store().decisions().to_carry();
    site.manage("DELETE", "groups/Pilots", json!(null)).await;
    let group = package.groups.iter().find(|group| group.name.as_str() == "Pilots").unwrap();
    let line = json!({ "group": { "id": group.id.to_string(), "name": "Pilots",
        "parent": GroupId::ALL_COMPUTERS.to_string() } });
    let bearer = format!("Bearer {}", site.token());
    let headers = [("Authorization", bearer.as_str())];
    let body = format!("{line}\n");
    let taken = site.request("POST", "/api/v1/import/decisions", &headers, body.as_bytes()).await.json();
    assert_eq!((&taken["groups"], &taken["skipped"]), (&json!(1), &json!(0)), "{taken}");
    approve(&site, "Pilots").await;
    assert_eq!(installs(&mut agent, &mut known).await, Vec::<u32>::new());
    let shown = site.manage("GET", "computers/pc-1", json!(null)).await;
    assert_eq!(shown["groups"], json!(["Unassigned Computers"]));
}

#[tokio::test]
async fn a_computer_that_is_back_in_a_group_is_told_what_is_approved_for_it_with_its_next_scan() {
    let site = stocked().await;
    let upstream = json!({ "source": "http://127.0.0.1:9", "mode": "replica", "probe": false });
    site.manage("PUT", "upstream", upstream).await;
    let mut agent = Agent::new(&site, "pc-1");
    agent.join().await;
    let web = GroupId(Guid::from_u128(70));
    let everybody = Some(GroupId::ALL_COMPUTERS);
    let group = Group { id: web, name: "Web".parse().unwrap(), parent: everybody };
    let news = DeploymentNews { groups: vec![group], anchor: "1".into(), ..DeploymentNews::default() };
    site.running.as_ref().unwrap().store().adopt_deployments(&news, noon()).unwrap();
    site.manage("POST", "computers/pc-1/move", json!({ "group": "Web" })).await;
    site.manage("PUT", "upstream", json!({ "source": null, "mode": "autonomous" })).await;
    let mut known = agent.scan().await;
    let made = site.manage("POST", "groups", json!({ "name": "WEB" })).await;
    assert_eq!(made["put_back"], 1);
    approve(&site, "Web").await;
    assert_eq!(installs(&mut agent, &mut known).await.len(), 1);
}

#[tokio::test]
async fn a_renamed_group_has_the_computers_that_ask_for_its_name() {
    let site = stocked().await;
    site.manage("PUT", "config", json!({ "targeting": "client" })).await;
    let mut agents = Vec::new();
    for (id, group) in [("pc-1", "pilots"), ("pc-2", "Early Birds")] {
        let mut agent = Agent::new(&site, id);
        agent.group = Some(group.to_owned());
        agent.join().await;
        agents.push(agent);
    }
    let made = site.manage("POST", "groups", json!({ "name": "Pilots" })).await;
    site.manage("POST", "groups", json!({ "name": "Taken" })).await;
    approve(&site, "Pilots").await;
    let mut known = [agents[0].scan().await, agents[1].scan().await];
    for (group, body, status, said) in [
        ("Pilots", json!({ "name": "TAKEN" }), 409, "already a group named `TAKEN`"),
        ("Pilots", json!({ "name": " " }), 400, "`name` is empty"),
        ("Pilots", json!({ "name": "x".repeat(257) }), 400, "longer than 256"),
        ("Pilots", json!({ "title": "New" }), 400, "a group has no `title`; it has name"),
        ("Pilots", json!(null), 400, "`name` is missing"),
        ("All%20Computers", json!({ "name": "New" }), 409, "built in"),
        ("Nobody", json!({ "name": "New" }), 404, "no group named `Nobody`"),
    ] {
        let (got, refused) = site.admin("PUT", &format!("groups/{group}"), body).await;
        let message = refused["error"]["message"].as_str().unwrap();
        assert!(got == status && message.contains(said), "{group}: {got} {message}");
    }
    let done = site.manage("PUT", "groups/PILOTS", json!({ "name": "early birds" })).await;
    assert_eq!(
        (&done["id"], &done["before"], &done["name"]),
        (&made["id"], &json!("Pilots"), &json!("early birds"))
    );
    assert_eq!(
        (&done["left"], &done["joined"], &done["parent"]),
        (&json!(1), &json!(1), &json!("All Computers"))
    );
    let mut told = Vec::new();
    for (agent, known) in agents.iter_mut().zip(&mut known) {
        told.push(installs(agent, known).await.len());
    }
    assert_eq!(told, [0, 1]);
}
