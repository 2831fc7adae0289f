//! What the server looks after by itself: once an hour its own endpoints and an upstream that fails, after each
//! synchronization whether it worked, and a stored password that is about to expire. What lasts is an alert; it
//! goes when it is over.

use crate::missing;
use crate::ring;
use crate::self_test::{self, SelfTest};
use crate::state::App;
use crate::twins;
use parking_lot::Mutex;
use sluicegate_store::audit::AlertKind;
use sluicegate_store::hierarchy::{RunOutcome, SyncRun, UpstreamSettings};
use sluicegate_store::{Store, StoreError};
use sluicegate_terms::{Guid, Timestamp};
use sluicegate_upstream::sync::SyncError;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

/// Between two looks.
const HOURLY: Duration = Duration::from_secs(3600);

/// A server that has just begun to listen finishes its start first.
const AFTER_START: Duration = Duration::from_secs(1);

/// What somebody does about files is looked at once for so much time.
const TOGETHER: Duration = Duration::from_secs(1);

/// An alert comes so many days before a password expires.
const DAYS_AHEAD: i64 = 14;

/// Runs that are looked through for the one before that tried files.
const RUNS_BEFORE: u32 = 20;

/// The code of runs and probes that a proxy did not let through for want of a good password.
const PROXY_WANTS_MORE: &str = "UssCommunicationError/ProxyAuthenticationRequired";

/// What was found, for those who ask.
#[derive(Debug)]
pub(crate) struct Watch {
    /// Goes with the questions this server asks itself, so that one it must refuse is no line of the log.
    pub(crate) own_mark: Guid,
    /// What the endpoints last did.
    pub(crate) tested: Mutex<Option<SelfTest>>,
    /// The commands and programs that said their version, so that each is logged once.
    pub(crate) clients: Mutex<BTreeSet<(IpAddr, String)>>,
    /// Somebody may have seen to files that did not come.
    seen_to: Notify,
}

impl Watch {
    pub(crate) fn new(own_mark: Guid) -> Self {
        Self { own_mark, tested: Mutex::default(), clients: Mutex::default(), seen_to: Notify::new() }
    }

    /// A file came another way than by a synchronization, or another choice of files or updates was made: the alert about
    /// files that do not come may be over.
    pub(crate) fn files_seen_to(&self) {
        self.seen_to.notify_one();
    }
}

/// Looks until told to stop.
pub(crate) async fn run(app: Arc<App>, mut stop: watch::Receiver<bool>) {
    let mut wait = AFTER_START;
    loop {
        let due = Instant::now() + wait;
        loop {
            let look_at_files = tokio::select! {
                _ = stop.wait_for(|stopping| *stopping) => return,
                () = tokio::time::sleep_until(due) => false,
                () = app.watch.seen_to.notified() => true,
            };
            if !look_at_files {
                break;
            }
            // Files are added one after the other, and decided about many at once.
            tokio::select! {
                _ = stop.wait_for(|stopping| *stopping) => return,
                () = tokio::time::sleep(TOGETHER) => {}
            }
            end_about_files(&app).await;
        }
        wait = HOURLY;
        tokio::select! {
            _ = stop.wait_for(|stopping| *stopping) => return,
            () = look(&app) => {}
        }
    }
}

/// One look at everything.
pub(crate) async fn look(app: &Arc<App>) {
    test_endpoints(app).await;
    probe_failing(app).await;
    let now = app.clock.now();
    on_store(app, move |store| password_expires(store, now)).await;
    on_store(app, move |store| unfetched(store, now)).await;
    on_store(app, move |store| ring::judge(store, now)).await;
    on_store(app, move |store| twins::judge(store, now)).await;
    if let Some(files @ 1..) = on_store(app, move |store| store.forget_wanted_files(now)).await {
        tracing::info!(
            files,
            "no server below has asked for files for 90 days, so they are no longer fetched for one"
        );
    }
}

/// Ends the alert about files that do not come when none is missing any more; the next run or look would too.
pub(crate) async fn end_about_files(app: &Arc<App>) {
    let now = app.clock.now();
    on_store(app, move |store| {
        let kind = AlertKind::FilesFailing;
        if !store.alerts()?.iter().any(|alert| alert.kind == kind.as_str()) {
            return Ok(());
        }
        let still = missing::failing(store)?.is_some()
            || missing::unfetched(store)?.is_some()
            || store.awaited_files()?.is_some();
        if still { Ok(()) } else { store.end_alert(kind, now).map(|_| ()) }
    })
    .await;
}

/// Without an upstream no run ever tells that files are missing.
fn unfetched(store: &Store, now: Timestamp) -> Result<(), StoreError> {
    if store.upstream_settings().source.is_some() {
        return Ok(());
    }
    let text = missing::unfetched(store)?.map(|missing| {
        format!(
            "{} wanted here and not here, and no upstream is set to fetch them from; the first: `{}`; add them with \
             `sluicegate content add` or `sluicegate import … --content DIR`",
            missing::are(missing.files),
            missing.first
        )
    });
    settle(store, AlertKind::FilesFailing, text, now)
}

