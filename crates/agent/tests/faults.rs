//! What a session does about each fault (MS-WUSP 2.2.2.4), seen from the server.

mod support;

use sluicegate_agent::cache::HeldIds;
use sluicegate_agent::recovery::{Patience, Recoveries};
use sluicegate_agent::session::SessionOptions;
use sluicegate_agent::{AgentError, Clock, HResult};
use sluicegate_soap::client::{Cookie, GetCookieResponse};
use sluicegate_soap::fault::ErrorCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use support::protocol::{Script, cookie, fault, good, message, sync};
use support::{FakeServer, answer};

const HANDSHAKE: [&str; 4] = ["GetConfig", "GetAuthorizationCookie", "GetCookie", "RegisterComputer"];

/// The operations called when the first SyncUpdates is answered with this fault.
async fn after(code: ErrorCode) -> (Vec<String>, Result<(), AgentError>) {
    let server = Script::default().then("SyncUpdates", fault(code)).serve().await;
    let mut session = server.session();
    let result = session.sync_software(&HeldIds::default(), &[], |_| Ok(())).await.map(|_| ());
    let operations = server.operations();
    assert_eq!(operations[..5], [&HANDSHAKE[..], &["SyncUpdates"]].concat());
    (operations[5..].to_vec(), result)
}

#[tokio::test]
async fn the_handshake_is_the_observed_one_and_is_not_repeated_while_the_cookie_lasts() {
    let server = Script::default().serve().await;
    let mut session = server.session();
    session.ensure_ready().await.unwrap();
    session.ensure_ready().await.unwrap();
    assert_eq!(server.operations(), HANDSHAKE);
    let seen = server.seen();
    let paths: Vec<&str> = seen.iter().map(|seen| seen.path.as_str()).collect();
    assert_eq!(paths[..2], ["/ClientWebService/client.asmx", "/SimpleAuthWebService/SimpleAuth.asmx"]);
    assert_eq!(seen[0].header("accept-encoding"), "xpress");
    assert_eq!(seen[0].header("user-agent"), "Windows-Update-Agent/1507.2601.30012.0 Client-Protocol/2.90");
    assert_eq!(seen[0].header("content-type"), "text/xml; charset=utf-8");
    assert!(seen[0].header("ms-cv").ends_with(".1.0.0.2.1"));
    assert_eq!(seen[1].header("ms-cv"), "", "only the Client service is sent a correlation vector");
    assert!(seen[2].body.contains("<lastChange>2026-10-04T13:17:07.59Z</lastChange>"), "{}", seen[2].body);
    assert!(!seen[2].body.contains("<oldCookie><EncryptedData>"), "{}", seen[2].body);
    assert!(seen[3].body.contains("<OSDescription>Windows 10 Pro</OSDescription>"));
}

#[tokio::test]
async fn an_expired_cookie_is_renewed_without_new_configuration() {
    let (operations, result) = after(ErrorCode::CookieExpired).await;
    assert_eq!(operations, ["GetAuthorizationCookie", "GetCookie", "SyncUpdates"]);
    result.unwrap();
}

#[tokio::test]
async fn a_changed_configuration_is_fetched_again() {
    let (operations, result) = after(ErrorCode::ConfigChanged).await;
    assert_eq!(operations, ["GetConfig", "GetAuthorizationCookie", "GetCookie", "SyncUpdates"]);
    result.unwrap();
}

#[tokio::test]
async fn registration_is_repeated_when_the_server_asks_for_it() {
    let (operations, result) = after(ErrorCode::RegistrationRequired).await;
    assert_eq!(operations, ["RegisterComputer", "SyncUpdates"]);
    result.unwrap();
}

#[tokio::test]
async fn an_invalid_cookie_makes_revision_ids_stale() {
    for code in [ErrorCode::InvalidCookie, ErrorCode::ServerChanged] {
        let (operations, result) = after(code).await;
        assert_eq!(operations, HANDSHAKE);
        assert!(
            matches!(result, Err(AgentError::RefreshRequired { operation: "SyncUpdates" })),
            "{result:?}"
        );
    }
}

