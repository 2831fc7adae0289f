use super::*;
use crate::testing;
use sluicegate_store::hierarchy::{NotTold, Password, ProxyCredentials, UpstreamSource};
use sluicegate_terms::{RevisionNumber, UpdateId, UpdateIdentity};
use sluicegate_upstream::sync::Phase;

fn kinds(app: &App) -> Vec<String> {
    app.store.alerts().unwrap().into_iter().map(|alert| alert.kind).collect()
}

fn with_credentials(app: &App, expires: Option<&str>) {
    let mut settings = UpstreamSettings::clone(&app.store.upstream_settings());
    settings.source = Some(UpstreamSource::Server("http://127.0.0.1:1".to_owned()));
    let password = Password("secret".to_owned());
    let user = "sync".to_owned();
    settings.proxy.credentials = Some(ProxyCredentials { user, password, ..Default::default() });
    settings.proxy.password_expires = expires.map(|at| at.parse().unwrap());
    app.store.set_upstream_settings(settings, app.clock.now()).unwrap();
}

#[tokio::test]
async fn endpoints_that_do_not_answer_are_an_alert_and_stand_in_the_health() {
    // Nobody listens for this server.
    let (_dir, app) = testing::app().await;
    let tested = test_endpoints(&app).await;
    assert!(tested.failing().count() == 7, "{tested:?}");
    assert_eq!(kinds(&app), ["endpoints"]);
    test_endpoints(&app).await;
    assert_eq!(kinds(&app), ["endpoints"], "one alert, however long it lasts");
    let (_, health) = crate::health::report(&app);
    assert_eq!(health["self_test"]["fine"], false, "{health}");
    settle(&app.store, AlertKind::Endpoints, None, app.clock.now()).unwrap();
    assert!(kinds(&app).is_empty());
}

#[tokio::test]
async fn a_proxy_that_refuses_the_stored_password_is_an_alert_until_a_run_succeeds() {
    let (_dir, app) = testing::app().await;
    let (store, now) = (&app.store, app.clock.now());
    let failure = Some((PROXY_WANTS_MORE, "the proxy asks for authentication (407)"));
    let judge = |failure: Option<(&str, &str)>| match failure {
        Some((code, sentence)) => judge_failure(store, code, sentence, now).unwrap(),
        None => judge_success(store, now).unwrap(),
    };
    judge(failure);
    assert_eq!(kinds(&app), ["upstream-failing"], "nobody stored a password that could be wrong");
    with_credentials(&app, None);
    judge(failure);
    assert_eq!(kinds(&app), ["proxy-password", "upstream-failing"]);
    judge(Some(("UssCommunicationError/TimedOut", "x")));
    assert_eq!(kinds(&app), ["proxy-password", "upstream-failing"], "a timeout says nothing of passwords");
    judge(Some(("LocalError/DiskFull", "x")));
    assert_eq!(kinds(&app).len(), 2, "nor does a full disk say that the upstream works");
    judge(None);
    assert!(kinds(&app).is_empty());
}

/// A run that ended now, as the history has it.
fn ended(app: &App, outcome: RunOutcome, make: impl FnOnce(&mut SyncRun)) {
    app.store.begin_sync_run("schedule", "http://127.0.0.1:1", app.clock.now()).unwrap();
    let mut run = app.store.sync_history(1).unwrap().remove(0);
    run.outcome = outcome;
    make(&mut run);
    app.store.write_sync_run(&run).unwrap();
}

