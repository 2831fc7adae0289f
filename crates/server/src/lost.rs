//! Content files that were held and are gone from the disk or cut off: an alert until they came again or nobody needs
//! them, and what `diagnose` says of them.

use crate::missing::are;
use sluicegate_policy::hierarchy::ContentWhen;
use sluicegate_store::audit::AlertKind;
use sluicegate_store::content::LostFile;
use sluicegate_store::{Store, StoreError};
use sluicegate_terms::Timestamp;

/// Raises the alert about lost files, or ends it.
pub(crate) fn judge(store: &Store, now: Timestamp) -> Result<(), StoreError> {
    let kind = AlertKind::FilesLost;
    let lost = store.lost_files()?;
    if let Some(text) = sentence(&lost) {
        let text = format!("{text}; {}", remedy(store));
        return store.hold_alert(kind, &text, now).map(|_| ());
    }
    let stands = || Ok::<_, StoreError>(store.alerts()?.iter().any(|alert| alert.kind == kind.as_str()));
    // One from before a restart is over when what is wanted has come; which files it was about is not known any more.
    let over = || Ok::<_, StoreError>(store.content().has_lost() || nothing_is_missing(store)?);
    if stands()? && over()? { store.end_alert(kind, now).map(|_| ()) } else { Ok(()) }
}

fn nothing_is_missing(store: &Store) -> Result<bool, StoreError> {
    let settings = store.upstream_settings();
    let policy = settings.content;
    let fetched = settings.source.is_some() && policy.when != ContentWhen::Never;
    Ok(fetched
        && store.missing_files(policy.when, policy.express, &settings.filter, Timestamp::MAX)?.is_empty())
}

/// What is lost; `None` when nothing is.
pub(crate) fn sentence(lost: &[LostFile]) -> Option<String> {
    let LostFile { sha1, name, damage } = lost.first()?;
    let (files, first) = (are(lost.len() as u64), if lost.len() == 1 { "" } else { " the first:" });
    let sha1 = sha1.to_hex_upper();
    Some(format!("{files} not held any more, though kept here before:{first} `{name}` ({sha1}) {damage}"))
}

/// What brings them again.
pub(crate) fn remedy(store: &Store) -> &'static str {
    let settings = store.upstream_settings();
    match (settings.source.is_some(), settings.content.when) {
        (true, ContentWhen::Approved | ContentWhen::All) => {
            "the next synchronization fetches what is wanted here (`sluicegate sync now`); see to the disk, and to what \
             else writes in the content folder"
        }
        (true, ContentWhen::Never) => {
            "no files are fetched here (`sluicegate sync content never`), so add them with `sluicegate content add` or \
             `sluicegate import … --content DIR`; see to the disk, and to what else writes in the content folder"
        }
        (false, _) => {
            "no upstream is set to fetch them from, so add them with `sluicegate content add` or `sluicegate import … \
             --content DIR`; see to the disk, and to what else writes in the content folder"
        }
    }
}
