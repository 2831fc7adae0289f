//! Cli room: `groups create`, `groups rename`, `groups delete` and `groups list`.

use super::catalog::entries;
use crate::admin_client::{AdminClient, percent_encode};
use crate::args::Groups;
use crate::output;
use crate::output::{Column, say};
use serde_json::{Value, json};

pub(crate) async fn run(client: &AdminClient, args: Groups, json: bool) -> anyhow::Result<()> {
    match args {
        Groups::Create { name, parent } => {
            let made = client.post("groups", &json!({"name": name, "parent": parent})).await?;
            output::show(json, &made, |made| {
                say!("Created the group `{name}` under `{parent}`.");
                match made["put_back"].as_u64() {
                    None | Some(0) => {}
                    Some(1) => say!("1 computer is back in it, which was in a group of this name before."),
                    Some(count) => {
                        say!("{count} computers are back in it, which were in a group of this name before.");
                    }
                }
            });
        }
        Groups::Rename { group, name } => {
            let path = format!("groups/{}", percent_encode(&group));
            let done = client.put(&path, &json!({ "name": name })).await?;
            output::show(json, &done, |done| renamed(done).iter().for_each(|line| say!("{line}")));
        }
        Groups::Delete { group, nested } => {
            let query = if nested { "?nested=true" } else { "" };
            let gone = client.delete(&format!("groups/{}{query}", percent_encode(&group))).await?;
            output::show(json, &gone, |gone| deleted(gone).iter().for_each(|line| say!("{line}")));
        }
        Groups::List => {
            let list = client.get("groups", &[]).await?;
            output::show(json, &list, |list| {
                let columns: &[Column] = &[
                    ("Name", "/name"),
                    ("Parent", "/parent"),
                    ("Computers", "/computers"),
                    ("Of replicas", "/computers_below"),
                    ("GroupID", "/id"),
                ];
                let below = &list["not_counted_below"];
                let columns: Vec<Column> = columns
                    .iter()
                    .copied()
                    .filter(|one| !below.is_null() || one.0 != "Of replicas")
                    .collect();
                output::rows(entries(list, "groups"), &columns, "No groups.");
                not_counted(below).iter().for_each(|line| say!("{line}"));
            });
        }
    }
    Ok(())
}

/// What a new name means, in sentences.
fn renamed(done: &Value) -> Vec<String> {
    let [old, new] = ["before", "name"].map(|name| output::text(done.get(name)));
    let mut lines = vec![format!("The group `{old}` is called `{new}` now.")];
    for (name, asked, so) in [("left", &old, "is not in it any more"), ("joined", &new, "is in it now")] {
        match done[name].as_u64() {
            None | Some(0) => {}
            Some(1) => lines.push(format!("1 computer asks for `{asked}` and {so}.")),
            Some(count) => {
                let so = so.replacen("is ", "are ", 1);
                lines.push(format!("{count} computers ask for `{asked}` and {so}."));
            }
        }
    }
    lines
}

/// Which computers of servers below no figure of a group has, in sentences.
pub(crate) fn not_counted(below: &Value) -> Vec<String> {
    let number = |name: &str| below[name].as_u64().unwrap_or(0);
    let mut lines = Vec::new();
    if number("groups_not_told") > 0 {
        let computers = output::count(number("groups_not_told"), "computer");
        lines.push(format!(
            "Of {computers} of replicas nobody has told yet in which groups they are; their servers do when they \
             synchronize."
        ));
    }
    if number("own_groups") > 0 {
        let computers = output::count(number("own_groups"), "computer");
        lines.push(format!("Not among them: {computers} of servers below that have groups of their own."));
    }
    lines
}

