//! Cli room: `sync`, synchronizing with the upstream: now, by schedule, what, and how it went.

use crate::admin_client::AdminClient;
use crate::args::hierarchy::{ContentWhen, Filter, Schedule, Synchronize};
use crate::lines::Lines;
use crate::output;
use crate::output::say;
use anyhow::bail;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Map, Value, json};
use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

/// Without a terminal, a line of progress is written so often, and at each new phase.
const EVERY: Duration = Duration::from_secs(10);

/// A synchronization begins up to so many minutes after its time when nobody says otherwise.
const SPREAD: u16 = 30;

pub(crate) async fn run(client: &AdminClient, args: Synchronize, json: bool) -> anyhow::Result<()> {
    match args {
        Synchronize::Now { wait, retry_failed, categories_only } => {
            let wanted = json!({ "retry_failed": retry_failed, "categories_only": categories_only });
            now(client, wait, &wanted, json).await
        }
        Synchronize::Status => {
            let status = client.get("sync", &[]).await?;
            output::show(json, &status, status_table);
            Ok(())
        }
        Synchronize::History { limit } => {
            let history = client.get("sync/history", &[("limit", Some(limit.to_string()))]).await?;
            output::show(json, &history, |history| history_table(&history["runs"]));
            Ok(())
        }
        Synchronize::Cancel => {
            let done = client.post("sync/cancel", &json!({})).await?;
            output::show(json, &done, |done| match done["cancelled"] == true {
                true => say!(
                    "The synchronization stops at its next step. What it brought stays, the next goes on there."
                ),
                false => say!("No synchronization is under way."),
            });
            Ok(())
        }
        Synchronize::Strays => {
            let strays = client.get("sync/strays", &[]).await?;
            output::show(json, &strays, |strays| {
                let columns = [("Update", "/update_id"), ("Title", "/title"), ("Run", "/run")];
                output::rows(&strays["strays"], &columns, "Nothing came outside the filter.");
            });
            Ok(())
        }
        Synchronize::Schedule(args) => schedule(client, &args, json).await,
        Synchronize::Filter { what } => filter(client, what.unwrap_or(Filter::Show), json).await,
        Synchronize::Content { when, express } => content(client, when, express, json).await,
    }
}

async fn now(client: &AdminClient, wait: bool, wanted: &Value, json: bool) -> anyhow::Result<()> {
    let started = client.post("sync/now", wanted).await?;
    if !wait {
        output::show(json, &started, |started| {
            match started["joined"].as_str() {
                Some(by) => say!("Synchronization {} is under way already, begun by {by}.", started["run"]),
                None => say!("Synchronization {} has begun.", started["run"]),
            }
            say!("`sluicegate sync status` shows how far it is.");
        });
        return Ok(());
    }
    let query = [("run", Some(output::text(started.get("run"))))];
    let mut lines = Lines::new(client.stream("sync/progress", &query).await?);
    let mut shown = Shown::new(json);
    while let Some(line) = lines.next().await? {
        if let Some(progress) = line.get("progress") {
            shown.progress(progress);
        } else if let Some(ended) = line.get("ended") {
            shown.clear();
            // The run has ended, whatever becomes of this question.
            let next =
                client.get("sync", &[]).await.map(|mut now| now["next_run"].take()).unwrap_or_default();
            return finished(ended, next.as_str(), json);
        }
    }
    bail!("the server stopped telling how far the synchronization is; look at `sluicegate sync status`")
}

/// Says how a run ended; fails when it did not succeed. `next` is when the schedule makes another.
fn finished(run: &Value, next: Option<&str>, json: bool) -> anyhow::Result<()> {
    output::show(json, run, |run| {
        let count = |name: &str| run["counts"][name].as_u64().unwrap_or(0);
        say!(
            "With {}: {} new, {} revised, {} expired, {} held back; {} changed; {} ({}).",
            output::text(run.get("upstream")),
            count("new"),
            count("revised"),
            count("expired"),
            count("quarantined"),
            // Approvals, declines and groups.
            output::count(count("approvals"), "decision"),
            output::count(count("files"), "file"),
            output::size(count("file_bytes")),
        );
        if count("quarantined") > 0 {
            say!("`sluicegate catalog quarantine` says why revisions are held back.");
        }
        if count("strays") > 0 {
            let strays = output::count(count("strays"), "update");
            say!("{strays} came outside the filter: `sluicegate sync strays` lists what did.");
        }
        if run["outcome"] == "succeeded" && run["phase"] == "categories" {
            say!(
                "Only categories were asked for: `sluicegate catalog categories` lists them, `sync filter set` chooses \
                 what `sync now` fetches."
            );
        }
        say_waiting(run);
        if let Some(warning) = run["warning"].as_str() {
            say!("Warning: {warning}.");
        }
        if count("files_failed") > 0 {
            let files = output::count(count("files_failed"), "file");
            match next {
                Some(next) => {
                    say!("{files} could not be fetched; the synchronization at {next} tries again.")
                }
                None => say!(
                    "{files} could not be fetched; no synchronization is scheduled, `sluicegate sync now` tries again."
                ),
            }
        }
    });
    match run["outcome"].as_str() {
        Some("succeeded") => Ok(()),
        Some("failed") => bail!(
            "the synchronization failed ({}{}): {}",
            output::text(run.get("error_code")),
            match run["problem"].as_str() {
                Some(problem) => format!(", known problem {problem}"),
                None => String::new(),
            },
            output::text(run.get("error"))
        ),
        _ => bail!("the synchronization did not finish: {}", unfinished(run)),
    }
}

