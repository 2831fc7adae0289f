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
    let mut settings = settings.clone();
    if settings["approved_outside_filter"] == 0 {
        settings["approved_outside_filter"] = Value::Null;
    }
    settings["password_sent"] = match (settings["proxy_basic"] == false, settings["proxy_user"].is_null()) {
        (true, _) => json!("by NTLM only"),
        (false, false) => json!("by NTLM, readable (Basic) where the proxy does not offer that"),
        (false, true) => Value::Null,
    };
    output::fields(
        &settings,
        &[
            ("Upstream", "/source"),
            ("Mode", "/mode"),
            ("Proxy", "/proxy"),
            ("Proxy for TLS", "/tls_proxy"),
            ("Proxy user", "/proxy_user"),
            ("Password sent", "/password_sent"),
            ("Password expires", "/proxy_password_expires"),
            ("Without proxy", "/proxy_bypass"),
            ("Certificates", "/ca_file"),
            ("Known there as", "/account_name"),
            ("Files from Microsoft", "/files_from_microsoft"),
            ("Filter leaves out", "/approved_outside_filter"),
        ],
    );
    if let Some(warning) = settings["warning"].as_str() {
        say!("Warning: {warning}.");
    }
}

fn say_found(found: &Value) {
    say!(
        "Reached {}: protocol {}, {} a request{}.",
        output::text(found.get("source")),
        output::text(found.get("protocol")),
        output::count(found["updates_per_request"].as_u64().unwrap_or(0), "revision"),
        if found["catalog_only"] == true { ", files come from Microsoft" } else { "" }
    );
}

async fn set(client: &AdminClient, args: &UpstreamSet, json: bool) -> anyhow::Result<()> {
    let wanted = Value::Object(wanted(args)?);
    let mut settings = client.put("upstream", &wanted).await?;
    let found = settings.as_object_mut().and_then(|settings| settings.remove("probe")).unwrap_or_default();
    let switched = settings.as_object_mut().and_then(|all| all.remove("switched")).unwrap_or_default();
    let answer = json!({ "upstream": settings, "probe": found, "switched": switched });
    output::show(json, &answer, |answer| {
        if !answer["probe"].is_null() {
            say_found(&answer["probe"]);
        }
        table(&answer["upstream"]);
        if let Some(sentence) = answer["switched"].as_str() {
            say!("\n{sentence}");
        }
        if wanted["source"] == "microsoft-update" {
            say!(
                "\n`sluicegate sync now --categories-only --wait` fetches the products and classifications; choose \
                 among them with `sync filter set` before anything else is fetched."
            );
        }
        if !answer["upstream"]["source"].is_null() {
            say!(
                "\n`sluicegate sync now --wait` synchronizes, `sync schedule` says when it happens by itself."
            );
        }
    });
    Ok(())
}

/// What is given, as the admin API takes it; `none` takes a thing away.
fn wanted(args: &UpstreamSet) -> anyhow::Result<Map<String, Value>> {
    let mut wanted = Map::new();
    for (name, option, text) in [
        ("source", "the upstream", args.source.as_ref()),
        ("proxy", "--proxy", args.proxy.as_ref()),
        ("tls_proxy", "--tls-proxy", args.tls_proxy.as_ref()),
        ("proxy_user", "--proxy-user", args.proxy_user.as_ref()),
        ("proxy_password_expires", "--proxy-password-expires", args.proxy_password_expires.as_ref()),
        ("account_name", "--account-name", args.account_name.as_ref()),
    ] {
        if let Some(text) = text {
            filled(option, text)?;
            wanted.insert(name.to_owned(), if is_none(text) { Value::Null } else { json!(text) });
        }
    }
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            wanted.insert(name.to_owned(), value);
        }
    };
    put(
        "mode",
        if args.replica { Some(json!("replica")) } else { args.autonomous.then(|| json!("autonomous")) },
    );
    if let Some(path) = &args.proxy_password_file {
        let read = std::fs::read(path).map_err(anyhow::Error::from).and_then(|bytes| first_line(&bytes));
        let password = read.with_context(|| format!("cannot read the password in `{}`", path.display()))?;
        if password.is_empty() {
            anyhow::bail!("the first line of `{}` is empty; it has to be the password", path.display());
        }
        put("proxy_password", Some(json!(password)));
    }
    for host in &args.proxy_bypass {
        filled("--proxy-bypass", host)?;
    }
    if let [first, rest @ ..] = args.proxy_bypass.as_slice() {
        let none = rest.is_empty() && is_none(first);
        put("proxy_bypass", Some(if none { json!([]) } else { json!(args.proxy_bypass) }));
    }
    put("files_from_microsoft", args.files_from_microsoft.map(|yes| json!(yes)));
    put("probe", args.no_probe.then_some(json!(false)));
    if args.proxy_ntlm_only || args.proxy_basic {
        put("proxy_basic", Some(json!(args.proxy_basic)));
    }
    if let Some(path) = &args.ca {
        let text = path.to_string_lossy();
        // The server has another current folder.
        let whole = || std::path::absolute(path).with_context(|| format!("`{text}` is not a path"));
        put("ca_file", Some(if is_none(&text) { Value::Null } else { json!(whole()?.to_string_lossy()) }));
    }
    Ok(wanted)
}

/// The first line of a file as editors write it: UTF-8, with or without a byte order mark, or UTF-16 with one. The mark
/// is no part of the text.
fn first_line(bytes: &[u8]) -> anyhow::Result<String> {
    let units = |unit: fn([u8; 2]) -> u16| -> Vec<u16> {
        bytes.chunks_exact(2).skip(1).map(|pair| unit([pair[0], pair[1]])).collect()
    };
    let unreadable = "it is not text in UTF-8; save it as such";
    let text = match bytes {
        [0xff, 0xfe, ..] => String::from_utf16(&units(u16::from_le_bytes)).context(unreadable)?,
        [0xfe, 0xff, ..] => String::from_utf16(&units(u16::from_be_bytes)).context(unreadable)?,
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8(rest.to_vec()).context(unreadable)?,
        _ => String::from_utf8(bytes.to_vec()).context(unreadable)?,
    };
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

/// The word that takes a thing away.
fn is_none(text: &str) -> bool {
    text.trim().eq_ignore_ascii_case("none")
}

/// Refuses an empty text: a script whose variable is empty must not take anything away.
fn filled(option: &str, text: &str) -> anyhow::Result<()> {
    if text.trim().is_empty() {
        anyhow::bail!("{option} is empty, so nothing was changed; give a value, or `none` to take it away");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_order_mark_is_no_part_of_a_password() {
        let utf16 = |mark: [u8; 2], unit: fn(u16) -> [u8; 2]| -> Vec<u8> {
            mark.into_iter().chain("p\u{e4}ss\r\nx".encode_utf16().flat_map(unit)).collect()
        };
        for written in [
            b"p\xc3\xa4ss\r\nx".to_vec(),
            b"\xef\xbb\xbfp\xc3\xa4ss\n".to_vec(),
            utf16([0xff, 0xfe], u16::to_le_bytes),
            utf16([0xfe, 0xff], u16::to_be_bytes),
        ] {
            assert_eq!(first_line(&written).unwrap(), "p\u{e4}ss", "{written:?}");
        }
        assert_eq!(first_line(b" se cret \n").unwrap(), " se cret ", "spaces may be part of it");
        assert_eq!(first_line(b"\xef\xbb\xbf").unwrap(), "");
        assert!(first_line(b"p\xe4ss\n").unwrap_err().to_string().contains("UTF-8"));
    }
}
