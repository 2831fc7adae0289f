//! Automatic approval rules: listed, saved, previewed and run.

use super::error::AdminError;
use super::input::{Input, Names};
use super::{listed, with_store};
use crate::state::App;
use serde_json::{Value, json};
use sluicegate_policy::rules::{DeadlineOffset, Plan, Rule, RuleError, RuleId, RuleName, RuleTerms, Skip};
use sluicegate_policy::{Decisions, SuccessionOptions};
use sluicegate_store::Store;
use sluicegate_terms::{CategoryKind, GroupId, Timestamp, UpdateId};
use std::collections::{BTreeMap, BTreeSet};

/// Most lines of a plan that are shown; the counts are of all.
const MOST_SHOWN: usize = 1_000;

/// `GET rules`: the rules, and what happens when a new revision arrives.
pub(super) async fn list(app: &App) -> Result<Value, AdminError> {
    let decisions = app.store.decisions();
    let titles = titles(app).await?;
    let rules: Vec<Value> =
        decisions.rules.iter().map(|(id, rule)| shown(*id, rule, &decisions, &titles)).collect();
    Ok(json!({ "rules": rules, "options": options(decisions.options) }))
}

fn options(options: SuccessionOptions) -> Value {
    json!({ "approvals_follow": options.approvals_follow, "decline_expired": options.decline_expired })
}

/// What it may name.
pub(super) const OPTIONS: Names =
    Names::new("what happens with new revisions", &["approvals_follow", "decline_expired"]);

/// `PUT rules/options`.
pub(super) async fn change_options(app: &App, input: &Input) -> Result<Value, AdminError> {
    let (follow, decline) = (input.flag("approvals_follow")?, input.flag("decline_expired")?);
    let change = move |own: &mut SuccessionOptions| {
        own.approvals_follow = follow.unwrap_or(own.approvals_follow);
        own.decline_expired = decline.unwrap_or(own.decline_expired);
    };
    let now = app.clock.now();
    Ok(options(with_store(app, move |store| store.change_succession(now, change)).await?))
}

/// What a rule may have.
pub(super) const RULE: Names = Names::new(
    "a rule",
    &["name", "enabled", "classifications", "products", "groups", "deadline_days", "deadline_time"],
);

/// `POST rules`: a new rule.
pub(super) async fn add(app: &App, input: &Input) -> Result<Value, AdminError> {
    let rule = read(app, input).await?.applied(None)?;
    let (now, saved) = (app.clock.now(), rule.clone());
    let id = with_store(app, move |store| store.save_rule(None, saved, now)).await?;
    Ok(shown(id, &rule, &app.store.decisions(), &titles(app).await?))
}

/// `PUT rules/{id}`: what is given is changed, the rest stays.
pub(super) async fn change(app: &App, id: &str, input: &Input) -> Result<Value, AdminError> {
    let id = number(id)?;
    let given = read(app, input).await?;
    let now = app.clock.now();
    let change = move |before: &Rule| given.applied(Some(before));
    let rule = with_store(app, move |store| store.change_rule(id, now, change)).await?;
    Ok(shown(id, &rule, &app.store.decisions(), &titles(app).await?))
}

/// `DELETE rules/{id}`.
pub(super) async fn remove(app: &App, id: &str) -> Result<Value, AdminError> {
    let (id, now) = (number(id)?, app.clock.now());
    let removed = with_store(app, move |store| store.remove_rule(id, now)).await?;
    Ok(json!({ "id": id.0, "name": removed.terms().name.as_str(), "removed": true }))
}

/// What it may name.
pub(super) const RUN: Names = Names::new("a run of rules", &["rules"]);

/// `POST rules/run`: `rules` (numbers), or all that are enabled.
pub(super) async fn run(app: &App, input: &Input) -> Result<Value, AdminError> {
    let chosen: Vec<RuleId> = input.numbers("rules")?.into_iter().map(RuleId).collect();
    let now = app.clock.now();
    let done =
        with_store(app, move |store| store.run_rules((!chosen.is_empty()).then_some(chosen.as_slice()), now))
            .await?;
    let mut value = planned(app, &done.plan).await?;
    value["approved"] = json!(done.approved);
    Ok(value)
}