/// Computers of replicas below that were in a group, in sentences.
fn left_below(below: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(total) = below["total"].as_u64().filter(|total| *total > 0) {
        let servers: Vec<String> = below["servers"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default()
            .iter()
            .map(|one| format!("`{}` {}", output::text(one.get("name")), output::text(one.get("computers"))))
            .collect();
        let were = if total == 1 { "was" } else { "were" };
        lines.push(format!(
            "{} of replicas below {were} in it, as they told last ({}): each leaves it when its server synchronizes.",
            output::count(total, "computer"),
            servers.join(", "),
        ));
    }
    if let Some(untold) = below["groups_not_told"].as_u64().filter(|untold| *untold > 0) {
        lines.push(format!(
            "Of {} of replicas below nobody has told whether they were in it.",
            output::count(untold, "computer")
        ));
    }
    lines
}

/// What went with a group, in sentences.
fn deleted(gone: &Value) -> Vec<String> {
    let number = |name: &str| gone[name].as_u64().unwrap_or(0);
    let names = |list: &str| -> Vec<String> {
        let all = gone[list].as_array().map(Vec::as_slice).unwrap_or_default();
        all.iter().map(|one| format!("`{}`", output::text(one.get("name")))).collect()
    };
    let mut lines = vec![format!("Deleted the group `{}`.", output::text(gone.get("name")))];
    let nested = names("nested");
    if !nested.is_empty() {
        lines.push(format!("Nested in it, and deleted too: {}.", nested.join(", ")));
    }
    if number("approvals") > 0 {
        lines.push(format!("Gone with it: {}.", output::count(number("approvals"), "approval")));
    }
    match (number("computers"), number("unassigned")) {
        (0, _) => {}
        (all, some) => lines.push(format!(
            "{} in it before; in Unassigned Computers now, since they are in no other group: {some}.",
            if all == 1 { "1 computer was".to_owned() } else { format!("{all} computers were") },
        )),
    }
    lines.extend(left_below(&gone["computers_below"]));
    for rule in names("rules") {
        lines.push(format!("The rule {rule} approves for its other groups only."));
    }
    for rule in gone["rules_without_group"].as_array().map(Vec::as_slice).unwrap_or_default() {
        let [name, id] = ["name", "id"].map(|of| output::text(rule.get(of)));
        let edit = format!("`sluicegate rules edit {id} --group GROUP`");
        lines.push(match rule["waits_for_group"] == true {
            true => format!(
                "The rule `{name}` has no group any more and approves for nobody until {edit} gives it another."
            ),
            false => format!(
                "The rule `{name}`, which is not enabled, has no group any more: {edit} gives it another, and \
                 `sluicegate rules enable {id}` enables it then."
            ),
        });
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_name_says_which_computers_that_ask_for_groups_it_moves() {
        let done = json!({ "before": "A", "name": "B", "left": 0, "joined": 0 });
        assert_eq!(renamed(&done), ["The group `A` is called `B` now."]);
        let done = json!({ "before": "A", "name": "B", "left": 2, "joined": 1 });
        let expected = [
            "2 computers ask for `A` and are not in it any more.",
            "1 computer asks for `B` and is in it now.",
        ];
        assert_eq!(renamed(&done)[1..], expected);
    }

    #[test]
    fn what_went_with_a_group_is_said_and_nothing_else() {
        let gone = json!({ "name": "Pilots", "nested": [], "approvals": 0, "computers": 0, "unassigned": 0 });
        assert_eq!(deleted(&gone), ["Deleted the group `Pilots`."]);
        let below = json!({
            "total": 3, "servers": [{ "name": "low", "computers": 2 }, { "name": "mid", "computers": 1 }],
            "groups_not_told": 1,
        });
        let said = deleted(&json!({ "name": "Pilots", "computers_below": below }));
        assert!(
            said[1].starts_with(
                "3 computers of replicas below were in it, as they told last (`low` 2, `mid` 1)"
            )
        );
        assert_eq!((said.len(), said[2].contains("1 computer of replicas below")), (3, true), "{said:?}");
        let gone = json!({
            "name": "Servers", "nested": [{ "name": "Web" }, { "name": "Db" }], "approvals": 2, "computers": 5,
            "unassigned": 4, "rules": [{ "id": 2, "name": "All" }],
            "rules_without_group": [
                { "id": 3, "name": "Some", "waits_for_group": true },
                { "id": 4, "name": "Off", "waits_for_group": false },
            ],
        });
        let said = deleted(&gone);
        assert_eq!(said.len(), 7, "{said:?}");
        assert_eq!(said[1], "Nested in it, and deleted too: `Web`, `Db`.");
        assert_eq!(said[2], "Gone with it: 2 approvals.");
        assert!(said[3].starts_with("5 computers were in it") && said[3].ends_with("no other group: 4."));
        assert!(said[4].contains("`All`") && said[5].contains("`Some` has no group any more"), "{said:?}");
        assert!(said[5].contains("until `sluicegate rules edit 3 --group GROUP`"), "{said:?}");
        assert!(
            said[6].contains("`Off`, which is not enabled") && said[6].contains("rules enable 4"),
            "{said:?}"
        );
    }
}