#[tokio::test]
async fn moved_files_are_located_again_or_the_cookie_renewed() {
    let (operations, result) = after(ErrorCode::FileLocationChanged).await;
    assert_eq!(operations, ["GetAuthorizationCookie", "GetCookie", "SyncUpdates"]);
    result.unwrap();
}

#[tokio::test]
async fn wrong_parameters_are_never_sent_again_unchanged() {
    let (operations, result) = after(ErrorCode::InvalidParameters).await;
    assert_eq!(operations, [] as [&str; 0]);
    let error = result.unwrap_err();
    assert_eq!(error.hresult(), HResult::SOAP_CLIENT);
    assert!(error.to_string().contains("InvalidParameters"), "{error}");
}

#[tokio::test]
async fn an_internal_error_ends_the_scan_until_later() {
    let (operations, result) = after(ErrorCode::InternalServerError).await;
    assert_eq!(operations, [] as [&str; 0]);
    assert!(matches!(result, Err(AgentError::Fault { .. })));
}

#[tokio::test]
async fn a_server_that_wants_no_registration_gets_none_and_is_used_all_the_same() {
    let server =
        Script::default().then("RegisterComputer", fault(ErrorCode::RegistrationNotRequired)).serve().await;
    let mut session = server.session();
    session.sync_software(&HeldIds::default(), &[], |_| Ok(())).await.unwrap();
    assert_eq!(server.operations().last().map(String::as_str), Some("SyncUpdates"));
}

#[tokio::test]
async fn a_server_that_always_faults_is_given_up() {
    let server = FakeServer::start(|seen| match seen.operation.as_str() {
        "SyncUpdates" => fault(ErrorCode::CookieExpired),
        _ => good(seen),
    })
    .await;
    let error = server.session().sync_software(&HeldIds::default(), &[], |_| Ok(())).await.unwrap_err();
    assert!(matches!(error, AgentError::RecoveredTooOften { .. }), "{error}");
    let attempts = server.operations().iter().filter(|name| *name == "SyncUpdates").count();
    assert_eq!(attempts, usize::try_from(Recoveries::MOST).unwrap() + 1);
}

#[tokio::test]
async fn get_cookie_may_ask_for_configuration_and_authorization_again() {
    let script = Script::default()
        .then("GetCookie", fault(ErrorCode::ConfigChanged))
        .then("GetCookie", fault(ErrorCode::InvalidAuthorizationCookie));
    let server = script.serve().await;
    server.session().ensure_ready().await.unwrap();
    let wanted = ["GetConfig", "GetAuthorizationCookie", "GetCookie"];
    let expected = [&wanted[..], &wanted[..], &wanted[1..], &["RegisterComputer"]].concat();
    assert_eq!(server.operations(), expected);
}

/// Serves one cookie that expires at noon, then good ones.
async fn with_cookie_until_noon() -> FakeServer {
    let cookie = Cookie { expiration: "2026-11-21T12:00:00Z".parse().unwrap(), ..cookie(1) };
    Script::default().then("GetCookie", message(&GetCookieResponse { cookie })).serve().await
}

#[tokio::test]
async fn a_cookie_past_its_clear_text_expiry_is_renewed_before_it_is_refused() {
    let server = with_cookie_until_noon().await;
    let late = Arc::new(AtomicBool::new(false));
    let hour = Arc::clone(&late);
    let clock = Clock::from_fn(move || {
        let hour = if hour.load(Ordering::Relaxed) { 12 } else { 11 };
        format!("2026-11-21T{hour}:00:00Z").parse().unwrap()
    });
    let mut session = server.session_with(SessionOptions { clock, ..SessionOptions::default() });
    session.ensure_ready().await.unwrap();
    assert_eq!(server.operations(), HANDSHAKE);
    late.store(true, Ordering::Relaxed);
    session.ensure_ready().await.unwrap();
    assert_eq!(server.operations()[4..], HANDSHAKE[1..3]);
}

#[tokio::test]
async fn a_server_whose_clock_is_behind_does_not_keep_an_agent_renewing() {
    let server = with_cookie_until_noon().await;
    let clock = Clock::from_fn(|| "2026-11-21T18:00:00Z".parse().unwrap());
    let mut session = server.session_with(SessionOptions { clock, ..SessionOptions::default() });
    session.sync_software(&HeldIds::default(), &[], |_| Ok(())).await.unwrap();
    assert_eq!(server.operations(), [&HANDSHAKE[..], &["SyncUpdates"]].concat());
}

