//! Doctor room: files in, a report out. One thread reads, some look at blocks side by side, and the
//! caller's thread feeds what they saw to the engine in order. A fixed set of buffers goes round, so that
//! memory stays the same however much there is to read.

use crate::charset::{self, Storage};
use crate::doctor::{Doctor, DoctorError};
use crate::engine::Engine;
use crate::evidence::{Block, Blocks, Limits, Source, each_stream, find};
use crate::finding::Finding;
use crate::scan::{BlockHits, scan};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};

/// Something that could not be read, or not wholly.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Note {
    /// The file.
    pub file: String,
    /// What is wrong and what would do.
    pub what: String,
}

/// A log that was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileRead {
    /// Its name.
    pub file: String,
    /// Its lines.
    pub lines: u64,
    /// Its bytes, unpacked.
    pub bytes: u64,
}

/// What came of it.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Problems, surest first.
    pub findings: Vec<Finding>,
    /// Logs that were read.
    pub files: Vec<FileRead>,
    /// What was not read, and why.
    pub notes: Vec<Note>,
}

/// How far reading is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Bytes on disk that are done.
    pub done: u64,
    /// Bytes on disk in all.
    pub total: u64,
}

/// A block on its way to a worker.
struct Job {
    number: u64,
    /// The log it begins, if it is a first block.
    begins: Option<String>,
    storage: Storage,
    block: Block,
    /// Files wholly read when this block was sent, in bytes on disk.
    done: u64,
}

/// A block that was looked at.
struct Done {
    job: Job,
    /// The block as UTF-8, when it was stored otherwise.
    text: Option<Vec<u8>>,
    hits: BlockHits,
}

impl Doctor {
    /// Reads files, folders and archives of logs. `progress` is called now and then, from this thread.
    ///
    /// # Errors
    /// Only when the rules cannot be used; files that cannot be read are notes in the report.
    pub fn examine(
        &self,
        paths: &[PathBuf],
        limits: &Limits,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Report, DoctorError> {
        let mut engine = Engine::new(&self.book, &self.matcher)?;
        let mut notes = Vec::new();
        let sources = find(paths, limits, &mut notes);
        let sources = sources.as_slice();
        let total = sources.iter().map(|source| source.bytes).sum();
        let workers = std::thread::available_parallelism().map_or(2, usize::from).clamp(1, 4);
        let (jobs, waiting) = sync_channel::<Job>(workers);
        let (looked_at, results) = sync_channel::<Done>(workers);
        let (free, buffers) = channel::<Block>();
        for _ in 0..workers * 2 + 2 {
            let _ = free.send(Block::default());
        }
        let waiting = Mutex::new(waiting);
        let (files, more) = std::thread::scope(|scope| {
            let reader = scope.spawn(move || read_all(sources, limits, buffers, jobs));
            for _ in 0..workers {
                let looked_at = looked_at.clone();
                scope.spawn(|| look(self, &waiting, looked_at));
            }
            drop(looked_at);
            let files = self.gather(&mut engine, results, &free, |done| progress(Progress { done, total }));
            // Without free buffers to wait for, the reader ends even if this thread stopped early.
            drop(free);
            (files, reader.join().unwrap_or_default())
        });
        notes.extend(more);
        Ok(Report { findings: engine.finish(), files, notes })
    }

    /// Feeds the engine in the order in which the blocks stand in their files.
    fn gather(
        &self,
        engine: &mut Engine<'_>,
        results: Receiver<Done>,
        free: &Sender<Block>,
        mut progress: impl FnMut(u64),
    ) -> Vec<FileRead> {
        let mut early = BTreeMap::new();
        let mut next = 0;
        let mut files: Vec<FileRead> = Vec::new();
        for done in results {
            early.insert(done.job.number, done);
            while let Some(Done { job, text, hits }) = early.remove(&next) {
                next += 1;
                if let Some(file) = job.begins {
                    engine.begin_file(&file);
                    files.push(FileRead { file, lines: 0, bytes: 0 });
                }
                let stored = job.block.bytes.get(..job.block.len).unwrap_or_default();
                let base = files.last().map_or(0, |file| file.lines);
                engine.block(text.as_deref().unwrap_or(stored), &hits, base);
                if let Some(file) = files.last_mut() {
                    file.lines += hits.lines;
                    file.bytes += stored.len() as u64;
                    progress(job.done.saturating_add(file.bytes));
                }
                let _ = free.send(job.block);
            }
        }
        engine.end_file();
        files
    }
}

/// Reads every source and sends its blocks; gives back what could not be read.
fn read_all(
    sources: &[Source],
    limits: &Limits,
    buffers: Receiver<Block>,
    jobs: SyncSender<Job>,
) -> Vec<Note> {
    let mut notes = Vec::new();
    let mut number = 0;
    let mut done = 0;
    let mut unpacked = 0u64;
    for source in sources {
        each_stream(source, limits, &mut notes, |name, stream, notes| {
            let mut begins = Some(name.clone());
            let mut blocks = Blocks::new(stream);
            loop {
                // A block that is not sent is lost to the round; the last one of a file always is sent.
                let Ok(mut block) = buffers.recv() else { return false };
                let mut last = true;
                match blocks.next(&mut block) {
                    Ok(true) if blocks.storage() == Storage::Binary => {
                        begins = None;
                        block.len = 0;
                        notes.push(Note { file: name.clone(), what: "is not text: passed over".to_owned() });
                    }
                    Ok(more) => {
                        last = !more;
                        block.len = if more { block.len } else { 0 };
                    }
                    Err(e) => {
                        block.len = 0;
                        let what = format!("could be read only in part: {e}");
                        notes.push(Note { file: name.clone(), what });
                    }
                }
                unpacked = unpacked.saturating_add(block.len as u64);
                let job = Job { number, begins: begins.take(), storage: blocks.storage(), block, done };
                number += 1;
                if jobs.send(job).is_err() {
                    return false;
                }
                if unpacked > limits.total_bytes {
                    notes.push(Note {
                        file: name,
                        what: "is where reading ends: there is too much".to_owned(),
                    });
                    return false;
                }
                if last {
                    return true;
                }
            }
        });
        done += source.bytes;
    }
    notes
}

/// A worker: takes blocks as they come.
fn look(doctor: &Doctor, waiting: &Mutex<Receiver<Job>>, looked_at: SyncSender<Done>) {
    loop {
        let Ok(Ok(job)) = waiting.lock().map(|jobs| jobs.recv()) else { return };
        let stored = job.block.bytes.get(..job.block.len).unwrap_or_default();
        let (text, hits) = match charset::to_bytes(job.storage, stored) {
            std::borrow::Cow::Borrowed(bytes) => (None, scan(&doctor.matcher, bytes)),
            std::borrow::Cow::Owned(text) => {
                let hits = scan(&doctor.matcher, &text);
                (Some(text), hits)
            }
        };
        if looked_at.send(Done { job, text, hits }).is_err() {
            return;
        }
    }
}
