//! Browse: long columns in pages. A list that doubles when it is full needs three times its memory at that moment,
//! and has up to half of it empty afterwards; with as many columns as here that is more than what they hold.

/// Things of one page.
const PAGE: usize = 4_096;

/// A column. Pages but the last are full.
#[derive(Clone, Debug)]
pub(crate) struct Paged<T> {
    pages: Vec<Vec<T>>,
}

impl<T> Default for Paged<T> {
    fn default() -> Self {
        Self { pages: Vec::new() }
    }
}

impl<T> Paged<T> {
    pub(crate) fn len(&self) -> usize {
        let last = self.pages.last().map_or(0, Vec::len);
        self.pages.len().saturating_sub(1) * PAGE + last
    }

    pub(crate) fn push(&mut self, thing: T) {
        match self.pages.last_mut().filter(|page| page.len() < PAGE) {
            Some(page) => page.push(thing),
            None => {
                // The first one grows, for what is small stays small.
                let mut page = if self.pages.is_empty() { Vec::new() } else { Vec::with_capacity(PAGE) };
                page.push(thing);
                self.pages.push(page);
            }
        }
    }

    #[inline]
    pub(crate) fn get(&self, at: u32) -> Option<&T> {
        self.pages.get(at as usize / PAGE)?.get(at as usize % PAGE)
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, at: u32) -> Option<&mut T> {
        self.pages.get_mut(at as usize / PAGE)?.get_mut(at as usize % PAGE)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.pages.iter().flatten()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.pages.iter_mut().flatten()
    }

    /// Makes it as long as that, if it is shorter.
    pub(crate) fn reach(&mut self, len: usize, with: T)
    where
        T: Copy,
    {
        for _ in self.len()..len {
            self.push(with);
        }
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        heap_bytes(&self.pages)
    }
}

/// Bytes of memory that pages take.
pub(crate) fn heap_bytes<T>(pages: &Vec<Vec<T>>) -> usize {
    let each = pages.iter().map(|page| page.capacity() * size_of::<T>());
    each.sum::<usize>() + pages.capacity() * size_of::<Vec<T>>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_of_many_pages_reads_like_a_list() {
        let mut column = Paged::default();
        assert_eq!((column.len(), column.get(0)), (0, None));
        (0..10_000_u32).for_each(|n| column.push(n));
        assert_eq!(column.len(), 10_000);
        assert!(column.iter().copied().eq(0..10_000));
        assert_eq!(
            (column.get(4_096), column.get(9_999), column.get(10_000)),
            (Some(&4_096), Some(&9_999), None)
        );
        *column.get_mut(5_000).unwrap() = 7;
        column.iter_mut().take(2).for_each(|n| *n = 9);
        column.reach(10_002, 1);
        column.reach(3, 2);
        assert_eq!(
            (column.len(), column.get(5_000), column.get(1), column.get(10_001)),
            (10_002, Some(&7), Some(&9), Some(&1))
        );
        assert!(column.heap_bytes() < 13_000 * 4);
    }
}
