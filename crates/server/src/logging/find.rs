//! Logging: finding what belongs to a fault's id, in logs of this server and in those of WSUS servers: the
//! lines with the id, the lines before it on the same thread, and what the same computer did around then.
//! Logs are read line by line, so their size does not matter.

use serde_json::Value;
use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

/// Longest line that is looked at, in bytes; the rest of a longer one is passed over.
const LONGEST: u64 = 64 << 10;

/// Most lines of one answer part.
const MOST: usize = 100;

/// How many minutes around the fault are shown of the same computer.
const MINUTES: i64 = 5;

/// Lines of one thread that are remembered, and threads.
const REMEMBERED: usize = 12;
const THREADS: usize = 512;

/// A line of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// The file.
    pub file: PathBuf,
    /// Its number in the file, from 1.
    pub number: u64,
    /// The line.
    pub text: String,
}

/// What belongs to an id.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Found {
    /// The lines of the request: with the id, those before it on the same thread, and what follows them.
    pub request: Vec<LogLine>,
    /// Lines of the same computer within some minutes.
    pub around: Vec<LogLine>,
    /// The computer, when the lines say which.
    pub client: Option<String>,
    /// The address it came from.
    pub peer: Option<String>,
    /// The `ErrorCode`.
    pub code: Option<String>,
    /// Why, in the server's words.
    pub cause: Option<String>,
}

/// Searches logs, oldest first.
///
/// # Errors
/// When a file cannot be read.
pub fn find(logs: &[PathBuf], id: &str) -> io::Result<Found> {
    let id = id.trim().trim_matches(['{', '}']).to_ascii_lowercase();
    let mut found = Found::default();
    let mut minutes = Vec::new();
    for log in logs {
        let mut threads: HashMap<String, VecDeque<LogLine>> = HashMap::new();
        let mut following = false;
        read(log, |line| {
            let parts = Parts::of(&line.text);
            if line.text.to_ascii_lowercase().contains(&id) {
                if let Some(earlier) = threads.remove(&parts.thread) {
                    // On WSUS the cause stands before the line with the id and does not name it.
                    let from = earlier.iter().rposition(|l| is_error(&l.text)).unwrap_or(earlier.len());
                    found.request.extend(earlier.into_iter().skip(from).take(MOST));
                }
                found.learn(&line.text, &parts);
                minutes.extend(parts.minute);
                if found.request.len() < MOST {
                    found.request.push(line);
                }
                following = true;
            } else if parts.head {
                following = false;
                remember(&mut threads, parts.thread, line);
            } else if following && found.request.len() < MOST {
                found.request.push(line);
            } else if let Some(last) = threads.values_mut().max_by_key(|lines| lines.back().map(|l| l.number))
            {
                // Frames of a stack belong to the line before them.
                last.push_back(line);
                if last.len() > 4 * REMEMBERED {
                    last.pop_front();
                }
            }
        })?;
    }
    if found.cause.is_none() {
        found.cause = found
            .request
            .iter()
            .map(|line| &line.text)
            .find(|text| is_error(text))
            .map(|text| Parts::of(text).message);
    }
    if found.client.is_some() || found.peer.is_some() {
        around(logs, &mut found, &minutes)?;
    }
    Ok(found)
}

fn remember(threads: &mut HashMap<String, VecDeque<LogLine>>, thread: String, line: LogLine) {
    if threads.len() >= THREADS && !threads.contains_key(&thread) {
        threads.clear();
    }
    let lines = threads.entry(thread).or_default();
    if lines.len() >= REMEMBERED {
        lines.pop_front();
    }
    lines.push_back(line);
}

fn is_error(text: &str) -> bool {
    let parts = Parts::of(text);
    parts.level.eq_ignore_ascii_case("error")
}

/// What the same computer did around that time.
fn around(logs: &[PathBuf], found: &mut Found, minutes: &[i64]) -> io::Result<()> {
    let address =
        found.peer.as_deref().map(|peer| peer.rsplit_once(':').map_or(peer, |(host, _)| host).to_owned());
    let names: Vec<String> =
        found.client.iter().cloned().chain(address).filter(|name| name.len() > 2).collect();
    let known: Vec<(PathBuf, u64)> = found.request.iter().map(|l| (l.file.clone(), l.number)).collect();
    for log in logs {
        read(log, |line| {
            let near = Parts::of(&line.text)
                .minute
                .is_some_and(|minute| minutes.iter().any(|fault| (fault - minute).abs() <= MINUTES));
            let same = near && names.iter().any(|name| line.text.contains(name.as_str()));
            if same && found.around.len() < MOST && !known.contains(&(line.file.clone(), line.number)) {
                found.around.push(line);
            }
        })?;
    }
    Ok(())
}

