//! Content: pieces from the network to the disk. Hashing and writing happen on a thread of their own, a few
//! pieces behind the network, so that neither waits for the other.

use bytes::Bytes;
use sluicegate_store::StoreError;
use sluicegate_store::content::PartialContent;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Pieces that may wait between network and disk; each has at most the transport's buffer of 1 MiB.
const WAITING: usize = 4;

/// The way of one file to the disk.
pub(super) struct Pipe {
    sender: mpsc::Sender<Bytes>,
    writer: JoinHandle<(Box<PartialContent>, Result<(), StoreError>)>,
}

impl Pipe {
    /// Begins to write. When the pipe is dropped, what was sent is still written.
    pub(super) fn new(mut partial: Box<PartialContent>) -> Self {
        let (sender, mut receiver) = mpsc::channel::<Bytes>(WAITING);
        let writer = tokio::task::spawn_blocking(move || {
            while let Some(piece) = receiver.blocking_recv() {
                if let Err(error) = partial.write(&piece) {
                    return (partial, Err(error));
                }
            }
            (partial, Ok(()))
        });
        Self { sender, writer }
    }

    /// Hands a piece over; false when the writer has failed.
    pub(super) async fn send(&self, piece: Bytes) -> bool {
        self.sender.send(piece).await.is_ok()
    }

    /// Waits until all is written. `None` when the writer was broken off.
    pub(super) async fn close(self) -> Option<(Box<PartialContent>, Result<(), StoreError>)> {
        drop(self.sender);
        self.writer.await.ok()
    }
}
