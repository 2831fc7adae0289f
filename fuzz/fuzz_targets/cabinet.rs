//! Cabinet files: read within the limits or refused; one member read alone equals the same member read
//! with the others; what is written is read back.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sluicegate_soap::cabinet::{self, Cabinet, Limits};

const LIMITS: Limits = Limits { members: 16, folders: 2, member_bytes: 1 << 19, total_bytes: 1 << 20 };

fuzz_target!(|data: &[u8]| {
    if let Ok(cabinet) = Cabinet::open(data, &LIMITS)
        && let Ok(members) = cabinet.read_all()
    {
        assert!(members.iter().map(|member| member.data.len() as u64).sum::<u64>() <= LIMITS.total_bytes);
        for (entry, member) in cabinet.entries().iter().zip(&members) {
            assert_eq!(entry.size, member.data.len() as u64);
            assert_eq!(cabinet.read(entry).as_ref(), Ok(&member.data));
        }
    }
    if data.len() > 1 {
        let (first, second) = data.split_at(data.len() / 2);
        let written = cabinet::write(&[("one", first), ("two", second)]).expect("short members fit");
        let members = cabinet::read(&written, &LIMITS).expect("what is written can be read");
        assert_eq!(members[0].data, first);
        assert_eq!(members[1].data, second);
    }
});
