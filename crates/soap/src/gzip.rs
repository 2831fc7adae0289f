//! Room: gzip bodies (RFC 1952), for clients that ask for them instead of
//! Xpress and for compressed requests. Decoding is bounded by the caller: a small body cannot become
//! a large one.

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use std::io::{Read as _, Write as _};

/// Why bytes are not a usable gzip body.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GzipError {
    /// The output would pass the caller's limit.
    #[error("the gzip body holds more than the permitted {limit} bytes")]
    TooLarge {
        /// The caller's limit.
        limit: usize,
    },
    /// Not gzip, cut short, or with a wrong checksum.
    #[error("the gzip body is damaged: {0}")]
    Damaged(String),
}

/// Compresses at level 4: two thirds of the time of the usual 6 for a few percent more bytes.
#[must_use]
pub fn encode(input: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(input.len() / 4 + 64), Compression::new(4));
    // A Vec takes every write; were it not so, an empty body would be the visible result.
    let written = encoder.write_all(input);
    written.and_then(|()| encoder.finish()).unwrap_or_default()
}

/// Decompresses a whole body (one or more members) into at most `max_out` bytes.
///
/// # Errors
/// [`GzipError`]; at most `max_out` bytes and a fixed window are held whatever the input is.
pub fn decode(input: &[u8], max_out: usize) -> Result<Vec<u8>, GzipError> {
    let limit = u64::try_from(max_out).unwrap_or(u64::MAX);
    let mut out = Vec::with_capacity(input.len().saturating_mul(4).min(max_out));
    let mut reader = MultiGzDecoder::new(input);
    reader
        .by_ref()
        .take(limit)
        .read_to_end(&mut out)
        .map_err(|error| GzipError::Damaged(error.to_string()))?;
    // One more byte means more than permitted; it also makes the reader check the trailer.
    match reader.read(&mut [0]) {
        Ok(0) => Ok(out),
        Ok(_) => Err(GzipError::TooLarge { limit: max_out }),
        Err(error) => Err(GzipError::Damaged(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_bomb_is_refused_at_the_limit() {
        let bomb = encode(&vec![0; 64 << 20]);
        assert!(bomb.len() < 400_000, "{}", bomb.len());
        assert_eq!(decode(&bomb, 1 << 20), Err(GzipError::TooLarge { limit: 1 << 20 }));
        assert_eq!(decode(&bomb, 64 << 20).map(|out| out.len()), Ok(64 << 20));
    }

    #[test]
    fn a_body_of_exactly_the_limit_is_read() {
        let body = encode(b"0123456789");
        assert_eq!(decode(&body, 10).unwrap(), b"0123456789");
        assert!(decode(&body, 9).is_err());
    }

    #[test]
    fn a_cut_or_changed_body_is_refused() {
        let body = encode(&b"SyncUpdates ".repeat(50));
        for cut in 0..body.len() {
            assert!(matches!(decode(&body[..cut], 1 << 16), Err(GzipError::Damaged(_))), "cut at {cut}");
        }
        let mut changed = body.clone();
        let checksum_at = body.len() - 8;
        changed[checksum_at] ^= 1;
        assert!(matches!(decode(&changed, 1 << 16), Err(GzipError::Damaged(_))));
        assert!(decode(b"<s:Envelope/>", 1 << 16).is_err());
    }

    proptest! {
        #[test]
        fn what_is_encoded_comes_back(input in proptest::collection::vec(any::<u8>(), 0..5000)) {
            prop_assert_eq!(decode(&encode(&input), input.len()).unwrap(), input);
        }

        #[test]
        fn arbitrary_bytes_never_pass_the_limit(input in proptest::collection::vec(any::<u8>(), 0..500)) {
            if let Ok(out) = decode(&input, 100) {
                prop_assert!(out.len() <= 100);
            }
        }
    }
}
