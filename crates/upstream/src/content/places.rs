//! Content: whether the places that files come from answer. A place that nobody could be reached at for several files in
//! a row is lost: each further file would only wait for the same.

use crate::transport::Url;
use std::collections::HashMap;

/// So many files in a row for which nobody could be reached at a place, each after all its tries.
const IN_A_ROW: u32 = 4;

/// What one source of a file did last.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Tried {
    /// Where.
    pub(super) source: Url,
    /// Somebody answered, whatever it was.
    pub(super) reached: bool,
}

/// The places that were tried, by scheme, host and port.
#[derive(Debug, Default)]
pub(super) struct Places {
    in_vain: HashMap<(bool, String), u32>,
}

fn place(url: &Url) -> (bool, String) {
    (url.is_tls(), url.authority())
}

impl Places {
    /// Takes in what became of a file's sources; whether one answered that was lost.
    pub(super) fn note(&mut self, tried: &[Tried]) -> bool {
        let mut found_again = false;
        for Tried { source, reached } in tried {
            let in_vain = self.in_vain.entry(place(source)).or_default();
            if *reached {
                found_again |= *in_vain >= IN_A_ROW;
                *in_vain = 0;
            } else {
                *in_vain = in_vain.saturating_add(1);
            }
        }
        found_again
    }

    fn is_lost(&self, source: &Url) -> bool {
        self.in_vain.get(&place(source)).is_some_and(|in_vain| *in_vain >= IN_A_ROW)
    }

    /// Whether a file can only be had where nobody can be reached.
    pub(super) fn lead_nowhere(&self, sources: &[Url]) -> bool {
        !sources.is_empty() && sources.iter().all(|source| self.is_lost(source))
    }

    /// Where somebody answers first.
    pub(super) fn put_lost_last(&self, sources: &mut [Url]) {
        sources.sort_by_key(|source| self.is_lost(source));
    }

    /// Whether a place is lost.
    pub(super) fn any_lost(&self) -> bool {
        self.in_vain.values().any(|in_vain| *in_vain >= IN_A_ROW)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(place: &str) -> Url {
        format!("http://{place}/a.cab").parse().unwrap()
    }

    #[test]
    fn a_place_is_lost_after_several_files_in_a_row_until_it_answers() {
        let mut places = Places::default();
        let tried = |reached| [Tried { source: at("parent:8530"), reached }];
        for _ in 1..IN_A_ROW {
            assert!(!places.note(&tried(false)));
        }
        assert!(!places.any_lost());
        places.note(&tried(true));
        for _ in 1..IN_A_ROW {
            places.note(&tried(false));
        }
        assert!(!places.lead_nowhere(&[at("parent:8530")]), "one answer came in between");
        places.note(&tried(false));
        assert!(places.lead_nowhere(&[at("parent:8530")]));
        assert!(places.note(&tried(true)), "it is told that it answers again");
        assert!(!places.any_lost());
    }

    #[test]
    fn only_the_place_that_is_lost_is() {
        let mut places = Places::default();
        for _ in 0..IN_A_ROW {
            places.note(&[Tried { source: at("far"), reached: false }]);
        }
        let mut sources = [at("far"), at("near")];
        assert!(!places.lead_nowhere(&sources) && !places.lead_nowhere(&[at("far:81")]));
        assert!(!places.lead_nowhere(&[]), "of a file without an address that is said instead");
        places.put_lost_last(&mut sources);
        assert_eq!(sources, [at("near"), at("far")]);
    }
}
