//! Synth: writes numbers and GUIDs. Fragments consist of little else, and formatting them through `fmt`
//! took most of the time of making a catalog.

use sluicegate_terms::Guid;

fn digit(value: u64) -> char {
    char::from_digit(u32::try_from(value & 15).unwrap_or(0), 16).unwrap_or('0')
}

/// The low `digits` hexadecimal digits of a value, lower case.
pub(crate) fn hex(out: &mut String, value: u64, digits: u32) {
    (0..digits).rev().for_each(|at| out.push(digit(value >> (4 * at))));
}

/// In decimal, with zeros in front up to `width` digits.
pub(crate) fn decimal(out: &mut String, value: usize, width: usize) {
    let mut buffer = [b'0'; 20];
    let mut rest = value;
    let mut used = 0;
    for slot in buffer.iter_mut().rev() {
        if rest == 0 && used >= width.max(1) {
            break;
        }
        *slot = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
        used += 1;
    }
    let digits = buffer.get(buffer.len() - used..).unwrap_or_default();
    out.push_str(core::str::from_utf8(digits).unwrap_or_default());
}

/// The usual form of a GUID, lower case.
pub(crate) fn guid(out: &mut String, guid: Guid) {
    let bytes = guid.as_u128();
    let mut at = 32;
    for group in [8, 4, 4, 4, 12_u32] {
        if at < 32 {
            out.push('-');
        }
        at -= group;
        // A group has at most 48 bits.
        hex(out, (bytes >> (4 * at)) as u64, group);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_write_what_fmt_writes() {
        for value in [0_usize, 7, 10, 99, 4096, 123_456_789, usize::MAX] {
            for width in [1, 4, 5, 16] {
                let mut out = String::new();
                decimal(&mut out, value, width);
                assert_eq!(out, format!("{value:0width$}"));
            }
            let mut out = String::new();
            hex(&mut out, value as u64, 16);
            assert_eq!(out, format!("{value:016x}"));
        }
        let id = Guid::from_u128(0x5630_9036_4c77_4dd9_951a_99ee_9c24_6a94);
        let mut out = String::new();
        guid(&mut out, id);
        assert_eq!(out, id.to_string());
    }
}
