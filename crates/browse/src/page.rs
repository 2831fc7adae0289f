//! Browse: a page of a list. Only what stands on the page is put in order, since a list can have every
//! update and a page has a hundred.

use core::cmp::Ordering;

/// A part of a list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Page<T> {
    /// The page's rows.
    pub rows: Vec<T>,
    /// How many rows all pages have.
    pub total: u64,
}

impl<T> Default for Page<T> {
    fn default() -> Self {
        Self { rows: Vec::new(), total: 0 }
    }
}

impl<T> Page<T> {
    /// The rows made into something else.
    pub fn map<U>(self, each: impl FnMut(T) -> U) -> Page<U> {
        Page { rows: self.rows.into_iter().map(each).collect(), total: self.total }
    }
}

/// Cuts a page out of all rows.
pub(crate) fn cut<T>(
    mut rows: Vec<T>,
    (offset, limit): (u32, u32),
    mut order: impl FnMut(&T, &T) -> Ordering,
) -> Page<T> {
    let total = rows.len() as u64;
    let offset = usize::try_from(offset).unwrap_or(usize::MAX);
    let end = offset.saturating_add(usize::try_from(limit).unwrap_or(usize::MAX));
    if offset >= rows.len() || limit == 0 {
        return Page { rows: Vec::new(), total };
    }
    if end < rows.len() {
        rows.select_nth_unstable_by(end, &mut order);
        rows.truncate(end);
    }
    rows.sort_unstable_by(order);
    rows.drain(..offset);
    Page { rows, total }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_put_together_are_the_list_in_order() {
        let all: Vec<u32> = (0..57).map(|n| n * 37 % 57).collect();
        let mut seen = Vec::new();
        for offset in (0..70).step_by(10) {
            let page = cut(all.clone(), (offset, 10), Ord::cmp);
            assert_eq!(page.total, 57);
            seen.extend(page.rows);
        }
        assert_eq!(seen, (0..57).collect::<Vec<_>>());
        assert!(cut(all.clone(), (0, 0), Ord::cmp).rows.is_empty());
        assert_eq!(cut(all, (u32::MAX, u32::MAX), Ord::cmp).total, 57);
    }
}
