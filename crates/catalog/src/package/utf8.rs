//! Catalog: a package's text as UTF-8, whatever it is encoded as, piece by piece.

use encoding_rs::{Decoder, DecoderResult, UTF_8, UTF_16BE, UTF_16LE};
use std::io::{self, BufRead, Read};

/// Decodes UTF-8 and UTF-16 (by byte order mark, or by the zero bytes of ASCII text) as it is read.
pub(super) struct Utf8<R> {
    inner: R,
    decoder: Option<Decoder>,
    buffer: String,
    at: usize,
    ended: bool,
    allowance: usize,
}

impl<R: BufRead> Utf8<R> {
    pub(super) fn new(inner: R) -> Self {
        Self { inner, decoder: None, buffer: String::new(), at: 0, ended: false, allowance: usize::MAX }
    }

    /// Lets so many more bytes be consumed before reading fails.
    pub(super) fn allow(&mut self, bytes: usize) {
        self.allowance = bytes;
    }
}

/// How much text is decoded at once.
const PIECE: usize = 64 << 10;

impl<R: BufRead> BufRead for Utf8<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.allowance == 0 {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "one piece of the package is too long"));
        }
        while self.at >= self.buffer.len() && !self.ended {
            self.buffer.clear();
            self.at = 0;
            self.buffer.reserve(PIECE);
            let piece = self.inner.fill_buf()?;
            let last = piece.is_empty();
            let decoder = self.decoder.get_or_insert_with(|| {
                // The decoder takes a mark away and follows it; without one, zeros show the width.
                match piece {
                    [first, 0, ..] if *first != 0 => UTF_16LE,
                    [0, first, ..] if *first != 0 => UTF_16BE,
                    _ => UTF_8,
                }
                .new_decoder()
            });
            let (result, read) = decoder.decode_to_string_without_replacement(piece, &mut self.buffer, last);
            self.inner.consume(read);
            match result {
                DecoderResult::InputEmpty => self.ended = last,
                DecoderResult::OutputFull => {}
                DecoderResult::Malformed(..) => {
                    return Err(io::Error::new(
                        io::ErrorKind::InvalidData,
                        "the text is neither UTF-8 nor UTF-16",
                    ));
                }
            }
        }
        Ok(self.buffer.as_bytes().get(self.at..).unwrap_or_default())
    }

    fn consume(&mut self, count: usize) {
        self.at += count;
        self.allowance = self.allowance.saturating_sub(count);
    }
}

impl<R: BufRead> Read for Utf8<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let count = available.len().min(out.len());
        out.iter_mut().zip(available).for_each(|(slot, byte)| *slot = *byte);
        self.consume(count);
        Ok(count)
    }
}