/// What it may name.
pub(super) const PREVIEW: Names = Names::new(
    "a rule that is looked at",
    &["id", "name", "enabled", "classifications", "products", "groups", "deadline_days", "deadline_time"],
);

/// `POST rules/preview`: what a rule would do, given as for `POST rules`, or a saved one by `id`, changed by
/// what else is given.
pub(super) async fn preview(app: &App, input: &Input) -> Result<Value, AdminError> {
    let id = input.text("id")?.map(number).transpose()?;
    let before = id.map(|id| app.store.decisions().rule(id).cloned()).transpose()?;
    let rule = read(app, input).await?.applied(before.as_ref())?;
    let (id, now) = (id.unwrap_or(RuleId(0)), app.clock.now());
    let plan = with_store(app, move |store| store.preview_rule(id, &rule, now)).await?;
    planned(app, &plan).await
}

fn number(text: &str) -> Result<RuleId, AdminError> {
    let bad = || {
        AdminError::invalid(format!(
            "`{}` is not the number of a rule",
            text.chars().take(40).collect::<String>()
        ))
    };
    text.trim().parse().map(RuleId).map_err(|_| bad())
}

/// What is said of a rule; what is not stays as it is.
struct Given {
    name: Option<RuleName>,
    classifications: Option<BTreeSet<UpdateId>>,
    products: Option<BTreeSet<UpdateId>>,
    groups: Option<BTreeSet<GroupId>>,
    deadline: Option<Option<DeadlineOffset>>,
    enabled: Option<bool>,
}

impl Given {
    /// The rule that `before` becomes, or a new one.
    fn applied(self, before: Option<&Rule>) -> Result<Rule, RuleError> {
        let old = before.map(Rule::terms);
        let terms = RuleTerms {
            name: match (self.name, old) {
                (Some(name), _) => name,
                (None, Some(old)) => old.name.clone(),
                (None, None) => "Rule".parse()?,
            },
            classifications: kept(self.classifications, old.map(|old| &old.classifications)),
            products: kept(self.products, old.map(|old| &old.products)),
            groups: kept(self.groups, old.map(|old| &old.groups)),
            deadline: self.deadline.unwrap_or_else(|| old.and_then(|old| old.deadline)),
        };
        match before {
            Some(before) => before.changed(terms, self.enabled),
            None => Rule::new(terms, self.enabled.unwrap_or(true)),
        }
    }
}

/// What is given, or else what there was.
fn kept<T: Clone + Default>(given: Option<T>, old: Option<&T>) -> T {
    given.or_else(|| old.cloned()).unwrap_or_default()
}

/// Reads what is said of a rule.
async fn read(app: &App, input: &Input) -> Result<Given, AdminError> {
    let groups = match input.list("groups")? {
        Some(names) => {
            let decisions = app.store.decisions();
            let found = names.iter().map(|name| Ok(decisions.groups.find(name)?.id));
            Some(found.collect::<Result<_, AdminError>>()?)
        }
        None => None,
    };
    let deadline = match (input.0.contains_key("deadline_days"), input.text("deadline_time")?) {
        (false, None) => None,
        (false, Some(_)) => {
            return Err(AdminError::invalid(
                "`deadline_time` goes with `deadline_days`, the days after the approval; give both",
            ));
        }
        (true, time) => Some(match input.whole("deadline_days")? {
            None => None,
            Some(days) => Some(DeadlineOffset::new(days, minute(time)?)?),
        }),
    };
    Ok(Given {
        name: input.text("name")?.map(str::parse).transpose()?,
        classifications: chosen(app, input.list("classifications")?, true).await?,
        products: chosen(app, input.list("products")?, false).await?,
        groups,
        deadline,
        enabled: input.flag("enabled")?,
    })
}

/// `HH:MM` as a minute of the day; midnight when nothing is said.
fn minute(text: Option<&str>) -> Result<u16, AdminError> {
    let Some(text) = text else { return Ok(0) };
    let parsed = text.split_once(':').and_then(|(hour, minute)| {
        let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
        (hour < 24 && minute < 60).then_some(hour * 60 + minute)
    });
    parsed.ok_or_else(|| {
        AdminError::invalid(format!("`deadline_time` must be a time such as 03:00, not `{text}`"))
    })
}

