//! Store: updates and computers as administrators look for them. Keeps a `browse` index in memory up to
//! date with the rows, and answers lists and counts from it. Reporting does no more for it than to note
//! which computer changed; reading the rows again is for whoever looks, or for a task in the background.

mod counts;
mod facets;
mod feed;
mod marks;

pub use counts::{ComputerState, FleetScope};

use crate::Store;
use crate::error::StoreError;
use marks::Marks;
use parking_lot::{Mutex, RwLock, RwLockReadGuard};
use sluicegate_browse::Index;
use sluicegate_terms::Anchor;

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
}

#[derive(Debug, Default)]
struct Progress {
    /// The state of catalog and decisions that the index has.
    anchor: Option<Anchor>,
    /// The highest revision it has.
    newest: i64,
    /// The computers of the database were marked once.
    counted: bool,
}

impl Board {
    /// Notes that a computer changed: what it reported, or else only its name, groups or existence.
    pub(crate) fn mark(&self, computer: i64, status: bool) {
        self.marks.lock().one(computer, status);
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
        let board = &self.shared.board;
        let mut turn = board.turn.lock();
        self.feed_catalog(&mut turn)?;
        self.feed_computers(&mut turn, computers)?;
        Ok(board.marks.lock().len())
    }

    /// The index as of now, and how many computers' changes it does not have yet.
    fn look(&self) -> Result<(RwLockReadGuard<'_, Index>, u64), StoreError> {
        self.flush_contacts_if_possible();
        let pending = self.catch_up(CATCH_UP)?;
        Ok((self.shared.board.index.read(), pending))
    }
}