/// Asks every endpoint, keeps the result and raises or ends the alert.
pub(crate) async fn test_endpoints(app: &Arc<App>) -> SelfTest {
    let tested = self_test::run(app).await;
    *app.watch.tested.lock() = Some(tested.clone());
    let (now, trouble) = (app.clock.now(), tested.trouble());
    on_store(app, move |store| settle(store, AlertKind::Endpoints, trouble, now)).await;
    tested
}

/// Tries an upstream again whose last synchronization failed: its administrator hears of a lasting failure, and
/// that it is over, without waiting for the next run.
async fn probe_failing(app: &Arc<App>) {
    let settings = UpstreamSettings::clone(&app.store.upstream_settings());
    if settings.source.is_none() || app.synchronizer.status().running {
        return;
    }
    let last = on_store(app, |store| Ok(store.sync_history(1)?.pop())).await.flatten();
    if last.is_some_and(|run| run.outcome == RunOutcome::Failed) {
        let probed = app.synchronizer.probe(settings).await;
        after_probe(app, probed.err().as_ref()).await;
    }
}

/// Draws conclusions from a probe of the upstream as it is set.
pub(crate) async fn after_probe(app: &Arc<App>, failure: Option<&SyncError>) {
    let (now, failure) = (app.clock.now(), failure.map(|error| (error.code().to_owned(), error.to_string())));
    on_store(app, move |store| judge(store, failure.as_ref().map(|(c, t)| (c.as_str(), t.as_str())), now))
        .await;
}

/// Draws conclusions from the synchronization that has just ended.
pub(crate) async fn after_run(app: &Arc<App>) {
    let now = app.clock.now();
    on_store(app, move |store| {
        let Some(last) = store.sync_history(1)?.pop() else { return Ok(()) };
        judge_here(store, &last, now)?;
        ring::judge(store, now)?;
        match last.outcome {
            RunOutcome::Succeeded => judge(store, None, now),
            RunOutcome::Failed => judge(
                store,
                Some((&last.error_code.unwrap_or_default(), &last.error_text.unwrap_or_default())),
                now,
            ),
            RunOutcome::Running | RunOutcome::Cancelled | RunOutcome::Interrupted => Ok(()),
        }
    })
    .await;
}

/// Another upstream, or none: what is known of the one before says nothing of it.
pub(crate) fn forget_upstream(store: &Store, now: Timestamp) -> Result<(), StoreError> {
    store.end_alert(AlertKind::UpstreamFailing, now)?;
    store.end_alert(AlertKind::FilesFailing, now)?;
    ring::judge(store, now)?;
    store.end_alert(AlertKind::ProxyPassword, now).map(|_| ())
}

/// Raises or ends the alerts about what only a run can tell: that it failed here, and that files do not come. A probe of
/// the upstream says nothing of either.
fn judge_here(store: &Store, last: &SyncRun, now: Timestamp) -> Result<(), StoreError> {
    let code = last.error_code.as_deref().unwrap_or_default();
    let sentence = last.error_text.as_deref().unwrap_or_default();
    match last.outcome {
        RunOutcome::Succeeded => {
            store.end_alert(AlertKind::SynchronizationFailing, now)?;
            if missing::says_of_files(last) {
                judge_files(store, last, now)?;
            }
        }
        // The upstream answered, so that it is well again says nothing of these.
        RunOutcome::Failed if is_about_the_way(code) && missing::failed_at_files(last) => {
            let text = format!("the last synchronization could not fetch files ({code}): {sentence}");
            store.hold_alert(AlertKind::FilesFailing, &text, now)?;
        }
        RunOutcome::Failed if !is_about_the_way(code) => {
            let text = format!("the last synchronization failed ({code}): {sentence}");
            store.hold_alert(AlertKind::SynchronizationFailing, &text, now)?;
        }
        _ => {}
    }
    Ok(())
}

/// Files that do not come for once are tried again. Somebody has to see to it when not one came, and when some did not
/// come in the run before either.
fn judge_files(store: &Store, last: &SyncRun, now: Timestamp) -> Result<(), StoreError> {
    let counts = &last.counts;
    let kind = AlertKind::FilesFailing;
    let reason = last.warning.as_deref().unwrap_or_default();
    if counts.files_failed == 0 {
        // They may still wait for their next attempt.
        return match missing::failing(store)? {
            None => store.end_alert(kind, now).map(|_| ()),
            Some(still) => {
                let text =
                    format!("{} wanted here and did not come: {}", missing::are(still.files), still.first);
                store.hold_alert(kind, &text, now).map(|_| ())
            }
        };
    }
    let failed = match counts.files_failed {
        1 => "1 file".to_owned(),
        many => format!("{many} files"),
    };
    if counts.files == 0 {
        let text = format!("the last synchronization tried {failed}, and none came: {reason}");
        return store.hold_alert(kind, &text, now).map(|_| ());
    }
    let also_before = store.sync_history(RUNS_BEFORE)?.into_iter().skip(1).find(missing::says_of_files);
    if also_before.is_some_and(|run| run.upstream == last.upstream && run.counts.files_failed > 0) {
        let text =
            format!("{failed} did not come in the last synchronization, as in the one before: {reason}");
        return store.hold_alert(kind, &text, now).map(|_| ());
    }
    store.end_alert(kind, now).map(|_| ())
}

