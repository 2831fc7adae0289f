//! Everything that can keep this server from synchronizing and serving, looked at in the order in which one thing
//! rests on another (known problem P-26): the first that fails is the one to see to.

mod decisions;
mod disks;
mod files;
mod runs;

use crate::state::App;
use crate::{checking, ring, twins, watching};
use decisions::decisions;
use disks::Disks;
use files::Waited;
use runs::Runs;
use serde_json::{Value, json};
use sluicegate_store::hierarchy::UpstreamSettings;
use sluicegate_store::{CategoryRow, Store, StoreError};
use sluicegate_terms::{CategoryKind, Timestamp, UpdateId};
use sluicegate_upstream::Probe;
use sluicegate_upstream::sync::SyncError;
use sluicegate_upstream::transport::{Step, TransportSettings, Url};
use std::collections::BTreeSet;
use std::sync::Arc;

/// A run without progress for so many seconds is stuck.
const PATIENCE: i64 = 15 * 60;

/// How a check came out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    Passed,
    Failed,
    /// It could not be looked at, or there is nothing to look at.
    Skipped,
}

impl Verdict {
    fn word(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }
}

/// The checks, in their order. The number of one is the exit code of the command when it is the first that fails.
const CHECKS: [(&str, u8); 19] = [
    ("own-endpoints", 10),
    ("upstream-set", 11),
    ("name", 12),
    ("connection", 13),
    ("proxy", 14),
    ("tls", 15),
    ("service", 16),
    ("authorization", 17),
    ("protocol", 18),
    ("filter", 19),
    ("disk-space", 20),
    ("decisions", 21),
    ("stuck-run", 22),
    ("publisher", 23),
    ("files", 24),
    ("servers-below", 25),
    ("revisions", 26),
    ("last-run", 27),
    ("rollup", 28),
];

/// One check.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Check {
    pub(crate) name: &'static str,
    pub(crate) verdict: Verdict,
    pub(crate) expected: String,
    pub(crate) found: String,
    pub(crate) remedy: Option<String>,
    pub(crate) problem: Option<&'static str>,
}

impl Check {
    fn new(name: &'static str, verdict: Verdict, expected: &str, found: impl Into<String>) -> Self {
        let (expected, found) = (expected.to_owned(), found.into());
        Self { name, verdict, expected, found, remedy: None, problem: None }
    }

    fn passed(name: &'static str, expected: &str, found: impl Into<String>) -> Self {
        Self::new(name, Verdict::Passed, expected, found)
    }

    fn skipped(name: &'static str, expected: &str, why: impl Into<String>) -> Self {
        Self::new(name, Verdict::Skipped, expected, why)
    }

    fn failed(
        name: &'static str,
        expected: &str,
        found: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self { remedy: Some(remedy.into()), ..Self::new(name, Verdict::Failed, expected, found) }
    }

    fn of(self, problem: Option<&'static str>) -> Self {
        Self { problem, ..self }
    }
}

/// All checks, as the admin API shows them.
pub(crate) fn to_json(checks: &[Check]) -> Value {
    let code = |name: &str| CHECKS.iter().find(|(known, _)| *known == name).map_or(1, |(_, code)| *code);
    let first = checks.iter().find(|check| check.verdict == Verdict::Failed);
    let list: Vec<Value> = checks
        .iter()
        .map(|check| {
            json!({
                "check": check.name,
                "result": check.verdict.word(),
                "expected": check.expected,
                "found": check.found,
                "remedy": check.remedy,
                "problem": check.problem,
            })
        })
        .collect();
    json!({
        "sound": first.is_none(),
        "first_failure": first.map(|check| check.name),
        "exit_code": first.map_or(0, |check| code(check.name)),
        "checks": list,
    })
}