/// Why a run that neither succeeded nor failed ended. One that somebody cancelled says no more than that.
fn unfinished(run: &Value) -> String {
    match (run["error"].as_str(), run["error_code"].as_str()) {
        (Some(why), code) if code != Some("Cancelled") => why.to_owned(),
        _ => format!("it was {}", run["outcome"].as_str().unwrap_or("lost")),
    }
}

/// Progress: a bar on a terminal, lines elsewhere, nothing for programs.
struct Shown {
    bar: ProgressBar,
    lines: bool,
    phase: String,
    told: Instant,
}

impl Shown {
    fn new(json: bool) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let bar = if json || !terminal { ProgressBar::hidden() } else { ProgressBar::new(0) };
        if let Ok(style) = ProgressStyle::with_template("{msg:14} {wide_bar} {pos}/{len} {elapsed}") {
            bar.set_style(style);
        }
        Self { bar, lines: !json && !terminal, phase: String::new(), told: Instant::now() }
    }

    fn progress(&mut self, progress: &Value) {
        let number = |name: &str| progress[name].as_u64().unwrap_or(0);
        let phase = output::text(progress.get("phase"));
        self.bar.set_length(number("total"));
        self.bar.set_position(number("done"));
        self.bar.set_message(phase.clone());
        if self.lines && (phase != self.phase || self.told.elapsed() >= EVERY) {
            self.told = Instant::now();
            match number("total") {
                0 => say!("{phase}"),
                total => {
                    let failed = match number("failed") {
                        0 => String::new(),
                        failed => format!(", {failed} failed"),
                    };
                    let bytes = output::size(number("bytes"));
                    say!("{phase}: {} of {total}{failed}, {bytes}", number("done"));
                }
            }
        }
        self.phase = phase;
    }

    fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

fn status_table(status: &Value) {
    if status["upstream"].is_null() {
        say!("No upstream is set, so nothing is synchronized. Set one with `sluicegate upstream set`.");
        if status["schedule"].as_str().is_some_and(|schedule| schedule != "manual") {
            say!("Its schedule is kept for then: {}.", output::text(status.get("schedule")));
        }
        return;
    }
    let mut shown = status.clone();
    if let Some(failed) = shown.pointer_mut("/progress/failed")
        && *failed == 0
    {
        *failed = Value::Null;
    }
    output::fields(
        &shown,
        &[
            ("Upstream", "/upstream"),
            ("Mode", "/mode"),
            ("Under way", "/running"),
            ("Doing", "/progress/phase"),
            ("Done", "/progress/done"),
            ("Of", "/progress/total"),
            ("Failed", "/progress/failed"),
            ("Last failure", "/progress/last_failure"),
            ("Warning", "/warning"),
            ("Last success", "/last_success"),
            ("Schedule", "/schedule"),
            ("Next", "/next_run"),
        ],
    );
    let progress = &status["progress"];
    if progress["first"] == true {
        let of = |name: &str| progress[name].as_u64().unwrap_or(0);
        match of("total") {
            0 => say!("First synchronization, {} of a number not known yet.", of("done")),
            total => say!("First synchronization, {} of {total}.", of("done")),
        }
    }
    if status["stuck"] == true {
        say!("It has not come forward for a while: `sluicegate sync cancel`, then `sync now`.");
    }
    // A warning that names them says so already.
    let said = |warning: &Value| {
        let first = status["missing_revisions"]["first"].as_str();
        warning.as_str().is_some_and(|warning| first.is_some_and(|first| warning.contains(first)))
    };
    if let Some(missing) = status["missing_revisions"]["text"].as_str()
        && !said(&status["warning"])
        && !said(&status["last_run"]["warning"])
    {
        say!(
            "\n{missing}. `sluicegate sync now --retry-failed` asks at once, `sluicegate catalog quarantine` says what was \
             wrong."
        );
    }
    if status["running"] == false && !status["last_run"].is_null() {
        say!("\nLast synchronization");
        let mut last = status["last_run"].clone();
        if last["warning"] == status["warning"] {
            last["warning"] = Value::Null;
        }
        history_table(&Value::Array(vec![last]));
        say_waiting(&status["last_run"]);
    }
}

