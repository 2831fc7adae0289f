//! The admin API: JSON under `/api/v1`, for the holder of the token in the data folder. Everything here
//! goes to the store away from the async workers; decisions are policy's.

mod actor;
mod addresses;
mod allowed;
mod approvals;
mod audit;
mod below;
mod carried;
mod catalog;
mod check;
mod cleanup;
mod computers;
mod config;
mod diagnose;
mod downstream;
mod error;
mod export;
mod filters;
mod framed;
mod groups;
mod import;
mod input;
mod languages;
mod listed;
mod proxy;
mod reports;
mod rules;
mod status;
mod sync;
mod sync_filter;
mod updates;
mod upload;
mod upstream;
mod version;

use crate::publisher::Published;
use crate::self_test;
use crate::state::App;
use crate::transport::body::Body;
use error::AdminError;
use http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HOST, HeaderValue, WWW_AUTHENTICATE};
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use input::Query;
use serde_json::Value;
use sluicegate_store::{Store, StoreError};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use subtle::ConstantTimeEq as _;

/// Longest wait for a change to be in service before it is answered.
const IN_SERVICE: Duration = Duration::from_secs(10);

/// Answers a request to the admin API; `path` is what follows `/api/v1/`.
pub(crate) async fn answer(
    app: &Arc<App>,
    path: &str,
    request: Request<Incoming>,
    peer: SocketAddr,
) -> Response<Body> {
    let own = self_test::is_own(app, &request);
    let asked = Asked { peer, method: request.method().clone(), path, own };
    let let_in = match authorized(app, &request) {
        Ok(()) => version::agrees(app, request.headers(), peer.ip()),
        Err(what) => Err(AdminError::unauthorized(what)),
    };
    let answered = match let_in {
        Ok(()) => actor::asking(updates::ADMIN, peer, dispatch(app, path, request)).await,
        Err(error) => Err(error),
    };
    let mut response = answered.unwrap_or_else(|error| refuse(app, &asked, &error));
    version::say(response.headers_mut());
    response
}

/// What was asked for, for the log.
struct Asked<'a> {
    peer: SocketAddr,
    method: Method,
    path: &'a str,
    /// By this server itself, to see that it answers.
    own: bool,
}

