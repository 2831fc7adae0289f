//! Cabinet: what is written is read back, and hostile directories and blocks are refused.

use super::*;
use proptest::prelude::*;

const SMALL: Limits = Limits { members: 10, folders: 2, member_bytes: 100_000, total_bytes: 150_000 };

/// A stored cabinet with one folder, made byte by byte.
fn stored(members: &[(&str, u32, u32)], blocks: &[&[u8]]) -> Vec<u8> {
    let mut directory = Vec::new();
    for (name, size, offset) in members {
        directory.extend_from_slice(&size.to_le_bytes());
        directory.extend_from_slice(&offset.to_le_bytes());
        directory.extend_from_slice(&[0; 8]);
        directory.extend_from_slice(name.as_bytes());
        directory.push(0);
    }
    let mut out = b"MSCF".to_vec();
    out.extend_from_slice(&[0; 12]);
    out.extend_from_slice(&44_u32.to_le_bytes());
    out.extend_from_slice(&[0, 0, 0, 0, 3, 1, 1, 0]);
    out.extend_from_slice(&(members.len() as u16).to_le_bytes());
    out.extend_from_slice(&[0; 6]);
    out.extend_from_slice(&(44 + directory.len() as u32).to_le_bytes());
    out.extend_from_slice(&(blocks.len() as u16).to_le_bytes());
    out.extend_from_slice(&[0, 0]);
    out.extend_from_slice(&directory);
    for block in blocks {
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&(block.len() as u16).to_le_bytes());
        out.extend_from_slice(&(block.len() as u16).to_le_bytes());
        out.extend_from_slice(block);
    }
    out
}

fn noise(seed: u32, length: usize) -> Vec<u8> {
    let mut state = seed;
    (0..length)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        })
        .collect()
}

/// "Hello" and "See you later" in an LZX folder with a window of 2 MiB: two members in one uncompressed
/// LZX block, laid out by hand from MS-PATCH 2.
fn lzx() -> (Vec<u8>, Vec<u8>) {
    let text = b"detect, download, install, report".to_vec();
    // One bit "no E8 translation", three bits block type 3, 24 bits size, padding to 16 bits, then three
    // repeated offsets and the bytes; 16-bit words with the low byte first.
    let header = (0b011_u32 << 28) | ((text.len() as u32) << 4);
    let mut block = Vec::new();
    for word in [header >> 16, header & 0xFFFF] {
        block.extend_from_slice(&(word as u16).to_le_bytes());
    }
    for offset in [1_u32, 1, 1] {
        block.extend_from_slice(&offset.to_le_bytes());
    }
    block.extend_from_slice(&text);
    block.push(0);
    let mut cabinet = stored(&[("one.txt", 6, 0), ("two.txt", 27, 6)], &[&block]);
    let data_at = cabinet.len() - block.len();
    cabinet[data_at - 2..data_at].copy_from_slice(&(text.len() as u16).to_le_bytes());
    cabinet[42..44].copy_from_slice(&0x1503_u16.to_le_bytes());
    (cabinet, text)
}

#[test]
fn written_members_are_read_back_in_order() {
    let large = b"<upd:Update />".repeat(9000);
    let members: [(&str, &[u8]); 4] =
        [("metadata.txt", b"x"), ("package.xml", &large), ("empty", b""), ("Grüße.xml", &large[..40_000])];
    let bytes = write(&members).unwrap();
    assert!(bytes.len() * 20 < large.len());
    let read_back = read(&bytes, &Limits::default()).unwrap();
    assert_eq!(read_back.len(), 4);
    for (member, (name, data)) in read_back.iter().zip(members) {
        assert_eq!((member.name.as_str(), member.data.as_slice()), (name, data));
    }
    assert_eq!(bytes, write(&members).unwrap(), "equal input makes equal bytes");
}

#[test]
fn one_member_is_read_alone_and_in_pieces() {
    let large = noise(1, 100_000);
    let bytes = write(&[("a", b"first"), ("b", &large)]).unwrap();
    let cabinet = Cabinet::open(&bytes, &Limits::default()).unwrap();
    assert_eq!(cabinet.read(&cabinet.entries()[1]).unwrap(), large);
    let mut pieces = 0;
    cabinet
        .pieces(&cabinet.entries()[1], |piece| {
            assert!(piece.len() <= 65_536);
            pieces += 1;
            pieces < 2
        })
        .unwrap();
    assert_eq!(pieces, 2, "the reader stops when told");
}

#[test]
fn a_cabinet_without_members_is_read() {
    assert_eq!(read(&write(&[]).unwrap(), &SMALL).unwrap(), []);
}

#[test]
fn an_lzx_folder_is_read() {
    let (bytes, text) = lzx();
    let members = read(&bytes, &SMALL).unwrap();
    assert_eq!(members[0].data, text[..6]);
    assert_eq!(members[1].data, text[6..]);
}

