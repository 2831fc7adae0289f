//! Xpress: the vectors of the specifications, an independent decoder, and properties over random input.

use super::*;
use proptest::prelude::*;

/// A block's payload as the encoder writes it, also where storing it would be shorter.
fn payload(input: &[u8], effort: Effort) -> Vec<u8> {
    let mut out = Vec::new();
    match effort {
        Effort::Fast => encode::fast(input, &mut out),
        Effort::Best => encode::best(input, &mut out),
    }
    out
}

fn framed(original: usize, payload: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    write_header(&mut body, original, payload.len());
    body.extend_from_slice(payload);
    body
}

fn unpacked(payload: &[u8], size: usize) -> Result<Vec<u8>, BlockFault> {
    let mut out = vec![0; size];
    decode::block(payload, &mut out).map(|()| out)
}

/// The decoder of MS-XCA 2.4.4, step by step and byte by byte, sharing nothing with the one under test.
fn reference_decode(input: &[u8]) -> Option<Vec<u8>> {
    let byte = |at: usize| input.get(at).map(|&b| b as usize);
    let number = |at: usize, bytes: usize| {
        let mut value = 0;
        for i in 0..bytes {
            value += byte(at + i)? << (8 * i);
        }
        Some(value)
    };
    let mut output: Vec<u8> = Vec::new();
    let (mut flags, mut flag_count, mut input_position, mut last_half) = (0_usize, 0_u32, 0_usize, 0_usize);
    loop {
        if flag_count == 0 {
            flags = number(input_position, 4)?;
            input_position += 4;
            flag_count = 32;
        }
        flag_count -= 1;
        if flags & (1 << flag_count) == 0 {
            output.push(byte(input_position)? as u8);
            input_position += 1;
            continue;
        }
        if input_position == input.len() {
            return Some(output);
        }
        let match_bytes = number(input_position, 2)?;
        input_position += 2;
        let mut length = match_bytes % 8;
        let offset = match_bytes / 8 + 1;
        if length == 7 {
            if last_half == 0 {
                length = byte(input_position)? % 16;
                last_half = input_position;
                input_position += 1;
            } else {
                length = byte(last_half)? / 16;
                last_half = 0;
            }
            if length == 15 {
                length = byte(input_position)?;
                input_position += 1;
                if length == 255 {
                    length = number(input_position, 2)?;
                    input_position += 2;
                    if length == 0 {
                        length = number(input_position, 4)?;
                        input_position += 4;
                    }
                    if length < 15 + 7 {
                        return None;
                    }
                    length -= 15 + 7;
                }
                length += 15;
            }
            length += 7;
        }
        length += 3;
        for _ in 0..length {
            let again = *output.get(output.len().checked_sub(offset)?)?;
            output.push(again);
        }
    }
}

/// Text like the fragments that are compressed most, from a seed.
fn fragment_like(seed: u64, length: usize) -> Vec<u8> {
    let words = [
        "&lt;b.RegDword Key=\"HKEY_LOCAL_MACHINE\" Subkey=\"SOFTWARE\\",
        "&lt;UpdateIdentity UpdateID=\"",
        "\" RevisionNumber=\"200\" /&gt;",
        "&lt;/AtLeastOne&gt;&lt;AtLeastOne IsCategory=\"true\"&gt;",
        "Comparison=\"GreaterThanOrEqualTo\" Version=\"10.0.",
        "0fa1201d-4330-4fa8-8ae9-",
    ];
    let mut state = seed;
    let mut out = Vec::new();
    while out.len() < length {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let pick = (state >> 33) as usize;
        out.extend_from_slice(words[pick % words.len()].as_bytes());
        out.extend_from_slice(format!("{:x}", state >> (pick % 40)).as_bytes());
    }
    out.truncate(length);
    out
}

const EFFORTS: [Effort; 2] = [Effort::Fast, Effort::Best];

#[test]
fn vector_of_xca_3_1_alphabet() {
    let text = b"abcdefghijklmnopqrstuvwxyz";
    let mut expected = vec![0x3f, 0, 0, 0];
    expected.extend_from_slice(text);
    for effort in EFFORTS {
        assert_eq!(payload(text, effort), expected);
    }
    assert_eq!(unpacked(&expected, 26).unwrap(), text);
    // In the frame it is stored, since four bytes of flags make it longer.
    assert_eq!(compress(text), framed(26, text));
}

