//! Store: the many small notes "computer X was here", gathered in memory and written together. Losing
//! the last seconds of them in a crash loses nothing that was acknowledged.

use crate::Store;
use crate::computers::directory::{find_row, row_of, set_requested};
use crate::error::{During, StoreError};
use crate::hierarchy::WRITTEN_WITHIN;
use crate::hierarchy::place::known_twice;
use rusqlite::{Transaction, params};
use sluicegate_terms::{ComputerId, Timestamp};
use std::collections::HashMap;
use std::sync::Arc;

/// So many notes are written out at once, whoever comes next.
const MOST_WAITING: usize = 4_096;

/// A computer was here. Fields that are `None` keep what is known.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Contact {
    /// Which computer.
    pub computer: ComputerId,
    /// When.
    pub at: Timestamp,
    /// Its name, as it says.
    pub dns_name: Option<String>,
    /// The target groups it asks for (client-side targeting).
    pub requested_groups: Option<Vec<String>>,
    /// Its agent's version.
    pub client_version: Option<String>,
    /// The address it came from.
    pub ip: Option<String>,
    /// It finished asking for updates.
    pub synced: bool,
}

impl Contact {
    /// Just that it was here.
    #[must_use]
    pub const fn new(computer: ComputerId, at: Timestamp) -> Self {
        Self {
            computer,
            at,
            dns_name: None,
            requested_groups: None,
            client_version: None,
            ip: None,
            synced: false,
        }
    }
}

/// What the notes about one computer add up to.
#[derive(Clone, Debug)]
struct Note {
    first: Timestamp,
    newest: Contact,
    synced_at: Option<Timestamp>,
}

impl Note {
    fn of(contact: Contact) -> Self {
        Self { first: contact.at, synced_at: contact.synced.then_some(contact.at), newest: contact }
    }

    /// Takes a later note in.
    fn add(&mut self, later: Self) {
        self.first = self.first.min(later.first);
        self.synced_at = self.synced_at.max(later.synced_at);
        let known = &mut self.newest;
        let later = later.newest;
        known.at = known.at.max(later.at);
        known.dns_name = later.dns_name.or(known.dns_name.take());
        known.requested_groups = later.requested_groups.or(known.requested_groups.take());
        known.client_version = later.client_version.or(known.client_version.take());
        known.ip = later.ip.or(known.ip.take());
    }
}

/// Notes that are not written yet.
#[derive(Debug, Default)]
pub(crate) struct Contacts {
    waiting: HashMap<ComputerId, Note>,
    /// Those that are being written: until that is done nobody else finds them in the database.
    writing: Arc<HashMap<ComputerId, Note>>,
}

impl Contacts {
    fn add(&mut self, note: Note) {
        match self.waiting.get_mut(&note.newest.computer) {
            Some(known) => known.add(note),
            None => {
                self.waiting.insert(note.newest.computer.clone(), note);
            }
        }
    }

    /// The groups a computer asked for, if it said so since what was last written.
    pub(crate) fn requested_groups(&self, computer: &ComputerId) -> Option<&[String]> {
        let said = [&self.waiting, &*self.writing].into_iter().filter_map(|notes| notes.get(computer));
        said.filter_map(|note| note.newest.requested_groups.as_deref()).next()
    }
}

impl Store {
    /// Notes a contact. From memory, but writes all notes when thousands have gathered.
    ///
    /// # Errors
    /// A failure to write; the notes are kept for the next attempt.
    pub fn touch(&self, contact: Contact) -> Result<(), StoreError> {
        let full = {
            let mut contacts = self.shared.contacts.lock();
            contacts.add(Note::of(contact));
            contacts.waiting.len() >= MOST_WAITING
        };
        if full { self.flush_contacts() } else { Ok(()) }
    }

    /// Writes all contacts noted so far; call it every few seconds and before stopping.
    ///
    /// # Errors
    /// A failure to write; the notes are kept for the next attempt.
    pub fn flush_contacts(&self) -> Result<(), StoreError> {
        self.shared.flush_contacts()
    }
}

impl Store {
    /// For calls that read: a full disk must not keep anybody from looking.
    pub(crate) fn flush_contacts_if_possible(&self) {
        if let Err(error) = self.flush_contacts() {
            tracing::warn!(%error, "contacts of computers wait for the next attempt to write them");
        }
    }
}

impl crate::Shared {
    pub(crate) fn flush_contacts(&self) -> Result<(), StoreError> {
        // One after the other: an older note must not be written over a newer one, and who finds none waiting may read
        // what another writes.
        let _turn = self.writing_contacts.lock();
        let notes = {
            let mut contacts = self.contacts.lock();
            contacts.writing = Arc::new(std::mem::take(&mut contacts.waiting));
            Arc::clone(&contacts.writing)
        };
        if notes.is_empty() {
            return Ok(());
        }
        let written = self.database.write_alone(
            |tx| notes.values().map(|note| write(tx, note)).collect::<Result<Vec<_>, _>>(),
            |changed| changed.iter().flatten().for_each(|(row, status)| self.board.mark(*row, *status)),
        );
        let mut contacts = self.contacts.lock();
        contacts.writing = Arc::default();
        if written.is_err() {
            // What came meanwhile is newer.
            let newer = std::mem::replace(&mut contacts.waiting, Arc::unwrap_or_clone(notes));
            newer.into_values().for_each(|note| contacts.add(note));
        }
        written.map(|_| ())
    }
}

/// Answers the computer's row when it may be new, or may have another name or other groups; and whether it may have come
/// back from a server below, so that what it reported counts again.
fn write(tx: &Transaction<'_>, note: &Note) -> Result<Option<(i64, bool)>, StoreError> {
    let contact = &note.newest;
    let known = find_row(tx, &contact.computer)?;
    let row = row_of(tx, &contact.computer, note.first)?;
    tx.prepare_cached(
        // Notes are written late. What is later than one by more than that was said by a clock that has been put back.
        "UPDATE computer SET last_contact = CASE WHEN last_contact > ?7 THEN ?2 ELSE max(last_contact, ?2) END,
             dns_name = coalesce(?3, dns_name), client_version = coalesce(?4, client_version), ip = coalesce(?5, ip),
             last_sync = CASE WHEN last_sync > ?7 THEN coalesce(?6, last_sync)
                 ELSE max(coalesce(?6, last_sync), coalesce(last_sync, ?6)) END
         WHERE id = ?1",
    )
    .and_then(|mut s| {
        s.execute(params![
            row,
            contact.at.ticks(),
            contact.dns_name,
            contact.client_version,
            contact.ip,
            note.synced_at.map(Timestamp::ticks),
            contact.at.plus_seconds(WRITTEN_WITHIN).ticks()
        ])
    })
    .during("note a contact")?;
    if let Some(groups) = &contact.requested_groups {
        set_requested(tx, row, groups)?;
    }
    let told = contact.dns_name.is_some() || contact.requested_groups.is_some();
    let came = note.synced_at.is_some() && known_twice(tx, &contact.computer)?.is_some();
    Ok((known.is_none() || told || came).then_some((row, came)))
}

/// Writes one contact in a transaction that has more to write about the computer; answers its row.
pub(crate) fn write_now(tx: &Transaction<'_>, contact: &Contact) -> Result<i64, StoreError> {
    write(tx, &Note::of(contact.clone()))?;
    row_of(tx, &contact.computer, contact.at)
}
