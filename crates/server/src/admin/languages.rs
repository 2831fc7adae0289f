//! `POST sync/filter/preview`: what another choice of languages would mean for files, before it is saved (known problem
//! P-22). Texts are not part of it: a document holds them in every language, so none has to be fetched later.

use super::error::AdminError;
use super::input::Input;
use super::{sync_filter, with_store};
use crate::state::App;
use serde_json::{Value, json};
use sluicegate_store::hierarchy::FileSum;

/// Answers it: the input is that of `PUT sync/filter`; nothing is saved. Files of updates that a wider choice of
/// products would bring are known to nobody before the next synchronization.
pub(super) async fn preview(app: &App, input: &Input) -> Result<Value, AdminError> {
    let languages = sync_filter::languages(input)?;
    let settings = app.store.upstream_settings();
    let (before, policy) = (settings.filter.clone(), settings.content);
    let mut after = before.clone();
    after.languages = languages.unwrap_or_else(|| before.languages.clone());
    after.check()?;
    let change = with_store(app, move |store| store.language_change(policy, &before, &after)).await?;
    let sum = |sum: FileSum| json!({ "files": sum.files, "bytes": sum.bytes });
    Ok(json!({
        "fetched": sum(change.fetched),
        "no_longer_fetched": sum(change.no_longer_fetched),
        "kept_though_unwanted": sum(change.kept),
        "texts": "complete: a document holds its texts in every language",
    }))
}
