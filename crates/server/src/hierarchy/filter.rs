//! Which revisions a downstream server asks for (`ServerSyncFilter`, MS-WSUSSS 3.1.4.5.3.1, and what
//! observed-behaviour 8 says about it).

use super::anchor::SyncAnchor;
use std::collections::HashMap;

use sluicegate_soap::server_sync::IdAndDelta;
use sluicegate_terms::UpdateId;

/// The longest list of categories or classifications taken; a real catalog has some thousand in all.
pub(crate) const MOST_CATEGORIES: usize = 20_000;

/// What of the updates is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Every one.
    Everything,
    /// No update at all.
    Nothing,
    /// Those in one of each.
    InBoth {
        /// Products and whatever is above them; each with true when only changes are wanted.
        categories: HashMap<UpdateId, bool>,
        /// Classifications, the same way.
        classifications: HashMap<UpdateId, bool>,
    },
}

/// What of the revisions with the same categories is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verdict {
    /// None.
    Nothing,
    /// Those that came after the anchor.
    Changes,
    /// All, whatever the anchor.
    Everything,
}

impl Wanted {
    /// From the two lists of a filter. One list alone or an empty one selects nothing, neither list
    /// selects everything (observed).
    pub(crate) fn of(categories: Option<&[IdAndDelta]>, classifications: Option<&[IdAndDelta]>) -> Self {
        // Listed twice, the entry that wants more counts.
        let set = |list: &[IdAndDelta]| {
            let mut set = HashMap::with_capacity(list.len());
            for entry in list {
                let delta = set.entry(UpdateId(entry.id)).or_insert(entry.delta);
                *delta &= entry.delta;
            }
            set
        };
        match (categories, classifications) {
            (None, None) => Self::Everything,
            (Some(categories), Some(classifications))
                if !categories.is_empty() && !classifications.is_empty() =>
            {
                Self::InBoth { categories: set(categories), classifications: set(classifications) }
            }
            _ => Self::Nothing,
        }
    }

    /// What is wanted of the revisions that stand in exactly these categories. An entry without `Delta`
    /// wants everything of it again, despite the anchor (observed).
    pub(crate) fn verdict(&self, stands_in: &[UpdateId]) -> Verdict {
        match self {
            Self::Everything => Verdict::Changes,
            Self::Nothing => Verdict::Nothing,
            Self::InBoth { categories, classifications } => {
                let best = |listed: &HashMap<UpdateId, bool>| {
                    let found = stands_in.iter().filter_map(|category| listed.get(category));
                    found.map(|delta| if *delta { Verdict::Changes } else { Verdict::Everything }).max()
                };
                match (best(categories), best(classifications)) {
                    (Some(one), Some(other)) => one.max(other),
                    _ => Verdict::Nothing,
                }
            }
        }
    }
}

/// A whole question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Question {
    /// Up to where the server has seen the answer; `None` for nothing yet.
    pub(crate) since: Option<SyncAnchor>,
    /// Which of the updates; `None` for categories and detectoids.
    pub(crate) updates: Option<Wanted>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluicegate_terms::Guid;

    fn listed(entries: &[(u128, bool)]) -> Vec<IdAndDelta> {
        entries.iter().map(|(id, delta)| IdAndDelta { id: Guid::from_u128(*id), delta: *delta }).collect()
    }

    fn in_(ids: &[u128]) -> Vec<UpdateId> {
        ids.iter().map(|id| UpdateId(Guid::from_u128(*id))).collect()
    }

    #[test]
    fn one_list_alone_or_an_empty_one_selects_nothing_and_none_selects_everything() {
        let some = listed(&[(1, false)]);
        assert_eq!(Wanted::of(None, None), Wanted::Everything);
        for (categories, classifications) in [
            (Some(&some[..]), None),
            (None, Some(&some[..])),
            (Some(&some[..]), Some(&[][..])),
            (Some(&[][..]), Some(&some[..])),
            (Some(&[][..]), None),
            (Some(&[][..]), Some(&[][..])),
        ] {
            assert_eq!(Wanted::of(categories, classifications), Wanted::Nothing);
        }
        assert_eq!(Wanted::Nothing.verdict(&in_(&[1])), Verdict::Nothing);
        assert_eq!(Wanted::Everything.verdict(&[]), Verdict::Changes);
    }

    #[test]
    fn one_category_and_one_classification_must_match() {
        let wanted = Wanted::of(Some(&listed(&[(1, true), (2, true)])), Some(&listed(&[(8, true)])));
        assert_eq!(wanted.verdict(&in_(&[1, 8])), Verdict::Changes);
        assert_eq!(wanted.verdict(&in_(&[8, 2, 3])), Verdict::Changes);
        for others in [&[1_u128][..], &[8], &[1, 9], &[3, 8], &[]] {
            assert_eq!(wanted.verdict(&in_(others)), Verdict::Nothing, "{others:?}");
        }
    }

    #[test]
    fn an_entry_without_delta_wants_all_of_it_again() {
        let wanted =
            Wanted::of(Some(&listed(&[(1, true), (2, false)])), Some(&listed(&[(8, true), (9, false)])));
        assert_eq!(wanted.verdict(&in_(&[1, 8])), Verdict::Changes);
        assert_eq!(wanted.verdict(&in_(&[2, 8])), Verdict::Everything);
        assert_eq!(wanted.verdict(&in_(&[1, 9])), Verdict::Everything);
        assert_eq!(wanted.verdict(&in_(&[1, 2, 8])), Verdict::Everything);
        let twice = Wanted::of(Some(&listed(&[(1, false), (1, true)])), Some(&listed(&[(8, true)])));
        assert_eq!(twice.verdict(&in_(&[1, 8])), Verdict::Everything);
    }
}
