//! Store: updates and computers as administrators look for them. Keeps a `browse` index in memory up to
//! date with the rows, and answers lists and counts from it. Reporting does no more for it than to note
//! which computer changed; reading the rows again is for whoever looks, or for a task in the background.

mod arrived;
mod counts;
mod facets;
mod feed;
mod marks;

pub(crate) use arrived::Arrived;
pub use counts::{ComputerState, FleetScope};

use crate::Store;
use crate::error::StoreError;
use marks::Marks;
use parking_lot::{Mutex, RwLock, RwLockReadGuard};
use sluicegate_browse::Index;
use sluicegate_policy::Decisions;
use sluicegate_terms::Anchor;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A look at the index reads so many changed computers first. More wait for the background task, and the
/// answer says how many.
const CATCH_UP: usize = 500;

/// So many computers are put into the index at once; nobody can look meanwhile.
const AT_ONCE: usize = 64;

/// The index and how far it is.
#[derive(Debug, Default)]
pub(crate) struct Board {
    index: RwLock<Index>,
    /// Held by whoever brings the index up to date.
    turn: Mutex<Progress>,
    marks: Mutex<Marks>,
    /// Counts the changes of the catalog that did more than to add revisions.
    rewritten: AtomicU64,
}

/// Whether the updates of the index are counted against the rows, which goes through all of them: rows can be
/// removed behind this program's back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Rows {
    Compared,
    Trusted,
}

#[derive(Debug, Default)]
struct Progress {
    /// The state of catalog and decisions that the index has.
    anchor: Option<Anchor>,
    /// The highest revision it has.
    newest: i64,
    /// `Board::rewritten` when its updates were last read from the beginning.
    rewritten: u64,
    /// The state in which its updates were last compared with the rows.
    compared: Option<Anchor>,
    /// The decisions it was settled with.
    settled: Option<Arc<Decisions>>,
    /// The computers of the database were marked once.
    counted: bool,
}

impl Board {
    /// Notes that a computer changed: what it reported, or else only its name, groups or existence.
    pub(crate) fn mark(&self, computer: i64, status: bool) {
        self.marks.lock().one(computer, status);
    }

    /// Notes that revisions were removed or written anew: what is known of the catalog is read from the beginning.
    /// To be called when that is committed, and before its anchor can be seen.
    pub(crate) fn catalog_rewritten(&self) {
        self.rewritten.fetch_add(1, Ordering::AcqRel);
    }

    /// Notes that the groups of all computers may have changed.
    pub(crate) fn mark_everybody(&self) {
        self.marks.lock().everybody();
    }
}

impl Store {
    /// Brings the index up to date with the catalog, the decisions and at most `computers` changed computers.
    /// Answers how many computers still wait. Call it in the background, so that looking finds little to do.
    ///
    /// # Errors
    /// A failure to read; what was not read is read next time.
    pub fn catch_up(&self, computers: usize) -> Result<u64, StoreError> {
        let left = self.bring_up_to_date(computers, Rows::Compared)?;
        if !self.shared.board.index.read().is_arranged() {
            self.shared.board.index.write().arrange();
        }
        Ok(left)
    }

    /// Brings the index up to date with what an import has just brought. Call it in the background of one that
    /// goes on: who looks at its end finds nothing to do.
    ///
    /// # Errors
    /// A failure to read; what was not read is read next time.
    pub fn read_arrivals(&self) -> Result<(), StoreError> {
        self.bring_up_to_date(0, Rows::Trusted).map(|_| ())
    }

    /// [`Store::catch_up`] for whoever needs no titles in order. When rows are not compared, it costs after an
    /// import what that brought.
    fn bring_up_to_date(&self, computers: usize, rows: Rows) -> Result<u64, StoreError> {
        let board = &self.shared.board;
        let mut turn = board.turn.lock();
        self.feed_catalog(&mut turn, rows)?;
        self.feed_computers(&mut turn, computers)?;
        Ok(board.marks.lock().len())
    }

    /// The index as of now, and how many computers' changes it does not have yet.
    fn look(&self) -> Result<(RwLockReadGuard<'_, Index>, u64), StoreError> {
        self.flush_contacts_if_possible();
        let pending = self.bring_up_to_date(CATCH_UP, Rows::Compared)?;
        loop {
            let index = self.shared.board.index.read();
            if index.is_arranged() {
                return Ok((index, pending));
            }
            drop(index);
            self.shared.board.index.write().arrange();
        }
    }
}
