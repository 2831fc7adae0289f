//! Target groups: listed, made, renamed and deleted. Computers of replicas below are counted apart from this server's own.

use super::error::AdminError;
use super::input::{Input, Names, Query};
use super::{below, config, with_store};
use crate::state::App;
use serde_json::{Value, json};
use sluicegate_policy::rules::{Rule, RuleId};
use sluicegate_policy::{Group, GroupTree};
use std::sync::Arc;

/// `GET groups`: all groups with the number of computers directly in each.
pub(super) async fn list(app: &App) -> Result<Value, AdminError> {
    let targeting = app.settings.load().targeting.into();
    let (sizes, of_replicas) =
        with_store(app, move |store| Ok((store.group_sizes(targeting)?, store.group_sizes_below()?))).await?;
    let decisions = app.store.decisions();
    let list: Vec<Value> = decisions
        .groups
        .iter()
        .map(|group| {
            let mut value = shown(group, &decisions.groups);
            value["computers"] = json!(sizes.get(&group.id).copied().unwrap_or(0));
            let below = of_replicas.as_ref().map(|of| of.sizes.get(&group.id).copied().unwrap_or(0));
            value["computers_below"] = json!(below);
            value
        })
        .collect();
    let not_counted =
        of_replicas.map(|of| json!({ "groups_not_told": of.untold, "own_groups": of.own_groups }));
    Ok(json!({ "groups": list, "not_counted_below": not_counted }))
}

/// What it may name.
pub(super) const NEW: Names = Names::new("a new group", &["name", "parent"]);

/// `POST groups`.
pub(super) async fn create(app: &App, input: &Input) -> Result<Value, AdminError> {
    let name = input.group_name("name")?;
    let parent = input.group("parent", &app.store.decisions().groups)?;
    let now = app.clock.now();
    let (group, put_back) = with_store(app, move |store| store.make_group(name, parent, now)).await?;
    // Computers may be back in it, or have asked for a group of this name before there was one.
    app.directory.forget_everybody();
    let mut value = shown(&group, &app.store.decisions().groups);
    value["put_back"] = json!(put_back);
    Ok(value)
}

/// What it may name.
pub(super) const GROUP: Names = Names::new("a group", &["name"]);

/// `PUT groups/{name or id}`: gives it another `name`.
pub(super) async fn rename(app: &Arc<App>, group: &str, input: &Input) -> Result<Value, AdminError> {
    let name = input.group_name("name")?;
    let id = app.store.decisions().groups.find(group)?.id;
    let now = app.clock.now();
    let done = with_store(app, move |store| store.rename_group(id, name, now)).await?;
    // Computers that name their groups themselves are in others now.
    config::regroup(app).await?;
    let mut value = shown(&done.group, &app.store.decisions().groups);
    value["before"] = json!(done.before.as_str());
    value["left"] = json!(done.left);
    value["joined"] = json!(done.joined);
    Ok(value)
}

/// `DELETE groups/{name or id}`: `nested=true` in the query says that groups nested in it go too.
pub(super) async fn remove(app: &App, group: &str, query: &Query) -> Result<Value, AdminError> {
    let id = app.store.decisions().groups.find(group)?.id;
    let (nested, now) = (query.flag("nested")?.unwrap_or(false), app.clock.now());
    let done = with_store(app, move |store| store.remove_group(id, nested, now)).await?;
    // Which groups computers are assigned to is asked for again.
    app.directory.forget_everybody();
    let decisions = app.store.decisions();
    let removed = &done.removed;
    let named = |group: &Group| json!({ "id": group.id.to_string(), "name": group.name.as_str() });
    let rules = |ids: &[RuleId]| -> Vec<Value> {
        let rule = |id| Some((id, decisions.rules.get(id)?));
        let known = ids.iter().filter_map(rule);
        let shown = |(id, rule): (&RuleId, &Rule)| {
            let name = rule.terms().name.as_str();
            json!({ "id": id.0, "name": name, "waits_for_group": rule.waits_for_group() })
        };
        known.map(shown).collect()
    };
    Ok(json!({
        "id": removed.group.id.to_string(),
        "name": removed.group.name.as_str(),
        "removed": true,
        "nested": removed.nested.iter().map(named).collect::<Vec<_>>(),
        "approvals": removed.approvals,
        "computers": done.computers,
        "unassigned": done.unassigned,
        "computers_below": {
            "total": done.below.computers.total,
            "servers": below::shares(&done.below),
            "groups_not_told": done.below.untold,
        },
        "rules": rules(&removed.rules),
        "rules_without_group": rules(&removed.rules_without_group),
    }))
}

fn shown(group: &Group, tree: &GroupTree) -> Value {
    let parent = group.parent.and_then(|id| tree.get(id));
    json!({
        "id": group.id.to_string(),
        "name": group.name.as_str(),
        "parent": parent.map(|parent| parent.name.as_str()),
        "parent_id": parent.map(|parent| parent.id.to_string()),
    })
}
