//! `POST import/addresses`: where Microsoft Update has files, as an export package says it. An import over many
//! documents comes first: addresses of files that no update declares are passed over.

use super::error::AdminError;
use super::input::{Input, Names};
use super::with_store;
use crate::state::App;
use serde_json::{Value, json};
use sluicegate_store::{Store, StoreError};
use sluicegate_terms::Sha1Digest;

/// Most addresses in one call.
const MOST: usize = 10_000;

/// What it may name.
pub(super) const ADDRESSES: Names = Names::new("a list of addresses", &["files"]);

/// Takes `files`, a list of pairs: SHA-1 in hexadecimal, and address.
pub(super) async fn take(app: &App, input: &Input) -> Result<Value, AdminError> {
    let Some(Value::Array(files)) = input.0.get("files") else {
        return Err(AdminError::invalid(
            "`files` must be a list of pairs: SHA-1 in hexadecimal, and address",
        ));
    };
    if files.len() > MOST {
        return Err(AdminError::invalid(format!(
            "{} addresses are too many at once; send {MOST}",
            files.len()
        )));
    }
    let pair = |file: &Value| -> Result<(Sha1Digest, String), AdminError> {
        match (file.get(0).and_then(Value::as_str), file.get(1).and_then(Value::as_str)) {
            (Some(sha1), Some(url)) => Ok((Sha1Digest::from_hex(sha1)?, url.to_owned())),
            _ => Err(AdminError::invalid(format!("{file} is not a pair of a SHA-1 and an address"))),
        }
    };
    let files = files.iter().map(pair).collect::<Result<Vec<_>, _>>()?;
    let noted = with_store(app, move |store| note(store, files)).await?;
    Ok(json!({ "noted": noted }))
}

/// Notes those of declared files; answers how many. What a synchronization brought stays: it is newer.
pub(super) fn note(store: &Store, files: Vec<(Sha1Digest, String)>) -> Result<usize, StoreError> {
    let mut wanted = Vec::with_capacity(files.len());
    for (sha1, url) in files {
        if usable(sha1, &url) && store.file(sha1).is_some() && store.file_url(sha1)?.is_none() {
            wanted.push((sha1, url));
        }
    }
    store.record_file_urls(&wanted)?;
    Ok(wanted.len())
}

/// An address on the web that is not some update server's own folder of files: where a file lay at the server
/// that exported it helps nobody who cannot reach that server.
fn usable(sha1: Sha1Digest, url: &str) -> bool {
    let own = format!("/Content/{}", sha1.to_hex_upper().get(38..).unwrap_or_default());
    let web = ["http://", "https://"].iter().any(|scheme| url.starts_with(scheme));
    web && !url.to_ascii_lowercase().contains(&own.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_an_exporting_servers_own_folder_are_no_sources() {
        let sha1 = Sha1Digest([0xAB; 20]);
        assert!(usable(sha1, "http://download.example/c/msdownload/fix_abab.cab"));
        assert!(!usable(sha1, &format!("http://wsus:8530/Content/AB/{}.cab", sha1.to_hex_upper())));
        assert!(!usable(sha1, "ftp://download.example/fix.cab") && !usable(sha1, ""));
    }
}
