//! The body of an import: one line of JSON per document, `{"name":…,"size":N}`, then its N bytes. Read as
//! it comes, with every length bounded before anything is kept.

use serde::Deserialize;
use std::io::{self, BufRead, BufReader, Read};

/// Longest line of JSON.
const LONGEST_LINE: u64 = 64 << 10;

/// One document.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Document {
    /// Where it came from, for messages.
    pub(super) name: String,
    /// Its bytes, unless there are more than allowed.
    pub(super) bytes: Result<Vec<u8>, TooLarge>,
}

/// A document that was passed over for its size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the document has {size} bytes; at most {limit} are accepted")]
pub(super) struct TooLarge {
    /// Its size.
    pub(super) size: u64,
    /// The bound.
    pub(super) limit: usize,
}

/// Why the sequence cannot be read on.
#[derive(Debug, thiserror::Error)]
pub(super) enum FramedError {
    /// A line that is no header.
    #[error("document {number}: the line before it must be {{\"name\":…,\"size\":N}}: {reason}")]
    Header {
        /// Which document, from 1.
        number: u64,
        /// What is wrong.
        reason: String,
    },
    /// The bytes ended too early.
    #[error("`{name}` broke off: {source}; nothing was imported, send everything again")]
    Broken {
        /// Which document.
        name: String,
        /// Why.
        source: io::Error,
    },
}

#[derive(Deserialize)]
struct Header {
    name: String,
    size: u64,
}

/// Reads documents one after the other.
pub(super) struct Documents<R> {
    from: BufReader<R>,
    limit: usize,
    number: u64,
}

impl<R: Read> Documents<R> {
    /// From a body; documents larger than `limit` bytes are passed over.
    pub(super) fn new(from: R, limit: usize) -> Self {
        Self { from: BufReader::with_capacity(64 << 10, from), limit, number: 0 }
    }

    /// The next document; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Document>, FramedError> {
        self.number += 1;
        let bad = |reason: String| FramedError::Header { number: self.number, reason };
        let mut line = Vec::new();
        loop {
            line.clear();
            let read = (&mut self.from).take(LONGEST_LINE).read_until(b'\n', &mut line);
            match read.map_err(|error| bad(error.to_string()))? {
                0 => return Ok(None),
                _ if line.iter().all(u8::is_ascii_whitespace) => {}
                _ => break,
            }
        }
        if !line.ends_with(b"\n") {
            return Err(bad("it is cut off or longer than 64 KiB".to_owned()));
        }
        let header: Header = serde_json::from_slice(&line).map_err(|error| bad(error.to_string()))?;
        let name: String = header.name.chars().filter(|c| !c.is_control()).take(1024).collect();
        let broken = |source| FramedError::Broken { name: name.clone(), source };
        if header.size > self.limit as u64 {
            let passed =
                io::copy(&mut (&mut self.from).take(header.size), &mut io::sink()).map_err(broken)?;
            if passed < header.size {
                return Err(broken(io::ErrorKind::UnexpectedEof.into()));
            }
            let bytes = Err(TooLarge { size: header.size, limit: self.limit });
            return Ok(Some(Document { name, bytes }));
        }
        // At most `limit`, but believed only as it comes.
        let mut bytes = Vec::with_capacity(usize::try_from(header.size).unwrap_or(0).min(1 << 20));
        (&mut self.from).take(header.size).read_to_end(&mut bytes).map_err(broken)?;
        if (bytes.len() as u64) < header.size {
            return Err(broken(io::ErrorKind::UnexpectedEof.into()));
        }
        Ok(Some(Document { name, bytes: Ok(bytes) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(body: &[u8], limit: usize) -> Result<Vec<Document>, FramedError> {
        let mut documents = Documents::new(body, limit);
        let mut list = Vec::new();
        while let Some(document) = documents.next()? {
            list.push(document);
        }
        Ok(list)
    }

    #[test]
    fn documents_follow_each_other() {
        let body = b"{\"name\":\"a.xml\",\"size\":3}\nabc{\"name\":\"b.xml\",\"size\":0}\n\n{\"name\":\"c\",\"size\":1}\nx";
        let names: Vec<_> = all(body, 10).unwrap().into_iter().map(|d| (d.name, d.bytes.unwrap())).collect();
        assert_eq!(
            names,
            [("a.xml".into(), b"abc".to_vec()), ("b.xml".into(), vec![]), ("c".into(), b"x".to_vec())]
        );
        assert!(all(b"", 10).unwrap().is_empty());
    }

    #[test]
    fn a_large_document_is_passed_over_and_the_next_is_read() {
        let body = b"{\"name\":\"big\",\"size\":11}\n01234567890{\"name\":\"b\",\"size\":1}\nx";
        let list = all(body, 10).unwrap();
        assert_eq!(list[0].bytes, Err(TooLarge { size: 11, limit: 10 }));
        assert_eq!(list[1].bytes, Ok(b"x".to_vec()));
    }

    #[test]
    fn what_breaks_off_is_an_error() {
        for body in [
            &b"{\"name\":\"a\",\"size\":5}\nabc"[..],
            b"{\"name\":\"a\",\"size\":50}\nabc",
            b"{\"name\":\"a\",\"size\":5}",
            b"not json\n",
            b"{\"name\":\"a\"}\n",
            b"{\"name\":\"a\",\"size\":-1}\n",
        ] {
            assert!(all(body, 10).is_err(), "{}", String::from_utf8_lossy(body));
        }
    }
}
