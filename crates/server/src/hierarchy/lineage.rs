//! Which history an anchor is of. Changes are counted, so a server that was restored from a backup counts again what it
//! lost, and soon the numbers that servers below remember are those of other changes. So an anchor carries the mark of
//! the life of the server it was given in: a restored one does not know the lives after its backup, and no server
//! knows those of another. Downstream servers do not read anchors.

use super::anchor::SyncAnchor;
use sluicegate_store::hierarchy::Life;
use sluicegate_terms::{Anchor, Timestamp};

/// The mark stands above so many bits of an anchor's count.
const BITS: u32 = 40;

/// In seconds. Clocks of servers may be that far apart.
const DAY: i64 = 86_400;

/// The lives of this server, the present one last.
#[derive(Debug, Default)]
pub(crate) struct Lineage(Vec<Life>);

/// An anchor of a history that this server does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OtherHistory(pub(crate) Anchor);

impl Lineage {
    pub(crate) fn new(lives: Vec<Life>) -> Self {
        Self(lives)
    }

    /// An anchor as it is given to a downstream server.
    pub(crate) fn give(&self, anchor: SyncAnchor) -> SyncAnchor {
        let mark = self.0.last().map_or(0, |life| u64::from(life.mark));
        SyncAnchor { change: Anchor(anchor.change.0 | mark << BITS), ..anchor }
    }

    /// An anchor that a downstream server sends back, without its mark. `last` is the newest change. One without a
    /// mark is this server's when it is from before it gave marks; any other is of the server that had this one's name
    /// before, and what that one never had would never be told. One from after tomorrow is no server's; real ones answer
    /// it with nothing (observed-behaviour 8).
    pub(crate) fn take(
        &self,
        anchor: SyncAnchor,
        last: Anchor,
        now: Timestamp,
    ) -> Result<SyncAnchor, OtherHistory> {
        let taken = plain(anchor);
        let mark = anchor.change.0 >> BITS;
        if mark == 0 {
            let unmarked = self.0.first().map_or(last, |first| first.since);
            let invented = anchor > SyncAnchor::new(now.plus_seconds(DAY), Anchor(u64::MAX));
            let ours = taken.change <= unmarked || invented;
            return if ours { Ok(taken) } else { Err(OtherHistory(taken.change)) };
        }
        let mut after = self.0.iter().skip_while(|life| u64::from(life.mark) != mark);
        // Up to the beginning of the next life its changes are this server's.
        match (after.next(), after.next()) {
            (Some(_), next) if taken.change <= next.map_or(last, |next| next.since) => Ok(taken),
            _ => Err(OtherHistory(taken.change)),
        }
    }
}

/// Without its mark, whatever that is.
pub(crate) const fn plain(anchor: SyncAnchor) -> SyncAnchor {
    SyncAnchor { change: Anchor(anchor.change.0 & ((1 << BITS) - 1)), ..anchor }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lives(list: &[(u32, u64)]) -> Lineage {
        Lineage::new(list.iter().map(|(mark, since)| Life { mark: *mark, since: Anchor(*since) }).collect())
    }

    fn now() -> Timestamp {
        Timestamp::from_unix_seconds(1_000)
    }

    fn at(change: u64) -> SyncAnchor {
        SyncAnchor { at: 5, change: Anchor(change) }
    }

    #[test]
    fn an_anchor_is_good_in_its_own_life_and_in_every_later_one() {
        let first = lives(&[(7, 0)]);
        let given = first.give(at(20));
        assert_eq!(given.to_string().parse(), Ok(given));
        assert_eq!(first.take(given, Anchor(20), now()), Ok(at(20)));
        let second = lives(&[(7, 0), (9, 30)]);
        assert_eq!(second.take(given, Anchor(40), now()), Ok(at(20)));
        assert_ne!(second.give(at(20)), given);
    }

    #[test]
    fn an_anchor_from_after_the_backup_is_of_another_history_however_many_changes_there_are_again() {
        // The copy was made in the first life at 30; what came afterwards, in that life and the next, is lost.
        let restored = lives(&[(7, 0), (11, 30)]);
        let (in_time, late) = (lives(&[(7, 0)]).give(at(30)), lives(&[(7, 0)]).give(at(31)));
        assert_eq!(restored.take(in_time, Anchor(99), now()), Ok(at(30)));
        assert_eq!(restored.take(late, Anchor(99), now()), Err(OtherHistory(Anchor(31))));
        let next_life = lives(&[(7, 0), (9, 32)]).give(at(32));
        assert_eq!(restored.take(next_life, Anchor(99), now()), Err(OtherHistory(Anchor(32))));
        // A machine set back as it ran is still in its life.
        assert_eq!(lives(&[(7, 0)]).take(late, Anchor(30), now()), Err(OtherHistory(Anchor(31))));
    }

    #[test]
    fn an_anchor_without_a_mark_is_from_before_there_were_marks_or_of_another_server() {
        let upgraded = lives(&[(7, 120), (9, 200)]);
        assert_eq!(upgraded.take(at(120), Anchor(300), now()), Ok(at(120)));
        assert_eq!(upgraded.take(at(121), Anchor(300), now()), Err(OtherHistory(Anchor(121))));
        assert_eq!(lives(&[(7, 0)]).take(at(9_438), Anchor(20_000), now()), Err(OtherHistory(Anchor(9_438))));
        let tomorrow = SyncAnchor { at: (1_000 + DAY) * 1_000, change: Anchor(9_438) };
        let (of_a_fast_clock, invented) = (tomorrow, SyncAnchor { at: tomorrow.at + 1, ..tomorrow });
        assert!(lives(&[(7, 0)]).take(of_a_fast_clock, Anchor(3), now()).is_err());
        assert_eq!(lives(&[(7, 0)]).take(invented, Anchor(3), now()), Ok(invented));
    }
}
