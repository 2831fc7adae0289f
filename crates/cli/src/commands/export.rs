//! Cli room: `export`, catalog and decisions into a file for a network that this one cannot reach, in the
//! forms of `wsusutil export`. The server sends one document after the other; they are packed here.

use crate::admin_client::AdminClient;
use crate::args::hierarchy::Export;
use crate::carry::content;
use crate::carry::journal::Journal;
use crate::carry::pack::{self, Form, Item};
use crate::carry::partial::{self, Partial};
use crate::lines::Lines;
use crate::output;
use crate::output::say;
use anyhow::{Context as _, bail};
use indicatif::ProgressBar;
use serde_json::{Value, json};
use sluicegate_catalog::package::{Contents, ExportFile, Language};
use sluicegate_terms::{RevisionNumber, Sha1Digest, UpdateId, UpdateIdentity};
use std::path::Path;
use tokio::sync::mpsc;

/// Longest document, in bytes.
const LONGEST_DOCUMENT: u64 = 1 << 30;

pub(crate) async fn run(client: &AdminClient, args: &Export, json: bool) -> anyhow::Result<()> {
    let form = Form::of(&args.path)?;
    writable(args)?;
    // A file that is not whole must not look like one.
    let partial = Partial::of(&args.path);
    let journal = Journal::begin(args.log.as_deref(), "export", &args.path)?;
    let mut report = Value::Null;
    let ended = carry_out(client, args, form, json, &partial, &mut report).await;
    journal.end(&report, ended)
}

async fn carry_out(
    client: &AdminClient,
    args: &Export,
    form: Form,
    json: bool,
    partial: &Partial,
    report: &mut Value,
) -> anyhow::Result<()> {
    let query = [("decisions", args.no_decisions.then(|| "false".to_owned()))];
    let mut lines = Lines::new(client.stream("export", &query).await?);
    left_behind(&args.path);
    let written = write(&mut lines, form, &args.path, partial, json).await.and_then(|written| {
        partial.finish().with_context(|| format!("cannot give `{}` its name", args.path.display()))?;
        Ok(written)
    });
    if written.is_err() {
        partial.give_up();
    }
    let written = written?;
    let copied = match &args.content {
        Some(folder) => {
            let fetched = content::fetch(client, folder, &written.held, json).await;
            Some(fetched.with_context(|| {
                format!(
                    "`{}` is written and whole, but not every file of its updates was copied; export again to go on",
                    args.path.display()
                )
            })?)
        }
        None => None,
    };
    let size = written.size;
    *report = json!({
        "path": args.path.display().to_string(),
        "bytes": size,
        "revisions": written.end["revisions"],
        "files": written.end["files"],
        "decisions": written.end["decisions"],
        "left_out": written.left_out,
        "content": copied.as_ref().map(content::Fetched::to_json),
    });
    output::show(json, report, |report| {
        say!(
            "Wrote `{}` ({}): {}, {}.",
            args.path.display(),
            output::size(size),
            output::count(report["revisions"].as_u64().unwrap_or(0), "revision"),
            output::count(report["decisions"].as_u64().unwrap_or(0), "decision")
        );
        for one in written.left_out.iter().take(SHOWN) {
            say!("  Left out: {}", left_out(one));
        }
        if written.left_out.len() > SHOWN {
            say!("  … and {} more; --json and the log name them", written.left_out.len() - SHOWN);
        }
        if let Some(copied) = &copied {
            say!("{copied}");
        } else if !written.held.is_empty() {
            let held = match written.held.len() {
                1 => "one that is held".to_owned(),
                many => format!("{many} that are held"),
            };
            say!("Files of updates are not in it; --content DIR copies the {held}.");
        }
        say!(
            "`sluicegate import` takes it in on the other side; `wsusutil import` takes everything but decisions."
        );
    });
    let mut lacks = Vec::new();
    match written.left_out.len() as u64 {
        0 => {}
        count => lacks.push(format!(
            "{} {} damaged on the server and not in it; `sluicegate check` there says what helps",
            output::count(count, "revision"),
            if count == 1 { "is" } else { "are" }
        )),
    }
    match copied.map_or(0, |copied| copied.failed.len()) {
        0 => {}
        failed => lacks.push(format!(
            "{} not copied; `sluicegate check --content --repair` on the server finds what is damaged there",
            content::files_were(failed)
        )),
    }
    match lacks.is_empty() {
        true => Ok(()),
        false => bail!("`{}` is written and whole, but {}", args.path.display(), lacks.join("; ")),
    }
}

