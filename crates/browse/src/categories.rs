//! Browse: the tree of categories. An update stands under its product; a product stands under its family,
//! and the family under its company.

use crate::shelf::Shelf;
use rustc_hash::FxHashSet;
use sluicegate_terms::UpdateId;

/// A category and all below it, by place.
#[derive(Debug)]
pub(crate) struct Branch(FxHashSet<u32>);

impl Branch {
    pub(crate) fn of(shelf: &Shelf, top: UpdateId) -> Self {
        let mut branch = FxHashSet::default();
        branch.extend(shelf.find(top));
        let categories: Vec<(u32, &[u32])> = shelf
            .entries()
            .filter(|(_, entry)| entry.category_kind.is_some())
            .map(|(place, entry)| (place, shelf.categories(entry)))
            .collect();
        // Each round goes one level down; there are four levels.
        loop {
            let before = branch.len();
            for (place, above) in &categories {
                if above.iter().any(|above| branch.contains(above)) {
                    branch.insert(*place);
                }
            }
            if branch.len() == before {
                return Self(branch);
            }
        }
    }

    pub(crate) fn has_any(&self, categories: &[u32]) -> bool {
        categories.iter().any(|place| self.0.contains(place))
    }
}
