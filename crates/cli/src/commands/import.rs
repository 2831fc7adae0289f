//! Cli room: `import`, what `export` or `wsusutil export` wrote: documents first, then decisions, then the
//! files of updates that the server lacks. The file is unpacked here, one document at a time.

use crate::admin_client::{AdminClient, Chunks, Refused, read_json};
use crate::args::hierarchy::Import;
use crate::carry::journal::Journal;
use crate::carry::unpack::Beside;
use crate::carry::{content, found, unpack};
use crate::commands::catalog;
use crate::output;
use crate::output::say;
use anyhow::{Context as _, bail};
use bytes::Bytes;
use serde_json::{Value, json};
use sluicegate_terms::Sha1Digest;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Bytes sent at once.
const PIECE: usize = 256 << 10;

/// Addresses of files sent at once.
const ADDRESSES: usize = 2_000;

pub(crate) async fn run(client: &AdminClient, args: &Import, json: bool) -> anyhow::Result<()> {
    let journal = Journal::begin(args.log.as_deref(), "import", &args.path)?;
    let mut report = Value::Null;
    let ended = carry_out(client, args, json, &mut report).await;
    journal.end(&report, ended)
}

async fn carry_out(
    client: &AdminClient,
    args: &Import,
    json: bool,
    report: &mut Value,
) -> anyhow::Result<()> {
    // Looked at first: what cannot be done is said before the rest of it is.
    let files = args.content.as_deref().map(found::find).transpose();
    let files =
        files.context("nothing was sent; --content takes a folder as `export --content` writes it")?;
    let (pieces, body) = tokio::sync::mpsc::channel(8);
    let path = args.path.clone();
    let unpacking = tokio::task::spawn_blocking(move || send(&path, pieces));
    let response = client.post_stream("catalog/import", body).await;
    // A file that cannot be read on explains a broken upload better than the server can.
    let beside = unpacking.await?;
    let (documents, beside) = match (response, beside) {
        (Err(refused), Ok(_)) => return Err(refused),
        (_, Err(unreadable)) => return Err(unreadable),
        (Ok(response), Ok(beside)) => (catalog::follow(response, 0, json).await?, beside),
    };
    let Beside { notes, addresses, bare, warning } = beside;
    let warnings: Vec<String> = warning
        .map(|why| format!("the package `{}` is not whole: {why}", args.path.display()))
        .into_iter()
        .collect();
    let bare: Vec<String> =
        bare.into_iter().map(|one| one.map_or_else(unnamed, |one| one.to_string())).collect();
    let mut done = Done { documents, warnings, bare, decided: None, copied: None, wanted: Value::Null };
    let ended = go_on(client, args, json, addresses, notes, files.as_ref(), &mut done).await;
    // Whatever ended it on the way, what was done before is said.
    *report = done.to_json();
    output::show(json, report, |_| done.say());
    ended
}

/// What an import did.
struct Done {
    /// The server's report of the documents.
    documents: Value,
    /// What is wrong with the package, though its documents are whole.
    warnings: Vec<String>,
    /// Updates without a document.
    bare: Vec<String>,
    /// `None` until the decisions were looked at.
    decided: Option<Decided>,
    /// `None` where no files were to be sent, and until they are.
    copied: Option<content::Sent>,
    /// What the server lacks in the end.
    wanted: Value,
}

impl Done {
    fn to_json(&self) -> Value {
        json!({
            "catalog": self.documents,
            "warnings": self.warnings,
            "without_document": self.bare,
            "decisions": match &self.decided {
                Some(Decided::Taken(taken)) => taken.clone(),
                _ => Value::Null,
            },
            "decisions_refused": match &self.decided {
                Some(Decided::Refused(why)) => Value::from(why.as_str()),
                _ => Value::Null,
            },
            "content": self.copied.as_ref().map(content::Sent::to_json),
            "files_wanted": match &self.wanted {
                Value::Null => Value::Null,
                wanted => json!({ "files": wanted["files"], "bytes": wanted["bytes"] }),
            },
        })
    }

