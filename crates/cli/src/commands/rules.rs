//! Cli room: `rules`: automatic approval rules and what happens when a new revision arrives.

use super::catalog::entries;
use crate::admin_client::AdminClient;
use crate::args::{RuleTerms, Rules};
use crate::output;
use crate::output::{Column, say};
use anyhow::Context as _;
use serde_json::{Map, Value, json};

const COLUMNS: &[Column] = &[
    ("Rule", "/id"),
    ("Enabled", "/enabled"),
    ("Name", "/name"),
    ("Classifications", "/classifications"),
    ("Products", "/products"),
    ("Groups", "/groups"),
    ("Days", "/deadline_days"),
    ("Time (UTC)", "/deadline_time"),
];

pub(crate) async fn run(client: &AdminClient, args: Rules, json: bool) -> anyhow::Result<()> {
    match args {
        Rules::List => {
            let list = client.get("rules", &[]).await?;
            output::show(json, &list, |list| {
                let rules = entries(list, "rules").as_array().map(Vec::as_slice).unwrap_or_default();
                output::rows(&rules.iter().map(in_words).collect(), COLUMNS, "No rules.");
                options(&list["options"]);
            });
        }
        Rules::Add { disabled, terms } => {
            let mut body = body(&terms)?;
            body.insert("enabled".to_owned(), json!(!disabled));
            saved(&client.post("rules", &Value::Object(body)).await?, json);
        }
        Rules::Edit { rule, terms } => {
            let done = client.put(&format!("rules/{rule}"), &Value::Object(body(&terms)?)).await?;
            saved(&done, json);
        }
        Rules::Enable { rule } => {
            saved(&client.put(&format!("rules/{rule}"), &json!({ "enabled": true })).await?, json);
        }
        Rules::Disable { rule } => {
            saved(&client.put(&format!("rules/{rule}"), &json!({ "enabled": false })).await?, json);
        }
        Rules::Remove { rule } => {
            let done = client.delete(&format!("rules/{rule}")).await?;
            output::show(json, &done, |_| say!("Removed. What the rule approved stays approved."));
        }
        Rules::Run { rules } => {
            let done = client.post("rules/run", &json!({ "rules": rules })).await?;
            output::show(json, &done, |done| {
                plan(done);
                say!("\nApproved: {}.", output::text(done.get("approved")));
            });
        }
        Rules::Preview { rule, terms } => {
            let mut body = body(&terms)?;
            if let Some(rule) = rule {
                body.insert("id".to_owned(), json!(rule.to_string()));
            }
            let done = client.post("rules/preview", &Value::Object(body)).await?;
            output::show(json, &done, |done| {
                plan(done);
                say!(
                    "\nIt would approve {} and leave {} alone. Nothing was changed.",
                    output::text(done.get("would_approve")),
                    output::text(done.get("would_skip"))
                );
            });
        }
        Rules::Options { approvals_follow, decline_expired } => {
            let body = json!({ "approvals_follow": approvals_follow, "decline_expired": decline_expired });
            let done = client.put("rules/options", &body).await?;
            output::show(json, &done, options);
        }
    }
    Ok(())
}

fn options(value: &Value) {
    say!("\nWhen a new revision arrives");
    output::fields(
        value,
        &[
            ("Approvals follow to it", "/approvals_follow"),
            ("Decline what it lets expire", "/decline_expired"),
        ],
    );
}

fn saved(rule: &Value, json: bool) {
    output::show(json, rule, |rule| output::rows(&json!([in_words(rule)]), COLUMNS, ""));
}

/// A rule with a word where a list is empty: a rule without categories is for any, one without groups does nothing.
fn in_words(rule: &Value) -> Value {
    let mut rule = rule.clone();
    let no_group = match (rule["groups_put_aside"].as_u64(), rule["waits_for_group"] == true) {
        (Some(aside), _) if aside > 0 => &format!("{aside} put aside, while this is a replica"),
        (_, true) => "none: enabled again with the next one",
        (_, false) => "none: they are gone",
    };
    for (name, word) in [("classifications", "any"), ("products", "any"), ("groups", no_group)] {
        if rule[name].as_array().is_some_and(Vec::is_empty) {
            rule[name] = json!(word);
        }
    }
    rule
}

fn plan(value: &Value) {
    let columns: &[Column] = &[
        ("UpdateID", "/update_id"),
        ("Group", "/group"),
        ("Deadline", "/deadline"),
        ("Superseded by", "/superseded_by"),
        ("Rule", "/rule"),
        ("Title", "/title"),
    ];
    output::rows(&value["approvals"], columns, "Nothing to approve.");
    if value["skipped"].as_array().is_some_and(|list| !list.is_empty()) {
        say!("\nLeft alone");
        let columns: &[Column] =
            &[("UpdateID", "/update_id"), ("Group", "/group"), ("Rule", "/rule"), ("Reason", "/reason")];
        output::rows(&value["skipped"], columns, "");
    }
}

/// What was given, and nothing else: what is not given stays as it is.
fn body(terms: &RuleTerms) -> anyhow::Result<Map<String, Value>> {
    let mut body = Map::new();
    let mut put = |name: &str, value: Value| body.insert(name.to_owned(), value);
    if let Some(name) = &terms.name {
        put("name", json!(name));
    }
    for (name, list) in
        [("classifications", &terms.classification), ("products", &terms.product), ("groups", &terms.group)]
    {
        if !list.is_empty() {
            put(name, json!(list.iter().filter(|one| *one != "any").collect::<Vec<_>>()));
        }
    }
    if let Some(deadline) = &terms.deadline {
        if deadline == "none" {
            put("deadline_days", Value::Null);
        } else {
            let (days, time) = deadline.split_once('@').unwrap_or((deadline, "00:00"));
            let days: u16 = days.parse().with_context(|| {
                format!("`{deadline}` is not a deadline (use days@HH:MM, for example 7@03:00, or none)")
            })?;
            put("deadline_days", json!(days));
            put("deadline_time", json!(time));
        }
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_without_a_group_that_is_here_says_why() {
        let groups = |rule: Value| in_words(&rule)["groups"].clone();
        let gone = json!({ "groups": [], "groups_put_aside": 0, "waits_for_group": false });
        assert_eq!(groups(gone), "none: they are gone");
        let waits = json!({ "groups": [], "groups_put_aside": 0, "waits_for_group": true });
        assert_eq!(groups(waits), "none: enabled again with the next one");
        let aside = json!({ "groups": [], "groups_put_aside": 2, "waits_for_group": false });
        assert_eq!(groups(aside), "2 put aside, while this is a replica");
        let some = json!({ "groups": ["A"], "groups_put_aside": 1, "waits_for_group": false });
        assert_eq!(groups(some), json!(["A"]));
    }
}