#[test]
fn vector_of_xca_3_1_abc() {
    let text = b"abc".repeat(100);
    let expected = [0xff, 0xff, 0xff, 0x1f, 0x61, 0x62, 0x63, 0x17, 0x00, 0x0f, 0xff, 0x26, 0x01];
    for effort in EFFORTS {
        assert_eq!(payload(&text, effort), expected);
    }
    assert_eq!(unpacked(&expected, 300).unwrap(), text);
}

#[test]
fn vector_of_wusp_2_1_1_1_1_window_example() {
    // "AABCBBABC" as the example parses it, except that pointers to fewer than three bytes are literals.
    let encoded = [0xff, 0xff, 0xff, 0x03, b'A', b'A', b'B', b'C', b'B', b'B', 4 << 3, 0];
    assert_eq!(unpacked(&encoded, 9).unwrap(), b"AABCBBABC");
    assert_eq!(payload(b"AABCBBABC", Effort::Best), encoded);
}

#[test]
fn vectors_of_wusp_2_1_1_1_2_bit_masks() {
    // ABCABCDEF: flags 0001 0001, here with 24 more ones behind the mark of the end.
    let encoded = [0xff, 0xff, 0xff, 0x11, b'A', b'B', b'C', 2 << 3, 0, b'D', b'E', b'F'];
    // The quick encoder has no eye for three bytes.
    assert_eq!(payload(b"ABCABCDEF", Effort::Best), encoded);
    assert_eq!(unpacked(&encoded, 9).unwrap(), b"ABCABCDEF");
    // When the last flag is used up, the end needs another bit mask.
    let text: Vec<u8> = (0..32).collect();
    let encoded = payload(&text, Effort::Best);
    assert_eq!(encoded.len(), 4 + 32 + 4);
    assert_eq!(encoded[36..], [0xff; 4]);
    assert_eq!(unpacked(&encoded, 32).unwrap(), text);
    assert_eq!(unpacked(&encoded[..36], 32), Err(BlockFault::Cut));
}

#[test]
fn vector_of_wusp_2_1_1_1_2_offset() {
    // The metadata 0x0018 reaches back 4 bytes and copies 3.
    let encoded = [0xff, 0xff, 0xff, 0x0f, b'a', b'b', b'c', b'd', 0x18, 0x00];
    assert_eq!(unpacked(&encoded, 7).unwrap(), b"abcdabc");
}

#[test]
fn vectors_of_wusp_2_1_1_1_2_match_lengths() {
    // A run of `length` + 1 equal bytes is one literal and one match of that length.
    let cases: [(usize, &[u8]); 9] = [
        (3, &[0]),
        (9, &[6]),
        (10, &[7, 0, 0x0]),
        (24, &[7, 0, 0xe]),
        (25, &[7, 0, 0xf, 0x00]),
        (26, &[7, 0, 0xf, 0x01]),
        (279, &[7, 0, 0xf, 0xfe]),
        (280, &[7, 0, 0xf, 0xff, 0x15, 0x01]),
        (281, &[7, 0, 0xf, 0xff, 0x16, 0x01]),
    ];
    for (length, metadata) in cases {
        let mut expected = vec![0xff, 0xff, 0xff, 0x7f, b'x'];
        expected.extend_from_slice(metadata);
        expected.resize(expected.len().max(7), 0);
        let text = vec![b'x'; length + 1];
        // The quick encoder looks at eight bytes at a time.
        if text.len() > 8 {
            assert_eq!(payload(&text, Effort::Fast), expected, "length {length}");
        }
        // 280 costs less as 279 and a literal.
        assert!(payload(&text, Effort::Best).len() <= expected.len(), "length {length}");
        assert_eq!(unpacked(&expected, length + 1).unwrap(), text, "length {length}");
    }
}

#[test]
fn two_long_matches_share_one_length_byte() {
    let encoded = [0xff, 0xff, 0xff, 0x5f, b'x', 7, 0, 0x31, b'y', 7, 0];
    let expected = [[b'x'; 12].as_slice(), &[b'y'; 14]].concat();
    assert_eq!(unpacked(&encoded, 26).unwrap(), expected);
    assert_eq!(payload(&expected, Effort::Best), encoded);
}

