//! One request in, one answer out: picks the endpoint, and turns a panic inside it into an answer with an
//! id that also stands in the log.

use crate::content;
use crate::routes::{self, Route};
use crate::services::{self, Caller, Failure};
use crate::state::App;
use crate::telemetry::Outcome;
use crate::transport::body::{Body, text};
use crate::transport::listen::Handler;
use crate::transport::panics;
use crate::{admin, health};
use http::header::{ALLOW, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

/// Answers the requests of one server.
#[derive(Clone)]
pub(crate) struct Endpoint(pub(crate) Arc<App>);

impl Handler for Endpoint {
    async fn answer(&self, request: Request<Incoming>, peer: SocketAddr) -> Response<Body> {
        let app = &self.0;
        let now = app.clock.now();
        let caller = match routes::route(request.uri().path()) {
            Route::Soap(service) => Some(Caller::new(service, request.headers(), peer, now)),
            _ => None,
        };
        let answered = match &caller {
            Some(caller) => panics::caught(services::answer(app, caller, request)).await,
            None => panics::caught(other(app, request)).await,
        };
        answered.unwrap_or_else(|panic| {
            app.telemetry.panic();
            let cause = format!("panic: {panic}");
            match &caller {
                Some(caller) => {
                    services::fault(app, caller, caller.version, "", None, &Failure::Internal(cause))
                }
                None => {
                    let id = app.random.guid();
                    tracing::error!(%id, %peer, cause, "request failed");
                    let sentence = format!("The server failed; its log says why under {id}.\n");
                    text(StatusCode::INTERNAL_SERVER_ERROR, sentence)
                }
            }
        })
    }
}

/// Everything but the SOAP services.
async fn other(app: &Arc<App>, request: Request<Incoming>) -> Response<Body> {
    let started = Instant::now();
    let path = request.uri().path().to_owned();
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    let (service, operation, response) = match routes::route(&path) {
        Route::Admin(rest) => ("Admin", "request", admin::answer(app, rest, request).await),
        _ if !reads => ("Other", "request", only_reading()),
        Route::Content(rest) => ("Content", "file", content::serve_content(app, rest, &request).await),
        Route::SelfUpdate(rest) => {
            ("SelfUpdate", "file", content::serve_self_update(app, rest, &request).await)
        }
        Route::Health => ("Other", "request", health::health(app)),
        Route::Metrics => ("Other", "request", health::metrics(app)),
        Route::Root => ("Other", "request", text(StatusCode::OK, FRONT_DOOR)),
        Route::Nowhere | Route::Soap(_) => ("Other", "request", text(StatusCode::NOT_FOUND, NOWHERE)),
    };
    let outcome = match response.status() {
        status if status.is_server_error() => Outcome::Error,
        status if status.is_client_error() => Outcome::Refused,
        _ => Outcome::Ok,
    };
    let bytes = http_body::Body::size_hint(response.body()).exact().unwrap_or(0);
    app.telemetry.request(service, operation, outcome, started.elapsed(), bytes);
    response
}

const FRONT_DOOR: &str = "This is an update server for Windows computers. Point the policy \"Specify intranet \
    Microsoft update service location\" at this address.\n";

const NOWHERE: &str = "There is nothing at this address. The services are below /ClientWebService, \
    /SimpleAuthWebService and /ReportingWebService, files below /Content, the state of the server at /healthz.\n";

fn only_reading() -> Response<Body> {
    let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "Only GET and HEAD are possible here.\n");
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    response
}
