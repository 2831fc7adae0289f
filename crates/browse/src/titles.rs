//! Browse: titles in order. They are compared once, after updates came, and not in each query.

use crate::bits::Bits;
use crate::shelf::Shelf;

/// What is new is compared so many at once, each with its title at hand.
const AT_ONCE: usize = 1 << 16;

impl Shelf {
    /// Whether titles are in order.
    pub(crate) fn is_arranged(&self) -> bool {
        self.untitled.is_empty()
    }

    /// Puts titles in order, and gives memory back that is not used.
    pub(crate) fn arrange(&mut self) {
        if !self.is_arranged() {
            self.tidy();
            self.order_titles();
        }
    }

    /// Numbers the titles in their order.
    fn order_titles(&mut self) {
        let mut fresh = core::mem::take(&mut self.untitled);
        fresh.sort_unstable();
        fresh.dedup();
        let mut marks = Bits::for_places(self.places());
        fresh.iter().for_each(|place| marks.set(*place));
        self.by_title.retain(|place| !marks.has(*place));
        drop(marks);
        self.sort_by_title(&mut fresh);
        let known = core::mem::take(&mut self.by_title);
        let all = self.merged(known, fresh);
        let mut number = 0_u32;
        let mut last = None;
        for place in &all {
            let same = last.is_none_or(|last| self.title(last) == self.title(*place));
            number += u32::from(!same);
            last = Some(*place);
            if let Some(Some(entry)) = self.entries.get_mut(*place) {
                entry.title = number;
            }
        }
        self.by_title = all;
    }

    fn title(&self, place: u32) -> &[u8] {
        let text = self.entry(place).map(|entry| self.text(entry)).unwrap_or_default();
        memchr::memchr(b'\n', text).and_then(|end| text.get(..end)).unwrap_or(text)
    }

    /// Sorts a part at a time, so that titles at hand take little room, and then the parts into one another.
    fn sort_by_title(&self, places: &mut [u32]) {
        for part in places.chunks_mut(AT_ONCE) {
            let mut titles: Vec<(&[u8], u32)> =
                part.iter().map(|place| (self.title(*place), *place)).collect();
            titles.sort_unstable();
            part.iter_mut().zip(titles).for_each(|(place, (_, sorted))| *place = sorted);
        }
        if places.len() > AT_ONCE {
            // Stable, because that is quick where parts are in order already.
            places.sort_by(|one, other| self.title(*one).cmp(self.title(*other)));
        }
    }

    fn merged(&self, known: Vec<u32>, fresh: Vec<u32>) -> Vec<u32> {
        if known.is_empty() {
            return fresh;
        }
        let mut all = Vec::with_capacity(known.len() + fresh.len());
        let mut fresh = fresh.into_iter().peekable();
        for place in known {
            let title = self.title(place);
            while let Some(first) = fresh.next_if(|first| self.title(*first) < title) {
                all.push(first);
            }
            all.push(place);
        }
        all.extend(fresh);
        all
    }
}
