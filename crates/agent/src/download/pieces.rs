//! Download: the pieces of a file, aligned to 1 MiB; the last ends with the file (observed-behaviour 5).

/// Length of every piece but the last, in bytes.
const PIECE: u64 = 1 << 20;

/// A run of bytes, both ends included as `Range` counts them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Piece {
    pub(super) first: u64,
    pub(super) last: u64,
}

impl Piece {
    pub(super) fn length(self) -> u64 {
        self.last - self.first + 1
    }
}

/// The pieces of a file of this many bytes; none for an empty file.
pub(super) fn of(size: u64) -> impl Iterator<Item = Piece> {
    (0..size.div_ceil(PIECE)).map(move |n| {
        let first = n * PIECE;
        Piece { first, last: size.min(first.saturating_add(PIECE)) - 1 }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_aligned_and_cover_the_file_once() {
        assert_eq!(of(0).count(), 0);
        assert_eq!(of(918_944).collect::<Vec<_>>(), [Piece { first: 0, last: 918_943 }]);
        assert_eq!(of(PIECE).collect::<Vec<_>>(), [Piece { first: 0, last: PIECE - 1 }]);
        // The recorded file of 204,745,168 bytes ends with the piece that starts at 204,472,320.
        let recorded: Vec<Piece> = of(204_745_168).collect();
        assert_eq!(recorded.last(), Some(&Piece { first: 204_472_320, last: 204_745_167 }));
        assert_eq!(recorded.iter().map(|p| p.length()).sum::<u64>(), 204_745_168);
    }
}
