//! Lists of updates: what a request can ask for, and how a row looks. The filters are those of the WSUS
//! console; `browse::filters` says what each means.

use super::error::AdminError;
use super::input::Query;
use super::with_store;
use crate::state::App;
use serde_json::{Value, json};
use sluicegate_policy::UpdateState;
use sluicegate_store::{
    ApprovalFilter, CategoryRow, FleetScope, StateCounts, StatusFilter, UpdatePage, UpdateQuery, UpdateRow,
    UpdateSort,
};
use sluicegate_terms::{CategoryKind, GroupId, Timestamp, UpdateId};
use std::str::FromStr;

/// Seconds of a day.
const DAY: i64 = 86_400;

/// `GET updates`.
pub(super) async fn list(app: &App, query: &Query) -> Result<Value, AdminError> {
    let wanted = UpdateQuery {
        search: query.get("search").map(str::to_owned),
        kb: query.get("kb").map(str::to_owned),
        cve: query.get("cve").map(str::to_owned),
        classification: None,
        product: None,
        severities: match query.get("severity") {
            None => Vec::new(),
            Some(list) => list.split(',').map(|one| word("severity", one)).collect::<Result<_, _>>()?,
        },
        reboot: query.get("reboot").map(|one| word("reboot", one)).transpose()?,
        approval: approval_filter(query.get("approval"))?,
        approved_for: group(app, query, "approved_for")?,
        status: status_filter(query.get("status"))?,
        released_from: from(query, "released_from")?,
        released_to: to(query, "released_to")?,
        arrived_from: from(query, "arrived_from")?,
        arrived_to: to(query, "arrived_to")?,
        superseded: flag(query, "superseded")?,
        supersedes: flag(query, "supersedes")?,
        needs_licence: flag(query, "needs_licence")?,
        expired: flag(query, "expired")?,
        everything: flag(query, "everything")?.unwrap_or(false),
        sort: query.get("sort").map(|one| word("sort", one)).transpose()?.unwrap_or_default(),
        ascending: match query.get("order") {
            None => None,
            Some("asc") => Some(true),
            Some("desc") => Some(false),
            Some(other) => return Err(not_one_of("order", &["asc", "desc"], other)),
        },
        limit: query.number("limit", 100)?,
        offset: query.number("offset", 0)?,
    };
    let name = |of| query.get(of).map(str::to_owned);
    let page = find_in(app, wanted, (name("classification"), name("product")), scope(app, query)?).await?;
    let rows: Vec<Value> = page.rows.iter().map(shown).collect();
    Ok(json!({ "updates": rows, "total": page.total, "pending": page.pending }))
}

/// Whose reports count: those of the `group` that is named and the groups nested in it.
pub(super) fn scope(app: &App, query: &Query) -> Result<FleetScope, AdminError> {
    Ok(FleetScope { group: group(app, query, "group")?, targeting: app.settings.load().targeting.into() })
}

fn group(app: &App, query: &Query, name: &str) -> Result<Option<GroupId>, AdminError> {
    query.get(name).map(|text| Ok(app.store.decisions().groups.find(text)?.id)).transpose()
}

/// A value that is named by one of a few words.
trait Words: FromStr {
    /// The words.
    fn words() -> Vec<&'static str>;
}

macro_rules! words {
    ($($kind:ty),*) => {$(
        impl Words for $kind {
            fn words() -> Vec<&'static str> {
                Self::ALL.iter().map(|one| one.as_str()).collect()
            }
        }
    )*};
}
words!(ApprovalFilter, StatusFilter, UpdateSort, sluicegate_store::Severity, sluicegate_store::Reboot);

fn word<T: Words>(name: &str, text: &str) -> Result<T, AdminError> {
    text.trim().parse().map_err(|_| not_one_of(name, &T::words(), text))
}

fn not_one_of(name: &str, words: &[&str], text: &str) -> AdminError {
    AdminError::invalid(format!("`{name}` must be one of {}, not `{text}`", words.join(", ")))
}

/// A word for what was decided; `any` is no filter.
pub(super) fn approval_filter(text: Option<&str>) -> Result<Option<ApprovalFilter>, AdminError> {
    word_or_any("approval", text)
}

/// A word for states; `any` is no filter.
pub(super) fn status_filter(text: Option<&str>) -> Result<Option<StatusFilter>, AdminError> {
    word_or_any("status", text)
}

/// One of a few words, in any letter case; `any` is none of them.
fn word_or_any<T: Words>(name: &str, text: Option<&str>) -> Result<Option<T>, AdminError> {
    match text.map(str::trim) {
        None => Ok(None),
        Some(any) if any.eq_ignore_ascii_case("any") => Ok(None),
        Some(text) => match text.parse() {
            Ok(one) => Ok(Some(one)),
            Err(_) => {
                let words: Vec<&str> = T::words().into_iter().chain(["any"]).collect();
                Err(not_one_of(name, &words, text))
            }
        },
    }
}

