//! Check: content files against what the catalog declares of them.

use super::Check;
use crate::error::StoreError;
use sha1::{Digest as _, Sha1};
use sha2::Sha256;
use sluicegate_terms::Sha1Digest;
use std::io::Read as _;

/// Bytes read at a time.
const PIECE: usize = 1 << 20;

/// Checks lengths, and digests too when `whole`.
pub(super) fn check(check: &mut Check<'_>, whole: bool) -> Result<(), StoreError> {
    let mut held = check.content.list();
    held.sort_unstable();
    let remedy = if crate::hierarchy::load_upstream(check.db)?.source.is_some() {
        "it is removed and will be fetched again"
    } else {
        "it is removed, and no upstream is set to fetch it again from: add it with `sluicegate content add`"
    };
    for sha1 in held {
        check.report.files += 1;
        let Some(there) = check.content.held(sha1) else { continue };
        let declared = crate::catalog::declared_file(check.db, sha1)?;
        let wrong = match &declared {
            // Files nobody declares any more are cleanup's.
            Some(file) if file.size != there.size => {
                Some(format!("has {} bytes instead of {}", there.size, file.size))
            }
            _ if whole => differs(check, sha1, declared.and_then(|file| file.sha256).map(|d| d.0))?,
            _ => None,
        };
        if let Some(wrong) = wrong {
            let what = format!("content file {} {wrong}", sha1.to_hex_upper());
            check.repairable("content", what, remedy);
            check.discards.push(sha1);
        }
    }
    Ok(())
}

/// Reads a file and says what is wrong with its bytes.
fn differs(
    check: &Check<'_>,
    sha1: Sha1Digest,
    sha256: Option<[u8; 32]>,
) -> Result<Option<String>, StoreError> {
    let mut file = match check.content.open(sha1) {
        Ok(Some(open)) => open.file,
        Ok(None) => return Ok(None),
        Err(error) => return Ok(Some(format!("cannot be read: {error}"))),
    };
    let (mut first, mut second) = (Sha1::new(), Sha256::new());
    let mut piece = vec![0_u8; PIECE];
    loop {
        match file.read(&mut piece) {
            Ok(0) => break,
            Ok(count) => {
                let bytes = piece.get(..count).unwrap_or_default();
                first.update(bytes);
                if sha256.is_some() {
                    second.update(bytes);
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Ok(Some(format!("cannot be read: {error}"))),
        }
    }
    if <[u8; 20]>::from(first.finalize()) != sha1.0 {
        return Ok(Some("has other bytes than its SHA-1 says".to_owned()));
    }
    let other = sha256.is_some_and(|declared| <[u8; 32]>::from(second.finalize()) != declared);
    Ok(other.then(|| "has other bytes than its SHA-256 says".to_owned()))
}
