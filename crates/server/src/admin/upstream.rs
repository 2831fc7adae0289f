//! `GET upstream`, `PUT upstream`, `POST upstream/probe`: which server the catalog comes from, who decides,
//! and the way there. A change names what it changes; the rest stays. Passwords go in and never come out.

use super::error::AdminError;
use super::input::{Input, Names};
use super::{proxy, with_store};
use crate::services::upstream::is_account_name;
use crate::state::App;
use crate::{ring, watching};
use serde_json::{Value, json};
use sluicegate_policy::hierarchy::Mode;
use sluicegate_policy::{Decisions, Group};
use sluicegate_store::hierarchy::{
    Password, ProxyCredentials, ProxyServer, UpstreamSettings, UpstreamSource,
};
use sluicegate_store::{Store, Targeting};
use sluicegate_terms::{GroupId, Timestamp};
use sluicegate_upstream::transport::{NoProxy, Url};
use std::path::PathBuf;
use std::sync::Arc;

/// `GET upstream`: the settings; `warning`, a sentence, when the upstream takes its catalog from here; and how many updates
/// the upstream approves that the filter leaves out.
pub(super) async fn show(app: &App) -> Result<Value, AdminError> {
    let now = app.clock.now();
    let look = move |store: &Store| Ok((store.ring(now)?, store.approved_outside_filter()?.len()));
    let (ring, left_out) = with_store(app, look).await?;
    let mut answer = shown(&app.store.upstream_settings());
    answer["warning"] = json!(ring.map(|ring| format!("{}; {}", ring::sentence(&ring), ring::remedy(&ring))));
    answer["approved_outside_filter"] = json!(left_out);
    Ok(answer)
}

fn shown(settings: &UpstreamSettings) -> Value {
    let proxy = |server: &Option<ProxyServer>| server.as_ref().map(proxy::address);
    let credentials = settings.proxy.credentials.as_ref();
    json!({
        "source": settings.source.as_ref().map(UpstreamSource::as_str),
        "mode": settings.mode.as_str(),
        "lifted": settings.lifted,
        "decided_by": settings.decided_by().map(UpstreamSource::as_str),
        "proxy": proxy(&settings.proxy.http),
        "tls_proxy": proxy(&settings.proxy.https),
        "proxy_user": credentials.map(account),
        "proxy_basic": !settings.proxy.ntlm_only,
        "proxy_bypass": settings.proxy.bypass,
        "proxy_password_expires": settings.proxy.password_expires.map(day),
        "ca_file": settings.ca_file.as_ref().map(|path| path.display().to_string()),
        "account_name": settings.account_name,
        "files_from_microsoft": settings.files_from_microsoft,
    })
}

/// A date as administrators write it.
fn day(at: Timestamp) -> String {
    at.iso().chars().take(10).collect()
}

fn account(credentials: &ProxyCredentials) -> String {
    match credentials.domain.as_str() {
        "" => credentials.user.clone(),
        domain => format!("{domain}\\{}", credentials.user),
    }
}

/// What a change may name; first what says where the way to the upstream leads.
const NAMED: [&str; 14] = [
    "source",
    "proxy",
    "tls_proxy",
    "proxy_user",
    "proxy_password",
    "proxy_basic",
    "proxy_bypass",
    "ca_file",
    "mode",
    "keep_decisions",
    "proxy_password_expires",
    "account_name",
    "files_from_microsoft",
    "probe",
];

/// What a change must name for the way to the upstream to be another one, so that it is tried before it is saved.
const WAY: &[&str] = NAMED.split_at(8).0;

/// What a change may name.
pub(super) const UPSTREAM: Names = Names::new("an upstream", &NAMED);

