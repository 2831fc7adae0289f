//! Policy: which updates a server wants from its upstream: products, classifications, languages.

use core::fmt;
use sluicegate_terms::{Locale, UpdateId};
use std::collections::BTreeSet;

/// Most products, classifications or languages in one filter; real catalogs have some thousand products.
pub const MOST_CHOSEN: usize = 20_000;

/// All, or only some.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Choice<T: Ord> {
    /// Whatever there is, now and later.
    #[default]
    All,
    /// Just these; none when empty.
    Only(BTreeSet<T>),
}

impl<T: Ord> Choice<T> {
    /// Whether this one is chosen.
    #[must_use]
    pub fn has(&self, item: &T) -> bool {
        match self {
            Self::All => true,
            Self::Only(items) => items.contains(item),
        }
    }

    /// The chosen ones; `None` for all.
    #[must_use]
    pub fn listed(&self) -> Option<&BTreeSet<T>> {
        match self {
            Self::All => None,
            Self::Only(items) => Some(items),
        }
    }
}

/// The parts of a filter.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum FilterPart {
    /// Products and product families.
    Product,
    /// Classifications.
    Classification,
    /// Languages of files and texts.
    Language,
}

impl FilterPart {
    /// The word commands, the admin API and the database use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Product => "product",
            Self::Classification => "classification",
            Self::Language => "language",
        }
    }
}

impl fmt::Display for FilterPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a filter is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// Nothing could ever match.
    #[error("the filter chooses no {0}, so nothing would be synchronized; choose at least one, or all")]
    Nothing(FilterPart),
    /// Too long a list.
    #[error("the filter lists {count} entries under {part}; at most {MOST_CHOSEN} are permitted")]
    TooMany {
        /// Which list.
        part: FilterPart,
        /// How many it has.
        count: usize,
    },
}

/// Which updates are wanted. An update must match one of the products and one of the classifications
/// (observed-behaviour 8; what an upstream does with the two lists of `ServerSyncFilter`).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SyncFilter {
    /// Products and product families.
    pub products: Choice<UpdateId>,
    /// Classifications.
    pub classifications: Choice<UpdateId>,
    /// Languages; documents keep all their texts, files of other languages are not fetched.
    pub languages: Choice<Locale>,
}

impl SyncFilter {
    /// Checks that something can match and that the lists are not too long.
    ///
    /// # Errors
    /// [`FilterError`].
    pub fn check(&self) -> Result<(), FilterError> {
        let counts = [
            (FilterPart::Product, self.products.listed().map(BTreeSet::len)),
            (FilterPart::Classification, self.classifications.listed().map(BTreeSet::len)),
            (FilterPart::Language, self.languages.listed().map(BTreeSet::len)),
        ];
        for (part, count) in counts {
            match count {
                Some(0) => return Err(FilterError::Nothing(part)),
                Some(count) if count > MOST_CHOSEN => return Err(FilterError::TooMany { part, count }),
                _ => {}
            }
        }
        Ok(())
    }

    /// Whether a file of this language is wanted. Files without a language are for everybody, and
    /// choosing `de` chooses `de-at` too.
    #[must_use]
    pub fn wants_language(&self, language: Option<&Locale>) -> bool {
        let (Some(chosen), Some(language)) = (self.languages.listed(), language) else { return true };
        chosen.contains(language)
            || language
                .as_str()
                .split_once('-')
                .and_then(|(base, _)| base.parse::<Locale>().ok())
                .is_some_and(|base| chosen.contains(&base))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn locale(tag: &str) -> Locale {
        tag.parse().unwrap()
    }

    #[test]
    fn a_filter_that_chooses_nothing_is_refused_and_says_of_what() {
        let none = SyncFilter { classifications: Choice::Only(BTreeSet::new()), ..SyncFilter::default() };
        assert_eq!(none.check(), Err(FilterError::Nothing(FilterPart::Classification)));
        assert_eq!(SyncFilter::default().check(), Ok(()));
    }

    #[test]
    fn a_list_too_long_is_refused_and_says_which_and_how_long() {
        let products = |count: usize| {
            let ids = (0..count as u128).map(|n| UpdateId(sluicegate_terms::Guid::from_u128(n)));
            SyncFilter { products: Choice::Only(ids.collect()), ..SyncFilter::default() }
        };
        assert_eq!(products(MOST_CHOSEN).check(), Ok(()));
        let error = products(MOST_CHOSEN + 1).check().unwrap_err();
        assert_eq!(error, FilterError::TooMany { part: FilterPart::Product, count: MOST_CHOSEN + 1 });
        assert!(error.to_string().contains("20001 entries under product"), "{error}");
        let words = [FilterPart::Product, FilterPart::Classification, FilterPart::Language];
        assert_eq!(words.map(|part| part.to_string()), ["product", "classification", "language"]);
    }

    #[test]
    fn all_has_what_nobody_listed_and_a_list_has_what_it_lists() {
        let some = Choice::Only([1, 2].into());
        assert!(Choice::All.has(&3) && some.has(&2) && !some.has(&3));
        assert_eq!((Choice::<i32>::All.listed(), some.listed()), (None, Some(&[1, 2].into())));
    }

    #[test]
    fn a_language_is_wanted_with_its_regions_and_files_without_one_always() {
        let german = SyncFilter {
            languages: Choice::Only([locale("de")].into_iter().collect()),
            ..SyncFilter::default()
        };
        assert!(german.wants_language(Some(&locale("de"))));
        assert!(german.wants_language(Some(&locale("de-AT"))));
        assert!(!german.wants_language(Some(&locale("en"))));
        assert!(german.wants_language(None));
        assert!(SyncFilter::default().wants_language(Some(&locale("ja"))));
    }
}
