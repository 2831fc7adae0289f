//! Synchronization: which lists of revisions to ask for, given what is wanted and what earlier runs covered.
//! Pure. A product that is new in the filter is asked for from the beginning, the rest since the last time.

use sluicegate_policy::hierarchy::SyncFilter;
use sluicegate_soap::server_sync::{IdAndDelta, ServerSyncFilter};
use sluicegate_store::hierarchy::CoveredFilter;
use sluicegate_terms::{CategoryKind, UpdateId};
use std::collections::BTreeSet;

/// The lists to ask for, in order. The first one's anchor is the one to keep.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Plan {
    pub(crate) filters: Vec<ServerSyncFilter>,
    /// What the kept anchor will speak for.
    pub(crate) covers: CoveredFilter,
}

/// What is wanted, with "all" spelled out where one of the two lists has to be given: one list alone
/// selects nothing (observed-behaviour 8).
fn wanted(filter: &SyncFilter, known: &[(UpdateId, CategoryKind)]) -> CoveredFilter {
    if filter.products.listed().is_none() && filter.classifications.listed().is_none() {
        return CoveredFilter::Everything;
    }
    let all = |kinds: &[CategoryKind]| -> BTreeSet<UpdateId> {
        known.iter().filter(|(_, kind)| kinds.contains(kind)).map(|(id, _)| *id).collect()
    };
    CoveredFilter::Parts {
        products: filter.products.listed().cloned().unwrap_or_else(|| {
            all(&[CategoryKind::Product, CategoryKind::ProductFamily, CategoryKind::Company])
        }),
        classifications: filter
            .classifications
            .listed()
            .cloned()
            .unwrap_or_else(|| all(&[CategoryKind::UpdateClassification])),
    }
}

fn ask(anchor: Option<&str>, lists: Option<(&BTreeSet<UpdateId>, &BTreeSet<UpdateId>)>) -> ServerSyncFilter {
    // Delta is true exactly when there is an anchor (observed-behaviour 8).
    let entries = |ids: &BTreeSet<UpdateId>| -> Vec<IdAndDelta> {
        ids.iter().map(|id| IdAndDelta { id: id.0, delta: anchor.is_some() }).collect()
    };
    ServerSyncFilter {
        anchor: anchor.map(str::to_owned),
        get_config: false,
        get_63_language_only: Some(false),
        categories: lists.map(|(products, _)| entries(products)),
        classifications: lists.map(|(_, classifications)| entries(classifications)),
        ..ServerSyncFilter::default()
    }
}

