//! Cli room: `config show` and `config set`.

use crate::admin_client::AdminClient;
use crate::args::Config;
use crate::output;
use crate::output::say;
use serde_json::{Value, json};

pub(crate) async fn run(client: &AdminClient, args: Config, json: bool) -> anyhow::Result<()> {
    let value = match args {
        Config::Show => client.get("config", &[]).await?,
        Config::Set { name, value } => {
            // `true`, `5` and `null` are themselves; everything else is text.
            let value = serde_json::from_str::<Value>(&value).unwrap_or(Value::String(value));
            client.put("config", &json!({ name: value })).await?
        }
    };
    output::show(json, &value, |value| {
        let Some(settings) = value.as_object() else { return };
        let width = settings.keys().map(String::len).max().unwrap_or(0);
        for (name, value) in settings {
            say!("{name:<width$}  {}", output::text(Some(value)));
        }
    });
    Ok(())
}