/// Looks at everything. Changes nothing but the result of the self-test, and alerts about what is over.
pub(crate) async fn run(app: &Arc<App>) -> Vec<Check> {
    let mut checks = vec![endpoints(app).await];
    let settings = UpstreamSettings::clone(&app.store.upstream_settings());
    checks.extend(upstream(app, &settings).await);
    let (store, now) = (app.store.clone(), app.clock.now());
    let wanted = settings.clone();
    let looked = tokio::task::spawn_blocking(move || {
        let policy = wanted.content;
        let missing = store.missing_files(policy.when, policy.express, &wanted.filter, Timestamp::MAX);
        let report = checking::look_over(&store, false, false, now);
        let (below, revisions) = (below(&store, now), runs::revisions(&store, now));
        let rollup = runs::rollup(&store, now);
        (
            store.categories(),
            missing,
            Disks::of(&store),
            report,
            Waited::of(&store),
            below,
            revisions,
            rollup,
            Runs::of(&store),
        )
    })
    .await;
    let (categories, missing, disks, report, waited, below, revisions, rollup, runs) = match looked {
        Ok(looked) => looked,
        Err(error) => {
            let remedy = "look in this server's log for this time";
            checks.push(Check::failed("decisions", "the store can be checked", error.to_string(), remedy));
            return checks;
        }
    };
    checks.push(categories.map_or_else(|error| unread("filter", &error), |known| filter(&settings, &known)));
    // What is missing is read for the last check too, which tells of it when it cannot be.
    checks.push(disks.check(&missing.unwrap_or_default()));
    checks.push(report.map_or_else(|error| unread("decisions", &error), |report| decisions(&report)));
    checks.push(stuck(app));
    checks.push(publisher(app));
    watching::end_about_files(app).await;
    let has_upstream = settings.source.is_some();
    checks.push(waited.map_or_else(|error| unread("files", &error), |waited| waited.check(has_upstream)));
    checks.extend([below, revisions]);
    let probed = checks.iter().any(|check| check.name == "protocol" && check.verdict == Verdict::Passed);
    checks.push(runs::check(runs, &settings, probed, app.synchronizer.status().running, now));
    checks.push(rollup);
    checks
}

fn below(store: &Store, now: Timestamp) -> Check {
    let (name, expected) = ("servers-below", "each server below this one has an id of its own");
    match store.downstream_twins(now) {
        Err(error) => unread(name, &error),
        Ok(found) => match twins::sentences(&found) {
            None => Check::passed(name, expected, "none is known that shares one"),
            Some(said) => Check::failed(name, expected, said, twins::REMEDY),
        },
    }
}

/// A check for which the store could not be read; the others are made all the same.
fn unread(name: &'static str, error: &StoreError) -> Check {
    let remedy = "see to what that names; this server's log has more of this time";
    Check::failed(name, "the store can be read", error.to_string(), remedy)
}

async fn endpoints(app: &Arc<App>) -> Check {
    let expected = "every endpoint answers at the server's own address";
    let tested = watching::test_endpoints(app).await;
    match tested.trouble() {
        None => Check::passed("own-endpoints", expected, format!("all {} answer", tested.endpoints.len())),
        Some(trouble) if tested.cannot_read_files() => Check::failed(
            "own-endpoints",
            expected,
            trouble,
            "the server cannot read what lies in its content folder: see to the disk and to who may read it; `sluicegate \
             check --content` names each such file",
        ),
        Some(trouble) => Check::failed(
            "own-endpoints",
            expected,
            trouble,
            "look for another program on this port, and in this server's log; a restart helps when it is overloaded",
        )
        .of(Some("P-04")),
    }
}

/// What the steps of the way are called as checks, and what each of them expects.
const STEPS: [(Step, &str, &str); 7] = [
    (Step::Name, "name", "the upstream's name has an address"),
    (Step::Connection, "connection", "a connection to the upstream can be made"),
    (Step::Proxy, "proxy", "the proxy lets requests through"),
    (Step::Tls, "tls", "TLS is agreed on and the certificate is trusted"),
    (Step::Service, "service", "an update server answers"),
    (Step::Authorization, "authorization", "the upstream lets this server in"),
    (Step::Configuration, "protocol", "both speak protocol 1.x"),
];

