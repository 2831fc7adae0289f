//! Synchronization: which lists of revisions to ask for, given what is wanted and what earlier runs covered.
//! Pure. A product that is new in the filter, or below what the filter chooses, is asked for from the beginning, the rest
//! since the last time: upstreams list what changed, and an update does not change when its product moves.

use sluicegate_policy::hierarchy::SyncFilter;
use sluicegate_soap::server_sync::{IdAndDelta, ServerSyncFilter};
use sluicegate_store::CategoryPlace;
use sluicegate_store::hierarchy::CoveredFilter;
use sluicegate_terms::{CategoryKind, UpdateId};
use std::collections::{BTreeMap, BTreeSet};

/// The lists to ask for, in order. The first one's anchor is the one to keep.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Plan {
    pub(crate) filters: Vec<ServerSyncFilter>,
    /// What the kept anchor will speak for.
    pub(crate) covers: CoveredFilter,
}

/// Products and classifications.
type Lists = (BTreeSet<UpdateId>, BTreeSet<UpdateId>);

/// What the filter chooses, with "all" spelled out where one of the two lists has to be given: one list alone
/// selects nothing (observed-behaviour 8). `None` is everything.
fn chosen(filter: &SyncFilter, known: &[CategoryPlace]) -> Option<Lists> {
    if filter.products.listed().is_none() && filter.classifications.listed().is_none() {
        return None;
    }
    let all = |kinds: &[CategoryKind]| -> BTreeSet<UpdateId> {
        known.iter().filter(|place| kinds.contains(&place.kind)).map(|place| place.update).collect()
    };
    let products =
        filter.products.listed().cloned().unwrap_or_else(|| {
            all(&[CategoryKind::Product, CategoryKind::ProductFamily, CategoryKind::Company])
        });
    let classifications = filter
        .classifications
        .listed()
        .cloned()
        .unwrap_or_else(|| all(&[CategoryKind::UpdateClassification]));
    Some((products, classifications))
}

/// Which categories stand directly below which.
struct Tree(BTreeMap<UpdateId, Vec<UpdateId>>);

impl Tree {
    fn of(known: &[CategoryPlace]) -> Self {
        let mut below: BTreeMap<UpdateId, Vec<UpdateId>> = BTreeMap::new();
        for place in known {
            for above in &place.stands_in {
                below.entry(*above).or_default().push(place.update);
            }
        }
        Self(below)
    }

    /// These categories and whatever is below them, at any depth.
    fn with_all_below(&self, top: &BTreeSet<UpdateId>) -> BTreeSet<UpdateId> {
        let mut open: Vec<UpdateId> = top.iter().copied().collect();
        let mut all = BTreeSet::new();
        while let Some(category) = open.pop() {
            if all.insert(category) {
                open.extend(self.0.get(&category).into_iter().flatten());
            }
        }
        all
    }