#[tokio::test]
async fn a_run_that_failed_here_is_an_alert_until_one_succeeds() {
    let (_dir, app) = testing::app().await;
    with_credentials(&app, None);
    ended(&app, RunOutcome::Failed, |run| {
        run.error_code = Some("LocalError/DiskFull".to_owned());
        run.error_text = Some("60 MiB left".to_owned());
    });
    after_run(&app).await;
    assert_eq!(kinds(&app), ["synchronization-failing"]);
    let said = app.store.alerts().unwrap().remove(0).text;
    assert!(said.contains("LocalError/DiskFull") && said.contains("60 MiB left"), "{said}");
    after_probe(&app, None).await;
    assert_eq!(kinds(&app).len(), 1, "that the upstream answers makes no room");
    ended(&app, RunOutcome::Cancelled, |_| {});
    after_run(&app).await;
    assert_eq!(kinds(&app).len(), 1);
    ended(&app, RunOutcome::Succeeded, |_| {});
    after_run(&app).await;
    assert!(kinds(&app).is_empty());
}

#[tokio::test]
async fn files_that_do_not_come_are_an_alert_when_none_came_or_some_did_not_twice() {
    let (_dir, app) = testing::app().await;
    let counted = |files, failed| {
        move |run: &mut SyncRun| {
            (run.counts.files, run.counts.files_failed) = (files, failed);
            run.warning = Some("the filter is narrow; 2 of 2 files did not come".to_owned());
            run.files_warning = Some("2 of 2 files did not come".to_owned());
        }
    };
    ended(&app, RunOutcome::Succeeded, counted(1, 2));
    after_run(&app).await;
    assert!(kinds(&app).is_empty(), "some came");
    ended(&app, RunOutcome::Succeeded, counted(0, 2));
    after_run(&app).await;
    assert_eq!(kinds(&app), ["files-failing"]);
    let said = app.store.alerts().unwrap().remove(0).text;
    assert!(said.contains("2 of 2 files did not come") && !said.contains("filter"), "{said}");
    ended(&app, RunOutcome::Succeeded, counted(1, 1));
    after_run(&app).await;
    let said = app.store.alerts().unwrap().remove(0).text;
    assert!(said.starts_with("1 file did not come in the last synchronization, as in the one"), "{said}");
    ended(&app, RunOutcome::Cancelled, counted(1, 0));
    after_run(&app).await;
    assert_eq!(kinds(&app), ["files-failing"], "what was cut off did not try them all");
    ended(&app, RunOutcome::Succeeded, |run| run.phase = Phase::Categories.as_str().to_owned());
    after_run(&app).await;
    assert_eq!(kinds(&app), ["files-failing"], "what was for categories only tried none");
    ended(&app, RunOutcome::Succeeded, counted(1, 0));
    after_run(&app).await;
    assert!(kinds(&app).is_empty());
    ended(&app, RunOutcome::Succeeded, counted(1, 1));
    after_run(&app).await;
    assert!(kinds(&app).is_empty(), "once may pass");
}

#[tokio::test]
async fn revisions_that_came_damaged_are_an_alert_when_none_came_or_another_run_did_not_bring_them() {
    let (_dir, app) = testing::app().await;
    with_credentials(&app, None);
    let identity = |n| UpdateIdentity {
        update: UpdateId(Guid::from_u128(n)),
        revision: RevisionNumber::new(3).unwrap(),
    };
    let fail = |n| {
        let failed = (identity(n), format!("document {n} is damaged"));
        app.store.note_failed_revisions(&[failed], app.clock.now()).unwrap();
    };
    let counted = |new, quarantined| {
        move |run: &mut SyncRun| (run.counts.new, run.counts.quarantined) = (new, quarantined)
    };
    fail(7);
    ended(&app, RunOutcome::Succeeded, counted(5, 1));
    after_run(&app).await;
    assert!(kinds(&app).is_empty(), "some came, and the next run may bring it");
    ended(&app, RunOutcome::Succeeded, counted(0, 1));
    after_run(&app).await;
    assert_eq!(kinds(&app), ["revisions-failing"], "none came");
    let said = app.store.alerts().unwrap().remove(0).text;
    assert!(said.contains("document 7 is damaged") && said.contains("--retry-failed"), "{said}");
    app.store.forget_failed_revisions(&[identity(7)]).unwrap();
    ended(&app, RunOutcome::Failed, |_| {});
    after_run(&app).await;
    assert!(!kinds(&app).contains(&"revisions-failing".to_owned()), "it is here, whatever else failed");
    fail(8);
    ended(&app, RunOutcome::Succeeded, counted(1, 1));
    after_run(&app).await;
    assert!(kinds(&app).is_empty(), "{:?}", kinds(&app));
    fail(8);
    ended(&app, RunOutcome::Succeeded, counted(1, 1));
    after_run(&app).await;
    assert_eq!(kinds(&app), ["revisions-failing"], "it was asked for twice");
    let mut settings = UpstreamSettings::clone(&app.store.upstream_settings());
    settings.source = Some(UpstreamSource::Server("http://127.0.0.1:2".to_owned()));
    app.store.set_upstream_settings(settings, app.clock.now()).unwrap();
    forget_upstream(&app.store, app.clock.now()).unwrap();
    assert!(!kinds(&app).contains(&"revisions-failing".to_owned()), "it was that one's");
}

