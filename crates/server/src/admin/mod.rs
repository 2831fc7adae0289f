//! admin
use crate::state::App;
use crate::transport::body::{Body, text};
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use std::sync::Arc;
pub(crate) async fn answer(_app: &Arc<App>, _rest: &str, _request: Request<Incoming>) -> Response<Body> {
    text(StatusCode::NOT_FOUND, "x")
}
