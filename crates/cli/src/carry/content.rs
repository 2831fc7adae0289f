//! Cli room: the files of updates beside an export, in a folder laid out as content folders are
//! (`XX/SHA1.ending`). Copied out of a server and verified, and so is what lies there already; another server is
//! sent only what it lacks, and verifies it itself.

use crate::admin_client::{AdminClient, Refused, Unreachable};
use crate::carry::partial::{self, Partial};
use crate::output;
use anyhow::{Context as _, bail};
use http_body_util::BodyExt as _;
use indicatif::ProgressBar;
use serde_json::{Value, json};
use sha1::{Digest as _, Sha1};
use sluicegate_terms::Sha1Digest;
use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;

/// How many files a server is asked about at once.
const ASKED: usize = 5_000;

/// A file that a server holds.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    pub(crate) sha1: Sha1Digest,
    /// Below `Content`.
    pub(crate) path: String,
    pub(crate) size: u64,
}

/// What was copied out of a server.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fetched {
    copied: usize,
    bytes: u64,
    /// Were there with the bytes their names say.
    there: usize,
    /// Of the copied ones, those in whose place other bytes were.
    damaged: usize,
    /// Those that could not be had from the server: file and reason.
    pub(crate) failed: Vec<(String, String)>,
}

impl Fetched {
    pub(crate) fn to_json(&self) -> Value {
        json!({
            "copied": self.copied,
            "bytes": self.bytes,
            "already_there": self.there,
            "were_damaged": self.damaged,
            "failed": named(&self.failed),
        })
    }
}

impl fmt::Display for Fetched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size = output::size(self.bytes);
        let (were, are) = if self.there == 1 { ("was", "is") } else { ("were", "are") };
        write!(f, "Files: {} copied ({size}), {} {were} there and {are} whole.", self.copied, self.there)?;
        if self.damaged > 0 {
            let (were, are) = if self.damaged == 1 { ("was", "is") } else { ("were", "are") };
            write!(f, " Of those copied, {} {were} there damaged and {are} written anew.", self.damaged)?;
        }
        for (name, reason) in &self.failed {
            write!(f, "\n  `{name}` was not copied: {reason}")?;
        }
        Ok(())
    }
}

/// Files and reasons as JSON.
fn named(files: &[(String, String)]) -> Vec<Value> {
    files.iter().map(|(name, reason)| json!({ "name": name, "reason": reason })).collect()
}

/// Copies files into a folder; those that are there with the bytes their names say are left alone. One that the server
/// cannot give is named and does not stop the others.
pub(crate) async fn fetch(
    client: &AdminClient,
    folder: &Path,
    held: &[Held],
    json: bool,
) -> anyhow::Result<Fetched> {
    let mut fetched = Fetched::default();
    // Also for no file at all: `import` is given the same folder.
    let unwritable = || format!("cannot write `{}`", folder.display());
    tokio::fs::create_dir_all(folder).await.with_context(unwritable)?;
    let total = held.iter().map(|one| one.size).sum();
    let bar = if json { ProgressBar::hidden() } else { ProgressBar::new(total) };
    let mut swept = HashSet::new();
    for one in held {
        let path = place(folder, &one.path)?;
        if let Some(parent) = path.parent()
            && swept.insert(parent.to_owned())
        {
            let digest = |name: &str| Sha1Digest::from_hex(name.split('.').next().unwrap_or(name)).is_ok();
            partial::sweep(parent, digest);
        }
        let lies_there = std::fs::metadata(&path).ok().filter(std::fs::Metadata::is_file);
        if lies_there.as_ref().is_some_and(|meta| meta.len() == one.size)
            && digest_of(&path).await.is_ok_and(|found| found == one.sha1)
        {
            fetched.there += 1;
            bar.inc(one.size);
            continue;
        }
        match fetch_one(client, one, &path, &bar).await {
            Ok(()) => {}
            Err(Stopped::File(reason)) => {
                fetched.failed.push((one.path.clone(), reason));
                continue;
            }
            Err(Stopped::All(error)) => return Err(error),
        }
        fetched.damaged += usize::from(lies_there.is_some());
        fetched.copied += 1;
        fetched.bytes += one.size;
    }
    bar.finish_and_clear();
    Ok(fetched)
}