fn read(path: &Path, mut each: impl FnMut(LogLine)) -> io::Result<()> {
    let mut reader = BufReader::with_capacity(256 << 10, File::open(path)?);
    let mut number = 0;
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        let read = io::Read::take(&mut reader, LONGEST).read_until(b'\n', &mut bytes)?;
        if read == 0 {
            return Ok(());
        }
        number += 1;
        if !bytes.ends_with(b"\n") && read as u64 == LONGEST {
            reader.skip_until(b'\n')?;
        }
        let text = String::from_utf8_lossy(&bytes).trim_end().to_owned();
        each(LogLine { file: path.to_owned(), number, text });
    }
}

/// A line, taken apart as far as its format allows.
struct Parts {
    /// It begins an entry; other lines belong to the one before.
    head: bool,
    /// Minutes since some day, for telling what is near.
    minute: Option<i64>,
    level: String,
    thread: String,
    message: String,
}

impl Parts {
    fn of(text: &str) -> Self {
        if let Some(Value::Object(event)) =
            text.starts_with('{').then(|| serde_json::from_str(text).ok()).flatten()
        {
            let of = |name: &str| event.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
            let cause = of("cause");
            return Self {
                head: true,
                minute: minute(&of("timestamp")),
                level: of("level"),
                // Events are whole in this format; nothing of a thread is needed.
                thread: String::new(),
                message: if cause.is_empty() { of("message") } else { cause },
            };
        }
        let mut words = text.split_whitespace();
        let (date, time) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let stamp = if date.len() > 10 { date.to_owned() } else { format!("{date} {time}") };
        let Some(minute) = minute(&stamp) else {
            return Self {
                head: false,
                minute: None,
                level: String::new(),
                thread: String::new(),
                message: text.to_owned(),
            };
        };
        let mut rest = words.filter(|word| *word != "UTC");
        let (level, thread) = if date.len() > 10 {
            (time.to_owned(), String::new())
        } else {
            (rest.next().unwrap_or_default().to_owned(), rest.next().unwrap_or_default().to_owned())
        };
        let component = rest.next().unwrap_or_default();
        let message =
            text.split_once(component).filter(|_| !component.is_empty()).map_or("", |(_, rest)| rest);
        Self { head: true, minute: Some(minute), level, thread, message: message.trim().to_owned() }
    }
}

/// `2026-10-04 12:00:00.123` or the same with a `T`, in minutes.
fn minute(stamp: &str) -> Option<i64> {
    let (date, time) = stamp.split_once([' ', 'T'])?;
    let (hour, minute) = (time.get(..2)?.parse::<i64>().ok()?, time.get(3..5)?.parse::<i64>().ok()?);
    let day: sluicegate_terms::Timestamp = format!("{date}T00:00:00Z").parse().ok()?;
    Some(day.unix_seconds() / 60 + hour * 60 + minute)
}

impl Found {
    /// Takes what a line with the id says.
    fn learn(&mut self, text: &str, parts: &Parts) {
        let named = |names: &[&str]| names.iter().find_map(|name| value(text, name)).filter(|v| v != "?");
        self.client = self.client.take().or_else(|| named(&["client=", "Client=", "\"client\":"]));
        self.peer = self.peer.take().or_else(|| named(&["peer=", "\"peer\":"]));
        self.code = self.code.take().or_else(|| named(&["ErrorCode=", "error_code=", "\"error_code\":"]));
        if self.cause.is_none() && !parts.message.starts_with("ThrowException") && !parts.message.is_empty() {
            let cause = value(text, "cause=").unwrap_or_else(|| parts.message.clone());
            self.cause = Some(cause.split(" [ID=").next().unwrap_or_default().to_owned());
        }
    }
}

