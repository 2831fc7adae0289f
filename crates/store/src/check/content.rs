//! Check: content files on the disk against what the catalog declares of them.

use super::{Check, Finding};
use crate::content::{Damage, Held};
use crate::error::StoreError;
use sluicegate_terms::Sha1Digest;

/// What stands before the digest in every finding.
const FILE: &str = "content file";

/// Checks that every file lies there with its length, and its digests too when `whole`.
pub(super) fn check(check: &mut Check<'_>, whole: bool) -> Result<(), StoreError> {
    let mut held = check.content.list();
    held.sort_unstable();
    if !is_there(check, &held) {
        return Ok(());
    }
    let remedy = remedy(check)?;
    for sha1 in held {
        check.report.files += 1;
        let Some(held) = check.content.held(sha1) else { continue };
        match damage(check, sha1, &held, whole)? {
            Ok(None) => {}
            Ok(Some(damage)) => {
                check.repairable("content", format!("{FILE} {} {damage}", sha1.to_hex_upper()), remedy);
                check.discards.push((sha1, held));
            }
            Err(error) => unknown(check, sha1, &error),
        }
    }
    Ok(())
}

/// One step of a check that changes nothing in the database: these files, and only that they lie there with their
/// length. One that does not is not held from now on, as when a computer asks for it.
pub(super) fn some(check: &mut Check<'_>, held: &[Sha1Digest]) -> Result<(), StoreError> {
    if !is_there(check, held) {
        return Ok(());
    }
    let remedy = remedy(check)?;
    for &sha1 in held {
        check.report.files += 1;
        match check.content.lose_if_damaged(sha1) {
            Ok(None) => {}
            Ok(Some(damage)) => {
                let what = format!("{FILE} {} {damage}", sha1.to_hex_upper());
                let (check_of, remedy) = ("content", remedy.to_owned());
                check.report.push(Finding {
                    check: check_of,
                    what,
                    remedy,
                    repairable: true,
                    repaired: true,
                });
            }
            Err(error) => unknown(check, sha1, &error),
        }
    }
    Ok(())
}

/// A content folder that is away as a whole is one finding, not one for each file.
fn is_there(check: &mut Check<'_>, held: &[Sha1Digest]) -> bool {
    match check.content.is_there() {
        Err(error) if !held.is_empty() => {
            let remedy = "mount it, or make it readable to the server, and check again; when its files are lost for good, \
                          restart the server, which makes the folder anew";
            check.wrong("content", error.to_string(), remedy);
            false
        }
        _ => true,
    }
}

fn remedy(check: &Check<'_>) -> Result<&'static str, StoreError> {
    Ok(match crate::hierarchy::load_upstream(check.db)?.source {
        Some(_) => "it is removed and will be fetched again",
        None => {
            "it is removed, and no upstream is set to fetch it again from: add it with `sluicegate content add`"
        }
    })
}

/// What is wrong with a file; whether that cannot be seen now is told apart from that the database cannot be read.
fn damage(
    check: &Check<'_>,
    sha1: Sha1Digest,
    held: &Held,
    whole: bool,
) -> Result<Result<Option<Damage>, StoreError>, StoreError> {
    let declared = crate::catalog::declared_file(check.db, sha1)?;
    // Files nobody declares any more are cleanup's.
    if let Some(declared) = &declared
        && declared.size != held.size
    {
        return Ok(Ok(Some(Damage::Length { found: held.size, declared: declared.size })));
    }
    Ok(if whole {
        check.content.look_into(sha1, declared.and_then(|file| file.sha256))
    } else {
        check.content.look(sha1)
    })
}

fn unknown(check: &mut Check<'_>, sha1: Sha1Digest, error: &StoreError) {
    let what = format!("{FILE} {} cannot be looked at: {error}", sha1.to_hex_upper());
    let remedy = "see to its disk and to who may read it, since it stays held; where only this file cannot be read, remove it and \
                  check with --repair";
    check.wrong("content", what, remedy);
}