    fn say(&self) {
        catalog::report_table(&self.documents);
        for warning in &self.warnings {
            say!("\nWarning: {warning}");
        }
        if let Some(first) = self.bare.first() {
            let updates = output::count(self.bare.len() as u64, "update");
            say!("\n{updates} of the file passed over, for want of a document; the first: {first}");
        }
        if let Some(decided) = &self.decided {
            decided.say();
        }
        if let Some(copied) = &self.copied {
            say!("\n{copied}");
        }
        if let Some(sentence) = still_wanted(&self.wanted) {
            say!("\n{sentence}");
        }
    }
}

/// What follows when the documents are in the catalog: where files are, decisions, and files.
async fn go_on(
    client: &AdminClient,
    args: &Import,
    json: bool,
    addresses: Vec<(Sha1Digest, String)>,
    notes: Vec<String>,
    files: Option<&BTreeMap<Sha1Digest, PathBuf>>,
    done: &mut Done,
) -> anyhow::Result<()> {
    for some in addresses.chunks(ADDRESSES) {
        let pairs: Vec<_> = some.iter().map(|(sha1, url)| json!([sha1.to_hex_upper(), url])).collect();
        client.post("import/addresses", &json!({ "files": pairs })).await.context(
            "the documents are in the catalog, the addresses of their files, decisions and files are not; repeat the same \
             `import`",
        )?;
    }
    done.decided = Some(decide(client, notes, args.no_decisions).await?);
    if let Some(files) = files {
        content::send(client, files, json, done.copied.insert(content::Sent::default())).await?;
    }
    done.wanted = client.get("content/wanted", &[]).await?;
    let refused = done.copied.as_ref().map_or(0, |copied| copied.refused.len());
    match &done.decided {
        Some(Decided::Refused(why)) if refused == 0 => {
            bail!("everything but the decisions was taken in; they were not: {why}")
        }
        Some(Decided::Refused(why)) => {
            bail!("{} refused, and so were the decisions: {why}", content::files_were(refused))
        }
        _ if refused > 0 => bail!("{} refused", content::files_were(refused)),
        _ => Ok(()),
    }
}

/// How many files the server wants and does not have, and where they come from.
fn still_wanted(wanted: &Value) -> Option<String> {
    let number = |name: &str| wanted[name].as_u64().unwrap_or(0);
    let (are, they) = match number("files") {
        0 => return None,
        1 => ("is", "it"),
        _ => ("are", "them"),
    };
    let how = match wanted["upstream"] == true {
        true => {
            format!("the next synchronization fetches {they}, or --content DIR takes {they} from a folder")
        }
        false => format!("--content DIR takes {they} from a folder that `export --content` wrote"),
    };
    let files = output::count(number("files"), "file");
    Some(format!("{files} ({}) {are} wanted and not here: {how}.", output::size(number("bytes"))))
}

/// An update of a package that does not say which it is.
fn unnamed() -> String {
    "one without an id".to_owned()
}

/// What became of the decisions of a file.
enum Decided {
    /// It has none.
    None,
    /// They were to stay out.
    LeftOut,
    /// The server's report.
    Taken(Value),
    /// Why, and what to do.
    Refused(String),
}

impl Decided {
    fn say(&self) {
        let taken = match self {
            Self::None => return say!("\nThe file has no decisions."),
            Self::LeftOut => return say!("\nThe decisions of the file were left out."),
            Self::Refused(_) => return say!("\nThe decisions of the file were not taken in."),
            Self::Taken(taken) => taken,
        };
        say!("\nDecisions");
        output::fields(
            taken,
            &[
                ("Groups", "/groups"),
                ("Approved", "/approved"),
                ("Withdrawn", "/withdrawn"),
                ("Declined", "/declined"),
                ("Taken back", "/restored"),
                ("Terms accepted", "/accepted_eulas"),
                ("Held", "/held"),
                ("Older than here", "/older"),
                ("Left out", "/skipped"),
            ],
        );
        for sentence in taken["regrouped"].as_array().into_iter().flatten() {
            say!("  Note: {}", output::text(Some(sentence)));
        }
        if let Some(sentence) = not_carried(taken["groups_not_carried"].as_array().map_or(&[], Vec::as_slice))
        {
            say!("  Note: {sentence}");
        }
        for reason in taken["reasons"].as_array().into_iter().flatten() {
            say!("  {}", output::text(Some(reason)));
        }
    }
}

