//! Cli room: how answers look. A table for people, the server's JSON untouched for programs.

use crate::admin_client::Refused;
use anyhow::Context as _;
use comfy_table::{ContentArrangement, Table, presets};
use serde_json::{Value, json};
use std::io::{BufRead as _, IsTerminal as _};

/// `println!` for answers: a reader who has seen enough (`| head`) ends the command instead of failing it.
macro_rules! say {
    ($($words:tt)*) => { $crate::output::write_line(format_args!($($words)*)) };
}
pub(crate) use say;

/// Writes one line to standard output; without a reader there is nothing left to do.
pub(crate) fn write_line(line: std::fmt::Arguments<'_>) {
    use std::io::Write as _;
    if writeln!(std::io::stdout(), "{line}").is_err() {
        std::process::exit(0);
    }
}

/// Asks whether to go on. Without somebody at a terminal the answer is no.
pub(crate) fn agreed() -> anyhow::Result<bool> {
    if !std::io::stdin().is_terminal() {
        return Ok(false);
    }
    say!("Go on? [y/N]");
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).context("cannot read the answer")?;
    Ok(matches!(line.trim(), "y" | "Y" | "yes"))
}

/// A column: its heading and the JSON pointer of its value within a row.
pub(crate) type Column = (&'static str, &'static str);

/// Prints `value` as JSON, or runs `table` on it.
pub(crate) fn show(json: bool, value: &Value, table: impl FnOnce(&Value)) {
    if json {
        say!("{value:#}");
    } else {
        table(value);
    }
}

/// A failure as programs read it, in the form in which the admin API tells of one; `code` is there when the server
/// refused.
pub(crate) fn failure(error: &anyhow::Error) -> Value {
    let code = error.downcast_ref::<Refused>().map(|refused| refused.code.as_str());
    json!({ "error": { "code": code, "message": format!("{error:#}") } })
}

/// Prints the rows of `list` (an array) as a table; says `empty` when there are none.
pub(crate) fn rows(list: &Value, columns: &[Column], empty: &str) {
    let list = list.as_array().map(Vec::as_slice).unwrap_or_default();
    if list.is_empty() {
        say!("{empty}");
        return;
    }
    let mut table = new_table();
    table.set_header(columns.iter().map(|(heading, _)| heading.to_uppercase()));
    for row in list {
        table.add_row(columns.iter().map(|(_, pointer)| text(row.pointer(pointer))));
    }
    print(&table, 0);
}

/// Prints the named values of one object, one per line; absent ones are left out.
pub(crate) fn fields(object: &Value, columns: &[Column]) {
    let width = columns.iter().map(|(heading, _)| heading.len()).max().unwrap_or(0);
    for (heading, pointer) in columns {
        let value = text(object.pointer(pointer));
        if !value.is_empty() {
            say!("{heading:<width$}  {value}");
        }
    }
}

/// A JSON value as a person reads it.
pub(crate) fn text(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(s)) => s.clone(),
        Some(Value::Bool(b)) => if *b { "yes" } else { "no" }.to_owned(),
        Some(Value::Array(items)) => items.iter().map(|item| text(Some(item))).collect::<Vec<_>>().join(", "),
        Some(Value::Object(map)) => map
            .iter()
            .map(|(key, value)| format!("{key} {}", text(Some(value))))
            .collect::<Vec<_>>()
            .join(", "),
        Some(other) => other.to_string(),
    }
}

/// So many of a thing: "1 file", "2 files".
pub(crate) fn count(number: u64, thing: &str) -> String {
    if number == 1 { format!("1 {thing}") } else { format!("{number} {thing}s") }
}

/// So many entries of the audit log.
pub(crate) fn entries(number: u64) -> String {
    if number == 1 { "1 entry".to_owned() } else { format!("{number} entries") }
}

/// A size in bytes as a person reads it: three digits and a binary unit.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    match unit {
        0 => format!("{bytes} B"),
        _ if value < 10.0 => format!("{value:.2} {}", UNITS[unit]),
        _ => format!("{value:.1} {}", UNITS[unit]),
    }
}

/// Prints a list of objects as a table, its headings their keys.
pub(crate) fn table_of(items: &[Value], indent: usize) {
    let mut keys: Vec<&String> = Vec::new();
    for key in items.iter().filter_map(Value::as_object).flat_map(|item| item.keys()) {
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    let mut table = new_table();
    table.set_header(keys.iter().map(|key| key.replace('_', " ").to_uppercase()));
    for item in items {
        table.add_row(keys.iter().map(|key| text(item.get(key.as_str()))));
    }
    print(&table, indent);
}

fn print(table: &Table, indent: usize) {
    // Columns are padded; trailing space helps nobody.
    for line in table.lines() {
        say!("{:indent$}{}", "", line.trim_end());
    }
}

/// A time in seconds as a person reads it: three digits and a unit.
pub(crate) fn duration(seconds: f64) -> String {
    let (value, unit) = match seconds {
        s if s < 1e-3 => (s * 1e6, "µs"),
        s if s < 1.0 => (s * 1e3, "ms"),
        s => (s, "s"),
    };
    match value {
        v if v < 10.0 => format!("{v:.2} {unit}"),
        v if v < 100.0 => format!("{v:.1} {unit}"),
        v => format!("{v:.0} {unit}"),
    }
}

fn new_table() -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    if !std::io::IsTerminal::is_terminal(&std::io::stdout()) {
        // A program that reads the table should not meet wrapped lines.
        table.set_content_arrangement(ContentArrangement::Disabled);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_for_people() {
        assert_eq!(size(0), "0 B");
        assert_eq!(size(1023), "1023 B");
        assert_eq!(size(1536), "1.50 KiB");
        assert_eq!(size(11_606_440), "11.1 MiB");
    }

    #[test]
    fn one_of_a_thing_is_no_plural() {
        assert_eq!([0, 1, 2].map(|n| count(n, "file")), ["0 files", "1 file", "2 files"]);
    }

    #[test]
    fn a_failure_is_one_object_for_programs() {
        let failed = anyhow::anyhow!("no such file").context("cannot read `x.cab`");
        let expected = json!({ "error": { "code": null, "message": "cannot read `x.cab`: no such file" } });
        assert_eq!(failure(&failed), expected);
    }

    #[test]
    fn times_are_for_people() {
        assert_eq!(duration(0.000_155_61), "156 µs");
        assert_eq!(duration(0.8012), "801 ms");
        assert_eq!(duration(0.0021), "2.10 ms");
        assert_eq!(duration(18.84), "18.8 s");
    }

    #[test]
    fn values_are_for_people() {
        assert_eq!(text(Some(&serde_json::json!(["a", "b"]))), "a, b");
        assert_eq!(text(Some(&serde_json::json!(true))), "yes");
        assert_eq!(text(None), "");
    }
}