/// What follows a name, to the end of the word or the closing quote.
fn value(text: &str, name: &str) -> Option<String> {
    let (_, rest) = text.split_once(name)?;
    let value = match rest.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next(),
        None => rest.split([',', ' ', ']', '\t', '}']).next(),
    };
    value.filter(|value| !value.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "c0a7445f-b989-43fa-ac20-11f8ca65fa8c";

    fn log(dir: &tempfile::TempDir, name: &str, lines: &[&str]) -> PathBuf {
        let path = dir.path().join(name);
        std::fs::write(&path, lines.join("\n")).unwrap();
        path
    }

    #[test]
    fn our_own_log_gives_the_request_the_client_and_the_cause() {
        let dir = tempfile::tempdir().unwrap();
        let fault = format!(
            "2026-10-04 12:00:00.123 UTC\tError\tsluicegate.3\tClientImplementation.SyncUpdates\tthe disk is full [ID={ID}, client=pc-1, peer=192.0.2.7:50000]"
        );
        let told = format!(
            "2026-10-04 12:00:00.123 UTC\tWarning\tsluicegate.3\tSoapUtilities.CreateException\tThrowException: actor = http://x, ID={ID}, ErrorCode=InternalServerError, Message=, Client=pc-1"
        );
        let lines = [
            "2026-10-04 11:00:00.000 UTC\tInfo\tsluicegate.3\tServer.Services\tfault client=pc-1 long before",
            "2026-10-04 11:58:00.000 UTC\tInfo\tsluicegate.4\tServer.Services\tsomething of client=pc-1",
            "2026-10-04 11:59:00.000 UTC\tInfo\tsluicegate.3\tServer.Services\tsomething of client=pc-2",
            &fault,
            &told,
        ];
        let found = find(&[log(&dir, "a.log", &lines)], &format!("{{{}}}", ID.to_uppercase())).unwrap();
        assert_eq!(found.request.iter().map(|l| l.number).collect::<Vec<_>>(), [4, 5]);
        assert_eq!(found.around.iter().map(|l| l.number).collect::<Vec<_>>(), [2]);
        assert_eq!(found.client.as_deref(), Some("pc-1"));
        assert_eq!(found.peer.as_deref(), Some("192.0.2.7:50000"));
        assert_eq!(found.code.as_deref(), Some("InternalServerError"));
        assert_eq!(found.cause.as_deref(), Some("the disk is full"));
    }

    #[test]
    fn a_log_of_wsus_gives_the_exception_that_stands_before_the_id() {
        let dir = tempfile::tempdir().unwrap();
        let told = format!(
            "2008-08-13 09:00:01.000 UTC\tWarning\tw3wp.12\tSoapUtilities.CreateException\tThrowException: actor = http://wsus/client.asmx, ID={ID}, ErrorCode=InternalServerError, Message=, Client=?"
        );
        let lines = [
            "2008-08-13 09:00:00.000 UTC\tError\tw3wp.7\tClientImplementation.SyncUpdates\tsomebody else's trouble",
            "2008-08-13 09:00:01.000 UTC\tError\tw3wp.12\tClientImplementation.SyncUpdates\tSystem.ArgumentException: key '7'",
            "   at System.Collections.Hashtable.Insert(Object key)",
            "   at Internal.ClientImplementation.SyncUpdates(Cookie cookie)",
            &told,
            "2008-08-13 09:00:02.000 UTC\tInfo\tw3wp.12\tSomething\tlater",
        ];
        let found = find(&[log(&dir, "SoftwareDistribution.log", &lines)], ID).unwrap();
        assert_eq!(found.request.iter().map(|l| l.number).collect::<Vec<_>>(), [2, 3, 4, 5]);
        assert_eq!(found.cause.as_deref(), Some("System.ArgumentException: key '7'"));
        assert_eq!((found.client, found.code.as_deref()), (None, Some("InternalServerError")));
    }

    #[test]
    fn json_lines_are_understood_and_an_unknown_id_finds_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let line = format!(
            "{{\"timestamp\":\"2026-10-04T12:00:00.1Z\",\"level\":\"ERROR\",\"message\":\"fault\",\"id\":\"{ID}\",\"error_code\":\"ServerBusy\",\"client\":\"pc-1\",\"cause\":\"no room\"}}"
        );
        let logs = [log(&dir, "a.json", &[&line])];
        let found = find(&logs, ID).unwrap();
        assert_eq!((found.code.as_deref(), found.cause.as_deref()), (Some("ServerBusy"), Some("no room")));
        assert_eq!(found.client.as_deref(), Some("pc-1"));
        assert_eq!(find(&logs, "00000000-0000-0000-0000-000000000001").unwrap(), Found::default());
        assert!(find(&[dir.path().join("missing")], ID).is_err());
    }
}
