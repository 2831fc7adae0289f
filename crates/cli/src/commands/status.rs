//! Cli room: `status`, the server in one screen.

use crate::admin_client::AdminClient;
use crate::output;
use crate::output::say;
use serde_json::Value;

pub(crate) async fn run(client: &AdminClient, json: bool) -> anyhow::Result<()> {
    let status = client.get("status", &[]).await?;
    output::show(json, &status, |status| print_tree(status, 0));
    Ok(())
}

/// Every value on its own line, groups indented: new figures of the server show without a change here.
fn print_tree(value: &Value, indent: usize) {
    let Some(map) = value.as_object() else {
        say!("{:indent$}{}", "", output::text(Some(value)));
        return;
    };
    let width = map.iter().filter(|(_, v)| !v.is_object()).map(|(k, _)| k.len()).max().unwrap_or(0);
    for (key, value) in map {
        let label = key.replace('_', " ");
        match value {
            Value::Object(_) => {
                say!("{:indent$}{label}", "");
                print_tree(value, indent + 2);
            }
            Value::Array(list) if list.iter().any(Value::is_object) => {
                say!("{:indent$}{label}", "");
                list.iter().for_each(|one| say!("{:1$}{2}", "", indent + 2, output::text(Some(one))));
            }
            Value::Number(n) if key.ends_with("bytes") => {
                say!("{:indent$}{label:<width$}  {}", "", output::size(n.as_u64().unwrap_or(0)));
            }
            _ => say!("{:indent$}{label:<width$}  {}", "", output::text(Some(value))),
        }
    }
}
