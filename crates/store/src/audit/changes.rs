//! Store: what a change of decisions or settings made different, as entries: one for each update, group,
//! rule, licence or setting that changed, with what was before and after.

use super::Entry;
use crate::decisions::difference;
use serde::Serialize;
use serde_json::json;
use sluicegate_policy::rules::{DeadlineOffset, Rule};
use sluicegate_policy::{Approval, Decisions, Group, GroupTree, Hold, HoldReason};
use sluicegate_terms::{Timestamp, UpdateId};
use std::collections::{BTreeMap, BTreeSet};

/// Why decisions changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Cause {
    /// Somebody decided.
    Decision,
    /// Revisions arrived: approvals follow them, rules approve, expired updates are declined.
    Arrival,
    /// The mode became another: nobody decided anything, the decisions of that mode are in force.
    Switch,
}

/// What is decided about one update, as an entry shows it.
#[derive(Serialize)]
struct Decided<'a> {
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    declined: bool,
    approvals: Vec<Shown<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    held: Option<Held>,
}

#[derive(Serialize)]
struct Shown<'a> {
    group: &'a str,
    action: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    deadline: Option<String>,
    by: &'a str,
    deployment: u32,
}

#[derive(Serialize)]
struct Held {
    serving: u32,
    reason: &'static str,
}

/// The entries for a change of decisions.
pub(crate) fn decided(before: &Decisions, after: &Decisions, cause: Cause) -> Vec<Entry> {
    let mut entries = updates(before, after, cause);
    licences(before, after, &mut entries);
    if before.options != after.options {
        let shown = |d: &Decisions| {
            json!({
                "approvals_follow": d.options.approvals_follow,
                "decline_expired": d.options.decline_expired,
            })
            .to_string()
        };
        let (before, after) = (Some(shown(before)), Some(shown(after)));
        let subject = "succession of revisions".to_owned();
        entries.push(Entry { action: "set-succession", subject, update: None, before, after });
    }
    rules(before, after, &mut entries);
    groups(&before.groups, &after.groups, &mut entries);
    entries
}

/// The updates with another decision than before. Marks for clients (withdrawn, restored, released) say
/// nothing that these do not.
fn updates(before: &Decisions, after: &Decisions, cause: Cause) -> Vec<Entry> {
    let mut touched: BTreeSet<UpdateId> = BTreeSet::new();
    let (gone, new) = difference(before.approvals.iter(), after.approvals.iter());
    touched.extend(gone.into_iter().map(|(update, _)| *update));
    touched.extend(new.into_iter().map(|((update, _), _)| *update));
    let (gone, new) = difference(before.declined.iter(), after.declined.iter());
    touched.extend(gone.into_iter().chain(new.into_iter().map(|(update, _)| update)));
    let (gone, new) = difference(before.held.iter(), after.held.iter());
    touched.extend(gone.into_iter().chain(new.into_iter().map(|(update, _)| update)));
    // That a decision counts from another time on changes nothing that anybody sees.
    let same = |update: &UpdateId| {
        before.held.get(update) == after.held.get(update)
            && by_hand(before, *update) == by_hand(after, *update)
            && shown(before, *update) == shown(after, *update)
    };
    touched
        .into_iter()
        .filter(|update| !same(update))
        .map(|update| {
            let of = |decisions| shown(decisions, update);
            let action = action(before, after, update, cause);
            Entry {
                action,
                subject: update.to_string(),
                update: Some(update),
                before: of(before),
                after: of(after),
            }
        })
        .collect()
}

/// What was done to an update, in one word.
fn action(before: &Decisions, after: &Decisions, update: UpdateId, cause: Cause) -> &'static str {
    let declined = |d: &Decisions| d.declined.contains_key(&update);
    let held = |d: &Decisions| d.held.contains_key(&update);
    let same_words = || {
        let words = |d: &Decisions| -> Vec<_> {
            d.approvals_of(update).map(|a| (a.group, a.action, a.deadline, a.by.clone())).collect()
        };
        words(before) == words(after)
    };
    let deploys = |d: &Decisions| d.approvals_of(update).filter(|a| a.action.deploys()).count();
    if cause == Cause::Switch {
        return "switch-mode";
    }
    if (declined(after) && !declined(before)) || (by_hand(after, update) && !by_hand(before, update)) {
        return "decline";
    }
    let undeclined = declined(before) && !declined(after) && deploys(after) == 0;
    if undeclined && cause == Cause::Arrival {
        return "undecline";
    }
    // While one waits, only a newer one that joins it comes and changes no words.
    if held(after) && (!held(before) || (cause == Cause::Arrival && same_words())) {
        return "hold-revision";
    }
    if held(before) && !held(after) && same_words() {
        return "accept-revision";
    }
    if cause == Cause::Arrival && same_words() {
        return "approvals-follow";
    }
    if undeclined {
        return "undecline";
    }
    let fresh = after.approvals_of(update).any(|a| {
        a.action.deploys()
            && before.approvals_of(update).all(|old| (old.group, old.deployment) != (a.group, a.deployment))
    });
    if fresh { "approve" } else { "unapprove" }
}