/// The digest of a file's bytes.
async fn digest_of(path: &Path) -> anyhow::Result<Sha1Digest> {
    let path = path.to_owned();
    let read = move || -> std::io::Result<Sha1Digest> {
        let mut file = std::fs::File::open(path)?;
        let (mut digest, mut piece) = (Sha1::new(), vec![0; 256 << 10]);
        loop {
            match file.read(&mut piece)? {
                0 => return Ok(Sha1Digest(digest.finalize().into())),
                count => digest.update(&piece[..count]),
            }
        }
    };
    Ok(tokio::task::spawn_blocking(read).await??)
}

/// Where a file goes: two plain names below the folder, whatever the server says.
fn place(folder: &Path, path: &str) -> anyhow::Result<PathBuf> {
    let plain = |name: &str| {
        !name.is_empty()
            && !name.starts_with('.')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '~' | '+'))
    };
    match path.split('/').collect::<Vec<_>>().as_slice() {
        [first, second] if plain(first) && plain(second) => Ok(folder.join(first).join(second)),
        _ => bail!("the server names a file `{path}`, which is no name of a content file"),
    }
}

/// Why a file was not copied.
enum Stopped {
    /// It is the file's own fault.
    File(String),
    /// Every other one would fail too: nothing can be written here, or the server does not answer.
    All(anyhow::Error),
}

impl From<anyhow::Error> for Stopped {
    fn from(error: anyhow::Error) -> Self {
        Self::All(error)
    }
}

async fn fetch_one(client: &AdminClient, one: &Held, path: &Path, bar: &ProgressBar) -> Result<(), Stopped> {
    let unwritable = || format!("cannot write `{}`", path.display());
    let parent = path.parent().unwrap_or(Path::new("."));
    tokio::fs::create_dir_all(parent).await.with_context(unwritable)?;
    let partial = Partial::of(path);
    let fetched = async {
        write_one(client, one, &partial, bar).await?;
        Ok(partial.finish().with_context(unwritable)?)
    };
    let fetched = fetched.await;
    if fetched.is_err() {
        partial.give_up();
    }
    fetched
}

/// Writes a file under another name, and verifies it on the way.
async fn write_one(
    client: &AdminClient,
    one: &Held,
    partial: &Partial,
    bar: &ProgressBar,
) -> Result<(), Stopped> {
    let unwritable =
        || format!("cannot write `{}`; make room there or name another folder", partial.path().display());
    let answer = match client.fetch(&format!("Content/{}", one.path)).await {
        Ok(answer) => answer,
        Err(error) if error.is::<Refused>() => return Err(Stopped::File(format!("{error:#}"))),
        Err(error) => return Err(Stopped::All(error)),
    };
    let mut out = tokio::fs::File::from_std(partial.create().with_context(unwritable)?);
    let mut body = answer.into_body();
    let mut digest = Sha1::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Stopped::File(format!("the server broke it off ({error})")))?;
        if let Ok(data) = frame.into_data() {
            digest.update(&data);
            out.write_all(&data).await.with_context(unwritable)?;
            bar.inc(data.len() as u64);
        }
    }
    settle(&mut out).await.with_context(unwritable)?;
    if Sha1Digest(digest.finalize().into()) != one.sha1 {
        let reason = "its bytes are not those its name says; it is damaged on the server, or on the way";
        return Err(Stopped::File(reason.to_owned()));
    }
    Ok(())
}

/// Waits until everything written lies on the disk. What was written last may still fail, and only `flush` says so:
/// `sync_all` waits for it too, but forgets how it ended.
async fn settle(out: &mut tokio::fs::File) -> std::io::Result<()> {
    out.flush().await?;
    out.sync_all().await
}

