//! The content and self-update directories (MS-WUSP 2.2.2.5): files served whole or in ranges.

pub mod conditions;
pub mod files;
pub mod kinds;
pub mod range;
pub mod respond;
pub mod self_update;
pub mod stream;

use crate::state::App;
use crate::transport::body::{Body, text};
use conditions::Validators;
use files::Asked;
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use respond::Opened;
use sluicegate_store::content::was_left_out;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// Serves a file of the content directory.
pub(crate) async fn serve_content(app: &Arc<App>, path: &str, request: &Request<Incoming>) -> Response<Body> {
    let Some(Asked { sha1, ending }) = files::asked(path) else {
        return text(StatusCode::NOT_FOUND, "There is no such content file.\n");
    };
    // As real servers do (observed-behaviour 5), but a file whose ending cannot stand in an address is named without one,
    // and so were others once.
    let without = || {
        let facts = app.store.file(sha1);
        facts.is_some_and(|facts| facts.extension.is_empty() || was_left_out(&facts.extension))
    };
    if ending.is_empty() && !without() {
        return text(StatusCode::FORBIDDEN, "This content file's name has an ending.\n");
    }
    if !app.store.content().has(sha1) {
        return text(StatusCode::NOT_FOUND, "This file is not held here (yet).\n");
    }
    let store = app.store.clone();
    let opened = tokio::task::spawn_blocking(move || store.content().open_or_lose(sha1)).await;
    let failed = match opened {
        Ok(Ok(Some(found))) => {
            let seconds = u64::try_from(found.held.verified.unix_seconds()).unwrap_or(0);
            let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
            let opened = Opened {
                file: found.file,
                len: found.held.size,
                // The name is the digest of the content: no stronger tag is possible.
                validators: Validators::new(format!("\"{}\"", sha1.to_hex_upper()), modified),
                content_type: kinds::content_type(&ending),
                fixed: true,
            };
            return respond::respond(request.method(), request.headers(), opened, app.random.guid());
        }
        Ok(Ok(None)) => {
            app.watch.files_seen_to();
            return text(StatusCode::NOT_FOUND, "This file is not held here (yet).\n");
        }
        Ok(Err(error)) => error.to_string(),
        Err(error) => error.to_string(),
    };
    failure(app, path, &failed)
}

/// Serves a file of the self-update directory.
pub(crate) async fn serve_self_update(
    app: &Arc<App>,
    path: &str,
    request: &Request<Incoming>,
) -> Response<Body> {
    let (root, wanted) = (app.self_update.clone(), path.to_owned());
    let opened = tokio::task::spawn_blocking(move || self_update::open(&root, &wanted)).await;
    let failed = match opened {
        Ok(Ok(Some(opened))) => {
            return respond::respond(request.method(), request.headers(), opened, app.random.guid());
        }
        Ok(Ok(None)) => {
            return text(StatusCode::NOT_FOUND, "There is no such file in the self-update directory.\n");
        }
        Ok(Err(error)) => error.to_string(),
        Err(error) => error.to_string(),
    };
    failure(app, path, &failed)
}

fn failure(app: &App, path: &str, cause: &str) -> Response<Body> {
    let id = app.random.guid();
    tracing::error!(%id, path, cause, "a file cannot be served");
    text(
        StatusCode::INTERNAL_SERVER_ERROR,
        format!("The file cannot be read; the server's log says why under {id}.\n"),
    )
}