/// Groups that are here and not in the file. Which of the two reasons holds nobody can tell from it, so nothing is deleted.
fn not_carried(groups: &[Value]) -> Option<String> {
    const NAMED: usize = 10;
    let named: Vec<_> =
        groups.iter().take(NAMED).map(|name| format!("`{}`", output::text(Some(name)))).collect();
    let more = match groups.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let (which, they) = match groups.len() {
        0 => return None,
        1 => ("a group that is here is not in the file", "It was"),
        _ => ("groups that are here are not in the file", "Each was"),
    };
    Some(format!(
        "{which}: {}{more}. {they} made here, or deleted where the file was written; an import deletes none, \
         `sluicegate groups delete NAME` does.",
        named.join(", ")
    ))
}

/// Sends the decisions that stand beside the documents, or the keys of encrypted files among them alone. That the
/// server does not take decisions hinders nothing else.
async fn decide(client: &AdminClient, mut notes: Vec<String>, keys_only: bool) -> anyhow::Result<Decided> {
    let all = notes.len();
    if keys_only {
        notes.retain(|note| is_key(note));
    }
    let left_out = notes.len() < all;
    if notes.is_empty() {
        return Ok(if left_out { Decided::LeftOut } else { Decided::None });
    }
    let sent = send_decisions(client, notes).await;
    match sent {
        Ok(_) if left_out => Ok(Decided::LeftOut),
        Ok(taken) => Ok(Decided::Taken(taken)),
        Err(error) => match error.downcast_ref::<Refused>() {
            Some(refused) if refused.code == REPLICA => Ok(Decided::Refused(format!(
                "{}; `import --no-decisions` takes documents and files without them",
                refused.message
            ))),
            Some(refused) => Ok(Decided::Refused(refused.to_string())),
            None => Err(error.context(
                "the documents are in the catalog, the decisions and files are not; repeat the same `import`",
            )),
        },
    }
}

/// The code with which a replica refuses to decide.
const REPLICA: &str = "LocalError/Replica";

/// Whether a line is the key of an encrypted file, which is part of the catalog.
fn is_key(note: &str) -> bool {
    serde_json::from_str::<Value>(note).is_ok_and(|note| note.get("file_key").is_some())
}

/// Unpacks the file and sends its documents; answers what stands beside them.
fn send(path: &Path, pieces: Chunks) -> anyhow::Result<Beside> {
    let name = path.display().to_string();
    let mut pending = Vec::with_capacity(PIECE * 2);
    let mut closed = false;
    let outcome = unpack::each(path, |identity, xml| {
        let source = match identity {
            Some(identity) => format!("{name}: {identity}"),
            None => name.clone(),
        };
        serde_json::to_writer(&mut pending, &json!({ "name": source, "size": xml.len() }))?;
        pending.push(b'\n');
        pending.extend_from_slice(xml.as_bytes());
        if pending.len() >= PIECE {
            let piece = Bytes::from(std::mem::replace(&mut pending, Vec::with_capacity(PIECE * 2)));
            // The server closed the upload early; its own answer says why.
            closed = pieces.blocking_send(Ok(piece)).is_err();
        }
        Ok(!closed)
    });
    match outcome {
        Ok(beside) => {
            let _ = pieces.blocking_send(Ok(Bytes::from(pending)));
            Ok(beside)
        }
        Err(error) => {
            // The server must see a broken upload, not a short one taken for whole.
            let _ = pieces.blocking_send(Err(std::io::Error::other("the file cannot be read on")));
            Err(error)
        }
    }
}

async fn send_decisions(client: &AdminClient, notes: Vec<String>) -> anyhow::Result<Value> {
    let (pieces, body) = tokio::sync::mpsc::channel(8);
    let sending = tokio::spawn(async move {
        let mut pending = Vec::new();
        for note in notes {
            pending.extend_from_slice(note.as_bytes());
            pending.push(b'\n');
            if pending.len() >= PIECE
                && pieces.send(Ok(Bytes::from(std::mem::take(&mut pending)))).await.is_err()
            {
                return;
            }
        }
        let _ = pieces.send(Ok(Bytes::from(pending))).await;
    });
    let answer = client.post_stream("import/decisions", body).await;
    sending.await?;
    read_json(answer?).await
}
