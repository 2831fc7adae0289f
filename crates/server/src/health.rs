//! How the server is: `/healthz` for people and probes, `/metrics` for Prometheus.

use crate::self_test::SelfTest;
use crate::state::App;
use crate::telemetry::Gauge;
use crate::transport::body::Body;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};
use serde_json::{Value, json};

/// The state as JSON: 200 when scans can be answered, 503 when not. A newest state that cannot be published is
/// said, but the last good one serves on and the answer stays 200.
pub(crate) fn health(app: &App) -> Response<Body> {
    let (status, value) = report(app);
    let mut response = Response::new(Body::bytes(format!("{value:#}\n")));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// What `/healthz` says.
pub(crate) fn report(app: &App) -> (StatusCode, Value) {
    let health = app.publisher.lock().clone();
    let published = app.published.load_full();
    let damaged = published.as_ref().map_or(0, |published| published.damaged());
    let state = match (&published, &health.failure) {
        (Some(_), None) if damaged > 0 => "degraded",
        (Some(_), None) => "ok",
        (Some(_), Some(_)) => "degraded",
        (None, None) => "starting",
        (None, Some(_)) => "failing",
    };
    let snapshot = published.map(|published| {
        let left_out: Vec<Value> = published
            .snapshot
            .left_out()
            .iter()
            .take(100)
            .map(|left| {
                json!({
                    "update_id": left.identity.update.to_string(),
                    "revision": left.identity.revision.get(),
                    "reason": left.to_string(),
                })
            })
            .collect();
        json!({
            "anchor": published.snapshot.anchor().0,
            "revisions": published.snapshot.len(),
            "compiled_at": published.at.iso(),
            "compiled_in_seconds": published.took.as_secs_f64(),
            "left_out": left_out,
            "left_out_count": published.snapshot.left_out().len(),
            "damaged": damaged,
        })
    });
    let status = if snapshot.is_some() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let value = json!({
        "status": state,
        "failure": health.failure,
        "failing_since": health.failing_since,
        "snapshot": snapshot,
        "anchor": app.store.anchor().0,
        "computers": app.directory.len(),
        "self_test": app.watch.tested.lock().as_ref().map(SelfTest::to_json),
    });
    (status, value)
}

/// The counters, and the figures read now.
pub(crate) fn metrics(app: &App) -> Response<Body> {
    let published = app.published.load_full();
    let age = published.as_ref().map_or(0, |published| {
        app.clock.now().unix_seconds().saturating_sub(published.at.unix_seconds()).max(0)
    });
    let revisions = published.as_ref().map_or(0, |published| published.snapshot.len());
    let heap = published.as_ref().map_or(0, |published| published.snapshot.heap_bytes());
    let cores = published.as_ref().map_or(0, |published| published.cores.bytes_in_memory());
    let took = published.as_ref().map_or(0.0, |published| published.took.as_secs_f64());
    let left_out = published.as_ref().map_or(0, |published| published.snapshot.left_out().len());
    let damaged = published.as_ref().map_or(0, |published| published.damaged());
    let (files, content) = app.store.content().totals();
    let unanswering = app.watch.tested.lock().as_ref().map_or(0, |tested| tested.failing().count());
    let failing = app.publisher.lock().failure.is_some();
    let overflowed = sluicegate_allocator::overflowed();
    let gauges = [
        gauge("snapshot_age_seconds", "Age of the snapshot in service.", number(age)),
        gauge("snapshot_revisions", "Revisions in the snapshot in service.", number(revisions)),
        gauge("left_out_revisions", "Newest revisions that no client is given.", number(left_out)),
        gauge("damaged_revisions", "Revisions of which something is damaged.", number(damaged)),
        gauge("snapshot_bytes", "Memory of the snapshot in service.", number(heap)),
        gauge("snapshot_compile_seconds", "Time its compilation took.", took),
        gauge("core_bytes", "Memory of ready Core fragments.", number(cores)),
        gauge("overflow_bytes", "Lists that lie in a file for want of room in memory.", number(overflowed)),
        gauge("publish_failing", "1 when the newest state cannot be published.", number(u8::from(failing))),
        gauge("endpoints_failing", "Own endpoints that failed when last tried.", number(unanswering)),
        gauge("waiting_bodies", "Requests waiting for room for their body.", number(app.bodies.waiting())),
        gauge("waiting_answers", "Scans waiting for room for their answer.", number(app.answers.waiting())),
        gauge("held_body_bytes", "Room held by request bodies.", number(app.bodies.held())),
        gauge("held_answer_bytes", "Room held by scan answers.", number(app.answers.held())),
        gauge("computers", "Computers known.", number(app.directory.len())),
        gauge("content_files", "Content files held.", number(files)),
        gauge("alerts", "Alerts that nobody has acknowledged.", number(app.store.alert_count().unwrap_or(0))),
        gauge("log_lines_dropped", "Log lines that found no room.", number(crate::logging::dropped())),
        gauge("content_bytes", "Bytes of content held.", number(content)),
    ];
    let mut response = Response::new(Body::bytes(app.telemetry.render(&gauges)));
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"));
    response
}

fn gauge(name: &'static str, help: &'static str, value: f64) -> Gauge {
    Gauge { name, help, value }
}

/// Figures far below 2^53 keep their value.
fn number(value: impl TryInto<u64>) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "counts of things on one machine")]
    let value = value.try_into().unwrap_or(0) as f64;
    value
}
