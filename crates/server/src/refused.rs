//! Which servers the list of those that may synchronize kept out lately: whoever looks after the list sees them. In memory
//! only, since everybody may ask: a server that is to come in asks again.

use sluicegate_terms::{Guid, Timestamp};
use std::collections::BTreeMap;

/// Most servers that are remembered; the one that was refused longest ago goes.
const MOST: usize = 100;

/// The servers by their ids: the name that each gave last, and when.
#[derive(Debug, Default)]
pub(crate) struct Refused(BTreeMap<Guid, (String, Timestamp)>);

impl Refused {
    /// A server was refused under this name.
    pub(crate) fn note(&mut self, id: Guid, name: &str, at: Timestamp) {
        self.0.insert(id, (name.to_owned(), at));
        while self.0.len() > MOST {
            let Some(oldest) = self.0.iter().min_by_key(|(_, (_, at))| *at).map(|(id, _)| *id) else {
                return;
            };
            self.0.remove(&oldest);
        }
    }

    /// It was let in, or is to be forgotten.
    pub(crate) fn forget(&mut self, id: Guid) {
        self.0.remove(&id);
    }

    /// All of them.
    pub(crate) fn all(&self) -> Vec<(Guid, String, Timestamp)> {
        self.0.iter().map(|(id, (name, at))| (*id, name.clone(), *at)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_name_of_each_is_kept_and_of_too_many_the_newest() {
        let mut refused = Refused::default();
        let at = |second| Timestamp::MIN.plus_seconds(second);
        refused.note(Guid::from_u128(1), "a", at(1));
        refused.note(Guid::from_u128(1), "b", at(2));
        assert_eq!(refused.all(), [(Guid::from_u128(1), "b".to_owned(), at(2))]);
        for more in 0..MOST {
            refused.note(Guid::from_u128(more as u128 + 2), "x", at(3));
        }
        assert_eq!(refused.all().len(), MOST);
        assert!(refused.all().iter().all(|(_, name, _)| name == "x"), "the oldest went");
    }
}
