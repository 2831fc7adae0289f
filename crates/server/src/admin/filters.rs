//! Filters of unwanted updates: listed, added, removed, and what one would decline before it is added. They are
//! a setting of cleanup, which declines what they name; what comes in is declined at once.

use super::error::AdminError;
use super::input::{Input, Names};
use super::{cleanup, with_store};
use crate::state::App;
use serde_json::{Value, json};
use sluicegate_policy::cleanup::CleanupSettings;
use sluicegate_policy::filters::{MOST_FILTERS, UpdateFilter};
use sluicegate_policy::hierarchy::Mode;
use std::collections::BTreeSet;

/// `GET filters`.
pub(super) async fn list(app: &App) -> Result<Value, AdminError> {
    Ok(shown(app, &with_store(app, |store| store.cleanup_settings()).await?))
}

/// What it may name.
pub(super) const CHANGE: Names = Names::new("a change of filters", &["add", "remove"]);

/// `POST filters`: adds `add` and removes `remove`, either or both.
pub(super) async fn change(app: &App, input: &Input) -> Result<Value, AdminError> {
    let filter = |name| input.text(name)?.map(parse).transpose();
    let (remove, add) = (filter("remove")?, filter("add")?);
    cleanup::adjust(app, move |settings| {
        if let Some(filter) = remove
            && !settings.filters.remove(&filter)
        {
            return Err(AdminError::unknown(format!("there is no filter `{filter}`")));
        }
        settings.filters.extend(add);
        match settings.filters.len() > MOST_FILTERS {
            true => Err(AdminError::invalid(format!("there are {MOST_FILTERS} filters already"))),
            false => Ok(()),
        }
    })
    .await
    .map(|settings| shown(app, &settings))
}

/// Puts these in the place of all there were.
pub(super) async fn replace(app: &App, filters: BTreeSet<UpdateFilter>) -> Result<(), AdminError> {
    cleanup::adjust(app, |settings| {
        settings.filters = filters;
        Ok(())
    })
    .await
    .map(|_| ())
}

/// Filters as they are written.
pub(super) fn parse_all(texts: &[String]) -> Result<BTreeSet<UpdateFilter>, AdminError> {
    let filters = texts.iter().map(|text| parse(text)).collect::<Result<BTreeSet<_>, _>>()?;
    match filters.len() > MOST_FILTERS {
        true => Err(AdminError::invalid(format!(
            "{MOST_FILTERS} filters are the most; one title pattern can stand for many"
        ))),
        false => Ok(filters),
    }
}

/// What it may name.
pub(super) const PREVIEW: Names = Names::new("a filter that is looked at", &["filter"]);

/// `POST filters/preview`: what `filter` would decline.
pub(super) async fn preview(app: &App, input: &Input) -> Result<Value, AdminError> {
    let filter = parse(input.required("filter")?)?;
    let shown = filter.to_string();
    let (count, titles) = with_store(app, move |store| store.preview_filter(&filter)).await?;
    Ok(json!({ "filter": shown, "count": count, "titles": titles }))
}

fn parse(text: &str) -> Result<UpdateFilter, AdminError> {
    text.parse().map_err(|error: sluicegate_policy::filters::UpdateFilterError| {
        AdminError::invalid(error.to_string())
    })
}

/// `ignored` on a replica, where the upstream decides: filters decline nothing there.
fn shown(app: &App, settings: &CleanupSettings) -> Value {
    let ignored = app.store.upstream_settings().mode == Mode::Replica;
    let filters: Vec<String> = settings.filters.iter().map(ToString::to_string).collect();
    json!({ "filters": filters, "ignored": ignored })
}
