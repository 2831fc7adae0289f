//! Runs one test of this very test program again as a child process that can be killed: the child does
//! the work and says on its standard output what has been acknowledged.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

const FOLDER: &str = "STORE_TEST_CHILD_FOLDER";
const MARK: &str = "ACKNOWLEDGED ";

/// The folder to work in, when this process is a child; `None` in an ordinary test run.
pub fn folder() -> Option<PathBuf> {
    std::env::var_os(FOLDER).map(PathBuf::from)
}

/// Says that something is durable.
pub fn acknowledge(what: impl std::fmt::Display) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "\n{MARK}{what}").and_then(|()| out.flush()).unwrap();
}

/// A command that runs the named test as a child, possibly behind a wrapping program.
pub fn command(wrapper: &[&str], test: &str, folder: &Path) -> Command {
    let mut words: Vec<std::ffi::OsString> = wrapper.iter().map(Into::into).collect();
    words.push(std::env::current_exe().unwrap().into());
    words.extend(["--exact", test, "--nocapture", "--test-threads=1"].map(Into::into));
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).env(FOLDER, folder);
    command
}

/// When the child is killed.
#[derive(Clone, Copy, Debug)]
pub enum Kill {
    /// So long after its start: while it opens the folder, or soon after.
    AfterStart(Duration),
    /// So long after its first acknowledgement.
    AfterFirst(Duration),
}

/// Runs the child, kills it (SIGKILL), and answers everything it acknowledged.
pub fn run_and_kill(test: &str, folder: &Path, when: Kill) -> Vec<String> {
    let mut child = command(&[], test, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("start the child");
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let acknowledged = |line: std::io::Result<String>| Some(line.ok()?.strip_prefix(MARK)?.to_owned());
    let mut first = None;
    match when {
        Kill::AfterStart(delay) => std::thread::sleep(delay),
        Kill::AfterFirst(delay) => {
            first = lines.by_ref().find_map(acknowledged);
            assert!(first.is_some(), "the child ended before it acknowledged anything");
            std::thread::sleep(delay);
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    // What was in the pipe when the child died was said before it died.
    first.into_iter().chain(lines.filter_map(acknowledged)).collect()
}