fn flag(query: &Query, name: &str) -> Result<Option<bool>, AdminError> {
    match query.get(name) {
        None => Ok(None),
        Some("true" | "yes") => Ok(Some(true)),
        Some("false" | "no") => Ok(Some(false)),
        Some(other) => Err(not_one_of(name, &["yes", "no"], other)),
    }
}

fn from(query: &Query, name: &str) -> Result<Option<Timestamp>, AdminError> {
    Ok(query.get(name).map(str::parse).transpose()?)
}

/// The end of a span. One that is a bare date is meant with that day.
fn to(query: &Query, name: &str) -> Result<Option<Timestamp>, AdminError> {
    let day = query.get(name).is_some_and(|text| !text.contains('T'));
    Ok(from(query, name)?.map(|time| if day { time.plus_seconds(DAY) } else { time }))
}

/// The updates of a query, with categories by id or title.
pub(super) async fn find(
    app: &App,
    wanted: UpdateQuery,
    classification: Option<String>,
    product: Option<String>,
) -> Result<UpdatePage, AdminError> {
    find_in(app, wanted, (classification, product), FleetScope::default()).await
}

async fn find_in(
    app: &App,
    wanted: UpdateQuery,
    (classification, product): (Option<String>, Option<String>),
    of: FleetScope,
) -> Result<UpdatePage, AdminError> {
    let mut wanted = wanted;
    if classification.is_some() || product.is_some() {
        let rows = with_store(app, |store| store.categories()).await?;
        let is_classification = |kind: CategoryKind| kind == CategoryKind::UpdateClassification;
        let classification = classification.map(|name| category(&rows, &name, is_classification));
        wanted.classification = classification.transpose()?;
        let product = product.map(|name| category(&rows, &name, |kind| !is_classification(kind)));
        wanted.product = product.transpose()?;
    }
    with_store(app, move |store| store.updates_for(&wanted, of)).await
}

fn no_category(name: &str) -> AdminError {
    AdminError::unknown(format!(
        "there is no category `{name}` of that kind; `sluicegate catalog categories` lists them (GET categories)"
    ))
}

/// A category by id or by title in any letter case; a title that several have names none of them.
pub(super) fn category(
    rows: &[CategoryRow],
    name: &str,
    fits: impl Fn(CategoryKind) -> bool,
) -> Result<UpdateId, AdminError> {
    let name = name.trim();
    let id = name.parse::<UpdateId>().ok();
    let lower = name.to_lowercase();
    let found: Vec<&CategoryRow> = rows
        .iter()
        .filter(|row| fits(row.kind) && (Some(row.update) == id || row.title.to_lowercase() == lower))
        .collect();
    match found.as_slice() {
        [] => Err(no_category(name)),
        [only] => Ok(only.update),
        several => Err(several_titled(name, several)),
    }
}

/// Products and the families they belong to may have the same title.
pub(super) fn several_titled(title: &str, several: &[&CategoryRow]) -> AdminError {
    let ids: Vec<String> =
        several.iter().map(|row| format!("{} ({})", row.update, row.kind.as_str())).collect();
    let ids = ids.join(", ");
    AdminError::invalid(format!("several have the title `{title}`; name one by its id: {ids}"))
}

pub(super) fn shown(row: &UpdateRow) -> Value {
    let mut value = states(&row.states);
    let update = json!({
        "update_id": row.update.to_string(),
        "revision": row.revision.get(),
        "revision_id": row.id.get(),
        "kind": row.kind.as_str(),
        "title": row.title,
        "kb": row.kb,
        "classification": row.classification,
        "severity": row.severity.as_str(),
        "reboot": row.reboot.as_str(),
        "created": row.created.map(Timestamp::iso),
        "arrived": row.arrived_at.iso(),
        "size": row.size,
        "approval": row.approval.as_str(),
        "superseded": row.superseded,
    });
    if let (Value::Object(all), Value::Object(update)) = (&mut value, update) {
        all.extend(update);
    }
    value
}

/// Counts as the console's columns have them.
pub(super) fn states(states: &StateCounts) -> Value {
    json!({
        "needed": states.needed(),
        "failed": states.of(UpdateState::Failed),
        "installed": states.of(UpdateState::Installed),
        "pending_reboot": states.of(UpdateState::InstalledPendingReboot),
        "not_applicable": states.of(UpdateState::NotApplicable),
        "no_status": states.of(UpdateState::Unknown),
    })
}