/// Categories by id or title, if any are named.
async fn chosen(
    app: &App,
    names: Option<Vec<String>>,
    classification: bool,
) -> Result<Option<BTreeSet<UpdateId>>, AdminError> {
    let Some(names) = names else { return Ok(None) };
    let fits = move |kind| (kind == CategoryKind::UpdateClassification) == classification;
    let rows = with_store(app, |store| store.categories()).await?;
    names.iter().map(|name| listed::category(&rows, name, fits)).collect::<Result<_, _>>().map(Some)
}

async fn titles(app: &App) -> Result<BTreeMap<UpdateId, String>, AdminError> {
    let all =
        |store: &Store| Ok(store.categories()?.into_iter().map(|row| (row.update, row.title)).collect());
    with_store(app, all).await
}

fn shown(id: RuleId, rule: &Rule, decisions: &Decisions, titles: &BTreeMap<UpdateId, String>) -> Value {
    let terms = rule.terms();
    let named = |ids: &BTreeSet<UpdateId>| -> Vec<String> {
        ids.iter().map(|id| titles.get(id).cloned().unwrap_or_else(|| id.to_string())).collect()
    };
    let ids = |ids: &BTreeSet<UpdateId>| ids.iter().map(UpdateId::to_string).collect::<Vec<_>>();
    let groups: Vec<&str> = terms
        .groups
        .iter()
        .filter_map(|id| decisions.groups.get(*id))
        .map(|group| group.name.as_str())
        .collect();
    let time = |offset: DeadlineOffset| format!("{:02}:{:02}", offset.minute() / 60, offset.minute() % 60);
    json!({
        "id": id.0,
        "name": terms.name.as_str(),
        "enabled": rule.enabled(),
        "waits_for_group": rule.waits_for_group(),
        "default": id == RuleId::DEFAULT,
        "classifications": named(&terms.classifications),
        "classification_ids": ids(&terms.classifications),
        "products": named(&terms.products),
        "product_ids": ids(&terms.products),
        "groups": groups,
        // A replica has the groups of its upstream; those that rules name are put aside with the mode.
        "groups_put_aside": terms.groups.len() - groups.len(),
        "deadline_days": terms.deadline.map(DeadlineOffset::days),
        "deadline_time": terms.deadline.map(time),
    })
}

/// A plan with titles and names.
async fn planned(app: &App, plan: &Plan) -> Result<Value, AdminError> {
    let decisions = app.store.decisions();
    let lines: Vec<_> = plan.approvals.iter().take(MOST_SHOWN).cloned().collect();
    let group = |id| decisions.groups.get(id).map(|group| group.name.to_string());
    let titled = with_store(app, move |store| {
        lines
            .into_iter()
            .map(|line| Ok((store.title(line.subject.update)?, line)))
            .collect::<Result<Vec<_>, _>>()
    })
    .await?;
    let approvals: Vec<Value> = titled
        .iter()
        .map(|(title, line)| {
            json!({
                "update_id": line.subject.update.to_string(),
                "title": title,
                "group": group(line.group),
                "deadline": line.deadline.map(Timestamp::iso),
                "superseded_by": line.subject.superseded_by.map(|id| id.to_string()),
                "rule": line.rule.0,
            })
        })
        .collect();
    let skipped: Vec<Value> = plan
        .skipped
        .iter()
        .take(MOST_SHOWN)
        .map(|line| {
            let why = match &line.why {
                Skip::Declined => "it is declined".to_owned(),
                Skip::Decided => "the group has a decision of its own".to_owned(),
                Skip::Refused(error) => error.to_string(),
            };
            json!({ "update_id": line.update.to_string(), "group": group(line.group), "reason": why, "rule": line.rule.0 })
        })
        .collect();
    Ok(json!({
        "would_approve": plan.approvals.len(),
        "would_skip": plan.skipped.len(),
        "approvals": approvals,
        "skipped": skipped,
    }))
}
