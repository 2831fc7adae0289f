//! Xpress and gzip bodies: any bytes are decoded within the limit or refused; any bytes that are encoded
//! come back.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sluicegate_soap::gzip;
use sluicegate_soap::xpress::{self, Effort};

const LIMIT: usize = 1 << 20;

fuzz_target!(|data: &[u8]| {
    let mut out = b"before".to_vec();
    match xpress::decompress_into(&mut out, data, LIMIT) {
        Ok(()) => assert!(out.len() <= LIMIT + 6),
        Err(_) => assert_eq!(out, b"before"),
    }
    // The same bytes as the payload of one block, so that mutations reach the decoder behind the frame.
    if let Ok(payload) = u32::try_from(data.len())
        && data.len() < xpress::MAX_BLOCK
    {
        for original in [data.len() + 1, 300, 4096, xpress::MAX_BLOCK] {
            let mut body = (original as u32).to_le_bytes().to_vec();
            body.extend_from_slice(&payload.to_le_bytes());
            body.extend_from_slice(data);
            if let Ok(out) = xpress::decompress(&body, LIMIT) {
                assert_eq!(out.len(), original);
            }
        }
    }
    for effort in [Effort::Fast, Effort::Best] {
        let mut body = Vec::new();
        xpress::compress_into(&mut body, data, effort);
        assert_eq!(xpress::decompress(&body, data.len()).as_deref(), Ok(data));
    }
    if let Ok(out) = gzip::decode(data, LIMIT) {
        assert!(out.len() <= LIMIT);
    }
});
