//! Bytes of files that go from the system's cache to a client without coming through this process (sendfile).
//! The HTTP library takes memory only. In place of a stretch of a file it gets as much of a stand-in, which nobody
//! reads; the connection knows the stand-in by its address and has the system send the file there. What is sent so is
//! the file itself until the client has it: who writes over it changes what is on its way. Only for files that nobody does.

use bytes::Bytes;
use parking_lot::Mutex;
use rustix::fs::sendfile;
use rustix::io::Errno;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, IoSlice};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};

/// The longest stretch that is handed over at once, in bytes.
pub const STRETCH: usize = 512 << 10;

/// What stands for bytes of files. Never written, so it takes no memory.
static STAND_IN: LazyLock<Bytes> = LazyLock::new(|| Bytes::from(vec![0; STRETCH]));

/// Said by the system: files of this server cannot be sent so. From then on they are read as ever.
static REFUSED: AtomicBool = AtomicBool::new(false);

/// What one connection was promised and has not sent yet, in order.
#[derive(Debug, Clone, Default)]
pub struct Lane {
    stretches: Arc<Mutex<VecDeque<Stretch>>>,
}

#[derive(Debug)]
struct Stretch {
    file: Arc<File>,
    at: u64,
    left: usize,
}

/// What is to be done with slices that the HTTP library wants written.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// So many of them are memory, to be written first; all, or up to bytes of a file.
    Memory(usize),
    /// Bytes of a file.
    File,
}

impl Lane {
    /// Whether files may take this way.
    #[must_use]
    pub fn is_open() -> bool {
        !REFUSED.load(Ordering::Relaxed)
    }

    /// Takes a stretch of a file, of at most [`STRETCH`] bytes, and gives what stands for it.
    #[must_use]
    pub fn take(&self, file: &Arc<File>, at: u64, len: usize) -> Bytes {
        let stand_in = STAND_IN.slice(..len.min(STRETCH));
        self.stretches.lock().push_back(Stretch { file: Arc::clone(file), at, left: stand_in.len() });
        stand_in
    }

    /// What of `slices` comes first.
    ///
    /// # Errors
    /// When they stand for other than was taken: the HTTP library has copied the stand-in, which must reach nobody.
    pub(super) fn next(&self, slices: &[IoSlice<'_>]) -> io::Result<Next> {
        let standing: usize = slices.iter().filter(|slice| stands_in(slice)).map(|slice| slice.len()).sum();
        let taken: usize = self.stretches.lock().iter().map(|stretch| stretch.left).sum();
        if standing != taken {
            tracing::error!(
                standing,
                taken,
                "a connection is ended: the HTTP library hands over other bytes than files have"
            );
            return Err(io::Error::other(
                "bytes of a file were not handed to the connection as they should be",
            ));
        }
        let memory = slices.iter().position(|slice| stands_in(slice)).unwrap_or(slices.len());
        let before = slices.get(..memory).unwrap_or_default();
        if memory < slices.len() && before.iter().all(|slice| slice.is_empty()) {
            return Ok(Next::File);
        }
        Ok(Next::Memory(memory))
    }

    /// Has the system send bytes of the first stretch; how many it took.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when the connection takes nothing now, [`io::ErrorKind::UnexpectedEof`] when the
    /// file was cut off meanwhile, and what else the system says of either.
    pub(super) fn send(&self, socket: impl AsFd) -> io::Result<usize> {
        let mut stretches = self.stretches.lock();
        let Some(stretch) = stretches.front_mut() else {
            return Err(io::Error::other("no bytes of a file are to be sent"));
        };
        let mut at = stretch.at;
        let sent = match sendfile(socket, &stretch.file, Some(&mut at), stretch.left) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(sent) => sent.min(stretch.left),
            Err(error) => {
                if matches!(error, Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) {
                    REFUSED.store(true, Ordering::Relaxed);
                }
                return Err(error.into());
            }
        };
        stretch.at += sent as u64;
        stretch.left -= sent;
        if stretch.left == 0 {
            stretches.pop_front();
        }
        Ok(sent)
    }
}

/// Whether these bytes stand for others.
fn stands_in(slice: &[u8]) -> bool {
    let begin = STAND_IN.as_ptr().addr();
    !slice.is_empty() && (begin..begin + STRETCH).contains(&slice.as_ptr().addr())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read as _, Write as _};
    use std::os::unix::net::UnixStream;

    fn file(bytes: &[u8]) -> Arc<File> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        Arc::new(file)
    }

    #[test]
    fn what_was_taken_is_sent_in_order_between_what_is_memory() {
        let lane = Lane::default();
        let bytes: Vec<u8> = (0..10_000_u32).map(|n| (n % 251) as u8).collect();
        let file = file(&bytes);
        let (first, second) = (lane.take(&file, 100, 5_000), lane.take(&file, 7_000, 20));
        assert_eq!((first.len(), second.len()), (5_000, 20));
        let slices = |from: usize, between: &'static [u8]| {
            [IoSlice::new(b""), IoSlice::new(&first[from..]), IoSlice::new(between), IoSlice::new(&second)]
        };
        let head = [IoSlice::new(b"head"), IoSlice::new(&first), IoSlice::new(&second)];
        assert_eq!(lane.next(&head).unwrap(), Next::Memory(1));
        assert_eq!(lane.next(&slices(0, b"|")).unwrap(), Next::File);
        let (mut client, server) = UnixStream::pair().unwrap();
        let mut sent = 0;
        while sent < 5_000 {
            assert_eq!(lane.next(&slices(sent, b"|")).unwrap(), Next::File);
            sent += lane.send(&server).unwrap();
        }
        assert_eq!(sent, 5_000);
        assert_eq!(lane.next(&[IoSlice::new(b"|"), IoSlice::new(&second)]).unwrap(), Next::Memory(1));
        assert_eq!(lane.send(&server).unwrap(), 20);
        assert_eq!(lane.next(&[IoSlice::new(b"more")]).unwrap(), Next::Memory(1));
        drop(server);
        let mut came = Vec::new();
        client.read_to_end(&mut came).unwrap();
        assert!(came == [&bytes[100..5_100], &bytes[7_000..7_020]].concat());
    }

    #[test]
    fn a_copy_of_the_stand_in_is_never_written() {
        let lane = Lane::default();
        let stand_in = lane.take(&file(&[7; 100]), 0, 100);
        let copy = stand_in.to_vec();
        assert!(lane.next(&[IoSlice::new(b"head"), IoSlice::new(&copy)]).is_err());
        assert!(lane.next(&[IoSlice::new(&stand_in[..99])]).is_err());
        assert!(lane.next(&[IoSlice::new(&stand_in)]).is_ok());
    }

    #[test]
    fn a_file_cut_off_meanwhile_is_an_error() {
        let lane = Lane::default();
        let file = file(&[7; 100]);
        let _stand_in = lane.take(&file, 100, 10);
        let (_client, server) = UnixStream::pair().unwrap();
        assert_eq!(lane.send(&server).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        assert!(Lane::is_open());
    }
}
