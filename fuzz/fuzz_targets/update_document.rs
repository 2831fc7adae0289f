//! Update documents and compact records: read or refused; what is derived from a document that was read
//! holds together.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sluicegate_catalog::{Limits, ScanRecord, parse};
use sluicegate_soap::ready;

fuzz_target!(|data: &[u8]| {
    let limits = Limits { max_bytes: 1 << 20, max_depth: 64, ..Limits::default() };
    if let Ok(document) = parse(data, &limits) {
        let fragments = sluicegate_catalog::fragments::fragments(&document);
        let core = ready::from_fragment(&fragments.core).expect("a fragment has no forbidden characters");
        assert!(core.escaped_len as usize >= fragments.core.len());
        let record = document.scan_record();
        assert_eq!(ScanRecord::decode(&record.encode()).as_ref(), Ok(&record));
    }
    // Records come from our own files, yet a damaged file must not do worse than fail.
    if let Ok(record) = ScanRecord::decode(data) {
        assert_eq!(ScanRecord::decode(&record.encode()).as_ref(), Ok(&record));
    }
});
