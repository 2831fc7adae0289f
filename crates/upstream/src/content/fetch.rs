//! Content: one file. Goes on where an earlier attempt ended, turns to another source when one fails, and
//! throws away what is not the declared file.

use super::error::{ContentError, nobody_reached};
use super::places::Tried;
use crate::transport::{Failure, RetryPolicy, Transport, TransportError, Url};
use sluicegate_store::content::{ContentTurn, PartialContent};
use sluicegate_store::{Store, StoreError};
use sluicegate_terms::{Sha1Digest, Timestamp};
use std::time::SystemTime;

/// How one file ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Outcome {
    /// It came and was verified.
    Fetched,
    /// It was held before.
    Held,
    /// Somebody else fetches it now.
    Elsewhere,
}

/// What fetching one file needs.
pub(super) struct Fetch<'a> {
    pub(super) store: &'a Store,
    pub(super) transport: &'a Transport,
    pub(super) sha1: Sha1Digest,
    pub(super) sources: &'a [Url],
    /// Told of bytes that came from the network, not of those that a source gives again.
    pub(super) received: &'a (dyn Fn(u64) + Send + Sync),
}

/// How far one source has brought a file, over all attempts.
#[derive(Default)]
struct Reached {
    /// The end of what it ever gave. What it gives again is no step forward.
    furthest: u64,
    /// It was asked for the rest and began at the first byte.
    began_anew: bool,
}

impl Reached {
    /// It gave what lies before `end`; how many of those bytes never came before.
    fn reach(&mut self, from: u64, end: u64) -> u64 {
        let fresh = end.saturating_sub(self.furthest.max(from));
        self.furthest = self.furthest.max(end);
        fresh
    }
}

/// How one attempt with one source ended.
enum Attempt {
    /// All bytes are there.
    Complete,
    /// It broke; the source may have the rest.
    Broke(TransportError),
    /// This source will not help.
    Useless(TransportError),
    /// The source's file has another length.
    Longer(String),
}

impl Attempt {
    /// Whether somebody answered, when the last try ended.
    fn reached_somebody(&self) -> bool {
        match self {
            Self::Complete | Self::Longer(_) => true,
            Self::Broke(error) | Self::Useless(error) => !nobody_reached(error),
        }
    }
}

