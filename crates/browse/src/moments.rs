//! Browse: times that many things share, kept once: an import is one moment for all that it brings.

use crate::fleet::NEVER;
use crate::paged::Paged;

/// So many of the last times are looked at for one that comes again: what comes together has one time.
const LAST: usize = 8;

/// Times by number. A time that comes again much later has another number.
#[derive(Clone, Debug, Default)]
pub(crate) struct Moments(Paged<i64>);

impl Moments {
    /// The number of [`NEVER`].
    pub(crate) const NEVER: u32 = u32::MAX;

    /// The number of a time, given to it now when it has none.
    pub(crate) fn number(&mut self, at: i64) -> u32 {
        if at == NEVER {
            return Self::NEVER;
        }
        // There are about as many of them as places at most.
        let next = self.0.len() as u32;
        let known = (next.saturating_sub(LAST as u32)..next).rev().find(|number| self.at(*number) == at);
        known.unwrap_or_else(|| {
            self.0.push(at);
            next
        })
    }

    /// The time of a number.
    #[inline]
    pub(crate) fn at(&self, number: u32) -> i64 {
        self.0.get(number).copied().unwrap_or(NEVER)
    }

    /// Every time, by number.
    pub(crate) fn iter(&self) -> impl Iterator<Item = i64> {
        self.0.iter().copied()
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.0.heap_bytes()
    }
}

/// How many things there are since which time, in order of time.
#[derive(Debug, Default)]
pub(crate) struct Since {
    /// Each time, and how many there are up to and with it.
    upto: Vec<(i64, usize)>,
}

impl Since {
    /// From times and how many there are of each; a time may come twice.
    pub(crate) fn of(mut counts: Vec<(i64, usize)>) -> Self {
        counts.retain(|(_, count)| *count > 0);
        counts.sort_unstable();
        let mut since = Self::default();
        for (at, count) in counts {
            let before = since.len();
            match since.upto.last_mut().filter(|(last, _)| *last == at) {
                Some((_, upto)) => *upto += count,
                None => since.upto.push((at, before + count)),
            }
        }
        since
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.upto.last().map_or(0, |(_, upto)| *upto)
    }

    /// The latest time.
    pub(crate) fn last(&self) -> Option<i64> {
        self.upto.last().map(|(at, _)| *at)
    }

    /// How many there are up to the time at which `is_older` ends, which is true of the earlier times.
    pub(crate) fn count_while(&self, is_older: impl Fn(i64) -> bool) -> usize {
        let end = self.upto.partition_point(|(at, _)| is_older(*at));
        end.checked_sub(1).and_then(|last| self.upto.get(last)).map_or(0, |(_, upto)| *upto)
    }

    pub(crate) fn add(&mut self, at: i64) {
        let place = self.upto.partition_point(|(other, _)| *other < at);
        if self.upto.get(place).is_none_or(|(other, _)| *other != at) {
            self.upto.insert(place, (at, self.count_while(|other| other < at)));
        }
        self.upto.iter_mut().skip(place).for_each(|(_, upto)| *upto += 1);
    }

    pub(crate) fn remove(&mut self, at: i64) {
        let Ok(place) = self.upto.binary_search_by_key(&at, |(other, _)| *other) else { return };
        let before = self.count_while(|other| other < at);
        self.upto.iter_mut().skip(place).for_each(|(_, upto)| *upto -= 1);
        if self.upto.get(place).is_some_and(|(_, upto)| *upto == before) {
            self.upto.remove(place);
        }
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.upto.capacity() * size_of::<(i64, usize)>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_that_come_together_have_one_number() {
        let mut moments = Moments::default();
        let numbers: Vec<u32> = [5, 7, 5, NEVER, -3, 7].into_iter().map(|at| moments.number(at)).collect();
        assert_eq!(numbers, [0, 1, 0, Moments::NEVER, 2, 1]);
        assert_eq!((moments.at(2), moments.at(3), moments.at(Moments::NEVER)), (-3, NEVER, NEVER));
        assert!(moments.iter().eq([5, 7, -3]));
    }

    #[test]
    fn counts_by_time_are_those_of_a_sorted_list() {
        let mut since = Since::of(vec![(9, 2), (4, 1), (9, 1), (6, 0)]);
        let mut list = vec![4, 9, 9, 9];
        let check = |since: &Since, list: &[i64]| {
            assert_eq!((since.len(), since.last()), (list.len(), list.last().copied()));
            for at in 0..12 {
                assert_eq!(since.count_while(|other| other < at), list.partition_point(|other| *other < at));
            }
        };
        check(&since, &list);
        for (at, add) in [(6, true), (11, true), (9, false), (4, false), (4, false), (6, true), (11, false)] {
            if add {
                since.add(at);
                list.push(at);
                list.sort_unstable();
            } else {
                since.remove(at);
                list.iter().position(|other| *other == at).map(|place| list.remove(place));
            }
            check(&since, &list);
        }
    }
}
