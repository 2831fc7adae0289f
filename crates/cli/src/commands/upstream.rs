//! Cli room: `upstream`, where the catalog comes from. The server tries settings before it saves them.

use crate::admin_client::AdminClient;
use crate::args::hierarchy::{Upstream, UpstreamSet};
use crate::output;
use crate::output::say;
use anyhow::Context as _;
use serde_json::{Map, Value, json};

pub(crate) async fn run(client: &AdminClient, args: Upstream, json: bool) -> anyhow::Result<()> {
    match args {
        Upstream::Set(args) => set(client, &args, json).await,
        Upstream::Show => {
            let settings = client.get("upstream", &[]).await?;
            output::show(json, &settings, table);
            Ok(())
        }
        Upstream::Test => {
            let found = client.post("upstream/probe", &json!({})).await?;
            output::show(json, &found, say_found);
            Ok(())
        }
    }
}

fn table(settings: &Value) {
    if settings["source"].is_null() {
        say!("No upstream is set: the catalog holds what is imported. Set one with `upstream set`.");
        return;
    }
    output::fields(
        settings,
        &[
            ("Upstream", "/source"),
            ("Mode", "/mode"),
            ("Proxy", "/proxy"),
            ("Proxy for TLS", "/tls_proxy"),
            ("Proxy user", "/proxy_user"),
            ("Password expires", "/proxy_password_expires"),
            ("Without proxy", "/proxy_bypass"),
            ("Certificates", "/ca_file"),
            ("Known there as", "/account_name"),
            ("Files from Microsoft", "/files_from_microsoft"),
        ],
    );
}

fn say_found(found: &Value) {
    say!(
        "Reached {}: protocol {}, {} revisions a request{}.",
        output::text(found.get("source")),
        output::text(found.get("protocol")),
        output::text(found.get("updates_per_request")),
        if found["catalog_only"] == true { ", files come from Microsoft" } else { "" }
    );
}

async fn set(client: &AdminClient, args: &UpstreamSet, json: bool) -> anyhow::Result<()> {
    let wanted = Value::Object(wanted(args)?);
    let has_upstream = !wanted["source"].is_null();
    let mut settings = client.put("upstream", &wanted).await?;
    let found = settings.as_object_mut().and_then(|settings| settings.remove("probe")).unwrap_or_default();
    let answer = json!({ "upstream": settings, "probe": found });
    output::show(json, &answer, |answer| {
        if !answer["probe"].is_null() {
            say_found(&answer["probe"]);
        }
        table(&answer["upstream"]);
        if has_upstream {
            say!(
                "\n`sluicegate sync now --wait` synchronizes, `sync schedule` says when it happens by itself."
            );
        }
    });
    Ok(())
}

/// What is given, as the admin API takes it; `none` takes a thing away.
fn wanted(args: &UpstreamSet) -> anyhow::Result<Map<String, Value>> {
    let given = |text: &str| if text.eq_ignore_ascii_case("none") { Value::Null } else { json!(text) };
    let mut wanted = Map::new();
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            wanted.insert(name.to_owned(), value);
        }
    };
    put("source", Some(given(&args.source)));
    put(
        "mode",
        if args.replica { Some(json!("replica")) } else { args.autonomous.then(|| json!("autonomous")) },
    );
    put("proxy", args.proxy.as_deref().map(given));
    put("tls_proxy", args.tls_proxy.as_deref().map(given));
    put("proxy_user", args.proxy_user.as_deref().map(given));
    if let Some(path) = &args.proxy_password_file {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the password in `{}`", path.display()))?;
        let password = text.lines().next().unwrap_or_default();
        if password.is_empty() {
            anyhow::bail!("the first line of `{}` is empty; it has to be the password", path.display());
        }
        put("proxy_password", Some(json!(password)));
    }
    put("proxy_password_expires", args.proxy_password_expires.as_deref().map(given));
    if let [first, rest @ ..] = args.proxy_bypass.as_slice() {
        let none = rest.is_empty() && first.eq_ignore_ascii_case("none");
        put("proxy_bypass", Some(if none { json!([]) } else { json!(args.proxy_bypass) }));
    }
    put("account_name", args.account_name.as_deref().map(given));
    put("files_from_microsoft", args.files_from_microsoft.map(|yes| json!(yes)));
    put("probe", args.no_probe.then_some(json!(false)));
    put("proxy_basic", args.proxy_ntlm_only.then_some(json!(false)));
    if let Some(path) = &args.ca {
        let text = path.to_string_lossy();
        // The server has another current folder.
        let whole = || std::path::absolute(path).with_context(|| format!("`{text}` is not a path"));
        put("ca_file", Some(if text == "none" { Value::Null } else { json!(whole()?.to_string_lossy()) }));
    }
    Ok(wanted)
}