/// Which decisions of the upstream a replica could not take over in a run.
fn say_waiting(run: &Value) {
    let count = run["counts"]["waiting"].as_u64().unwrap_or(0);
    if count == 0 {
        return;
    }
    let (are, their) = if count == 1 { ("is", "its") } else { ("are", "their") };
    say!(
        "{} of the upstream {are} not taken over yet; each synchronization tries again, and {their} update or group has to \
         come first:",
        output::count(count, "decision")
    );
    for reason in run["waiting"].as_array().into_iter().flatten() {
        say!("  {}", output::text(Some(reason)));
    }
}

fn history_table(runs: &Value) {
    output::rows(
        runs,
        &[
            ("Run", "/run"),
            ("Started", "/started"),
            ("Ended", "/ended"),
            ("By", "/by"),
            ("Outcome", "/outcome"),
            ("New", "/counts/new"),
            ("Revised", "/counts/revised"),
            ("Expired", "/counts/expired"),
            ("Held back", "/counts/quarantined"),
            ("Files", "/counts/files"),
            ("Not come", "/counts/files_failed"),
            ("Problem", "/problem"),
            ("Strays", "/counts/strays"),
            ("Waiting", "/counts/waiting"),
            ("Code", "/error_code"),
            ("Error", "/error"),
            ("Warning", "/warning"),
        ],
        "Nothing was synchronized yet.",
    );
}

async fn schedule(client: &AdminClient, args: &Schedule, json: bool) -> anyhow::Result<()> {
    let wanted = match (&args.manual, args.times, &args.at) {
        (Some(_), ..) => Some("manual".to_owned()),
        (None, Some(times), Some(at)) => Some(format!("{times}@{at}+{}", args.spread.unwrap_or(SPREAD))),
        _ => None,
    };
    let schedule = if wanted.is_some() || args.patience.is_some() {
        client.put("sync/schedule", &json!({ "schedule": wanted, "patience": args.patience })).await?
    } else {
        client.get("sync/schedule", &[]).await?
    };
    output::show(json, &schedule, |schedule| {
        let minutes = |name: &str| output::count(schedule[name].as_u64().unwrap_or(0), "minute");
        match schedule["times"].as_u64() {
            Some(times @ 1..) => {
                let spread = match schedule["spread"].as_u64() {
                    Some(0) => "on the minute".to_owned(),
                    _ => format!("up to {} later", minutes("spread")),
                };
                let (times, at) = (output::count(times, "time"), output::text(schedule.get("at")));
                say!("Synchronizes {times} a day, the first at {at} UTC, each {spread}.");
            }
            _ => say!("Synchronizes only on request (`sluicegate sync now`)."),
        }
        say!("One that does not come forward for {} is ended.", minutes("patience"));
    });
    Ok(())
}

async fn filter(client: &AdminClient, args: Filter, json: bool) -> anyhow::Result<()> {
    let mut meant = None;
    let filter = match args {
        Filter::Show => client.get("sync/filter", &[]).await?,
        Filter::Set { product, classification, language, exclude, exclude_nothing, dry_run } => {
            if dry_run && language.is_empty() {
                bail!(
                    "--dry-run says what another choice of languages means for files, so it needs --language; of \
                     products, classifications and --exclude there is none (`filters preview` shows what a filter \
                     would decline)"
                );
            }
            if !language.is_empty() && (dry_run || !json) {
                let told = client.post("sync/filter/preview", &json!({ "languages": language })).await?;
                if dry_run {
                    output::show(json, &told, |told| {
                        say_meant(told);
                        say_warnings(told);
                    });
                    return Ok(());
                }
                meant = Some(told);
            }
            let mut wanted = Map::new();
            let parts = [("products", product), ("classifications", classification), ("languages", language)];
            for (name, words) in parts {
                if !words.is_empty() {
                    wanted.insert(name.to_owned(), json!(words));
                }
            }
            if exclude_nothing || !exclude.is_empty() {
                wanted.insert("exclude".to_owned(), json!(exclude));
            }
            client.put("sync/filter", &Value::Object(wanted)).await?
        }
    };
    output::show(json, &filter, |filter| {
        // Asked before it was saved, and told only now: it may have been refused.
        meant.iter().for_each(say_meant);
        for (heading, name) in
            [("Products", "products"), ("Classifications", "classifications"), ("Languages", "languages")]
        {
            say!("{heading:<16} {}", chosen(&filter[name]));
        }
        if filter["exclude"].as_array().is_some_and(|list| !list.is_empty()) {
            say!("{:<16} {}", "Excluded", chosen(&filter["exclude"]));
        }
        say_warnings(filter);
    });
    Ok(())
}