#[tokio::test]
async fn a_busy_server_is_given_the_time_it_asks_for() {
    let mut busy = answer(503, fault(ErrorCode::ServerBusy).into_body());
    busy.headers_mut().insert("retry-after", "1".parse().unwrap());
    let server = Script::default().then("SyncUpdates", busy).serve().await;
    let mut session = server.session();
    session.ensure_ready().await.unwrap();
    let begun = Instant::now();
    session.sync_software(&HeldIds::default(), &[], |_| Ok(())).await.unwrap();
    assert!(begun.elapsed() >= Duration::from_secs(1), "{:?}", begun.elapsed());
    assert_eq!(server.operations().iter().filter(|name| *name == "SyncUpdates").count(), 2);
}

#[tokio::test]
async fn patience_with_a_busy_server_ends() {
    let server = FakeServer::start(|seen| match seen.operation.as_str() {
        "GetConfig" => fault(ErrorCode::ServerBusy),
        _ => good(seen),
    })
    .await;
    let first_wait = Duration::from_millis(1);
    let patience = Patience { refusals: 3, first_wait, ..Patience::default() };
    let options = SessionOptions { patience, ..SessionOptions::default() };
    let error = server.session_with(options).ensure_ready().await.unwrap_err();
    assert!(matches!(error, AgentError::Busy { refusals: 4, .. }), "{error}");
    assert_eq!(error.hresult(), HResult::HTTP_SERVICE_UNAVAILABLE);
    assert_eq!(server.operations().len(), 4);
}

#[tokio::test]
async fn other_answers_are_errors_with_the_code_an_agent_logs() {
    for (given, code, word) in [
        (answer(404, "no such page"), HResult(0x8024_4019), "no such page"),
        (answer(500, "<html>oops</html>"), HResult(0x8024_401F), "oops"),
        (answer(200, "<html/>"), HResult::SOAP_PARSE, "Envelope"),
        (sync(Default::default()), HResult::SOAP_PARSE, "SyncUpdatesResponse"),
    ] {
        let server = Script::default().then("GetConfig", given).serve().await;
        let error = server.session().ensure_ready().await.unwrap_err();
        assert_eq!(error.hresult(), code, "{error}");
        assert!(error.to_string().contains(word), "{error}");
    }
}

#[tokio::test]
async fn an_answer_longer_than_the_bound_is_refused_before_it_is_read() {
    let server = Script::default().then("GetConfig", answer(200, vec![b' '; 5000])).serve().await;
    let options = SessionOptions { longest_answer: 4096, ..SessionOptions::default() };
    let error = server.session_with(options).ensure_ready().await.unwrap_err();
    assert!(error.to_string().contains("4096"), "{error}");
}

#[tokio::test]
async fn no_server_at_all_is_told_from_a_broken_one() {
    let server = Script::default().serve().await;
    let mut session = server.session();
    let nobody: sluicegate_agent::http::Address = "http://127.0.0.1:1".parse().unwrap();
    let pool = sluicegate_agent::http::Pool::new(nobody, Default::default());
    let profile = session.profile().clone();
    let mut lost = sluicegate_agent::session::Session::new(
        pool.into(),
        profile,
        SessionOptions::default(),
        sluicegate_agent::Random::seeded(2),
    );
    assert_eq!(lost.ensure_ready().await.unwrap_err().hresult(), HResult::CANNOT_CONNECT);
    session.ensure_ready().await.unwrap();
}

#[tokio::test]
async fn a_first_connection_that_breaks_is_made_once_more() {
    let server = FakeServer::turning_away(1, good).await;
    server.session().ensure_ready().await.unwrap();
    assert_eq!(server.operations().first().map(String::as_str), Some("GetConfig"));
    // A server that always does so is given up.
    let server = FakeServer::turning_away(usize::MAX, good).await;
    let error = server.session().ensure_ready().await.unwrap_err();
    assert!(matches!(error, AgentError::Http { operation: "GetConfig", .. }), "{error}");
    assert!(server.seen().is_empty());
}