async fn upstream(app: &Arc<App>, settings: &UpstreamSettings) -> Vec<Check> {
    let expected = "an upstream is set";
    let Some(source) = &settings.source else {
        return without_upstream(app, expected).await;
    };
    let probed = app.synchronizer.probe(settings.clone()).await;
    watching::after_probe(app, probed.as_ref().err()).await;
    let asked = app.synchronizer.asked(source);
    let (store, now) = (app.store.clone(), app.clock.now());
    let ring = tokio::task::spawn_blocking(move || store.ring(now)).await;
    let ring = ring.ok().and_then(Result::ok).flatten();
    let set = match (probed.as_ref().err().filter(|error| is_own_fault(error)), ring) {
        (None, Some(ring)) => {
            let expected = "the upstream takes its catalog from elsewhere";
            Check::failed("upstream-set", expected, ring::sentence(&ring), ring::remedy(&ring))
        }
        (None, None) if asked == source.as_str() => Check::passed("upstream-set", expected, asked),
        (None, None) => Check::passed("upstream-set", expected, format!("{source}, asked at {asked}")),
        (Some(error), _) => {
            let remedy = "change it with `sluicegate upstream set`";
            Check::failed("upstream-set", "its settings can be used", error.to_string(), remedy)
                .of(error.problem())
        }
    };
    let mut checks = vec![set];
    let way = Way::of(asked, settings);
    checks.extend(STEPS.iter().map(|(step, name, expected)| way.check(*step, name, expected, &probed)));
    checks
}

async fn without_upstream(app: &Arc<App>, expected: &str) -> Vec<Check> {
    let store = app.store.clone();
    let known = tokio::task::spawn_blocking(move || store.catalog_size()).await;
    let updates = known.ok().and_then(Result::ok).map_or(0, |size| size.updates);
    let set = if updates > 0 {
        Check::skipped(
            "upstream-set",
            expected,
            format!("none; the catalog was imported ({updates} updates)"),
        )
    } else {
        let remedy = "set one with `sluicegate upstream set`, or import a catalog";
        Check::failed("upstream-set", expected, "none, and the catalog is empty", remedy).of(Some("P-21"))
    };
    let none = |(_, name, expected): &(Step, &'static str, &str)| {
        Check::skipped(name, expected, "no upstream is set")
    };
    std::iter::once(set).chain(STEPS.iter().map(none)).collect()
}

/// Whether a probe failed before it went anywhere.
fn is_own_fault(error: &SyncError) -> bool {
    error.step().is_none_or(|step| step == Step::Settings)
}

/// The way to the upstream, for what a check finds.
struct Way {
    url: Option<Url>,
    shown: String,
    proxy: Option<String>,
}

impl Way {
    fn of(asked: &str, settings: &UpstreamSettings) -> Self {
        let url: Option<Url> = asked.parse().ok();
        let proxy = TransportSettings::stored(settings)
            .ok()
            .zip(url.as_ref())
            .and_then(|(transport, url)| transport.proxy_for(url).map(|proxy| proxy.address.authority()));
        Self { url, shown: asked.to_owned(), proxy }
    }