/// Raises or ends the alerts about the way to the upstream. `failure` is a code and a sentence.
fn judge(store: &Store, failure: Option<(&str, &str)>, now: Timestamp) -> Result<(), StoreError> {
    let Some((code, sentence)) = failure else {
        store.end_alert(AlertKind::ProxyPassword, now)?;
        return store.end_alert(AlertKind::UpstreamFailing, now).map(|_| ());
    };
    // Only a proxy's refusal says something about the password.
    if code == PROXY_WANTS_MORE
        && let Some(known) = &store.upstream_settings().proxy.credentials
    {
        let user = &known.user;
        let text = format!("a proxy does not take the stored user `{user}` and its password: {sentence}");
        store.hold_alert(AlertKind::ProxyPassword, &text, now)?;
    }
    // A full disk here is not the upstream's failure, and no sign that it works either: `judge_here` tells it.
    if is_about_the_way(code) {
        let text = format!("the upstream cannot be synchronized with ({code}): {sentence}");
        store.hold_alert(AlertKind::UpstreamFailing, &text, now)?;
    }
    Ok(())
}

fn is_about_the_way(code: &str) -> bool {
    code.starts_with("Uss") || code.starts_with("DssAuthenticationError/")
}

/// Raises or ends the alert about a password whose last day an administrator told.
pub(crate) fn password_expires(store: &Store, now: Timestamp) -> Result<(), StoreError> {
    let settings = store.upstream_settings();
    let user = settings.proxy.credentials.as_ref().map(|known| known.user.as_str());
    let text = match (settings.proxy.password_expires, user) {
        (Some(at), Some(user)) if now.plus_seconds(DAYS_AHEAD * 86_400) >= at => {
            let day = at.iso().chars().take(10).collect::<String>();
            let verb = if now >= at { "expired" } else { "expires" };
            Some(format!(
                "the password of `{user}` for the proxy {verb} on {day}; give the new one with `sluicegate upstream set \
                 … --proxy-password-file FILE --proxy-password-expires DATE`"
            ))
        }
        _ => None,
    };
    settle(store, AlertKind::ProxyPasswordExpires, text, now)
}

pub(crate) fn settle(
    store: &Store,
    kind: AlertKind,
    text: Option<String>,
    now: Timestamp,
) -> Result<(), StoreError> {
    match text {
        Some(text) => store.hold_alert(kind, &text, now).map(|_| ()),
        None => store.end_alert(kind, now).map(|_| ()),
    }
}

/// Runs something that blocks; a failure is for the log, the next look tries again.
async fn on_store<T: Send + 'static>(
    app: &App,
    work: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
) -> Option<T> {
    let store = app.store.clone();
    match tokio::task::spawn_blocking(move || work(&store)).await {
        Ok(Ok(done)) => Some(done),
        Ok(Err(error)) => {
            tracing::warn!(%error, "what was found cannot be written down as an alert");
            None
        }
        Err(error) => {
            tracing::warn!(%error, "looking after the server failed");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;
    use sluicegate_store::hierarchy::{Password, ProxyCredentials, UpstreamSource};
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
        judge(store, failure, now).unwrap();
        assert_eq!(kinds(&app), ["upstream-failing"], "nobody stored a password that could be wrong");
        with_credentials(&app, None);
        judge(store, failure, now).unwrap();
        assert_eq!(kinds(&app), ["proxy-password", "upstream-failing"]);
        judge(store, Some(("UssCommunicationError/TimedOut", "x")), now).unwrap();
        assert_eq!(
            kinds(&app),
            ["proxy-password", "upstream-failing"],
            "a timeout says nothing of passwords"
        );
        judge(store, Some(("LocalError/DiskFull", "x")), now).unwrap();
        assert_eq!(kinds(&app).len(), 2, "nor does a full disk say that the upstream works");
        judge(store, None, now).unwrap();
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
                run.warning = Some("2 of 2 files did not come".to_owned());
            }
        };
        ended(&app, RunOutcome::Succeeded, counted(1, 2));
        after_run(&app).await;
        assert!(kinds(&app).is_empty(), "some came");
        ended(&app, RunOutcome::Succeeded, counted(0, 2));
        after_run(&app).await;
        assert_eq!(kinds(&app), ["files-failing"]);
        let said = app.store.alerts().unwrap().remove(0).text;
        assert!(said.contains("2 of 2 files did not come"), "{said}");
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
}