/// Decides which lists to ask for.
pub(crate) fn plan(
    filter: &SyncFilter,
    known: &[(UpdateId, CategoryKind)],
    anchor: Option<&str>,
    covered: &CoveredFilter,
) -> Plan {
    let covers = wanted(filter, known);
    let whole = |anchor| match &covers {
        CoveredFilter::Parts { products, classifications } => ask(anchor, Some((products, classifications))),
        _ => ask(anchor, None),
    };
    let filters = match (anchor, covered, &covers) {
        (None, _, _) | (_, CoveredFilter::Nothing, _) => vec![whole(None)],
        (anchor, CoveredFilter::Everything, _) => vec![whole(anchor)],
        (_, CoveredFilter::Parts { .. }, CoveredFilter::Everything | CoveredFilter::Nothing) => {
            vec![whole(None)]
        }
        (
            anchor,
            CoveredFilter::Parts { products: old_products, classifications: old_classifications },
            CoveredFilter::Parts { products, classifications },
        ) => {
            let kept: BTreeSet<_> = products.intersection(old_products).copied().collect();
            let kept_classes: BTreeSet<_> =
                classifications.intersection(old_classifications).copied().collect();
            let new: BTreeSet<_> = products.difference(old_products).copied().collect();
            let new_classes: BTreeSet<_> = classifications.difference(old_classifications).copied().collect();
            let mut filters = Vec::new();
            if !kept.is_empty() && !kept_classes.is_empty() {
                filters.push(ask(anchor, Some((&kept, &kept_classes))));
            }
            if !new.is_empty() {
                filters.push(ask(None, Some((&new, classifications))));
            }
            if !new_classes.is_empty() && !kept.is_empty() {
                filters.push(ask(None, Some((&kept, &new_classes))));
            }
            filters
        }
    };
    Plan { filters, covers }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluicegate_policy::hierarchy::Choice;
    use sluicegate_terms::Guid;

    fn uid(n: u128) -> UpdateId {
        UpdateId(Guid::from_u128(n))
    }

    fn ids(list: &[u128]) -> BTreeSet<UpdateId> {
        list.iter().map(|n| uid(*n)).collect()
    }

    fn filter(products: &[u128], classifications: &[u128]) -> SyncFilter {
        SyncFilter {
            products: Choice::Only(ids(products)),
            classifications: Choice::Only(ids(classifications)),
            ..SyncFilter::default()
        }
    }

    fn parts(products: &[u128], classifications: &[u128]) -> CoveredFilter {
        CoveredFilter::Parts { products: ids(products), classifications: ids(classifications) }
    }

    /// Anchor, products and classifications of each list.
    fn shape(plan: &Plan) -> Vec<(bool, Vec<u128>, Vec<u128>)> {
        let numbers = |list: &Option<Vec<IdAndDelta>>| {
            list.iter().flatten().map(|e| e.id.as_u128()).collect::<Vec<_>>()
        };
        for f in &plan.filters {
            for entry in f.categories.iter().chain(&f.classifications).flatten() {
                assert_eq!(entry.delta, f.anchor.is_some());
            }
        }
        plan.filters
            .iter()
            .map(|f| (f.anchor.is_some(), numbers(&f.categories), numbers(&f.classifications)))
            .collect()
    }

    #[test]
    fn the_first_list_is_of_all_that_is_wanted() {
        let first = plan(&filter(&[1, 2], &[9]), &[], None, &CoveredFilter::Nothing);
        assert_eq!(shape(&first), [(false, vec![1, 2], vec![9])]);
        let everything = plan(&SyncFilter::default(), &[], None, &CoveredFilter::Nothing);
        assert!(
            everything.filters[0].categories.is_none() && everything.filters[0].classifications.is_none()
        );
    }

    #[test]
    fn the_same_filter_asks_once_with_its_anchor() {
        let again = plan(&filter(&[1, 2], &[9]), &[], Some("a"), &parts(&[1, 2], &[9]));
        assert_eq!(shape(&again), [(true, vec![1, 2], vec![9])]);
    }

    #[test]
    fn a_new_product_and_a_new_classification_are_asked_for_from_the_beginning() {
        let more = plan(&filter(&[1, 2], &[8, 9]), &[], Some("a"), &parts(&[1], &[9]));
        let expected = [(true, vec![1], vec![9]), (false, vec![2], vec![8, 9]), (false, vec![1], vec![8])];
        assert_eq!(shape(&more), expected);
        assert_eq!(more.covers, parts(&[1, 2], &[8, 9]));
    }

    #[test]
    fn a_removed_product_is_just_not_asked_for() {
        let fewer = plan(&filter(&[1], &[9]), &[], Some("a"), &parts(&[1, 2], &[9]));
        assert_eq!(shape(&fewer), [(true, vec![1], vec![9])]);
        assert_eq!(fewer.covers, parts(&[1], &[9]));
    }

    #[test]
    fn from_everything_to_some_needs_no_fresh_start_and_back_does() {
        let some = plan(&filter(&[1], &[9]), &[], Some("a"), &CoveredFilter::Everything);
        assert_eq!(shape(&some), [(true, vec![1], vec![9])]);
        let all = plan(&SyncFilter::default(), &[], Some("a"), &parts(&[1], &[9]));
        assert_eq!(shape(&all), [(false, vec![], vec![])]);
    }

    #[test]
    fn all_beside_a_list_is_spelled_out() {
        let known = [(uid(1), CategoryKind::Product), (uid(9), CategoryKind::UpdateClassification)];
        let only_class = SyncFilter { products: Choice::All, ..filter(&[], &[9]) };
        assert_eq!(
            shape(&plan(&only_class, &known, None, &CoveredFilter::Nothing)),
            [(false, vec![1], vec![9])]
        );
    }
}