#[tokio::test]
async fn a_run_that_files_ended_is_an_alert_that_an_answering_upstream_does_not_end() {
    let (_dir, app) = testing::app().await;
    with_credentials(&app, None);
    ended(&app, RunOutcome::Failed, |run| {
        run.phase = "files".to_owned();
        run.error_code = Some("UssCommunicationError/ServerBusy".to_owned());
        run.error_text = Some("it is busy (503)".to_owned());
    });
    after_run(&app).await;
    assert_eq!(kinds(&app).len(), 2, "{:?}", kinds(&app));
    after_probe(&app, None).await;
    assert_eq!(kinds(&app), ["files-failing"]);
    let said = app.store.alerts().unwrap().remove(0).text;
    assert!(said.contains("ServerBusy") && said.contains("it is busy (503)"), "{said}");
    ended(&app, RunOutcome::Succeeded, |_| {});
    after_run(&app).await;
    assert!(kinds(&app).is_empty());
}

#[tokio::test]
async fn a_run_that_failed_behind_the_handshake_is_an_alert_until_a_run_overcomes_it() {
    let (_dir, app) = testing::app().await;
    with_credentials(&app, None);
    let said = || app.store.alerts().unwrap().remove(0).text;
    ended(&app, RunOutcome::Failed, |run| {
        run.phase = Phase::Updates.as_str().to_owned();
        run.error_code = Some("UssCommunicationError/UnexpectedStatus".to_owned());
        run.error_text = Some("the answer to GetUpdateData is 413".to_owned());
    });
    after_run(&app).await;
    let first = said();
    assert!(first.contains("GetUpdateData is 413"), "{first}");
    after_probe(&app, None).await;
    assert_eq!((kinds(&app).as_slice(), said()), (["upstream-failing".to_owned()].as_slice(), first.clone()));
    probe_failing(&app).await;
    assert!(said().contains("ConnectionRefused"), "{}", said());
    after_probe(&app, None).await;
    assert_eq!(said(), first, "what the run failed with is told again");
    ended(&app, RunOutcome::Succeeded, |run| run.phase = Phase::Categories.as_str().to_owned());
    after_run(&app).await;
    assert_eq!(said(), first, "one for categories only asked for no updates");
    ended(&app, RunOutcome::Succeeded, |run| run.phase = Phase::Files.as_str().to_owned());
    after_run(&app).await;
    assert!(kinds(&app).is_empty());
}

#[tokio::test]
async fn an_acknowledged_alert_does_not_come_back_while_what_failed_still_does() {
    let (_dir, app) = testing::app().await;
    with_credentials(&app, None);
    let fail = |run: &mut SyncRun| {
        run.phase = Phase::Categories.as_str().to_owned();
        run.error_code = Some("UssFault/InternalServerError".to_owned());
    };
    ended(&app, RunOutcome::Failed, fail);
    after_run(&app).await;
    let id = app.store.alerts().unwrap().remove(0).id;
    app.store.acknowledge_alert(id, app.clock.now()).unwrap();
    after_probe(&app, None).await;
    ended(&app, RunOutcome::Failed, fail);
    after_run(&app).await;
    assert!(kinds(&app).is_empty(), "{:?}", kinds(&app));
}