    fn check(
        &self,
        step: Step,
        name: &'static str,
        expected: &str,
        probed: &Result<Probe, SyncError>,
    ) -> Check {
        let failed_at = match probed {
            Ok(_) => None,
            Err(error) if is_own_fault(error) => {
                return Check::skipped(name, expected, "a step before failed");
            }
            Err(error) => error.step().map(|at| (at, error)),
        };
        match failed_at {
            Some((at, _)) if at < step => return Check::skipped(name, expected, "a step before failed"),
            Some((at, error)) if at == step => {
                return Check::failed(name, expected, error.to_string(), remedy(error)).of(error.problem());
            }
            _ => {}
        }
        let host = self.url.as_ref().map_or("", Url::host);
        match (step, &self.proxy) {
            (Step::Proxy, None) => Check::skipped(name, expected, "no proxy on the way"),
            (Step::Proxy, Some(proxy)) => Check::passed(name, expected, format!("through {proxy}")),
            (Step::Name, Some(_)) => {
                Check::passed(name, expected, format!("{host}, as far as the proxy says"))
            }
            (Step::Name, None) => Check::passed(name, expected, host),
            (Step::Tls, _) if self.url.as_ref().is_some_and(|url| !url.is_tls()) => {
                Check::skipped(name, expected, "the upstream is asked in plain http")
            }
            (Step::Configuration, _) => match probed {
                Ok(probe) => Check::passed(name, expected, format!("it speaks {}", said(&probe.protocol))),
                Err(_) => Check::skipped(name, expected, "it was not asked"),
            },
            _ => Check::passed(name, expected, &self.shown),
        }
    }
}

fn said(protocol: &str) -> &str {
    if protocol.is_empty() { "a version that it does not say" } else { protocol }
}

fn remedy(error: &SyncError) -> String {
    match error {
        SyncError::Transport(error) => error.advice(),
        _ => "look in the log of the upstream for this time, and update the older of the two servers"
            .to_owned(),
    }
}

fn filter(settings: &UpstreamSettings, known: &[CategoryRow]) -> Check {
    let (name, expected) = ("filter", "the filter chooses something, and its categories are in the catalog");
    if let Err(error) = settings.filter.check() {
        let remedy = "choose with `sluicegate sync filter set`";
        return Check::failed(name, expected, error.to_string(), remedy);
    }
    let ids: BTreeSet<UpdateId> = known.iter().map(|row| row.update).collect();
    let classifications = known.iter().any(|row| row.kind == CategoryKind::UpdateClassification);
    let filter = &settings.filter;
    let chosen = [&filter.products, &filter.classifications];
    let listed: Vec<UpdateId> = chosen.iter().filter_map(|part| part.listed()).flatten().copied().collect();
    let strange: Vec<String> =
        listed.iter().filter(|id| !ids.contains(id)).map(ToString::to_string).collect();
    if settings.source.is_none() {
        return Check::skipped(name, expected, "nothing is synchronized");
    }
    if ids.is_empty() || !classifications {
        return Check::skipped(name, expected, "categories are known after the first synchronization");
    }
    if strange.is_empty() {
        return Check::passed(
            name,
            expected,
            match listed.len() {
                0 => "everything is chosen".to_owned(),
                1 => "1 category is chosen, and it is known".to_owned(),
                count => format!("{count} categories are chosen, all are known"),
            },
        );
    }
    let found = format!("not in the catalog: {}", strange.join(", "));
    let remedy =
        "choose anew with `sluicegate sync filter set`; what is gone from the upstream brings nothing";
    Check::failed(name, expected, found, remedy)
}

fn stuck(app: &App) -> Check {
    let (name, expected) = ("stuck-run", "no synchronization stands still");
    let progress = app.synchronizer.status();
    if progress.is_stuck(app.clock.now(), PATIENCE) {
        let since = progress.last_progress.map(|at| at.iso()).unwrap_or_default();
        let found = format!("in {} nothing has moved since {since}", progress.phase.as_str());
        return Check::failed(
            name,
            expected,
            found,
            "`sluicegate sync cancel`; the next one goes on where it was",
        )
        .of(Some("P-24"));
    }
    let found = if progress.running { "one is under way and moves" } else { "none is under way" };
    Check::passed(name, expected, found)
}