impl Fetch<'_> {
    /// Fetches, verifies, and puts in place. `tried` is told of each source that was asked.
    pub(super) async fn run(&self, tried: &mut Vec<Tried>) -> Result<Outcome, ContentError> {
        let mut partial = match self.begin().await? {
            ContentTurn::Held(_) => return Ok(Outcome::Held),
            ContentTurn::Taken => return Ok(Outcome::Elsewhere),
            ContentTurn::Yours(partial) => partial,
        };
        let name = partial.name().to_owned();
        let mut last = ContentError::NoSource { name: name.clone() };
        let mut corrupt = 0;
        let mut at = 0;
        loop {
            // What an earlier run left may be complete, and then needs no source.
            let from = partial.length();
            let complete = from == partial.size();
            let source = self.sources.get(at);
            if !complete {
                let Some(source) = source else { return Err(last) };
                let (given_back, attempt) = self.from(partial, source).await?;
                partial = given_back;
                tried.push(Tried { source: source.clone(), reached: attempt.reached_somebody() });
                last = match attempt {
                    Attempt::Complete => last,
                    Attempt::Longer(reason) => {
                        restart(&mut partial)?;
                        ContentError::Corrupt { name: name.clone(), at: source.to_string(), reason }
                    }
                    Attempt::Broke(error) => ContentError::Transport { name: name.clone(), source: error },
                    Attempt::Useless(error) => match (error.failure(), last) {
                        (
                            Failure::NotFound,
                            ContentError::NoSource { .. } | ContentError::NotThere { .. },
                        ) => ContentError::NotThere { name: name.clone(), at: source.to_string() },
                        // One that has it and fails says more than one that does not have it.
                        (Failure::NotFound, said) => said,
                        _ => ContentError::Transport { name: name.clone(), source: error },
                    },
                };
                if partial.length() != partial.size() {
                    at += 1;
                    continue;
                }
            }
            let Some(reason) = self.finish(partial).await? else { return Ok(Outcome::Fetched) };
            corrupt += 1;
            let whence = source.filter(|_| !complete);
            tracing::warn!(file = name, source = ?whence, reason, "a file was not what its update declares");
            let whence = whence.map_or_else(|| "an earlier run".to_owned(), ToString::to_string);
            last = ContentError::Corrupt { name: name.clone(), at: whence, reason };
            // Part of it was from earlier: the same source may be without blame. Else another is tried, once, or the
            // only one again: what changed it on the way may be gone.
            if from == 0 {
                if corrupt > 1 {
                    return Err(last);
                }
                at = (at + 1).min(self.sources.len().saturating_sub(1));
            }
            partial = match self.begin().await? {
                ContentTurn::Held(_) => return Ok(Outcome::Held),
                ContentTurn::Taken => return Ok(Outcome::Elsewhere),
                ContentTurn::Yours(partial) => partial,
            };
        }
    }

    /// Fetches what is missing from one source, as long as it makes progress.
    async fn from(
        &self,
        mut partial: Box<PartialContent>,
        source: &Url,
    ) -> Result<(Box<PartialContent>, Attempt), ContentError> {
        let policy = self.transport.retry();
        let mut failed = 0;
        let mut reached = Reached::default();
        loop {
            let before = reached.furthest;
            let (given_back, attempt) = self.once(partial, source, &mut reached).await?;
            partial = given_back;
            let Attempt::Broke(error) = attempt else { return Ok((partial, attempt)) };
            if reached.furthest > before {
                failed = 0;
            }
            failed += 1;
            let Some(wait) = policy.wait(failed, draw(), error.retry_after()) else {
                let error = if reached.began_anew {
                    let failure = Failure::NotContinued { longest: reached.furthest, size: partial.size() };
                    self.transport.error(source, failure)
                } else {
                    error
                };
                return Ok((partial, Attempt::Broke(error)));
            };
            tracing::warn!(%error, code = error.code(), had = partial.length(), "a file is gone on with");
            tokio::time::sleep(wait).await;
        }
    }

    /// One request.
    async fn once(
        &self,
        mut partial: Box<PartialContent>,
        source: &Url,
        reached: &mut Reached,
    ) -> Result<(Box<PartialContent>, Attempt), ContentError> {
        let from = partial.length();
        let transport = self.transport.with_retry(RetryPolicy::NEVER);
        let mut asked = transport.get_range(source, from).await;
        if let Err(error) = &asked
            && matches!(error.failure(), Failure::WrongRange { .. })
            && from > 0
        {
            // Where ranges are answered wrongly the whole may come right; what is here is given up for it.
            tracing::warn!(%error, "a part of a file cannot be had, so the whole is asked for");
            asked = transport.get_range(source, 0).await;
        }
        let mut download = match asked {
            Ok(download) => download,
            Err(error) if *error.failure() == (Failure::Status { status: 416 }) => {
                let reason = format!("it ends before byte {from}");
                return Ok((partial, Attempt::Longer(reason)));
            }
            Err(error) if error.is_transient() => return Ok((partial, Attempt::Broke(error))),
            Err(error) => return Ok((partial, Attempt::Useless(error))),
        };
        if let Some(total) = download.total().filter(|total| *total != partial.size()) {
            let reason = format!("it has {total} bytes, declared are {}", partial.size());
            return Ok((partial, Attempt::Longer(reason)));
        }
        if download.start() != from {
            restart(&mut partial)?;
            reached.began_anew = true;
        }
        let mut at = partial.length();
        let broken = loop {
            match download.next().await {
                Ok(Some(piece)) => {
                    // Here and not on a thread of its own: while this processor has it at hand.
                    match partial.write(&piece) {
                        Ok(()) => {}
                        Err(StoreError::ContentMismatch { reason, .. }) => {
                            return Ok((partial, Attempt::Longer(reason)));
                        }
                        Err(error) => return Err(error.into()),
                    }
                    let begin = at;
                    at += piece.len() as u64;
                    (self.received)(reached.reach(begin, at));
                }
                Ok(None) => break None,
                Err(error) => break Some(error),
            }
        };
        let attempt = match broken {
            Some(error) => Attempt::Broke(error),
            None if partial.length() == partial.size() => Attempt::Complete,
            None => {
                let received = partial.length();
                let reason = format!("the file has {} bytes", partial.size());
                Attempt::Broke(self.transport.error(source, Failure::Truncated { received, reason }))
            }
        };
        Ok((partial, attempt))
    }

    /// Off the network's threads: going on with a file reads and hashes what is there.
    async fn begin(&self) -> Result<ContentTurn, ContentError> {
        let (store, sha1) = (self.store.clone(), self.sha1);
        let turn = tokio::task::spawn_blocking(move || store.begin_content(sha1)).await;
        turn.map_err(|_| ContentError::BrokenOff { name: sha1.to_hex_upper() })?.map_err(Into::into)
    }

    /// Verifies and puts in place; says why when it is not the declared file.
    async fn finish(&self, partial: Box<PartialContent>) -> Result<Option<String>, ContentError> {
        let name = partial.name().to_owned();
        let now = now();
        match tokio::task::spawn_blocking(move || partial.finish(now)).await {
            Ok(Ok(_)) => Ok(None),
            Ok(Err(StoreError::ContentMismatch { reason, .. })) => Ok(Some(reason)),
            Ok(Err(error)) => Err(error.into()),
            Err(_) => Err(ContentError::BrokenOff { name }),
        }
    }
}

fn restart(partial: &mut PartialContent) -> Result<(), ContentError> {
    partial.restart().map_err(Into::into)
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_unix_seconds(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}

/// A number to spread waits by.
fn draw() -> u32 {
    let mut bytes = [0; 4];
    match ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut bytes) {
        Ok(()) => u32::from_le_bytes(bytes),
        Err(_) => 0,
    }
}
