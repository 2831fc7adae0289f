//! Repair: the tree of servers, read from a file and put in order, top first.

use anyhow::{Context as _, bail};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Most servers of one tree.
const MOST: usize = 10_000;

/// A server of the tree.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) url: String,
    pub(crate) token_file: PathBuf,
    /// The name of its upstream server in the tree; none for the top.
    #[serde(default)]
    pub(crate) parent: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Tree {
    server: Vec<Node>,
}

/// Reads a tree; every server comes after its parent.
pub(crate) fn read(file: &Path) -> anyhow::Result<Vec<Node>> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read `{}`", file.display()))?;
    ordered(&text).with_context(|| format!("`{}` is not a tree of servers", file.display()))
}

fn ordered(text: &str) -> anyhow::Result<Vec<Node>> {
    let Tree { server: mut waiting } = toml::from_str(text)?;
    if waiting.is_empty() || waiting.len() > MOST {
        bail!("it names {} servers; 1 to {MOST} are possible", waiting.len());
    }
    let names: BTreeSet<String> = waiting.iter().map(|node| node.name.clone()).collect();
    if names.len() < waiting.len() {
        bail!("two servers have the same name");
    }
    for node in &waiting {
        if let Some(parent) = node.parent.as_ref().filter(|parent| !names.contains(*parent)) {
            bail!("the parent of `{}`, `{parent}`, is not in it", node.name);
        }
    }
    let mut done: Vec<Node> = Vec::with_capacity(waiting.len());
    while !waiting.is_empty() {
        let placed: BTreeSet<&str> = done.iter().map(|node| node.name.as_str()).collect();
        let (ready, later): (Vec<Node>, Vec<Node>) = waiting
            .into_iter()
            .partition(|node| node.parent.as_ref().is_none_or(|parent| placed.contains(parent.as_str())));
        if ready.is_empty() {
            bail!("`{}` is above itself", later.first().map_or("", |node| node.name.as_str()));
        }
        done.extend(ready);
        waiting = later;
    }
    Ok(done)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(name: &str, parent: &str) -> String {
        let parent = if parent.is_empty() { String::new() } else { format!("parent = \"{parent}\"\n") };
        format!("[[server]]\nname = \"{name}\"\nurl = \"http://{name}\"\ntoken-file = \"/t\"\n{parent}")
    }

    fn names(text: &str) -> anyhow::Result<Vec<String>> {
        Ok(ordered(text)?.into_iter().map(|node| node.name).collect())
    }

    #[test]
    fn parents_come_before_their_children() {
        let text =
            [server("leaf", "middle"), server("middle", "top"), server("top", ""), server("other", "top")];
        assert_eq!(names(&text.concat()).unwrap(), ["top", "middle", "other", "leaf"]);
    }

    #[test]
    fn trees_that_are_none_are_refused() {
        for (text, said) in [
            ([server("a", "b"), server("b", "a")].concat(), "above itself"),
            ([server("a", ""), server("a", "")].concat(), "same name"),
            (server("a", "nobody"), "nobody"),
            ("server = []".to_owned(), "0 servers"),
            ("[[server]]\nname = \"a\"".to_owned(), "url"),
        ] {
            let error = format!("{:#}", names(&text).unwrap_err());
            assert!(error.contains(said), "{error}");
        }
    }
}
