//! Browse: many short lists in few pieces of memory, each known by where it begins. What is replaced leaves a gap;
//! when gaps take too much, the owner has the rest moved together.

use crate::paged;

/// Things of one page; a longer list has a page for itself.
const PAGE: usize = 1 << 16;

/// The lists. How long one is, its owner knows or reads at its beginning.
#[derive(Debug)]
pub(crate) struct Arena<T> {
    pages: Vec<Vec<T>>,
    /// Things of lists that are not used any more.
    gaps: usize,
}

impl<T> Default for Arena<T> {
    fn default() -> Self {
        Self { pages: Vec::new(), gaps: 0 }
    }
}

impl<T: Copy> Arena<T> {
    /// Puts a list in, which is given in two parts, and says where it begins. `None` when about 2^32 things are
    /// here, which no catalog comes near.
    pub(crate) fn add(&mut self, head: &[T], list: &[T]) -> Option<u32> {
        let len = head.len() + list.len();
        // At least one, so that no list begins where a page ends.
        if self.pages.last().is_none_or(|page| page.len() + len.max(1) > PAGE) {
            // The first one grows, for what is small stays small.
            let room = if self.pages.is_empty() { len } else { len.max(PAGE) };
            self.pages.push(Vec::with_capacity(room));
        }
        let page = u32::try_from(self.pages.len() - 1).ok().filter(|page| *page < 1 << 16)?;
        let last = self.pages.last_mut()?;
        let start = last.len() as u32;
        last.extend_from_slice(head);
        last.extend_from_slice(list);
        Some(page << 16 | start)
    }

    /// From where a list begins to the end of its page.
    #[inline]
    pub(crate) fn from(&self, start: u32) -> &[T] {
        let page = self.pages.get((start >> 16) as usize).map_or(&[][..], Vec::as_slice);
        page.get((start & 0xffff) as usize..).unwrap_or_default()
    }

    /// A list of so many things is not used any more.
    pub(crate) fn free(&mut self, len: usize) {
        self.gaps += len;
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Whether moving the lists together is worth it.
    pub(crate) fn is_untidy(&self) -> bool {
        self.gaps * 4 > self.pages.iter().map(Vec::len).sum()
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        paged::heap_bytes(&self.pages)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_found_on_whatever_page_they_are() {
        let mut arena = Arena::default();
        let list = |n: u32| vec![n; (n as usize * 7_919) % 30_000 + if n == 9 { 200_000 } else { 0 }];
        let starts: Vec<u32> = (0..40).map(|n| arena.add(&[n], &list(n)).unwrap()).collect();
        for (n, start) in (0..40).zip(starts) {
            let found = arena.from(start);
            assert_eq!((found[0], &found[1..=list(n).len()]), (n, &list(n)[..]));
        }
        assert!(arena.from(u32::MAX).is_empty());
    }

    #[test]
    fn few_gaps_are_left_alone() {
        let mut arena = Arena::default();
        (0..10_u8).for_each(|n| assert!(arena.add(&[], &[n; 5]).is_some()));
        arena.free(10);
        assert!(!arena.is_untidy());
        arena.free(5);
        assert!(arena.is_untidy());
    }
}