#[test]
fn the_four_byte_length_is_read() {
    let mut encoded = vec![0xff, 0xff, 0xff, 0x7f, b'x', 7, 0, 0xf, 0xff, 0, 0];
    encoded.extend_from_slice(&65_531_u32.to_le_bytes());
    assert_eq!(unpacked(&encoded, 65_535).unwrap(), [b'x'; 65_535]);
    let at = encoded.len() - 4;
    encoded[at..].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(unpacked(&encoded, 65_535), Err(BlockFault::Over));
}

#[test]
fn a_length_in_a_form_too_long_for_it_is_refused() {
    let encoded = [0xff, 0xff, 0xff, 0x7f, b'x', 7, 0, 0xf, 0xff, 21, 0];
    assert_eq!(unpacked(&encoded, 25), Err(BlockFault::Length));
}

#[test]
fn a_match_before_the_start_is_refused_even_when_another_block_precedes() {
    let good = framed(32, &payload(&[b'z'; 32], Effort::Best));
    let bad = framed(12, &[0xff, 0xff, 0xff, 0x7f, b'x', (1 << 3) | 6, 0]);
    let body = [good.clone(), bad].concat();
    let fault = BlockFault::Offset { offset: 2, have: 1 };
    assert_eq!(decompress(&body, 1000), Err(XpressError::Damaged { at: good.len(), fault }));
}

#[test]
fn sizes_that_lie_are_refused() {
    let text = b"abc".repeat(100);
    let packed = payload(&text, Effort::Best);
    for (claimed, fault) in [(301, BlockFault::Under), (299, BlockFault::Over), (14, BlockFault::Over)] {
        assert_eq!(
            decompress(&framed(claimed, &packed), 1000),
            Err(XpressError::Damaged { at: 0, fault }),
            "{claimed}"
        );
    }
    assert!(matches!(decompress(&framed(65_536, &packed), 1 << 20), Err(XpressError::BlockTooLarge { .. })));
    assert!(matches!(decompress(&framed(12, &packed), 1000), Err(XpressError::Grown { .. })));
    let mut negative = framed(300, &packed);
    negative[..4].copy_from_slice(&(-1_i32).to_le_bytes());
    assert!(matches!(decompress(&negative, 1000), Err(XpressError::BlockTooLarge { .. })));
}

#[test]
fn a_body_cut_anywhere_is_refused_or_ends_between_blocks() {
    let mut body = compress(&fragment_like(1, 3000));
    literal_block_into(&mut body, b"tail");
    let between = body.len() - 12;
    for cut in 1..body.len() {
        let result = decompress(&body[..cut], 1 << 20);
        assert_eq!(result.is_ok(), cut == between, "cut at {cut}");
    }
}

#[test]
fn a_bomb_is_refused_at_the_limit_and_leaves_the_output_as_it_was() {
    let bomb = compress(&vec![0; 10 << 20]);
    assert!(bomb.len() < 10_000, "{}", bomb.len());
    let mut out = b"before".to_vec();
    assert_eq!(decompress_into(&mut out, &bomb, 1 << 20), Err(XpressError::TooLarge { limit: 1 << 20 }));
    assert_eq!(out, b"before");
    assert_eq!(decompress(&bomb, 10 << 20).map(|out| out.len()), Ok(10 << 20));
}

#[test]
fn nothing_becomes_nothing() {
    assert!(compress(b"").is_empty());
    assert_eq!(decompress(b"", 0).unwrap(), b"");
    let mut out = Vec::new();
    literal_block_into(&mut out, b"");
    assert!(out.is_empty());
}

#[test]
fn long_literals_are_split_at_the_permitted_size() {
    let text = fragment_like(2, 150_000);
    let mut body = Vec::new();
    literal_block_into(&mut body, &text);
    assert_eq!(body.len(), text.len() + 3 * HEADER);
    assert_eq!(decompress(&body, text.len()).unwrap(), text);
}