/// `PUT upstream`: changes what is named. Another way to the upstream is tried first, and nothing is saved when it
/// leads nowhere; `"probe": false` saves it untried. A change of mode changes decisions, so it is put in service.
pub(super) async fn change(app: &Arc<App>, input: &Input) -> Result<Value, AdminError> {
    let tried = changed(&app.store.upstream_settings(), input)?;
    let other_way = WAY.iter().any(|name| input.0.contains_key(*name));
    let wanted = input.flag("probe")?.unwrap_or(other_way) && tried.source.is_some();
    let found = match wanted {
        // What the store would refuse needs no probe.
        true if tried.source == Some(UpstreamSource::MicrosoftUpdate) && tried.mode == Mode::Replica => None,
        true => Some(probed(app, tried).await.map_err(AdminError::nothing_saved)?),
        false => None,
    };
    let _turn = app.settings_turn.lock().await;
    let before = app.store.upstream_settings();
    let after = changed(&before, input)?;
    let now = app.clock.now();
    let (saved, reached) = (after.clone(), found.is_some());
    let other_source = before.source != after.source;
    let named = input.0.contains_key("source");
    let (was, is, ungrouped) = with_store(app, move |store| {
        let was = store.decisions();
        let ungrouped = store.set_upstream_settings(saved, now)?;
        let is = store.decisions();
        if named {
            store.forget_ring(now)?;
            ring::judge(store, now)?;
        }
        if other_source || reached {
            watching::forget_upstream(store, now)?;
        }
        watching::password_expires(store, now)?;
        Ok((was, is, ungrouped))
    })
    .await?;
    let switched = before.holds_upstreams_decisions() != after.holds_upstreams_decisions();
    if switched {
        app.directory.forget_everybody();
    }
    app.synchronizer.settings_changed();
    app.synchronizer.schedule_looked_at().await;
    tracing::info!(
        upstream = after.source.as_ref().map_or("none", UpstreamSource::as_str),
        before = before.source.as_ref().map_or("none", UpstreamSource::as_str),
        mode = after.mode.as_str(),
        tried = reached,
        "upstream set"
    );
    let mut answer = shown(&after);
    answer["probe"] = found.unwrap_or(Value::Null);
    if switched {
        let lost = lost(app.store.targeting(), ungrouped);
        let mut sentence = switch(after.holds_upstreams_decisions(), &was, &is, &lost);
        sentence.push_str(filtered(&after));
        tracing::info!(mode = after.mode.as_str(), "{sentence}");
        answer["switched"] = json!(sentence);
    }
    Ok(answer)
}

/// What a server that becomes a replica is to be told of its filter, when it has one.
fn filtered(settings: &UpstreamSettings) -> &'static str {
    let filter = &settings.filter;
    let chooses = filter.products.listed().is_some() || filter.classifications.listed().is_some();
    match settings.decided_by() {
        Some(_) if chooses => {
            " The filter of products and classifications stays in force (`sluicegate sync filter show`): what the \
             upstream approves outside it does not come."
        }
        _ => "",
    }
}

/// What a change of mode put aside, and what is in force instead.
fn switch(replica: bool, was: &Decisions, is: &Decisions, lost: &str) -> String {
    let own = |group: &Group| ![GroupId::ALL_COMPUTERS, GroupId::UNASSIGNED_COMPUTERS].contains(&group.id);
    let counts = |of: &Decisions| {
        let count = |number: usize, thing| format!("{number} {thing}{}", if number == 1 { "" } else { "s" });
        let groups = count(of.groups.iter().filter(|group| own(group)).count(), "group");
        let (approvals, declines) =
            (count(of.approvals.len(), "approval"), count(of.declined.len(), "decline"));
        format!("{groups}, {approvals} and {declines}")
    };
    let (mode, until) = if replica {
        ("a replica", " until the next synchronization takes over its upstream's")
    } else {
        ("autonomous", "; rules did not run on what came while it was a replica")
    };
    format!(
        "This server is {mode} now: {} are put aside, and {} are in force{until}.{lost}",
        counts(was),
        counts(is)
    )
}

