//! Trouble at any call and kills at any moment: where a run ends does not depend on them.

use super::{contents, follow, open, parent, run, run_well};
use crate::upstream::Trouble;
use sluicegate_soap::fault::ErrorCode;
use std::time::Duration;

/// The dice of the chaos: a small generator, seeded.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

#[test]
fn trouble_at_any_call_and_kills_at_any_moment_end_where_an_undisturbed_run_ends() {
    let seeds: u64 = std::env::var("SLUICEGATE_CHAOS_SEEDS").ok().and_then(|n| n.parse().ok()).unwrap_or(40);
    let runtime =
        || tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let servers = runtime();
    let upstream = servers.block_on(parent(60));
    let calm_dir = tempfile::tempdir().unwrap();
    let calm = open(calm_dir.path());
    follow(&calm, &upstream, |_| {});
    servers.block_on(run_well(&calm));
    let expected = contents(&calm);
    assert_eq!(expected.len(), 63);
    for seed in 1..=seeds {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let dir = tempfile::tempdir().unwrap();
        {
            let mut state = upstream.state.lock();
            state.calls.clear();
            state.given.clear();
            state.trouble.clear();
            let mut damaged = false;
            for _ in 0..=dice.roll(3) {
                let trouble = match dice.roll(6) {
                    0 => Trouble::Cut,
                    1 => Trouble::Truncated,
                    2 => Trouble::Page,
                    // What is damaged twice is left for a later run, and that is no end of this one.
                    3 if !std::mem::replace(&mut damaged, true) => Trouble::BadBlobs,
                    4 => Trouble::Fault(ErrorCode::InvalidCookie),
                    _ => Trouble::Fault(ErrorCode::ServerBusy),
                };
                let call = usize::try_from(dice.roll(20)).unwrap();
                state.trouble.insert(call, trouble);
            }
        }
        // Some lives are killed, some end with an error; the next one starts from the folder alone.
        let mut complete = false;
        for life in 0..12 {
            let one = runtime();
            let store = open(dir.path());
            if life == 0 {
                follow(&store, &upstream, |_| {});
            }
            let killed_after = (dice.roll(2) == 0 && life < 6).then(|| Duration::from_millis(dice.roll(40)));
            let ended = one.block_on(async {
                match killed_after {
                    Some(after) => tokio::time::timeout(after, run(&store)).await.ok(),
                    None => Some(run(&store).await),
                }
            });
            drop(store);
            // As a kill: nothing is waited for but what runs on a thread right now, so that the folder can be opened.
            one.shutdown_timeout(Duration::from_secs(20));
            if ended.is_some_and(|ended| ended.error.is_none()) {
                complete = true;
                break;
            }
        }
        assert!(complete, "seed {seed} never came to an end");
        let store = open(dir.path());
        assert_eq!(contents(&store), expected, "seed {seed}");
        assert!(store.quarantine().unwrap().is_empty(), "seed {seed}");
    }
}