    /// Of what is chosen, that which the anchor speaks for, and what else to ask for from the beginning: what is newly
    /// chosen, and what came below the rest since.
    fn split(&self, chosen: &BTreeSet<UpdateId>, covered: &BTreeSet<UpdateId>) -> Lists {
        let kept = chosen.intersection(covered).copied().collect();
        let mut new: BTreeSet<UpdateId> = chosen.difference(covered).copied().collect();
        let came_below: Vec<UpdateId> = (self.with_all_below(&kept).difference(covered))
            .filter(|id| !new.contains(id))
            .copied()
            .collect();
        new.extend(came_below);
        (kept, new)
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
    known: &[CategoryPlace],
    anchor: Option<&str>,
    covered: &CoveredFilter,
) -> Plan {
    let chosen = chosen(filter, known);
    let whole = |anchor| vec![ask(anchor, chosen.as_ref().map(|(products, classes)| (products, classes)))];
    let Some((products, classes)) = &chosen else {
        let anchor = anchor.filter(|_| *covered == CoveredFilter::Everything);
        return Plan { filters: whole(anchor), covers: CoveredFilter::Everything };
    };
    let tree = Tree::of(known);
    let covers = CoveredFilter::Parts {
        products: tree.with_all_below(products),
        classifications: tree.with_all_below(classes),
    };
    let filters = match (anchor, covered) {
        (None, _) | (_, CoveredFilter::Nothing) => whole(None),
        (anchor, CoveredFilter::Everything) => whole(anchor),
        (anchor, CoveredFilter::Parts { products: old_products, classifications: old_classes }) => {
            let (kept, new) = tree.split(products, old_products);
            let (kept_classes, new_classes) = tree.split(classes, old_classes);
            let mut filters = Vec::new();
            if !kept.is_empty() && !kept_classes.is_empty() {
                filters.push(ask(anchor, Some((&kept, &kept_classes))));
            }
            if !new.is_empty() {
                filters.push(ask(None, Some((&new, classes))));
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

    fn place(n: u128, kind: CategoryKind, stands_in: &[u128]) -> CategoryPlace {
        CategoryPlace { update: uid(n), kind, stands_in: stands_in.iter().map(|n| uid(*n)).collect() }
    }

    /// Family 1 has product 11, family 2 has 21 and 22; `moved` are in the first one too. 1 and 2 are of company 5.
    fn families(moved: &[u128]) -> Vec<CategoryPlace> {
        let product = |n: u128, family: u128| {
            let stands_in: &[u128] = if moved.contains(&n) { &[family, 1] } else { &[family] };
            place(n, CategoryKind::Product, stands_in)
        };
        let family = |n| place(n, CategoryKind::ProductFamily, &[5]);
        vec![
            place(5, CategoryKind::Company, &[]),
            family(1),
            family(2),
            product(11, 1),
            product(21, 2),
            product(22, 2),
        ]
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
        let known = [place(1, CategoryKind::Product, &[]), place(9, CategoryKind::UpdateClassification, &[])];
        let only_class = SyncFilter { products: Choice::All, ..filter(&[], &[9]) };
        assert_eq!(
            shape(&plan(&only_class, &known, None, &CoveredFilter::Nothing)),
            [(false, vec![1], vec![9])]
        );
    }

    #[test]
    fn what_the_anchor_speaks_for_has_all_that_is_below() {
        let first = plan(&filter(&[1], &[9]), &families(&[]), None, &CoveredFilter::Nothing);
        assert_eq!(shape(&first), [(false, vec![1], vec![9])]);
        assert_eq!(first.covers, parts(&[1, 11], &[9]));
        let company = plan(&filter(&[5], &[9]), &families(&[]), None, &CoveredFilter::Nothing);
        assert_eq!(company.covers, parts(&[1, 2, 5, 11, 21, 22], &[9]));
        assert_eq!(shape(&plan(&filter(&[5], &[9]), &families(&[]), Some("a"), &company.covers)).len(), 1);
    }

    #[test]
    fn a_product_that_moved_below_a_chosen_family_is_asked_for_from_the_beginning_once() {
        let known = families(&[21]);
        let moved = plan(&filter(&[1], &[9]), &known, Some("a"), &parts(&[1, 11], &[9]));
        assert_eq!(shape(&moved), [(true, vec![1], vec![9]), (false, vec![21], vec![9])]);
        assert_eq!(moved.covers, parts(&[1, 11, 21], &[9]));
        let again = plan(&filter(&[1], &[9]), &known, Some("a"), &moved.covers);
        assert_eq!(shape(&again), [(true, vec![1], vec![9])]);
        // Chosen by itself before, it has always been asked for.
        let both = plan(&filter(&[1, 21], &[9]), &known, Some("a"), &parts(&[1, 11, 21], &[9]));
        assert_eq!(shape(&both), [(true, vec![1, 21], vec![9])]);
    }

    #[test]
    fn a_product_that_moved_away_is_asked_for_anew_when_it_comes_back() {
        let filter = filter(&[1], &[9]);
        let away = plan(&filter, &families(&[]), Some("a"), &parts(&[1, 11, 21], &[9]));
        assert_eq!(shape(&away), [(true, vec![1], vec![9])]);
        assert_eq!(away.covers, parts(&[1, 11], &[9]));
        let back = plan(&filter, &families(&[21]), Some("a"), &away.covers);
        assert_eq!(shape(&back)[1..], [(false, vec![21], vec![9])]);
    }

    #[test]
    fn a_whole_family_that_moves_brings_what_is_below_it_and_rings_end() {
        let mut known = families(&[]);
        known[2].stands_in = vec![uid(1)];
        let moved = plan(&filter(&[1], &[9]), &known, Some("a"), &parts(&[1, 11], &[9]));
        assert_eq!(shape(&moved)[1..], [(false, vec![2, 21, 22], vec![9])]);
        known[1].stands_in = vec![uid(21)];
        let ring = plan(&filter(&[1], &[9]), &known, Some("a"), &parts(&[1, 11], &[9]));
        assert_eq!(shape(&ring)[1..], [(false, vec![2, 21, 22], vec![9])]);
    }

    #[test]
    fn a_family_chosen_in_the_place_of_its_product_asks_for_all_of_it_and_the_product_goes_on() {
        let known = families(&[]);
        let family = plan(&filter(&[2], &[9]), &known, Some("a"), &parts(&[21], &[9]));
        assert_eq!(shape(&family), [(false, vec![2], vec![9])]);
        let product = plan(&filter(&[21], &[9]), &known, Some("a"), &family.covers);
        assert_eq!(shape(&product), [(true, vec![21], vec![9])]);
    }

    #[test]
    fn a_classification_that_moved_below_a_chosen_one_is_asked_for_too() {
        let class = |stands_in| place(8, CategoryKind::UpdateClassification, stands_in);
        let filter = filter(&[1], &[9]);
        let apart = plan(&filter, &[class(&[])], Some("a"), &parts(&[1], &[9]));
        assert_eq!(shape(&apart), [(true, vec![1], vec![9])]);
        let below = plan(&filter, &[class(&[9])], Some("a"), &apart.covers);
        assert_eq!(shape(&below), [(true, vec![1], vec![9]), (false, vec![1], vec![8])]);
        assert_eq!(below.covers, parts(&[1], &[8, 9]));
    }
}
