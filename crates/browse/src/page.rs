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

/// Cuts a page out of all rows. `order` tells any two of them apart. No more rows are kept than come before
/// the end of the page, and as many again that may.
pub(crate) fn cut<T>(
    rows: impl Iterator<Item = T>,
    (offset, limit): (u32, u32),
    mut order: impl FnMut(&T, &T) -> Ordering,
) -> Page<T> {
    let offset = usize::try_from(offset).unwrap_or(usize::MAX);
    let end = offset.saturating_add(usize::try_from(limit).unwrap_or(usize::MAX));
    let mut total = 0;
    let mut best: Vec<T> = Vec::new();
    // Once there were enough rows to fill the page: where the last of them stands.
    let mut last = None;
    for row in rows {
        total += 1;
        if limit == 0
            || last.and_then(|last| best.get(last)).is_some_and(|last| order(&row, last) == Ordering::Greater)
        {
            continue;
        }
        best.push(row);
        if best.len() >= end.saturating_mul(2).max(64) {
            best.select_nth_unstable_by(end - 1, &mut order);
            best.truncate(end);
            last = Some(end - 1);
        }
    }
    if offset >= best.len() {
        return Page { rows: Vec::new(), total };
    }
    if end < best.len() {
        best.select_nth_unstable_by(end, &mut order);
        best.truncate(end);
    }
    if offset > 0 {
        best.select_nth_unstable_by(offset, &mut order);
        best.drain(..offset);
    }
    best.sort_unstable_by(order);
    Page { rows: best, total }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_put_together_are_the_list_in_order() {
        let all: Vec<u32> = (0..1_057).map(|n| n * 37 % 1_057).collect();
        let mut seen = Vec::new();
        for offset in (0..1_070).step_by(10) {
            let page = cut(all.iter().copied(), (offset, 10), Ord::cmp);
            assert_eq!(page.total, 1_057);
            seen.extend(page.rows);
        }
        assert_eq!(seen, (0..1_057).collect::<Vec<_>>());
        assert!(cut(all.iter().copied(), (0, 0), Ord::cmp).rows.is_empty());
        assert_eq!(cut(all.into_iter(), (u32::MAX, u32::MAX), Ord::cmp).total, 1_057);
    }
}
