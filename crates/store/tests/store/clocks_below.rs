//! Servers below whose clocks are wrong: whose news of a computer counts.

use crate::rollup::server;
use crate::support;

use sluicegate_store::hierarchy::{ComputerDetails, DownstreamComputerFilter, RolledComputer};
use sluicegate_terms::{ComputerId, Guid};
use support::{at, open};

const NORTH: Guid = Guid::from_u128(1);
const SOUTH: Guid = Guid::from_u128(2);

fn pc() -> ComputerId {
    "pc-1".parse().unwrap()
}

/// What a server tells of the computer, by its own clock.
fn asked(server: Guid, seconds: i64) -> RolledComputer {
    RolledComputer {
        id: pc(),
        server,
        last_sync: Some(at(seconds)),
        last_sync_result: 1,
        last_reboot: None,
        last_status: None,
        last_inventory: None,
        details: None,
    }
}

#[test]
fn what_a_server_whose_clock_is_ahead_tells_again_takes_no_computer_back() {
    const AHEAD: i64 = 3 * 3_600;
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    assert!(store.roll_up_servers(vec![server(NORTH, None), server(SOUTH, None)], at(0)).unwrap());
    let tells = |asked_at: i64, now: i64, under_way: i64, details: Option<ComputerDetails>| {
        let computer = RolledComputer { details, ..asked(NORTH, asked_at + AHEAD) };
        let computer = computer.by_own_clock(at(now + AHEAD - under_way), at(now));
        assert!(store.roll_up_computers(vec![computer], at(now)).unwrap().is_some());
    };
    let place = || store.place_below(&pc()).unwrap().unwrap();
    tells(10, 20, 0, None);
    assert_eq!((place().server, place().last_sync), (NORTH, Some(at(10))), "as by the clock here");
    assert!(store.roll_up_computers(vec![asked(SOUTH, 30)], at(40)).unwrap().is_some());
    // Told again, at once and when that time is no longer ahead.
    for now in [50, 50 + 2 * AHEAD] {
        tells(10, now, 0, None);
        assert_eq!(place().server, SOUTH);
    }
    tells(60, 70, 5, None);
    assert_eq!(place().server, NORTH, "it asked there since");
    // A message that was faster than the one before seems older; what it brings counts.
    let details = ComputerDetails { full_domain_name: "pc-1.example".to_owned(), ..Default::default() };
    tells(60, 80, 0, Some(details.clone()));
    let filter = DownstreamComputerFilter { limit: 9, ..Default::default() };
    let [known] = &store.downstream_computers(&filter).unwrap()[..] else { panic!("one computer") };
    assert_eq!((known.told.details.as_ref(), known.told.last_sync), (Some(&details), Some(at(65))));
    // A little behind is a message that took long, and far behind a clock.
    let told = |clock| known.told.clone().by_own_clock(at(clock), at(AHEAD));
    assert_eq!(told(AHEAD - 60), known.told);
    assert_eq!(told(0).last_sync, Some(at(65 + AHEAD)));
}