/// What another choice of languages means, told before it is saved.
fn say_meant(meant: &Value) {
    let sum = |name: &str| {
        let bytes = meant[name]["bytes"].as_u64().unwrap_or(0);
        (meant[name]["files"].as_u64().unwrap_or(0), output::size(bytes))
    };
    let ((fetched, much), (dropped, less), (kept, held)) =
        (sum("fetched"), sum("no_longer_fetched"), sum("kept_though_unwanted"));
    say!(
        "The next synchronization fetches {} ({much}), and no longer {} ({less}).",
        output::count(fetched, "more file"),
        output::count(dropped, "file")
    );
    if kept > 0 {
        say!("Of the files that are here, {kept} ({held}) would not be wanted; what is here stays.");
    }
    say!("Texts need no fetching: every update is here with its texts in all languages.");
}

/// What came with an answer for a person to look at.
fn say_warnings(answer: &Value) {
    for warning in answer["warnings"].as_array().into_iter().flatten() {
        say!("Warning: {}", output::text(Some(warning)));
    }
}

/// Titles where they are known, ids where not.
fn chosen(part: &Value) -> String {
    let one = |item: &Value| match item.as_str().or_else(|| item["title"].as_str()) {
        Some(text) => text.to_owned(),
        None => format!("{} (not in the catalog)", output::text(item.get("id"))),
    };
    match part {
        Value::Array(items) => items.iter().map(one).collect::<Vec<_>>().join(", "),
        other => output::text(Some(other)),
    }
}

async fn content(
    client: &AdminClient,
    when: Option<ContentWhen>,
    express: Option<bool>,
    json: bool,
) -> anyhow::Result<()> {
    let when = when.map(|when| match when {
        ContentWhen::All => "all",
        ContentWhen::Approved => "approved",
        ContentWhen::Never => "never",
    });
    // What is not named stays as it is.
    let mut change = serde_json::Map::new();
    change.extend(when.map(|when| ("when".to_owned(), json!(when))));
    change.extend(express.map(|express| ("express".to_owned(), json!(express))));
    let policy = match change.is_empty() {
        true => client.get("sync/content", &[]).await?,
        false => client.put("sync/content", &Value::Object(change)).await?,
    };
    let approved = match policy["when"].as_str() {
        Some("never") if !json => {
            let query = [("approval", Some("approved".to_owned())), ("limit", Some("1".to_owned()))];
            client.get("updates", &query).await?["total"].as_u64().unwrap_or(0)
        }
        _ => 0,
    };
    output::show(json, &policy, |policy| {
        let express = if policy["express"] == true { ", express files too" } else { "" };
        match policy["when"].as_str() {
            Some("all") => say!("The files of all updates are fetched{express}."),
            Some("never") => {
                say!("No files are fetched.");
                if approved > 0 {
                    say!(
                        "Computers cannot install what is approved ({}) where its files are not here: put them in with \
                         `sluicegate content add`, or fetch them with `sync content approved`.",
                        output::count(approved, "update")
                    );
                }
            }
            _ => say!("The files of approved updates are fetched{express}."),
        }
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_did_not_finish_says_what_ended_it() {
        let run = json!({ "outcome": "cancelled", "error_code": "Cancelled/UpstreamChanged", "error": "the mode was changed" });
        assert_eq!(unfinished(&run), "the mode was changed");
        let run = json!({ "outcome": "interrupted", "error_code": "Interrupted", "error": "the server was stopped" });
        assert_eq!(unfinished(&run), "the server was stopped");
        let run = json!({ "outcome": "cancelled", "error_code": "Cancelled", "error": "the synchronization was cancelled" });
        assert_eq!(unfinished(&run), "it was cancelled");
        assert_eq!(unfinished(&json!({})), "it was lost");
    }
}
