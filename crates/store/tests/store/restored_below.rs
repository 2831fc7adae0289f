//! A server below that was restored from a backup: what it knows less of is not taken back here.

use crate::rollup::{BRANCH, NORTH, SOUTH, asked, behind, known, tells, tree};

#[test]
fn a_server_that_was_restored_takes_no_status_back_until_it_knows_as_much() {
    // The computer stays at the server that was restored, or came to it from one below since the backup.
    for before in [NORTH, BRANCH] {
        let (_dir, store) = tree();
        asked(&store, before, 10);
        tells(&store, NORTH, 1, 100);
        asked(&store, NORTH, 20);
        tells(&store, NORTH, 2, 200);
        asked(&store, before, 10);
        assert!(behind(&store, NORTH, 1), "another status than the one that it remembers");
        tells(&store, NORTH, 2, 100);
        assert_eq!(known(&store), (NORTH, vec![200]), "what it told before it was restored is later");
        assert!(behind(&store, NORTH, 2), "nobody takes that status for the one that is here");
        asked(&store, NORTH, 30);
        tells(&store, NORTH, 3, 300);
        assert_eq!(known(&store), (NORTH, vec![300]), "the computer reported again");
        assert!(!behind(&store, NORTH, 3));
    }
}

#[test]
fn what_others_tell_of_before_says_nothing_of_the_server_that_a_computer_is_at() {
    let (_dir, store) = tree();
    asked(&store, NORTH, 50);
    asked(&store, SOUTH, 10);
    tells(&store, NORTH, 1, 100);
    assert_eq!(known(&store), (NORTH, vec![100]));
    asked(&store, SOUTH, 60);
    tells(&store, SOUTH, 1, 200);
    assert_eq!(known(&store), (SOUTH, vec![200]));
}