#[tokio::test]
async fn a_password_is_told_fourteen_days_before_it_expires() {
    let (_dir, app) = testing::app().await;
    let now = app.clock.now();
    with_credentials(&app, Some("2026-10-18T12:00:01Z"));
    password_expires(&app.store, now).unwrap();
    assert!(kinds(&app).is_empty(), "fourteen days and a second are left");
    password_expires(&app.store, now.plus_seconds(1)).unwrap();
    assert_eq!(kinds(&app), ["proxy-password-expires"]);
    password_expires(&app.store, now.plus_seconds(20 * 86_400)).unwrap();
    let said = app.store.alerts().unwrap().remove(0).text;
    assert!(said.contains("expired on 2026-10-18") && !said.contains("secret"), "{said}");
    with_credentials(&app, None);
    password_expires(&app.store, now).unwrap();
    assert!(kinds(&app).is_empty());
}

#[tokio::test]
async fn a_failing_upstream_is_tried_again_and_told() {
    let (_dir, app) = testing::app().await;
    with_credentials(&app, None);
    probe_failing(&app).await;
    assert!(kinds(&app).is_empty(), "no run has failed yet");
    let id = app.store.begin_sync_run("schedule", "http://127.0.0.1:1", app.clock.now()).unwrap();
    let mut run = app.store.sync_history(1).unwrap().remove(0);
    assert_eq!(run.id, id);
    run.outcome = RunOutcome::Failed;
    app.store.write_sync_run(&run).unwrap();
    probe_failing(&app).await;
    assert_eq!(kinds(&app), ["upstream-failing"]);
    let said = app.store.alerts().unwrap().remove(0).text;
    assert!(said.contains("UssCommunicationError/ConnectionRefused"), "{said}");
}

#[tokio::test]
async fn an_upstream_that_could_not_be_told_twice_is_an_alert_until_it_could_or_is_another() {
    let (_dir, app) = testing::app().await;
    with_credentials(&app, None);
    let not_told = |sentence: &str, tries| {
        let not_told = NotTold { since: app.clock.now(), tries, sentence: sentence.to_owned() };
        app.store.change_sync_state(|state| state.not_told = Some(not_told)).unwrap();
    };
    ended(&app, RunOutcome::Succeeded, |_| {});
    not_told("404", 1);
    after_run(&app).await;
    assert!(kinds(&app).is_empty(), "once may pass");
    ended(&app, RunOutcome::Failed, |run| {
        run.error_code = Some("UssCommunicationError/ConnectionRefused".to_owned())
    });
    after_run(&app).await;
    assert!(!kinds(&app).contains(&"rollup-failing".to_owned()), "it did not come to that");
    ended(&app, RunOutcome::Succeeded, |_| {});
    not_told("it is busy", 2);
    after_run(&app).await;
    assert_eq!(kinds(&app), ["rollup-failing"]);
    let said = app.store.alerts().unwrap().remove(0).text;
    assert!(said.contains("it is busy") && !said.contains("404"), "{said}");
    app.store.change_sync_state(|state| state.not_told = None).unwrap();
    after_run(&app).await;
    assert!(kinds(&app).is_empty());
    not_told("404", 2);
    ended(&app, RunOutcome::Failed, |_| {});
    after_run(&app).await;
    assert!(kinds(&app).contains(&"rollup-failing".to_owned()), "{:?}", kinds(&app));
    let mut settings = UpstreamSettings::clone(&app.store.upstream_settings());
    settings.source = Some(UpstreamSource::Server("http://127.0.0.1:2".to_owned()));
    app.store.set_upstream_settings(settings, app.clock.now()).unwrap();
    forget_upstream(&app.store, app.clock.now()).unwrap();
    assert!(!kinds(&app).contains(&"rollup-failing".to_owned()), "it was that one's");
}
