//! Cli room: which server a command speaks to. `--data` finds the local one and its token in the
//! data folder; `--server` with `--token-file` names any other.

use crate::args::Target;
use anyhow::{Context as _, bail};
use std::path::{Path, PathBuf};

/// Where the admin API is and the token it wants.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    /// Base URL without a trailing slash.
    pub(crate) base: String,
    /// Bearer token.
    pub(crate) token: String,
}

/// The data folder of `serve` when none is named: apart for the demo, so that looking around never
/// touches a real catalog.
pub(crate) fn data_folder(target: &Target, demo: bool) -> PathBuf {
    target
        .data
        .clone()
        .unwrap_or_else(|| PathBuf::from(if demo { "sluicegate-demo" } else { "sluicegate-data" }))
}

/// The data folder of a command that works on one itself: the one that is named, or the usual one that is there. One in
/// which a server listens comes first.
pub(crate) fn local_folder(target: &Target) -> PathBuf {
    target.data.clone().unwrap_or_else(|| usual_folder(Path::new("")))
}

/// The usual data folder below a working directory.
fn usual_folder(below: &Path) -> PathBuf {
    let usual = || ["sluicegate-data", "sluicegate-demo"].into_iter().map(|name| below.join(name));
    let listens = usual().find(|folder| folder.join("listen").exists());
    listens
        .or_else(|| usual().find(|folder| folder.is_dir()))
        .unwrap_or_else(|| below.join("sluicegate-data"))
}

impl Endpoint {
    /// Finds the server that `target` names.
    pub(crate) fn find(target: &Target) -> anyhow::Result<Self> {
        if let Some(server) = &target.server {
            let Some(file) = &target.token_file else {
                bail!(
                    "--server needs --token-file: the admin token is in the file `admin-token` of that server's data folder"
                );
            };
            return Ok(Self { base: server.trim_end_matches('/').to_owned(), token: token(file)? });
        }
        let folder = local_folder(target);
        let listen = folder.join("listen");
        if !listen.exists() {
            bail!(
                "no running server found in `{}`: start one with `sluicegate serve --data {}`, or name another with --data or --server",
                folder.display(),
                folder.display()
            );
        }
        Ok(Self {
            base: read_line(&listen)?.trim_end_matches('/').to_owned(),
            token: token(&folder.join("admin-token"))?,
        })
    }
}

/// The token in a file. What cannot be one is said here, by the name of the file.
pub(crate) fn token(path: &Path) -> anyhow::Result<String> {
    let token = read_line(path)?;
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        bail!(
            "`{}` holds no admin token: that is one word on one line, as in the file `admin-token` of the server's \
             data folder",
            path.display()
        );
    }
    Ok(token)
}

fn read_line(path: &Path) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    Ok(text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_folders_are_both_looked_in_and_one_that_is_served_comes_first() {
        let dir = tempfile::tempdir().unwrap();
        let [data, demo] = ["sluicegate-data", "sluicegate-demo"].map(|name| dir.path().join(name));
        assert_eq!(usual_folder(dir.path()), data, "to be named in what is said");
        std::fs::create_dir(&demo).unwrap();
        assert_eq!(usual_folder(dir.path()), demo);
        std::fs::create_dir(&data).unwrap();
        assert_eq!(usual_folder(dir.path()), data);
        std::fs::write(demo.join("listen"), "http://127.0.0.1:1").unwrap();
        assert_eq!(usual_folder(dir.path()), demo);
    }

    #[test]
    fn a_file_that_holds_no_token_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("secret");
        std::fs::write(&file, "0123abc\n").unwrap();
        assert_eq!(token(&file).unwrap(), "0123abc");
        for text in ["", "\n", "one\ntwo\n", "two words", "schlüssel"] {
            std::fs::write(&file, text).unwrap();
            let said = token(&file).unwrap_err().to_string();
            assert!(said.contains("secret` holds no admin token"), "{said}");
        }
    }
}
