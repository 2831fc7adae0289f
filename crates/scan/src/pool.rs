//! Scan: flat storage. Lists of lists without an allocation per list, and lists stored once however
//! often they occur; at a quarter of a million revisions this is what keeps a snapshot small.

use core::hash::{Hash, Hasher};
use rustc_hash::{FxHashMap, FxHasher};

/// The element, or the type's default beyond the end.
#[inline]
pub(crate) fn at<T: Copy + Default>(items: &[T], index: u32) -> T {
    items.get(index as usize).copied().unwrap_or_default()
}

/// A count as `u32`. Counts here are bounded by the builder's check of its totals.
pub(crate) fn count(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

/// Lists of lists in two vectors.
#[derive(Debug, Clone)]
pub(crate) struct Ragged<T> {
    starts: Vec<u32>,
    items: Vec<T>,
}

impl<T> Default for Ragged<T> {
    fn default() -> Self {
        Self { starts: vec![0], items: Vec::new() }
    }
}

impl<T: Copy> Ragged<T> {
    /// With room for so many lists, and so many elements of all of them.
    pub(crate) fn with_room(lists: usize, elements: usize) -> Self {
        let mut starts = Vec::with_capacity(lists + 1);
        starts.push(0);
        Self { starts, items: Vec::with_capacity(elements) }
    }

    /// List number `index`; empty beyond the end.
    #[inline]
    pub(crate) fn get(&self, index: u32) -> &[T] {
        let index = index as usize;
        match (self.starts.get(index), self.starts.get(index + 1)) {
            (Some(&start), Some(&end)) => self.items.get(start as usize..end as usize).unwrap_or(&[]),
            _ => &[],
        }
    }

    /// How many lists.
    pub(crate) fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// All elements of all lists.
    pub(crate) fn total(&self) -> usize {
        self.items.len()
    }

    /// Adds a list and gives its number.
    pub(crate) fn push(&mut self, list: impl IntoIterator<Item = T>) -> u32 {
        self.items.extend(list);
        self.starts.push(count(self.items.len()));
        count(self.starts.len() - 2)
    }

    /// The lists, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[T]> + Clone {
        (0..count(self.len())).map(|index| self.get(index))
    }

    /// Bytes on the heap.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.starts.capacity() * 4 + self.items.capacity() * size_of::<T>()
    }
}

impl Ragged<u32> {
    /// Groups values by key: list `k` holds the values paired with `k`, in the order given. The
    /// iterator is run twice.
    pub(crate) fn group(lists: usize, pairs: impl Iterator<Item = (u32, u32)> + Clone) -> Self {
        // Counts stand two places behind their key at first, so that each list's beginning can move to its end
        // while it is filled, and is the next one's beginning then.
        let mut starts = vec![0_u32; lists + 2];
        let is_list = |key: u32| (key as usize) < lists;
        for (key, _) in pairs.clone().filter(|(key, _)| is_list(*key)) {
            if let Some(slot) = starts.get_mut(key as usize + 2) {
                *slot += 1;
            }
        }
        let mut sum = 0;
        for slot in &mut starts {
            sum += *slot;
            *slot = sum;
        }
        let mut items = vec![0; sum as usize];
        for (key, value) in pairs.filter(|(key, _)| is_list(*key)) {
            if let Some(place) = starts.get_mut(key as usize + 1) {
                if let Some(slot) = items.get_mut(*place as usize) {
                    *slot = value;
                }
                *place += 1;
            }
        }
        starts.pop();
        Self { starts, items }
    }
}

/// Lists stored once each; equal lists get the same number.
#[derive(Debug, Clone)]
pub(crate) struct Pool<T> {
    lists: Ragged<T>,
    heads: FxHashMap<u64, u32>,
    next: Vec<u32>,
}

const NONE: u32 = u32::MAX;

impl<T> Default for Pool<T> {
    fn default() -> Self {
        Self { lists: Ragged::default(), heads: FxHashMap::default(), next: Vec::new() }
    }
}

impl<T: Copy + Eq + Hash> Pool<T> {
    fn hash(list: &[T]) -> u64 {
        let mut hasher = FxHasher::default();
        list.hash(&mut hasher);
        hasher.finish()
    }

    /// The number of a list, if it is stored.
    pub(crate) fn find(&self, list: &[T]) -> Option<u32> {
        let mut candidate = *self.heads.get(&Self::hash(list))?;
        while candidate != NONE {
            if self.lists.get(candidate) == list {
                return Some(candidate);
            }
            candidate = self.next.get(candidate as usize).copied().unwrap_or(NONE);
        }
        None
    }

    /// Stores a list unless it is there, and gives its number.
    pub(crate) fn intern(&mut self, list: &[T]) -> u32 {
        if let Some(found) = self.find(list) {
            return found;
        }
        let number = self.lists.push(list.iter().copied());
        let older = self.heads.insert(Self::hash(list), number);
        self.next.push(older.unwrap_or(NONE));
        number
    }

    /// List number `index`.
    pub(crate) fn get(&self, index: u32) -> &[T] {
        self.lists.get(index)
    }

    /// The lists.
    pub(crate) fn lists(&self) -> &Ragged<T> {
        &self.lists
    }

    /// Bytes on the heap.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.lists.heap_bytes() + self.heads.capacity() * 13 + self.next.capacity() * 4
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_lists_are_stored_once() {
        let mut pool = Pool::<u32>::default();
        let a = pool.intern(&[1, 2]);
        let b = pool.intern(&[]);
        assert_ne!(a, b);
        assert_eq!(pool.intern(&[1, 2]), a);
        assert_eq!(pool.find(&[2, 1]), None);
        assert_eq!((pool.get(a), pool.get(b), pool.get(99)), (&[1, 2][..], &[][..], &[][..]));
        assert_eq!(pool.lists().len(), 2);
    }

    #[test]
    fn grouping_keeps_the_order_within_a_key() {
        let pairs = [(2, 7), (0, 1), (2, 8), (9, 5), (0, 2)];
        let groups = Ragged::group(3, pairs.into_iter());
        let lists: Vec<_> = groups.iter().map(<[u32]>::to_vec).collect();
        assert_eq!(lists, [vec![1, 2], vec![], vec![7, 8]]);
    }
}