/// How many computers have no group in the mode that is in force, and when they have one again.
fn lost(targeting: Targeting, ungrouped: u64) -> String {
    let (computers, their, they) = match ungrouped {
        0 => return String::new(),
        1 => ("1 computer is".to_owned(), "its group does", "it is"),
        count => (format!("{count} computers are"), "their groups do", "they are"),
    };
    let until = match targeting {
        Targeting::Server => {
            format!("{they} put back when groups of these ids or names are there again within 90 days")
        }
        Targeting::Client => format!("{they} in groups of the names asked for as soon as there are such"),
    };
    format!(" {computers} in Unassigned Computers now, for {their} not exist in this mode; {until}.")
}

/// `POST upstream/probe`: reaches the upstream with the present settings, changed as `PUT upstream` would,
/// and says what it found. Nothing is saved.
pub(super) async fn probe(app: &App, input: &Input) -> Result<Value, AdminError> {
    probed(app, changed(&app.store.upstream_settings(), input)?).await
}

async fn probed(app: &App, settings: UpstreamSettings) -> Result<Value, AdminError> {
    let source = settings.source.as_ref().map(|source| source.as_str().to_owned());
    let found = app.synchronizer.probe(settings).await?;
    Ok(json!({
        "source": source,
        "protocol": found.protocol,
        "updates_per_request": found.updates_per_request,
        "catalog_only": found.catalog_only,
    }))
}

/// Settings with what is named changed; null takes a thing away.
fn changed(before: &UpstreamSettings, input: &Input) -> Result<UpstreamSettings, AdminError> {
    let mut after = before.clone();
    let named = |name: &str| input.0.contains_key(name);
    if named("source") {
        after.source = input.setting("source")?.map(source).transpose()?;
    }
    mode(&mut after, input)?;
    if named("proxy") {
        after.proxy.http = input.setting("proxy")?.map(proxy::parse).transpose()?;
    }
    if named("tls_proxy") {
        after.proxy.https = input.setting("tls_proxy")?.map(proxy::parse).transpose()?;
    }
    if named("proxy_bypass") {
        let written = input.texts("proxy_bypass")?;
        if written.iter().any(|host| host.trim().is_empty()) {
            return Err(AdminError::invalid(
                "`proxy_bypass` has an empty name, so nothing was changed; name hosts, or give an empty list (`none` \
                 at the command line) for none",
            ));
        }
        let entries = NoProxy::entries(&written);
        after.proxy.bypass =
            entries.map_err(|error| AdminError::invalid(format!("`proxy_bypass`: {error}")))?;
    }
    credentials(&mut after, input)?;
    expiry(&mut after, input)?;
    if named("ca_file") {
        after.ca_file = input.setting("ca_file")?.map(PathBuf::from);
    }
    if let Some(path) = after.ca_file.as_ref().filter(|path| !path.is_absolute()) {
        let path = path.display();
        return Err(AdminError::invalid(format!("`{path}` is not a whole path; name the file from `/` on")));
    }
    if named("account_name") {
        after.account_name = input.setting("account_name")?.unwrap_or_default().to_owned();
        if !after.account_name.is_empty() && !is_account_name(&after.account_name) {
            return Err(AdminError::invalid(format!(
                "{:?} cannot be the name of this server at its upstream: upstreams take letters, digits, hyphens \
                 and underscores, in parts of at most 63 between dots; null (`none` at the command line) lets it be \
                 the name of this machine",
                after.account_name
            )));
        }
    }
    if let Some(yes) = input.flag("files_from_microsoft")? {
        after.files_from_microsoft = yes;
    }
    // Nobody else can decide for a server without an upstream.
    if after.source.is_none() {
        if after.mode == Mode::Replica && input.text("mode")?.is_some() {
            return Err(AdminError::invalid(
                "a replica takes its decisions from its upstream, and none is set then; name the upstream, or leave \
                 the replica out",
            ));
        }
        (after.mode, after.lifted) = (Mode::Autonomous, false);
    }
    Ok(after)
}

