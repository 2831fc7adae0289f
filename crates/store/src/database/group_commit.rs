//! Store: group commit. Callers queue small pieces of work; whoever gets the writer runs all that is
//! queued in one transaction, so that a storm of reports costs one disk sync per group, not per report.

use super::{Anchors, Reach, begin, read_anchor};
use crate::error::{During, StoreError};
use parking_lot::Mutex;
use rusqlite::{Connection, Transaction};
use sluicegate_terms::Anchor;
use std::sync::Arc;

/// How many pieces of work share one transaction at most; bounds how long the first of them waits.
const LARGEST_GROUP: usize = 512;

/// Work that waits for the writer.
#[derive(Default)]
pub(crate) struct Queue {
    waiting: Mutex<Vec<Arc<dyn Job>>>,
}

trait Job: Send + Sync {
    /// Runs in the group's transaction; keeps its own result. An error here is the job's own and has
    /// been rolled back by its savepoint.
    fn run(&self, tx: &Transaction<'_>);
    /// The group is durable.
    fn committed(&self);
    /// The group failed as a whole: each job must run alone.
    fn failed(&self);
}

enum State<R> {
    Waiting,
    Ran(Result<R, StoreError>),
    Done(Result<R, StoreError>),
    Alone,
}

struct Task<R, W> {
    work: Mutex<W>,
    state: Mutex<State<R>>,
}

impl<R, W> Task<R, W> {
    fn take_done(&self) -> Option<Outcome<R>> {
        let mut state = self.state.lock();
        match std::mem::replace(&mut *state, State::Waiting) {
            State::Done(result) => Some(Outcome::Result(result)),
            State::Alone => Some(Outcome::Alone),
            other => {
                *state = other;
                None
            }
        }
    }
}

enum Outcome<R> {
    Result(Result<R, StoreError>),
    Alone,
}

impl<R, W> Job for Task<R, W>
where
    R: Send,
    W: FnMut(&Transaction<'_>) -> Result<R, StoreError> + Send,
{
    fn run(&self, tx: &Transaction<'_>) {
        let mut work = self.work.lock();
        let result = in_savepoint(tx, &mut *work);
        *self.state.lock() = State::Ran(result);
    }

    fn committed(&self) {
        let mut state = self.state.lock();
        *state = match std::mem::replace(&mut *state, State::Waiting) {
            State::Ran(result) => State::Done(result),
            other => other,
        };
    }

    fn failed(&self) {
        *self.state.lock() = State::Alone;
    }
}

/// A job that fails must not take the others of its group with it.
fn in_savepoint<R>(
    tx: &Transaction<'_>,
    work: &mut impl FnMut(&Transaction<'_>) -> Result<R, StoreError>,
) -> Result<R, StoreError> {
    tx.execute_batch("SAVEPOINT job").during("begin a part of a transaction")?;
    match work(tx) {
        Ok(result) => {
            tx.execute_batch("RELEASE job").during("end a part of a transaction")?;
            Ok(result)
        }
        Err(error) => {
            // When SQLite has rolled back everything by itself (a full disk), this finds no savepoint;
            // the group's commit then fails too.
            let _ = tx.execute_batch("ROLLBACK TO job; RELEASE job");
            Err(error)
        }
    }
}

impl Queue {
    /// Queues the work, waits for the writer, and returns the work's result once it is durable.
    pub(crate) fn submit<R, W>(
        &self,
        writer: &Mutex<Connection>,
        work: W,
        anchors: &Anchors,
    ) -> Result<R, StoreError>
    where
        R: Send + 'static,
        W: FnMut(&Transaction<'_>) -> Result<R, StoreError> + Send + 'static,
    {
        let task = Arc::new(Task { work: Mutex::new(work), state: Mutex::new(State::Waiting) });
        let job: Arc<dyn Job> = Arc::<Task<R, W>>::clone(&task);
        self.waiting.lock().push(job);
        let mut connection = writer.lock();
        loop {
            match task.take_done() {
                Some(Outcome::Result(result)) => return result,
                Some(Outcome::Alone) => {
                    return run_alone(&mut connection, &mut *task.work.lock(), anchors);
                }
                None => self.lead(&mut connection, anchors),
            }
        }
    }

    /// Runs the oldest waiting jobs as one transaction.
    fn lead(&self, connection: &mut Connection, anchors: &Anchors) {
        let group: Vec<Arc<dyn Job>> = {
            let mut waiting = self.waiting.lock();
            let count = waiting.len().min(LARGEST_GROUP);
            waiting.drain(..count).collect()
        };
        let mut commit = || -> Result<Anchor, StoreError> {
            let tx = begin(connection)?;
            for job in &group {
                job.run(&tx);
                if tx.is_autocommit() {
                    return Err(StoreError::Invalid {
                        what: "a group of changes",
                        reason: "SQLite rolled it back".to_owned(),
                    });
                }
            }
            let reached = read_anchor(&tx)?;
            tx.commit().during("commit")?;
            Ok(reached)
        };
        match commit() {
            Ok(reached) => {
                anchors.reach(reached, Reach::Everything);
                group.iter().for_each(|job| job.committed());
            }
            Err(error) => {
                tracing::warn!(%error, jobs = group.len(), "a group of changes could not be committed; trying each alone");
                group.iter().for_each(|job| job.failed());
            }
        }
    }
}

fn run_alone<R>(
    connection: &mut Connection,
    work: &mut impl FnMut(&Transaction<'_>) -> Result<R, StoreError>,
    anchors: &Anchors,
) -> Result<R, StoreError> {
    let tx = begin(connection)?;
    let result = work(&tx)?;
    let reached = read_anchor(&tx)?;
    tx.commit().during("commit")?;
    anchors.reach(reached, Reach::Everything);
    Ok(result)
}

#[cfg(test)]
mod tests {
    use crate::database::{Database, next_anchor};
    use crate::error::{During, StoreError};
    use std::sync::Arc;

    #[test]
    fn concurrent_writers_all_commit_and_each_takes_its_own_anchor() {
        let dir = tempfile::tempdir().unwrap();
        let db = Arc::new(Database::open(dir.path(), 2).unwrap());
        let threads: Vec<_> = (0..8)
            .map(|_| {
                let db = Arc::clone(&db);
                std::thread::spawn(move || {
                    (0..20).map(|_| db.write(next_anchor).unwrap().0).collect::<Vec<_>>()
                })
            })
            .collect();
        let mut anchors: Vec<u64> = threads.into_iter().flat_map(|t| t.join().unwrap()).collect();
        anchors.sort_unstable();
        assert_eq!(anchors, (1..=160).collect::<Vec<_>>());
        assert_eq!(db.anchor().0, 160);
    }

    #[test]
    fn a_failing_job_leaves_no_trace_and_does_not_hurt_others() {
        let dir = tempfile::tempdir().unwrap();
        let db = Database::open(dir.path(), 2).unwrap();
        let failed: Result<(), _> = db.write(|tx| {
            tx.execute("INSERT INTO config (name, value, changed_at) VALUES ('half', 'x', 0)", [])
                .during("write")?;
            Err(StoreError::IdsExhausted { what: "test ids" })
        });
        assert!(matches!(failed, Err(StoreError::IdsExhausted { .. })));
        db.write(next_anchor).unwrap();
        let rows: i64 = db
            .read(|c| {
                c.query_row("SELECT count(*) FROM config WHERE name = 'half'", [], |r| r.get(0))
                    .during("read")
            })
            .unwrap();
        assert_eq!(rows, 0);
    }
}
