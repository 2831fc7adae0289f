//! `POST content?name=FILE`: a content file, streamed to the store, which keeps it only when its length and
//! every digest are those an update declares.

use super::error::AdminError;
use super::input::{Input, Names, Query};
use crate::state::App;
use crate::transport::blocking;
use http::Request;
use hyper::body::Incoming;
use serde_json::{Value, json};
use sluicegate_terms::{Sha1Digest, Timestamp};
use std::sync::Arc;

/// Most files asked about at once.
const MOST_ASKED: usize = 10_000;

/// What it may name.
pub(super) const MISSING: Names = Names::new("a question about files", &["sha1"]);

/// `POST content/missing`: which of these files (`sha1`, in hexadecimal) an update declares and the store does
/// not hold. A file that the disk does not have any more is not held; `lost` counts those.
pub(super) async fn missing(app: &App, input: &Input) -> Result<Value, AdminError> {
    let asked = input.texts("sha1")?;
    if asked.len() > MOST_ASKED {
        return Err(AdminError::invalid(format!(
            "{} files are too many at once; ask for {MOST_ASKED}",
            asked.len()
        )));
    }
    let asked = asked.iter().map(|text| Sha1Digest::from_hex(text)).collect::<Result<Vec<_>, _>>()?;
    let (answer, lost) = super::with_store(app, move |store| {
        let (mut missing, mut held, mut undeclared, mut lost) = (Vec::new(), 0, 0, 0);
        for sha1 in asked {
            // One that cannot be looked at is not there for whoever wants it: a good one takes its place.
            let looked = store.content().lose_if_damaged(sha1);
            lost += u64::from(matches!(looked, Ok(Some(_))));
            if store.content().has(sha1) && looked.is_ok() {
                held += 1;
            } else if store.file(sha1).is_some() {
                missing.push(sha1.to_hex_upper());
            } else {
                undeclared += 1;
            }
        }
        Ok((json!({ "missing": missing, "held": held, "undeclared": undeclared, "lost": lost }), lost))
    })
    .await?;
    if lost > 0 {
        app.watch.files_seen_to();
    }
    Ok(answer)
}

/// `GET content/wanted`: how many files are wanted here, by the choice of files or since servers below wait for them, and
/// are not held; `upstream`: whether there is one that they come from.
pub(super) async fn wanted(app: &App) -> Result<Value, AdminError> {
    let settings = app.store.upstream_settings();
    let upstream = settings.source.is_some();
    let missing = super::with_store(app, move |store| {
        let policy = settings.content;
        store.missing_files(policy.when, policy.express, &settings.filter, Timestamp::MAX)
    })
    .await?;
    let bytes = missing.iter().fold(0_u64, |sum, need| sum.saturating_add(need.size));
    Ok(json!({ "files": missing.len(), "bytes": bytes, "upstream": upstream }))
}

/// Takes the file in, and says whose it is.
pub(super) async fn content(
    app: &Arc<App>,
    query: &Query,
    request: Request<Incoming>,
) -> Result<Value, AdminError> {
    let Some(name) = query.get("name") else {
        return Err(AdminError::invalid("`name` is missing from the query; it is for messages only"));
    };
    let name: String = name.chars().filter(|c| !c.is_control()).take(255).collect();
    let mut body = blocking::reader(request.into_body(), app.limits.body_time);
    let now = app.clock.now();
    let taken = super::with_store(app, move |store| {
        let taken = store.add_content(&name, &mut body, now, &mut |_| {})?;
        let updates: Vec<String> = store.file_owners(taken.sha1)?.iter().map(ToString::to_string).collect();
        Ok(json!({
            "name": name,
            "sha1": taken.sha1.to_hex_upper(),
            "size": taken.size,
            "already_held": taken.already_held,
            "replaced": taken.replaced,
            "updates": updates,
        }))
    })
    .await?;
    app.watch.files_seen_to();
    Ok(taken)
}
