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
use std::future::Future;
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
        // Boxed: a connection has room for the answering of its next request all the time, and there are ten
        // thousand connections when everybody comes at once. Inside the guard, which would have room for it
        // several times over.
        match &caller {
            Some(soap) => {
                guarded(app, peer, Some(soap), Box::pin(services::answer(app, soap, request))).await
            }
            None => guarded(app, peer, None, Box::pin(other(app, request, peer))).await,
        }
    }
}

/// What `answering` answers; when it panics, an answer that says so: a fault to callers of a service.
async fn guarded(
    app: &App,
    peer: SocketAddr,
    caller: Option<&Caller>,
    answering: impl Future<Output = Response<Body>>,
) -> Response<Body> {
    let panic = match panics::caught(answering).await {
        Ok(response) => return response,
        Err(panic) => panic,
    };
    app.telemetry.panic();
    let cause = format!("panic: {panic}");
    match caller {
        Some(caller) => services::fault(app, caller, caller.version, "", None, &Failure::Internal(cause)),
        None => {
            let id = app.random.guid();
            tracing::error!(%id, %peer, cause, "request failed");
            let sentence = format!("The server failed; its log says why under {id}.\n");
            text(StatusCode::INTERNAL_SERVER_ERROR, sentence)
        }
    }
}

/// Everything but the SOAP services.
async fn other(app: &Arc<App>, request: Request<Incoming>, peer: SocketAddr) -> Response<Body> {
    let started = Instant::now();
    let path = request.uri().path().to_owned();
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    let (service, operation, response) = match routes::route(&path) {
        Route::Admin(rest) => ("Admin", "request", Box::pin(admin::answer(app, rest, request, peer)).await),
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
    /SimpleAuthWebService, /ReportingWebService, /DssAuthWebService and /ServerSyncWebService, files below /Content, the state of the server at /healthz.\n";

fn only_reading() -> Response<Body> {
    let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "Only GET and HEAD are possible here.\n");
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, Log};
    use sluicegate_soap::Service;

    fn size_of_answering<'a, F>(_: impl FnOnce(&'a Arc<App>, &'a Caller, Request<Incoming>) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn a_request_that_waits_takes_little_room() {
        let bytes = size_of_answering(services::answer);
        assert!(bytes <= 8 << 10, "{bytes} bytes for each request under way");
    }

    /// Panics in every request, where [`Endpoint`] would answer.
    #[derive(Clone)]
    struct Broken(Arc<App>);

    impl Handler for Broken {
        async fn answer(&self, request: Request<Incoming>, peer: SocketAddr) -> Response<Body> {
            let now = self.0.clock.now();
            let caller = (request.method() == Method::POST)
                .then(|| Caller::new(Service::Client, request.headers(), peer, now));
            let answering = async {
                tokio::task::yield_now().await;
                assert!(request.uri().path().is_empty(), "out of cheese");
                text(StatusCode::OK, "")
            };
            guarded(&self.0, peer, caller.as_ref(), answering).await
        }
    }

    fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
        let (_, rest) = text.split_once(before).unwrap_or_else(|| panic!("{before} is not in {text}"));
        rest.split_once(after).unwrap_or_else(|| panic!("{after} is not in {rest}")).0
    }

    #[tokio::test]
    async fn a_panic_is_answered_with_an_id_that_stands_in_the_log_and_the_server_goes_on() {
        let (_dir, app) = testing::app().await;
        let log = Log::default();
        let _collecting = log.collect();
        let addr = testing::serve(&app, Broken(Arc::clone(&app))).await;
        let fields = "Content-Type: text/xml\r\nSOAPAction: \"urn:x/SyncUpdates\"\r\n";
        for round in 1..=2_usize {
            let answer = testing::exchange(addr, "POST", "/ClientWebService/Client.asmx", fields).await;
            assert!(answer.starts_with("HTTP/1.1 500"), "{answer}");
            assert_eq!(between(&answer, "<ErrorCode>", "</"), "InternalServerError");
            assert!(!answer.contains("cheese"), "what failed is for the log: {answer}");
            let id = between(&answer, "<ID>", "</").to_owned();
            let plain = testing::get(addr, "/x").await;
            let other = between(&plain, "under ", ".\n").to_owned();
            let log = log.text();
            assert_eq!(log.lines().count(), 2 * round, "{log}");
            for id in [id, other] {
                let line =
                    log.lines().find(|line| line.contains(&id)).unwrap_or_else(|| panic!("{id}: {log}"));
                assert!(line.contains("ERROR") && line.contains("out of cheese"), "{line}");
            }
        }
        assert!(
            app.telemetry.render(&[]).contains("sluicegate_panics_total 4"),
            "{}",
            app.telemetry.render(&[])
        );
    }
}