/// Whether somebody declined it.
fn by_hand(decisions: &Decisions, update: UpdateId) -> bool {
    decisions.declined.get(&update).is_some_and(|own| !own.automatic)
}

fn shown(decisions: &Decisions, update: UpdateId) -> Option<String> {
    let approvals: Vec<Shown<'_>> =
        decisions.approvals_of(update).map(|approval| approval_shown(approval, &decisions.groups)).collect();
    let declined = decisions.declined.contains_key(&update);
    let held = decisions.held.get(&update).map(held_shown);
    if approvals.is_empty() && !declined && held.is_none() {
        return None;
    }
    serde_json::to_string(&Decided { declined, approvals, held }).ok()
}

fn approval_shown<'a>(approval: &'a Approval, tree: &'a GroupTree) -> Shown<'a> {
    Shown {
        group: tree.get(approval.group).map_or("", |group| group.name.as_str()),
        action: approval.action.as_str(),
        deadline: approval.deadline.map(Timestamp::iso),
        by: &approval.by,
        deployment: approval.deployment.get(),
    }
}

fn held_shown(hold: &Hold) -> Held {
    let reason = match hold.reason {
        HoldReason::Review => "review",
        HoldReason::Eula(_) => "licence",
        HoldReason::NotRemovable => "approved for removal, and this revision cannot be removed",
        HoldReason::NeedsInput => "approved with a deadline, and this revision may ask the user something",
    };
    Held { serving: hold.serving.get(), reason }
}

fn licences(before: &Decisions, after: &Decisions, entries: &mut Vec<Entry>) {
    let (gone, new) = difference(before.accepted.iter(), after.accepted.iter());
    let accepted: BTreeSet<_> = new.iter().map(|(eula, _)| **eula).collect();
    for eula in gone.into_iter().filter(|eula| !accepted.contains(eula)) {
        let subject = eula.to_string();
        entries.push(Entry { action: "forget-licence", subject, update: None, before: None, after: None });
    }
    for (eula, acceptance) in new {
        let after = Some(json!({ "by": acceptance.by }).to_string());
        let subject = eula.to_string();
        entries.push(Entry { action: "accept-licence", subject, update: None, before: None, after });
    }
}

fn rules(before: &Decisions, after: &Decisions, entries: &mut Vec<Entry>) {
    let shown = |rule: Option<&Rule>| {
        rule.map(|rule| {
            let terms = rule.terms();
            let texts = |ids: &BTreeSet<UpdateId>| ids.iter().map(ToString::to_string).collect::<Vec<_>>();
            json!({
                "name": terms.name.as_str(),
                "enabled": rule.enabled(),
                "waits_for_group": rule.waits_for_group(),
                "classifications": texts(&terms.classifications),
                "products": texts(&terms.products),
                "groups": terms.groups.iter().map(ToString::to_string).collect::<Vec<_>>(),
                "deadline_days": terms.deadline.map(DeadlineOffset::days),
                "deadline_minute": terms.deadline.map(DeadlineOffset::minute),
            })
            .to_string()
        })
    };
    let (gone, new) = difference(before.rules.iter(), after.rules.iter());
    let ids: BTreeSet<_> = gone.into_iter().chain(new.into_iter().map(|(id, _)| id)).collect();
    for id in ids {
        let (was, is) = (before.rules.get(id), after.rules.get(id));
        let action = match (was, is) {
            (None, _) => "add-rule",
            (_, None) => "remove-rule",
            _ => "change-rule",
        };
        let subject = format!("rule {}", id.0);
        entries.push(Entry { action, subject, update: None, before: shown(was), after: shown(is) });
    }
}

fn groups(before: &GroupTree, after: &GroupTree, entries: &mut Vec<Entry>) {
    let shown = |group: Option<&Group>, tree: &GroupTree| {
        group.map(|group| {
            let parent = group.parent.and_then(|id| tree.get(id));
            json!({ "name": group.name.as_str(), "parent": parent.map(|parent| parent.name.as_str()) })
                .to_string()
        })
    };
    let ids: BTreeSet<_> = before.iter().chain(after.iter()).map(|group| group.id).collect();
    for id in ids {
        let (was, is) = (before.get(id), after.get(id));
        let action = match (was, is) {
            (None, _) => "add-group",
            (_, None) => "remove-group",
            (Some(was), Some(is)) if was != is => "change-group",
            _ => continue,
        };
        let name = is.or(was).map(|group| group.name.as_str()).unwrap_or_default();
        let subject = format!("{name} ({id})");
        let (before, after) = (shown(was, before), shown(is, after));
        entries.push(Entry { action, subject, update: None, before, after });
    }
}

/// An entry for each setting that has another value, by name. Values that are secret must not be given.
pub(crate) fn settings_changed(
    action: &'static str,
    before: &BTreeMap<String, String>,
    after: &BTreeMap<String, String>,
) -> Vec<Entry> {
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let changed = names.into_iter().filter(|name| before.get(*name) != after.get(*name));
    changed
        .map(|name| {
            let of =
                |values: &BTreeMap<String, String>| values.get(name).map(|value| json!(value).to_string());
            Entry { action, subject: name.clone(), update: None, before: of(before), after: of(after) }
        })
        .collect()
}