/// Where the catalog comes from. An address must be one that can be asked, also when nobody tries it first.
fn source(text: &str) -> Result<UpstreamSource, AdminError> {
    let source: UpstreamSource = text.parse()?;
    if let UpstreamSource::Server(url) = &source {
        url.parse::<Url>().map_err(|error| AdminError::invalid(error.to_string()))?;
    }
    Ok(source)
}

/// Who decides. With `keep_decisions`, a replica becomes autonomous with the decisions it has, so that it can be
/// a replica again as if nothing had been.
fn mode(after: &mut UpstreamSettings, input: &Input) -> Result<(), AdminError> {
    let keep = input.flag("keep_decisions")?.unwrap_or(false);
    let Some(mode) = input.setting("mode")? else {
        return match keep {
            true => Err(AdminError::invalid("`keep_decisions` goes with `mode`: autonomous")),
            false => Ok(()),
        };
    };
    let held = after.holds_upstreams_decisions();
    after.mode = mode.parse()?;
    if keep && after.mode == Mode::Replica && !held {
        return Err(AdminError::invalid(
            "a replica takes over the decisions of its upstream; its own are put aside and come back when it is \
             autonomous again, so `keep_decisions` is only for making a replica autonomous",
        ));
    }
    after.lifted = keep && held && after.mode == Mode::Autonomous;
    Ok(())
}

/// Who we are to the proxy. Another user needs a password of its own; whether it may be sent readable is said of the
/// proxy, and holds for any user.
fn credentials(after: &mut UpstreamSettings, input: &Input) -> Result<(), AdminError> {
    let password = input.setting("proxy_password")?.map(|text| Password(text.to_owned()));
    if input.0.contains_key("proxy_user") {
        after.proxy.credentials = match input.setting("proxy_user")? {
            None => None,
            Some(text) => {
                let (domain, user) = text.split_once('\\').unwrap_or(("", text));
                let known = after.proxy.credentials.take();
                let same = known.filter(|c| c.user == user && c.domain == domain);
                Some(ProxyCredentials {
                    user: user.to_owned(),
                    domain: domain.to_owned(),
                    password: same.map(|c| c.password).unwrap_or_default(),
                })
            }
        };
    }
    if let Some(basic) = input.flag("proxy_basic")? {
        after.proxy.ntlm_only = !basic;
    }
    match &mut after.proxy.credentials {
        Some(credentials) => {
            credentials.password = password.unwrap_or_else(|| credentials.password.clone());
            Ok(())
        }
        None if password.is_some() => {
            Err(AdminError::invalid("a password for the proxy needs `proxy_user`, the name it belongs to"))
        }
        None => Ok(()),
    }
}

/// The last day of the password. Another password has another one, so it is forgotten unless it is given again.
fn expiry(after: &mut UpstreamSettings, input: &Input) -> Result<(), AdminError> {
    let named = |name: &str| input.0.contains_key(name);
    if named("proxy_password_expires") {
        after.proxy.password_expires = match input.setting("proxy_password_expires")? {
            None => None,
            Some(text) => Some(format!("{text}T00:00:00Z").parse().map_err(|_| {
                let shown: String = text.chars().take(40).collect();
                AdminError::invalid(format!("`{shown}` is no date; write it as 2026-12-31"))
            })?),
        };
    } else if named("proxy_password") || after.proxy.credentials.is_none() {
        after.proxy.password_expires = None;
    }
    if after.proxy.password_expires.is_some() && after.proxy.credentials.is_none() {
        return Err(AdminError::invalid(
            "`proxy_password_expires` needs `proxy_user`, the name whose password it is about",
        ));
    }
    Ok(())
}

#[cfg(test)]
#[path = "upstream_tests.rs"]
mod tests;
