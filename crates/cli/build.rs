//! Notes which commit the program is built from, if anybody knows: `SLUICEGATE_COMMIT` says so, or else git does. A
//! build outside of a repository or without git says nothing, and is as good.

use std::path::Path;
use std::process::Command;

fn git(words: &[&str]) -> Option<String> {
    let ran = Command::new("git").args(words).output().ok()?;
    let text = String::from_utf8(ran.stdout).ok()?;
    let text = text.trim();
    (ran.status.success() && !text.is_empty()).then(|| text.to_owned())
}

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=SLUICEGATE_COMMIT");
    // What `HEAD` names changes with a commit, `HEAD` itself with a branch.
    for name in ["HEAD".to_owned(), git(&["symbolic-ref", "-q", "HEAD"]).unwrap_or_default()] {
        let path = git(&["rev-parse", "--git-path", &name]).filter(|_| !name.is_empty());
        if let Some(path) = path.filter(|path| Path::new(path).exists()) {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    let given = std::env::var("SLUICEGATE_COMMIT").ok().filter(|commit| !commit.trim().is_empty());
    let commit = given.or_else(|| git(&["rev-parse", "--short=12", "HEAD"])).unwrap_or_default();
    let plain = commit.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_'));
    println!("cargo::rustc-env=SLUICEGATE_BUILT_FROM={}", if plain { commit.as_str() } else { "" });
}
