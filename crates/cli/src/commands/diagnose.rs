//! Cli room: `diagnose`, everything that can keep a server from synchronizing and serving, looked at in order.

use crate::admin_client::AdminClient;
use crate::output::{self, say};
use serde_json::{Value, json};

/// What `--help` says of exit codes.
pub(crate) const EXIT_CODES: &str = "\
Exit codes: 0 all is well; 1 the server could not be asked; 2 wrong arguments. Else the first check that fails\n\
decides: 10 own-endpoints, 11 upstream-set, 12 name, 13 connection, 14 proxy, 15 tls, 16 service,\n\
17 authorization, 18 protocol, 19 filter, 20 disk-space, 21 decisions, 22 stuck-run, 23 publisher,\n\
24 files, 25 servers-below.";

pub(crate) async fn run(client: &AdminClient, json: bool) -> anyhow::Result<()> {
    let found = client.post("diagnose", &json!({})).await?;
    output::show(json, &found, table);
    match found["exit_code"].as_i64().and_then(|code| i32::try_from(code).ok()) {
        Some(0) => Ok(()),
        Some(code) => std::process::exit(code),
        None => anyhow::bail!("the server's answer has no exit code"),
    }
}

fn table(found: &Value) {
    output::rows(
        &found["checks"],
        &[("Check", "/check"), ("Result", "/result"), ("Expected", "/expected"), ("Found", "/found")],
        "Nothing was looked at.",
    );
    let checks = found["checks"].as_array().map(Vec::as_slice).unwrap_or_default();
    let failed: Vec<&Value> = checks.iter().filter(|check| check["result"] == "failed").collect();
    for check in &failed {
        let problem = match check["problem"].as_str() {
            Some(problem) => format!(" (known problem {problem})"),
            None => String::new(),
        };
        say!("\n{}{problem}: {}", output::text(check.get("check")), output::text(check.get("remedy")));
    }
    match failed.len() {
        0 => say!("\nAll is well."),
        1 => {}
        _ => say!(
            "\nBegin with {}: what comes after may follow from it.",
            output::text(found.get("first_failure"))
        ),
    }
}