fn publisher(app: &App) -> Check {
    let (name, expected) = ("publisher", "computers are served the newest state");
    let health = app.publisher.lock().clone();
    match (health.failure, app.published.load_full()) {
        (Some(failure), _) => {
            let since = health.failing_since.unwrap_or_default();
            let remedy = "`sluicegate check` names what is damaged; the last good state is served meanwhile";
            Check::failed(name, expected, format!("not since {since}: {failure}"), remedy)
        }
        (None, None) => {
            let remedy = "wait until the server has started, and ask again";
            Check::failed(name, expected, "nothing is published yet", remedy)
        }
        (None, Some(published)) => {
            Check::passed(name, expected, format!("{} revisions", published.snapshot.len()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;
    use sluicegate_policy::hierarchy::Choice;
    use sluicegate_store::hierarchy::UpstreamSource;
    use sluicegate_terms::Guid;

    fn verdict<'a>(checks: &'a [Check], name: &str) -> &'a Check {
        checks.iter().find(|check| check.name == name).unwrap()
    }

    #[tokio::test]
    async fn every_check_is_there_in_its_order_and_the_first_failure_decides() {
        let (_dir, app) = testing::app().await;
        let checks = run(&app).await;
        let names: Vec<_> = checks.iter().map(|check| check.name).collect();
        let wanted: Vec<_> = CHECKS.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, wanted);
        // Nobody listens for this server.
        let value = to_json(&checks);
        assert_eq!(
            (&value["first_failure"], &value["exit_code"]),
            (&json!("own-endpoints"), &json!(10)),
            "{value}"
        );
        assert_eq!(verdict(&checks, "upstream-set").problem, Some("P-21"));
        assert_eq!(verdict(&checks, "decisions").verdict, Verdict::Passed);
        assert_eq!(verdict(&checks, "publisher").verdict, Verdict::Failed, "nothing publishes");
    }

    #[tokio::test]
    async fn steps_before_the_failure_passed_and_those_behind_it_were_not_looked_at() {
        let (_dir, app) = testing::app().await;
        let source = Some(UpstreamSource::Server("http://127.0.0.1:1".to_owned()));
        let settings = UpstreamSettings { source, ..Default::default() };
        app.store.set_upstream_settings(settings, app.clock.now()).unwrap();
        let checks = run(&app).await;
        assert_eq!(verdict(&checks, "upstream-set").verdict, Verdict::Passed);
        assert_eq!(verdict(&checks, "name").verdict, Verdict::Passed);
        let connection = verdict(&checks, "connection");
        assert_eq!((connection.verdict, connection.problem), (Verdict::Failed, Some("P-13")));
        assert!(connection.remedy.as_ref().is_some_and(|text| text.contains("running")), "{connection:?}");
        assert_eq!(verdict(&checks, "service").verdict, Verdict::Skipped);
        assert_eq!(verdict(&checks, "tls").verdict, Verdict::Skipped);
    }

    #[test]
    fn a_filter_of_categories_that_are_gone_fails() {
        let id = |n| UpdateId(Guid::from_u128(n));
        let row = |n, kind| CategoryRow { update: id(n), kind, title: "x".to_owned() };
        let known = [row(1, CategoryKind::Product), row(2, CategoryKind::UpdateClassification)];
        let mut settings =
            UpstreamSettings { source: Some(UpstreamSource::MicrosoftUpdate), ..Default::default() };
        assert_eq!(filter(&settings, &known).verdict, Verdict::Passed);
        settings.filter.products = Choice::Only([id(1), id(9)].into_iter().collect());
        let check = filter(&settings, &known);
        assert_eq!(check.verdict, Verdict::Failed);
        assert!(check.found.contains(&id(9).to_string()) && !check.found.contains(&id(1).to_string()));
        assert_eq!(filter(&settings, &[]).verdict, Verdict::Skipped);
        settings.filter.products = Choice::Only(BTreeSet::new());
        assert_eq!(filter(&settings, &known).verdict, Verdict::Failed);
    }
}