/// So many of what is left out are named to people.
const SHOWN: usize = 20;

/// One revision that the server could not read.
fn left_out(one: &Value) -> String {
    let title = one["title"].as_str().map_or_else(String::new, |title| format!("`{title}`, "));
    let name = match one["update"].as_str() {
        Some(update) => format!("{title}{update}, revision {}", one["revision"]),
        None => "a revision whose name cannot be read".to_owned(),
    };
    let decisions = match one["decisions"].as_u64() {
        None | Some(0) => String::new(),
        Some(count) => format!(", with {}", output::count(count, "decision")),
    };
    format!("{name}{decisions}: {}", output::text(one.get("reason")))
}

/// Looks whether the names can be written to, before the server is asked for anything.
fn writable(args: &Export) -> anyhow::Result<()> {
    let path = args.path.display();
    if args.path.is_dir() {
        bail!("`{path}` is a folder, so nothing was written; name a file, in it or beside it");
    }
    let parent = args.path.parent().filter(|parent| !parent.as_os_str().is_empty());
    if let Some(parent) = parent.filter(|parent| !parent.is_dir()) {
        bail!("`{path}` cannot be written: there is no folder `{}`; make it first", parent.display());
    }
    match &args.content {
        Some(folder) if folder.exists() && !folder.is_dir() => {
            bail!("`{}` is no folder, so nothing was written; name one for --content", folder.display())
        }
        _ => Ok(()),
    }
}

/// Removes what an export to this name left behind that was killed.
fn left_behind(path: &Path) {
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if let Some(own) = path.file_name().and_then(|name| name.to_str()) {
        partial::sweep(folder, |name| name == own);
    }
}

/// What was written.
struct Written {
    /// The server's last line.
    end: Value,
    /// The files that the server holds: digest, path below `Content`, size.
    held: Vec<content::Held>,
    /// The revisions that it could not read.
    left_out: Vec<Value>,
    /// Its length in bytes. Another export may have put its own in the place of the file.
    size: u64,
}

/// Receives the export and packs it on a thread of its own.
async fn write(
    lines: &mut Lines,
    form: Form,
    path: &Path,
    partial: &Partial,
    json: bool,
) -> anyhow::Result<Written> {
    let first = lines.next().await?.context("the server sent nothing")?;
    let head = first.get("export").context("the server's answer is not an export")?;
    let export = sluicegate_catalog::package::Export {
        server: text(head, "server")?.parse()?,
        created: text(head, "created")?.parse()?,
        languages: items(head, "languages").iter().map(language).collect(),
        files: Vec::new(),
    };
    let bar = match json {
        true => ProgressBar::hidden(),
        false => ProgressBar::new(head["revisions"].as_u64().unwrap_or(0)),
    };
    let out = partial.create().with_context(|| format!("cannot write `{}`", path.display()))?;
    let kept = out.try_clone().with_context(|| format!("cannot write `{}`", path.display()))?;
    let (items, packing) = mpsc::channel(64);
    let packer = tokio::task::spawn_blocking(move || pack::pack(form, export, out, packing));
    let (mut held, mut left_out) = (Vec::new(), Vec::new());
    let received = receive(lines, &items, &mut held, &mut left_out, &bar).await;
    let packer_stopped = items.is_closed();
    drop(items);
    let packed = packer.await?.map_err(|error| match error.root_cause().is::<std::io::Error>() {
        true => error.context(format!(
            "`{}` cannot be written, and nothing was kept; make room there or name another place",
            path.display()
        )),
        false => error,
    });
    bar.finish_and_clear();
    let end = ended(packed, received, packer_stopped)?;
    let size = kept.metadata().map(|meta| meta.len()).unwrap_or(0);
    Ok(Written { end, held, left_out, size })
}

