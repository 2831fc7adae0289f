//! Browse: many short lists in one piece of memory. What is replaced leaves a gap; when gaps take too much,
//! the owner has the rest moved together.

/// Where a list stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Span {
    start: u32,
    len: u32,
}

/// The lists.
#[derive(Debug)]
pub(crate) struct Arena<T> {
    all: Vec<T>,
    gaps: usize,
}

impl<T> Default for Arena<T> {
    fn default() -> Self {
        Self { all: Vec::new(), gaps: 0 }
    }
}

impl<T: Copy> Arena<T> {
    /// Puts a list in. `None` when more than 2^32 things are here, which no catalog comes near.
    pub(crate) fn add(&mut self, list: &[T]) -> Option<Span> {
        let (start, len) = (u32::try_from(self.all.len()).ok()?, u32::try_from(list.len()).ok()?);
        start.checked_add(len)?;
        self.all.extend_from_slice(list);
        Some(Span { start, len })
    }

    pub(crate) fn get(&self, span: Span) -> &[T] {
        let start = span.start as usize;
        self.all.get(start..start + span.len as usize).unwrap_or_default()
    }

    /// A list is not used any more.
    pub(crate) fn free(&mut self, span: Span) {
        self.gaps += span.len as usize;
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Moves the lists together, when it is worth it; they are all that are used, in the order in which they
    /// will be read. Gives memory back that nothing has been put into.
    pub(crate) fn tidy<'a>(&mut self, lists: impl Iterator<Item = &'a mut Span>) {
        if self.gaps * 4 > self.all.len() {
            let mut all = Vec::with_capacity(self.all.len().saturating_sub(self.gaps));
            for span in lists {
                // No longer than before, so its end fits as well.
                let start = all.len() as u32;
                all.extend_from_slice(self.get(*span));
                span.start = start;
            }
            *self = Self { all, gaps: 0 };
        }
        shrink(&mut self.all);
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.all.capacity() * size_of::<T>()
    }
}

/// Gives memory back that a list grew into and does not use, but for a little to grow on.
pub(crate) fn shrink<T>(list: &mut Vec<T>) {
    if list.capacity() - list.len() > list.len() / 4 {
        list.shrink_to(list.len() + list.len() / 16);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_survives_moving_together() {
        let mut arena = Arena::default();
        let mut spans: Vec<Span> = (0..100_u8).map(|n| arena.add(&[n; 5]).unwrap()).collect();
        for (n, span) in spans.iter_mut().enumerate().filter(|(n, _)| n % 3 == 0) {
            arena.free(*span);
            *span = arena.add(&[200; 2][..n % 2 + 1]).unwrap();
        }
        let before = arena.all.len();
        arena.tidy(spans.iter_mut());
        assert!(arena.all.len() < before && arena.gaps == 0);
        assert!(arena.heap_bytes() <= before);
        for (n, span) in spans.iter().enumerate() {
            let expected = if n % 3 == 0 { vec![200; n % 2 + 1] } else { vec![n as u8; 5] };
            assert_eq!(arena.get(*span), expected);
        }
    }

    #[test]
    fn few_gaps_are_left_alone() {
        let mut arena = Arena::default();
        let mut spans: Vec<Span> = (0..10_u8).map(|n| arena.add(&[n; 5]).unwrap()).collect();
        arena.free(spans.remove(0));
        arena.tidy(spans.iter_mut());
        assert_eq!((arena.gaps, arena.all.len()), (5, 50));
    }
}