#[test]
fn best_is_smaller_than_fast_and_both_shrink_fragments() {
    let text = fragment_like(3, 200_000);
    let sizes = EFFORTS.map(|effort| {
        let mut out = Vec::new();
        compress_into(&mut out, &text, effort);
        assert_eq!(decompress(&out, text.len()).unwrap(), text);
        out.len()
    });
    assert!(sizes[1] < sizes[0] && sizes[0] < text.len() * 2 / 3, "{sizes:?} of {}", text.len());
}

#[test]
fn the_window_is_used_to_its_last_byte() {
    // A distance of 8,192 fits the 13 bits, one more does not.
    for (distance, expected) in [(8192, true), (8193, false)] {
        let mut state = 7_u32;
        let mut text: Vec<u8> = Vec::new();
        while text.len() < distance {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            text.push((state >> 24) as u8);
        }
        text.extend_from_within(..64);
        let packed = payload(&text, Effort::Best);
        assert_eq!(
            packed.len() < payload(&text[..distance], Effort::Best).len() + 30,
            expected,
            "{distance}"
        );
        assert_eq!(unpacked(&packed, text.len()).unwrap(), text);
    }
}

/// Bytes from small alphabets repeat at all distances and lengths.
fn repetitive() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..400),
        proptest::collection::vec(0_u8..3, 0..3000),
        (any::<u64>(), 0_usize..40_000).prop_map(|(seed, length)| fragment_like(seed, length)),
        proptest::collection::vec((any::<u8>(), 1_usize..700), 0..60)
            .prop_map(|runs| runs.into_iter().flat_map(|(byte, length)| vec![byte; length]).collect()),
        (proptest::collection::vec(any::<u8>(), 1..40), 1_usize..2000)
            .prop_map(|(piece, times)| piece.repeat(times)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_is_compressed_comes_back(input in repetitive()) {
        for effort in EFFORTS {
            let mut body = Vec::new();
            compress_into(&mut body, &input, effort);
            prop_assert_eq!(&decompress(&body, input.len()).unwrap(), &input);
        }
    }

    #[test]
    fn the_reference_decoder_reads_what_is_compressed(input in repetitive()) {
        for block in input.chunks(MAX_BLOCK) {
            for effort in EFFORTS {
                let decoded = reference_decode(&payload(block, effort));
                prop_assert_eq!(decoded.as_deref(), Some(block));
            }
        }
    }

    #[test]
    fn a_compressed_size_never_equals_the_original_size_unless_stored(input in repetitive()) {
        let body = compress(&input);
        let mut rest = body.as_slice();
        while let Some((header, after)) = rest.split_first_chunk::<HEADER>() {
            let original = u32::from_le_bytes(header[..4].try_into().unwrap()) as usize;
            let packed = u32::from_le_bytes(header[4..].try_into().unwrap()) as usize;
            prop_assert!(packed <= original && original <= MAX_BLOCK);
            let (block, next) = after.split_at(packed);
            if packed < original {
                prop_assert_eq!(reference_decode(block).map(|out| out.len()), Some(original));
            }
            rest = next;
        }
        prop_assert!(rest.is_empty());
    }

    #[test]
    fn both_decoders_agree_about_arbitrary_bytes(
        input in proptest::collection::vec(prop_oneof![any::<u8>(), Just(0xFF), Just(0), Just(7)], 0..200),
        size in 0_usize..2000,
    ) {
        // A length of more than a block makes the reference slow and is refused by the other anyway.
        let ours = unpacked(&input, size);
        match ours {
            Ok(out) => prop_assert_eq!(Some(out), reference_decode(&input)),
            Err(BlockFault::Over) => {}
            Err(BlockFault::Under) => prop_assert!(reference_decode(&input).unwrap().len() < size),
            Err(_) => prop_assert_eq!(None, reference_decode(&input)),
        }
    }

    #[test]
    fn a_changed_bit_never_passes_the_limit(
        input in repetitive(), at in any::<prop::sample::Index>(), bit in 0_u32..8,
    ) {
        let mut body = compress(&input);
        if !body.is_empty() {
            let at = at.index(body.len());
            body[at] ^= 1 << bit;
            if let Ok(out) = decompress(&body, input.len()) {
                prop_assert!(out.len() <= input.len());
            }
        }
    }
}
