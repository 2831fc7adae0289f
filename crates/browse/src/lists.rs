//! Browse: the parts of an update that differ in length: its text, and the places it names. Each begins with how
//! long it is, so that an entry has to know no more than where it begins.

use crate::arena::Arena;

/// Where what could not be put in would begin.
const NOWHERE: u32 = u32::MAX;

/// Texts. Each begins with its length, seven bits a byte, the lowest first.
#[derive(Debug, Default)]
pub(crate) struct Texts(Arena<u8>);

impl Texts {
    pub(crate) fn add(&mut self, text: &[u8]) -> u32 {
        let mut head = [0_u8; 10];
        let mut used = 0;
        let mut rest = text.len();
        for byte in &mut head {
            *byte = (rest & 0x7f) as u8 | u8::from(rest > 0x7f) << 7;
            rest >>= 7;
            used += 1;
            if rest == 0 {
                break;
            }
        }
        self.0.add(head.get(..used).unwrap_or_default(), text).unwrap_or(NOWHERE)
    }

    #[inline]
    pub(crate) fn get(&self, start: u32) -> &[u8] {
        let mut len = 0;
        let mut rest = self.0.from(start);
        let mut shift = 0;
        while let Some((byte, behind)) = rest.split_first() {
            len |= usize::from(byte & 0x7f) << shift;
            rest = behind;
            shift += 7;
            if byte & 0x80 == 0 || shift > 56 {
                break;
            }
        }
        rest.get(..len).unwrap_or_default()
    }

    /// The text that begins there is not used any more.
    pub(crate) fn free(&mut self, start: u32) {
        self.0.free(self.get(start).len() + 1);
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Moves the texts together, when it is worth it; these are all that are used, in the order in which they will
    /// be read.
    pub(crate) fn tidy<'a>(&mut self, starts: impl Iterator<Item = &'a mut u32>) {
        if self.0.is_untidy() {
            let old = core::mem::take(self);
            starts.for_each(|start| *start = self.add(old.get(*start)));
        }
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.0.heap_bytes()
    }
}

/// Places: categories, then what is superseded, then what is bundled. Each list begins with a word of three counts,
/// or with [`LONG`] and three words.
#[derive(Debug, Default)]
pub(crate) struct Links(Arena<u32>);

const LONG: u32 = u32::MAX;

/// The bits of the counts in one word. What has more, or so many that it would be [`LONG`], is rare.
const CATEGORIES: u32 = 8;
const OTHERS: u32 = 12;

impl Links {
    /// Puts the lists in, which stand in one.
    pub(crate) fn add(&mut self, all: &[u32], categories: usize, supersedes: usize) -> u32 {
        if all.is_empty() {
            return NOWHERE;
        }
        let members = all.len().saturating_sub(categories + supersedes);
        let counts = [categories, supersedes, members].map(|count| count as u32);
        let [categories, supersedes, members] = counts;
        let short = categories | supersedes << CATEGORIES | members << (CATEGORIES + OTHERS);
        let fits = categories < 1 << CATEGORIES && supersedes < 1 << OTHERS && members < 1 << OTHERS;
        let start = if fits && short != LONG {
            self.0.add(&[short], all)
        } else {
            self.0.add(&[LONG, categories, supersedes, members], all)
        };
        start.unwrap_or(NOWHERE)
    }

    /// Categories, what is superseded, what is bundled.
    #[inline]
    pub(crate) fn get(&self, start: u32) -> (&[u32], &[u32], &[u32]) {
        let nothing: (&[u32], &[u32]) = Default::default();
        let (counts, rest) = match self.0.from(start) {
            [LONG, categories, supersedes, members, rest @ ..] => {
                ([*categories, *supersedes, *members], rest)
            }
            [short, rest @ ..] => {
                let others = (1 << OTHERS) - 1;
                let supersedes = short >> CATEGORIES & others;
                ([short & ((1 << CATEGORIES) - 1), supersedes, short >> (CATEGORIES + OTHERS)], rest)
            }
            [] => ([0; 3], &[][..]),
        };
        let [categories, supersedes, members] = counts.map(|count| count as usize);
        let (categories, rest) = rest.split_at_checked(categories).unwrap_or(nothing);
        let (supersedes, rest) = rest.split_at_checked(supersedes).unwrap_or(nothing);
        (categories, supersedes, rest.get(..members).unwrap_or_default())
    }

    /// The lists that begin there are not used any more.
    pub(crate) fn free(&mut self, start: u32) {
        let (categories, supersedes, members) = self.get(start);
        let len = categories.len() + supersedes.len() + members.len();
        self.0.free(len + usize::from(len > 0));
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// [`Texts::tidy`] of links.
    pub(crate) fn tidy<'a>(&mut self, starts: impl Iterator<Item = &'a mut u32>) {
        if !self.0.is_untidy() {
            return;
        }
        let old = core::mem::take(self);
        for start in starts {
            let (categories, supersedes, members) = old.get(*start);
            let all = [categories, supersedes, members].concat();
            *start = self.add(&all, categories.len(), supersedes.len());
        }
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.0.heap_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_any_length_come_back_before_and_after_moving_together() {
        let mut texts = Texts::default();
        let text = |n: usize| vec![n as u8; n * n * 3 % 40_000];
        let mut starts: Vec<u32> = (0..130).map(|n| texts.add(&text(n))).collect();
        let before = texts.heap_bytes();
        for n in (0..130).filter(|n| n % 2 == 1) {
            texts.free(starts[n]);
            starts[n] = texts.add(b"short");
        }
        texts.tidy(starts.iter_mut());
        assert!(texts.heap_bytes() < before);
        for (n, start) in starts.iter().enumerate() {
            let expected = if n % 2 == 1 { b"short".to_vec() } else { text(n) };
            assert_eq!(texts.get(*start), expected, "{n}");
        }
        assert!(texts.get(NOWHERE).is_empty());
    }

    #[test]
    fn few_and_many_links_come_back_as_the_lists_they_were() {
        let mut links = Links::default();
        let many = 1 << OTHERS;
        let shapes = [(0, 0, 0), (1, 2, 3), (0, 0, 5), (300, 0, 1), (255, many - 1, many - 1), (2, many, 9)];
        let list = |(a, b, c): (u32, u32, u32)| (0..a + b + c).collect::<Vec<u32>>();
        let mut starts: Vec<u32> =
            shapes.iter().map(|shape| links.add(&list(*shape), shape.0 as usize, shape.1 as usize)).collect();
        for round in 0..2 {
            for ((a, b, c), start) in shapes.into_iter().zip(&starts) {
                let all = list((a, b, c));
                let (first, rest) = all.split_at(a as usize);
                let (second, third) = rest.split_at(b as usize);
                assert_eq!(links.get(*start), (first, second, third), "{round}");
            }
            let gone = links.add(&vec![0; 90_000], 0, 0);
            links.free(gone);
            links.tidy(starts.iter_mut());
        }
        assert_eq!(links.get(NOWHERE), Default::default());
    }
}