#[test]
fn a_stored_folder_is_read_and_members_may_lie_in_any_order() {
    let bytes = stored(&[("b", 5, 4), ("a", 4, 0)], &[b"ONE", b"+TWO", b"!!"]);
    let members = read(&bytes, &SMALL).unwrap();
    assert_eq!(members[0].data, b"TWO!!");
    assert_eq!(members[1].data, b"ONE+");
}

#[test]
fn a_member_beyond_its_folder_is_refused() {
    let bytes = stored(&[("a", 5, 4)], &[b"abcdef"]);
    assert!(matches!(read(&bytes, &SMALL), Err(CabinetError::Damaged(_))));
    let without_blocks = stored(&[("a", 5, 0)], &[]);
    assert!(matches!(read(&without_blocks, &SMALL), Err(CabinetError::Damaged(_))));
}

#[test]
fn limits_are_checked_before_anything_is_decompressed() {
    let limit = |bytes: &[u8]| match read(bytes, &SMALL) {
        Err(CabinetError::Limit { what, .. }) => what,
        other => panic!("{other:?}"),
    };
    assert_eq!(limit(&stored(&[("a", 1, 0); 11], &[b"x"])), "members");
    assert_eq!(limit(&stored(&[("a", 100_001, 0)], &[b"x"])), "a member size");
    assert_eq!(limit(&stored(&[("a", 90_000, 0), ("b", 90_000, 0)], &[b"x"])), "a total size");
    assert_eq!(limit(&stored(&[("a", 1, u32::MAX)], &[b"x"])), "a total size");
    let mut folders = stored(&[("a", 1, 0)], &[b"x"]);
    folders[26] = 3;
    assert_eq!(limit(&folders), "folders");
}

#[test]
fn a_bomb_is_refused_at_the_limit() {
    let bomb = write(&[("zeros", &vec![0; 20 << 20])]).unwrap();
    assert!(bomb.len() < 60_000, "{}", bomb.len());
    assert!(matches!(read(&bomb, &SMALL), Err(CabinetError::Limit { .. })));
}

#[test]
fn a_changed_byte_in_a_block_is_noticed() {
    let mut bytes = write(&[("a", &b"Windows Update ".repeat(100))]).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 0x40;
    assert_eq!(read(&bytes, &SMALL), Err(CabinetError::Checksum { folder: 0, block: 0 }));
}

#[test]
fn a_cabinet_cut_anywhere_is_refused() {
    let bytes = write(&[("a", &noise(2, 70_000)), ("b", b"second")]).unwrap();
    for cut in (0..bytes.len()).step_by(7) {
        assert!(read(&bytes[..cut], &SMALL).is_err(), "cut at {cut}");
    }
}

#[test]
fn parts_of_a_set_and_unknown_schemes_are_named() {
    let good = stored(&[("a", 1, 0)], &[b"x"]);
    let with = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        read(&bytes, &SMALL).unwrap_err()
    };
    assert_eq!(with(30, 2), CabinetError::Spanned);
    assert_eq!(with(42, 2), CabinetError::Compression(2));
    assert_eq!(with(24, 4), CabinetError::Version { major: 1, minor: 4 });
    assert_eq!(read(b"PK\x03\x04", &SMALL), Err(CabinetError::Signature));
}

#[test]
fn names_that_no_cabinet_can_hold_are_refused() {
    for name in ["", "a\0b", &"x".repeat(256)] {
        assert!(matches!(write(&[(name, b"")]), Err(CabinetError::Name(_))), "{name:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_written_is_read(
        members in proptest::collection::vec(("[a-z]{1,8}", any::<u32>(), 0_usize..50_000), 0..5),
    ) {
        let data: Vec<(String, Vec<u8>)> =
            members.into_iter().map(|(name, seed, length)| (name, noise(seed, length))).collect();
        let borrowed: Vec<(&str, &[u8])> = data.iter().map(|(n, d)| (n.as_str(), d.as_slice())).collect();
        let read_back = read(&write(&borrowed).unwrap(), &Limits::default()).unwrap();
        prop_assert_eq!(read_back.into_iter().map(|m| (m.name, m.data)).collect::<Vec<_>>(), data);
    }

    #[test]
    fn changed_cabinets_never_panic_or_pass_the_limit(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        compressed in any::<bool>(),
    ) {
        let mut bytes = if compressed {
            write(&[("a", b"Windows Update Windows Update"), ("b", &[7; 40_000])]).unwrap()
        } else {
            lzx().0
        };
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(members) = read(&bytes, &SMALL) {
            prop_assert!(members.iter().map(|m| m.data.len() as u64).sum::<u64>() <= SMALL.total_bytes);
        }
    }
}