/// `1 file was`, for sentences.
pub(crate) fn files_were(number: usize) -> String {
    let verb = if number == 1 { "was" } else { "were" };
    format!("{} {verb}", output::count(number as u64, "file"))
}

/// What was sent to a server.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sent {
    sent: usize,
    bytes: u64,
    held: u64,
    undeclared: u64,
    /// Were held, and the server's disk does not have them any more.
    lost: u64,
    /// Not sent and not asked about, since the server could not be reached any more.
    unsent: usize,
    /// File and reason.
    pub(crate) refused: Vec<(String, String)>,
}

impl Sent {
    /// The failure that ended the sending, and what to do about what is not sent.
    fn cut_off(&self, error: anyhow::Error) -> anyhow::Error {
        if !error.is::<Unreachable>() {
            return error.context(format!("{} not sent", files_were(self.unsent)));
        }
        error.context(format!(
            "{} not sent; once the server runs, repeat the same `import`: it passes over what is there and sends the rest",
            files_were(self.unsent)
        ))
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({
            "sent": self.sent,
            "bytes": self.bytes,
            "already_held": self.held,
            "lost": self.lost,
            "undeclared": self.undeclared,
            "unsent": self.unsent,
            "refused": named(&self.refused),
        })
    }
}

impl fmt::Display for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size = output::size(self.bytes);
        let were = if self.held == 1 { "was" } else { "were" };
        let belong = if self.undeclared == 1 { "belongs" } else { "belong" };
        write!(
            f,
            "Files: {} sent ({size}), {} {were} held, {} {belong} to no update here.",
            self.sent, self.held, self.undeclared
        )?;
        if self.lost > 0 {
            let (were, are) = if self.lost == 1 { ("was", "it is") } else { ("were", "they are") };
            write!(
                f,
                "\n  {} {were} held and gone from the server's disk or cut off there, so {are} among those to send.",
                output::count(self.lost, "file")
            )?;
        }
        if self.unsent > 0 {
            write!(f, "\n  {} not sent: the server could not be reached any more.", files_were(self.unsent))?;
        }
        for (name, reason) in &self.refused {
            write!(f, "\n  `{name}` was refused: {reason}")?;
        }
        Ok(())
    }
}

/// Sends those of the files that the server lacks; a server that is away for a moment is waited for. What was done is in
/// `sent`, also when the server ends on the way: then that is the failure.
pub(crate) async fn send(
    client: &AdminClient,
    files: &BTreeMap<Sha1Digest, PathBuf>,
    json: bool,
    sent: &mut Sent,
) -> anyhow::Result<()> {
    sent.unsent = files.len();
    let digests: Vec<&Sha1Digest> = files.keys().collect();
    let mut missing = Vec::new();
    for some in digests.chunks(ASKED) {
        let names: Vec<String> = some.iter().map(|sha1| sha1.to_hex_upper()).collect();
        let answer = ask(client, &json!({ "sha1": names })).await.map_err(|error| sent.cut_off(error))?;
        sent.held += answer["held"].as_u64().unwrap_or(0);
        sent.undeclared += answer["undeclared"].as_u64().unwrap_or(0);
        sent.lost += answer["lost"].as_u64().unwrap_or(0);
        let list = answer["missing"].as_array().map(Vec::as_slice).unwrap_or_default();
        for sha1 in list.iter().filter_map(Value::as_str) {
            missing.push(Sha1Digest::from_hex(sha1)?);
        }
        sent.unsent = sent.unsent.saturating_sub(some.len().saturating_sub(list.len()));
    }
    for sha1 in missing {
        let Some(path) = files.get(&sha1) else { continue };
        let mut added = crate::commands::content::add(client, path, json).await;
        for _ in 1..TRIES {
            if !added.as_ref().is_err_and(|error| error.is::<Unreachable>()) {
                break;
            }
            comes_back(client).await.map_err(|error| sent.cut_off(error))?;
            added = crate::commands::content::add(client, path, json).await;
        }
        // The server knows files by their bytes. Whether these are the bytes that the name says is known here.
        let reason = match added {
            Ok(added) if added["sha1"].as_str().is_some_and(|taken| taken == sha1.to_hex_upper()) => {
                sent.unsent = sent.unsent.saturating_sub(1);
                sent.sent += 1;
                sent.bytes += added["size"].as_u64().unwrap_or(0);
                continue;
            }
            Ok(_) => DAMAGED.to_owned(),
            Err(_) if digest_of(path).await.is_ok_and(|found| found != sha1) => DAMAGED.to_owned(),
            Err(error) if error.is::<Unreachable>() => format!("it was broken off {TRIES} times: {error:#}"),
            Err(error) => format!("{error:#}"),
        };
        sent.unsent = sent.unsent.saturating_sub(1);
        sent.refused.push((path.display().to_string(), reason));
    }
    Ok(())
}