/// Compares the bearer token in constant time; says what is wrong with it (known problem P-12).
fn authorized<B>(app: &App, request: &Request<B>) -> Result<(), &'static str> {
    let Some(given) = request.headers().get(AUTHORIZATION) else { return Err("no token") };
    let token = given.to_str().ok().and_then(|given| {
        let (scheme, token) = given.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    match token {
        None => Err("no token: another kind of authorization"),
        Some(token) if bool::from(token.as_bytes().ct_eq(app.store.admin_token().as_bytes())) => Ok(()),
        Some(_) => Err("wrong token"),
    }
}

async fn dispatch(
    app: &Arc<App>,
    path: &str,
    request: Request<Incoming>,
) -> Result<Response<Body>, AdminError> {
    let query = Query::parse(request.uri().query().unwrap_or_default());
    let names: Vec<String> = path
        .split('/')
        .filter(|name| !name.is_empty())
        .map(|name| crate::routes::percent_decode(name).ok_or_else(|| AdminError::bad_path(name)))
        .collect::<Result<_, _>>()?;
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let get = *request.method() == Method::GET || *request.method() == Method::HEAD;
    let post = *request.method() == Method::POST;
    let put = *request.method() == Method::PUT;
    let value = match names.as_slice() {
        ["status"] if get => status::status(app).await?,
        ["catalog", "import"] if post => return import::import(app, &query, request),
        ["catalog", "quarantine"] if get => catalog::quarantine(app).await?,
        ["categories"] if get => catalog::categories(app).await?,
        ["updates"] if get => listed::list(app, &query).await?,
        ["updates", id] if get => updates::show(app, id).await?,
        ["updates", id, "computers"] if get => updates::computers(app, id, &query).await?,
        ["reports", "summary"] if get => reports::summary(app, &query).await?,
        ["updates", "approve"] if post => {
            let input = input::json(app, request, approvals::MANY).await?;
            let value = approvals::approve_many(app, &input).await?;
            in_service(app, &query).await;
            value
        }
        [
            "updates",
            id,
            action @ ("approve" | "unapprove" | "decline" | "accept-eula" | "accept-revision"),
        ] if post => {
            let input = input::json(app, request, updates::names(action)).await?;
            let value = match *action {
                "approve" => updates::approve(app, id, &input).await?,
                "unapprove" => updates::unapprove(app, id, &input).await?,
                "accept-eula" => approvals::accept_eula(app, id).await?,
                "accept-revision" => approvals::accept_revision(app, id).await?,
                _ => updates::decline(app, id).await?,
            };
            in_service(app, &query).await;
            value
        }
        ["groups"] if get => groups::list(app).await?,
        ["groups"] if post => {
            let input = input::json(app, request, groups::NEW).await?;
            let value = groups::create(app, &input).await?;
            in_service(app, &query).await;
            value
        }
        ["groups", group] if put => {
            let value = groups::rename(app, group, &input::json(app, request, groups::GROUP).await?).await?;
            in_service(app, &query).await;
            value
        }
        ["groups", group] if *request.method() == Method::DELETE => {
            let value = groups::remove(app, group, &query).await?;
            in_service(app, &query).await;
            value
        }
        ["rules"] if get => rules::list(app).await?,
        ["rules"] if post => rules::add(app, &input::json(app, request, rules::RULE).await?).await?,
        ["rules", "preview"] if post => {
            rules::preview(app, &input::json(app, request, rules::PREVIEW).await?).await?
        }
        ["rules", "options"] if put => {
            rules::change_options(app, &input::json(app, request, rules::OPTIONS).await?).await?
        }
        ["rules", "run"] if post => {
            let input = input::json(app, request, rules::RUN).await?;
            let value = rules::run(app, &input).await?;
            in_service(app, &query).await;
            value
        }
        ["rules", id] if put => {
            rules::change(app, id, &input::json(app, request, rules::RULE).await?).await?
        }
        ["rules", id] if *request.method() == Method::DELETE => rules::remove(app, id).await?,
        ["computers"] if get => computers::list(app, &query).await?,
        ["computers", id] if get => computers::show(app, id).await?,
        ["computers", id, "move"] if post => {
            let input = input::json(app, request, computers::MOVE).await?;
            computers::move_to(app, id, &input).await?
        }
        ["content"] if post => upload::content(app, &query, request).await?,
        ["config"] if get => config::show(app),
        ["config"] if put => {
            let input = input::settings(app, request).await?;
            config::change(app, &input).await?
        }
        ["upstream"] if get => upstream::show(app).await?,
        ["upstream"] if put => {
            let input = input::json(app, request, upstream::UPSTREAM).await?;
            let value = upstream::change(app, &input).await?;
            in_service(app, &query).await;
            value
        }
        ["upstream", "probe"] if post => {
            upstream::probe(app, &input::json(app, request, upstream::UPSTREAM).await?).await?
        }
        ["sync"] if get => sync::status(app).await?,
        ["sync", "now"] if post => sync::now(app, &input::json(app, request, sync::NOW).await?).await?,
        ["sync", "cancel"] if post => {
            let _nothing = input::json(app, request, sync::CANCEL).await?;
            sync::cancel(app)
        }
        ["sync", "history"] if get => sync::history(app, &query).await?,
        ["sync", "strays"] if get => sync::strays(app).await?,
        ["sync", "progress"] if get => return sync::progress(app, &query).await,
        ["sync", "schedule"] if get => sync::schedule(app),
        ["sync", "schedule"] if put => {
            sync::set_schedule(app, &input::json(app, request, sync::SCHEDULE).await?).await?
        }
        ["sync", "content"] if get => sync::content(app),
        ["sync", "content"] if put => {
            sync::set_content(app, &input::json(app, request, sync::CONTENT).await?).await?
        }
        ["sync", "filter"] if get => sync_filter::show(app).await?,
        ["sync", "filter", "preview"] if post => {
            languages::preview(app, &input::json(app, request, sync_filter::FILTER).await?).await?
        }
        ["sync", "filter"] if put => {
            sync_filter::change(app, &input::json(app, request, sync_filter::FILTER).await?).await?
        }
        ["export"] if get => {
            let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
            return export::export(app, &query, host);
        }
        ["import", "decisions"] if post => {
            let value = carried::import(app, request).await?;
            in_service(app, &query).await;
            value
        }
        ["import", "addresses"] if post => {
            addresses::take(app, &input::json(app, request, addresses::ADDRESSES).await?).await?
        }
        ["content", "missing"] if post => {
            upload::missing(app, &input::json(app, request, upload::MISSING).await?).await?
        }
        ["content", "wanted"] if get => upload::wanted(app).await?,
        ["filters"] if get => filters::list(app).await?,
        ["filters"] if post => {
            filters::change(app, &input::json(app, request, filters::CHANGE).await?).await?
        }
        ["filters", "preview"] if post => {
            filters::preview(app, &input::json(app, request, filters::PREVIEW).await?).await?
        }
        ["cleanup"] if get => cleanup::show(app).await?,
        ["cleanup"] if put => cleanup::change(app, &input::settings(app, request).await?).await?,
        ["cleanup", "run"] if post => {
            cleanup::run(app, &input::json(app, request, cleanup::RUN).await?).await?
        }
        ["downstream"] if get => downstream::show(app).await?,
        ["downstream", "computers"] if get => below::list(app, &query).await?,
        ["downstream", "computers", id] if get => below::show(app, id).await?,
        ["downstream", "allowed"] if put => {
            allowed::set(app, &input::json(app, request, allowed::WHOLE).await?).await?
        }
        ["downstream", "allowed"] if post => {
            allowed::adjust(app, &input::json(app, request, allowed::CHANGE).await?).await?
        }
        ["downstream", id] if *request.method() == Method::DELETE => downstream::forget(app, id).await?,
        ["audit"] if get => audit::list(app, &query).await?,
        ["audit", "verify"] if get => audit::verify(app).await?,
        ["alerts"] if get => audit::alerts(app).await?,
        ["alerts", id, "acknowledge"] if post => {
            let _nothing = input::json(app, request, audit::ACKNOWLEDGE).await?;
            audit::acknowledge(app, id).await?
        }
        ["diagnose"] if post => {
            let _nothing = input::json(app, request, diagnose::DIAGNOSE).await?;
            diagnose::diagnose(app).await?
        }
        ["check"] if post => check::check(app, &input::json(app, request, check::CHECK).await?).await?,
        known if is_known(known) => return Err(AdminError::method(request.method())),
        _ => return Err(AdminError::nowhere(path)),
    };
    Ok(json(StatusCode::OK, &value))
}

/// Whether there is something at a path, for other methods.
fn is_known(names: &[&str]) -> bool {
    matches!(
        names,
        ["status" | "categories" | "updates" | "groups" | "rules" | "computers" | "content" | "config"]
            | ["upstream" | "sync" | "downstream" | "cleanup" | "filters"]
            | ["filters", "preview"]
            | ["cleanup", "run"]
            | ["export"]
            | ["import", "decisions" | "addresses"]
            | ["content", "missing" | "wanted"]
            | ["upstream", "probe"]
            | [
                "sync",
                "now" | "cancel" | "history" | "progress" | "schedule" | "content" | "filter" | "strays"
            ]
            | ["downstream", _]
            | ["downstream", "computers", _]
            | ["sync", "filter", "preview"]
            | ["audit" | "alerts" | "check" | "diagnose"]
            | ["audit", "verify"]
            | ["alerts", _, "acknowledge"]
            | ["catalog", "import" | "quarantine"]
            | ["updates" | "computers" | "groups" | "rules", _]
            | ["updates", _, "approve" | "unapprove" | "decline" | "accept-eula" | "accept-revision"]
            | ["updates", _, "computers"]
            | ["reports", "summary"]
            | ["computers", _, "move"]
    )
}

/// Rings the publisher and waits until changed decisions are in service, so that the next scan sees what an
/// administrator was just told is done. `wait=false` in the query asks not to wait. What a synchronization under way
/// brings of revisions meanwhile is not waited for.
async fn in_service(app: &App, query: &Query) {
    served(app, query, |app, published| Arc::ptr_eq(published.snapshot.decisions(), &app.store.decisions()))
        .await;
}

/// The same for a changed catalog, which a synchronization under way holds back no longer then.
async fn catalog_in_service(app: &App, query: &Query) {
    if query.get("wait") != Some("false") {
        app.awaited.fetch_max(app.store.anchor().0, Ordering::AcqRel);
    }
    served(app, query, |_, _| false).await;
}

/// Rings the publisher and waits until everything up to now is in service, or what is `enough`.
async fn served(app: &App, query: &Query, enough: impl Fn(&App, &Published) -> bool) {
    app.changed.notify_one();
    // Files of what is no longer approved are not waited for.
    app.watch.files_seen_to();
    if query.get("wait") == Some("false") {
        return;
    }
    let wanted = app.store.anchor();
    let served = async {
        loop {
            let reached = app
                .published
                .load()
                .as_ref()
                .is_some_and(|published| published.snapshot.anchor() >= wanted || enough(app, published));
            if reached || app.publisher.lock().failure.is_some() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    // A large catalog takes longer; the change is durable in any case.
    let _ = tokio::time::timeout(IN_SERVICE, served).await;
}

/// Runs a piece of work on the store where blocking is allowed.
async fn with_store<T: Send + 'static>(
    app: &App,
    work: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, AdminError> {
    let store = actor::store(app);
    match tokio::task::spawn_blocking(move || work(&store)).await {
        Ok(outcome) => Ok(outcome?),
        Err(error) => Err(AdminError::internal(error.to_string())),
    }
}

fn json(status: StatusCode, value: &Value) -> Response<Body> {
    let mut response = Response::new(Body::bytes(value.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn refuse(app: &App, asked: &Asked<'_>, error: &AdminError) -> Response<Body> {
    let id = app.random.guid();
    let Asked { peer, method, path, own } = asked;
    let path: String = path.chars().take(200).collect();
    let (code, cause) = (error.code, &error.message);
    if error.status.is_server_error() {
        tracing::error!(%id, %peer, %method, path, code, cause, "admin request failed");
    } else if *own {
        tracing::debug!(%id, %peer, %method, path, code, cause, "refused this server's own question, as it must");
    } else {
        tracing::info!(%id, %peer, %method, path, code, cause, "admin request refused");
    }
    let mut response = json(error.status, &error.to_json(id));
    if error.status == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}