/// How it ended: the packer knows best why it stopped taking. When the receiver stopped first, the packer only knows that
/// nothing more came, and the receiver why.
fn ended(
    packed: anyhow::Result<()>,
    received: anyhow::Result<Value>,
    packer_stopped: bool,
) -> anyhow::Result<Value> {
    match (packed, received) {
        (Err(_), Err(why)) if !packer_stopped => Err(why.context("nothing was kept; export again")),
        (packed, received) => packed.and(received),
    }
}

async fn receive(
    lines: &mut Lines,
    items: &mpsc::Sender<Item>,
    held: &mut Vec<content::Held>,
    left_out: &mut Vec<Value>,
    bar: &ProgressBar,
) -> anyhow::Result<Value> {
    let closed = |_| anyhow::anyhow!("writing the file stopped");
    while let Some(line) = lines.next().await? {
        if let Some(file) = line.get("file") {
            let sha1 = Sha1Digest::from_hex(text(file, "sha1")?)?;
            if file["held"] == true {
                let size = file["size"].as_u64().unwrap_or(0);
                held.push(content::Held { sha1, path: text(file, "path")?.to_owned(), size });
            }
            let file =
                ExportFile { sha1, name: text(file, "name")?.to_owned(), url: text(file, "url")?.to_owned() };
            items.send(Item::File(file)).await.map_err(closed)?;
        } else if let Some(document) = line.get("document") {
            let size = line["size"].as_u64().filter(|size| *size <= LONGEST_DOCUMENT);
            let size = usize::try_from(size.context("a document of the export is too long")?)?;
            let xml = String::from_utf8(lines.bytes(size).await?).context("a document is not text")?;
            items.send(Item::Document { contents: contents(document)?, xml }).await.map_err(closed)?;
            bar.inc(1);
        } else if let Some(one) = line.get("left_out") {
            left_out.push(one.clone());
        } else if let Some(decision) = line.get("decision") {
            items.send(Item::Note(decision.to_string())).await.map_err(closed)?;
        } else if let Some(end) = line.get("end") {
            items.send(Item::End).await.map_err(closed)?;
            return Ok(end.clone());
        }
    }
    bail!("the server's answer broke off")
}

fn text<'a>(value: &'a Value, name: &str) -> anyhow::Result<&'a str> {
    value[name].as_str().with_context(|| format!("the server's answer lacks `{name}`"))
}

fn items<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn language(value: &Value) -> Language {
    Language {
        id: value["id"].as_u64().and_then(|id| u32::try_from(id).ok()).unwrap_or(0),
        short_name: output::text(value.get("short")),
        long_name: output::text(value.get("long")),
        enabled: value["enabled"] == true,
    }
}

fn contents(document: &Value) -> anyhow::Result<Contents> {
    let ids = |name: &str| -> anyhow::Result<Vec<UpdateId>> {
        let ids = items(document, name).iter().filter_map(Value::as_str);
        Ok(ids.map(str::parse).collect::<Result<_, _>>()?)
    };
    let files = items(document, "files").iter().filter_map(Value::as_str);
    Ok(Contents {
        identity: UpdateIdentity {
            update: text(document, "update")?.parse()?,
            revision: RevisionNumber::new(document["revision"].as_i64().unwrap_or(-1))?,
        },
        files: files.map(Sha1Digest::from_hex).collect::<Result<_, _>>()?,
        categories: ids("categories")?,
        classifications: ids("classifications")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::anyhow;

    #[test]
    fn what_the_server_said_counts_before_that_nothing_more_came() {
        let of = |packed: Result<(), &str>, received: Result<u8, &str>, packer_stopped| {
            let packed = packed.map_err(|said| anyhow!(said.to_owned()));
            let received = received.map(Value::from).map_err(|said| anyhow!(said.to_owned()));
            ended(packed, received, packer_stopped).map_err(|error| format!("{error:#}"))
        };
        let said = of(Err("broke off"), Err("the database is damaged"), false).unwrap_err();
        assert!(said.ends_with("the database is damaged") && said.starts_with("nothing was kept"), "{said}");
        assert_eq!(of(Err("no space"), Err("writing stopped"), true).unwrap_err(), "no space");
        assert_eq!(of(Err("no space"), Ok(1), true).unwrap_err(), "no space");
        assert_eq!(of(Ok(()), Ok(1), true).unwrap(), 1);
    }
}