/// Asks which files the server lacks.
async fn ask(client: &AdminClient, names: &Value) -> anyhow::Result<Value> {
    match client.post("content/missing", names).await {
        Err(error) if error.is::<Unreachable>() => {
            comes_back(client).await?;
            client.post("content/missing", names).await
        }
        answer => answer,
    }
}

/// Waits for a server that could not be reached, as long as a restart takes; it is asked again and again.
async fn comes_back(client: &AdminClient) -> anyhow::Result<()> {
    let mut away = Ok(());
    for wait in PATIENCE {
        tokio::time::sleep(Duration::from_millis(wait)).await;
        match client.get("status", &[]).await {
            Err(error) if error.is::<Unreachable>() => away = Err(error),
            _ => return Ok(()),
        }
    }
    away
}

/// A file is sent so often, where the server answers in between.
const TRIES: u32 = 3;

/// Milliseconds between looks for a server that is away.
const PATIENCE: [u64; 6] = [200, 500, 1_000, 2_000, 2_000, 4_000];

/// Why a file was refused whose bytes have another digest than the one in its name.
const DAMAGED: &str = "its bytes are not those its name says: it is damaged, copy it again";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_go_into_the_folder_and_nowhere_else() {
        let folder = Path::new("/out");
        let good = place(folder, "AB/2F88DF42DA48AA980FB748D13BAA2DE49CD154AB.exe").unwrap();
        assert_eq!(good, Path::new("/out/AB/2F88DF42DA48AA980FB748D13BAA2DE49CD154AB.exe"));
        assert!(place(folder, "AB/2F88DF42DA48AA980FB748D13BAA2DE49CD154AB.ex_").is_ok());
        for bad in ["../x", "AB/../x", "AB/a%41", "~/a b", "/etc/passwd", "AB", "AB/", "AB/.hidden", "AB/a b"]
        {
            assert!(place(folder, bad).is_err(), "{bad}");
        }
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn what_a_full_disk_did_not_take_is_an_error() {
        let mut out = tokio::fs::File::options().write(true).open("/dev/full").await.unwrap();
        // The bytes are taken, and written later.
        let _ = out.write_all(b"the whole of a small file").await;
        assert_eq!(settle(&mut out).await.unwrap_err().kind(), std::io::ErrorKind::StorageFull);
    }

    #[test]
    fn one_file_is_no_plural() {
        let fetched = Fetched { copied: 1, there: 1, damaged: 1, ..Fetched::default() }.to_string();
        assert!(
            fetched.contains("1 was there and is whole. Of those copied, 1 was there damaged and is"),
            "{fetched}"
        );
        let sent = Sent { held: 1, undeclared: 1, ..Sent::default() }.to_string();
        assert!(sent.ends_with("1 was held, 1 belongs to no update here."), "{sent}");
        let sent = Sent { held: 2, ..Sent::default() }.to_string();
        assert!(sent.ends_with("2 were held, 0 belong to no update here."), "{sent}");
    }
}
