//! Parts of files that stopped on their way: who still wants the rest, and when cleanup removes them.

use crate::files_given::with_file;
use crate::support::{at, file, import, open, uid};
use sluicegate_policy::ApprovalAction;
use sluicegate_policy::cleanup::CleanupStep;
use sluicegate_policy::hierarchy::Mode;
use sluicegate_store::cleanup::{CleanupOrder, StepReport};
use sluicegate_store::content::ContentTurn;
use sluicegate_store::hierarchy::{DeploymentNews, UpstreamSettings};
use sluicegate_store::{ApprovalOrder, Store};
use sluicegate_terms::{GroupId, Guid, Sha1Digest, Timestamp};
use std::fs::{File, FileTimes};
use std::time::{Duration, SystemTime};

const DAY: i64 = 86_400;

fn digest(update: u128, revision: i64) -> Sha1Digest {
    with_file(update, revision).files[0].sha1
}

/// Three bytes of a file have come; the last of them at `when`.
fn part(store: &Store, sha1: Sha1Digest, when: Timestamp) {
    let ContentTurn::Yours(mut part) = store.begin_content(sha1).unwrap() else {
        panic!("nobody fetches it")
    };
    part.write(b"abc").unwrap();
    drop(part);
    let path = store.dir().join("Content/.partial").join(sha1.to_hex_upper());
    let seconds = u64::try_from(when.unix_seconds()).unwrap();
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    File::options().write(true).open(path).unwrap().set_times(FileTimes::new().set_modified(time)).unwrap();
}

fn parts(store: &Store) -> Vec<Sha1Digest> {
    let mut parts: Vec<_> = store.content().partials().unwrap().into_iter().map(|(sha1, _)| sha1).collect();
    parts.sort_unstable();
    parts
}

fn sorted<const N: usize>(mut digests: [Sha1Digest; N]) -> [Sha1Digest; N] {
    digests.sort_unstable();
    digests
}

fn clean(store: &Store, dry_run: bool, now: Timestamp, go_on: &mut dyn FnMut() -> bool) -> StepReport {
    let order = CleanupOrder { steps: Some([CleanupStep::Files].into()), dry_run };
    store.cleanup(&order, now, go_on).unwrap().step(CleanupStep::Files).unwrap().clone()
}

fn counts(report: &StepReport) -> (u64, u64, u64) {
    (report.found, report.done, report.bytes)
}

#[test]
fn the_part_of_a_file_goes_when_nobody_wants_the_file_and_a_day_is_over() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    import(&store, 0, &[1, 2, 3, 4].map(|n| with_file(n, 100)));
    for n in [1, 2, 3, 4] {
        part(&store, digest(n, 100), at(10));
    }
    // 1 is wanted, 2 declined, 3 declined and wanted by a server below, 4 has another file now.
    store.decline(uid(2), at(11)).unwrap();
    store.decline(uid(3), at(11)).unwrap();
    store.want_files(&[digest(3, 100)], Guid::from_u128(7), at(11)).unwrap();
    import(&store, 12, &[with_file(4, 101)]);
    let wanted = sorted([digest(1, 100), digest(3, 100)]);

    assert_eq!(counts(&clean(&store, false, at(9 + DAY), &mut || true)), (0, 0, 0), "not a day old");
    let later = at(10 + DAY);
    let would = clean(&store, true, later, &mut || true);
    assert_eq!(counts(&would), (2, 0, 6), "{would:?}");
    assert_eq!(parts(&store).len(), 4, "that was only to see");
    let stopped = clean(&store, false, later, &mut {
        let mut asked = 0;
        move || {
            asked += 1;
            asked < 2
        }
    });
    assert_eq!((counts(&stopped), parts(&store).len()), ((0, 0, 0), 4), "it was told to stop");
    let did = clean(&store, false, later, &mut || true);
    assert_eq!(counts(&did), (2, 2, 6), "{did:?}");
    assert!(did.examples.contains(&digest(2, 100).to_hex_upper()), "{did:?}");
    assert_eq!(parts(&store), wanted);
    assert_eq!(counts(&clean(&store, false, at(400 * DAY), &mut || true)), (0, 0, 0));
    assert_eq!(parts(&store), wanted, "they are gone on with, whenever that is");
}

#[test]
fn the_part_of_a_file_that_no_update_declares_any_more_goes() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    import(&store, 0, &[with_file(1, 100)]);
    part(&store, digest(1, 100), at(10));
    store.decline(uid(1), at(11)).unwrap();
    let steps = Some([CleanupStep::UnusedUpdates].into());
    for day in [40, 42] {
        let order = CleanupOrder { steps: steps.clone(), dry_run: false };
        store.cleanup(&order, at(day * DAY), &mut || true).unwrap();
    }
    assert!(store.update(uid(1)).is_err(), "it is gone");
    assert_eq!(counts(&clean(&store, false, at(43 * DAY), &mut || true)), (1, 1, 3));
    assert_eq!(parts(&store), []);
}

#[test]
fn the_part_of_a_file_that_came_whole_another_way_goes() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    import(&store, 0, &[with_file(1, 100)]);
    part(&store, digest(1, 100), at(10));
    store.add_content("1-100.cab", &mut "1-100.cab".as_bytes(), at(11), &mut |_| {}).unwrap();
    assert_eq!(counts(&clean(&store, false, at(10 + DAY), &mut || true)), (1, 1, 3));
    assert_eq!(parts(&store), []);
    assert!(store.content().has(file("1-100.cab", b"1-100.cab").sha1));
}

#[test]
fn a_replica_keeps_the_part_of_what_it_has_approved_for_when_it_decides_itself() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    import(&store, 0, &[1, 2].map(|n| with_file(n, 100)));
    let order = ApprovalOrder {
        update: uid(1),
        group: GroupId::ALL_COMPUTERS,
        action: ApprovalAction::Install,
        deadline: None,
        by: "admin".to_owned(),
    };
    store.approve(order, at(5)).unwrap();
    let source = Some("http://parent:8530".parse().unwrap());
    let replica = UpstreamSettings { source, mode: Mode::Replica, ..UpstreamSettings::default() };
    store.set_upstream_settings(replica, at(8)).unwrap();
    let declined = [1, 2].map(uid).into();
    let news =
        DeploymentNews { declined, anchor: "1".to_owned(), complete: true, ..DeploymentNews::default() };
    store.adopt_deployments(&news, at(9)).unwrap();
    for n in [1, 2] {
        part(&store, digest(n, 100), at(10));
    }
    assert_eq!(counts(&clean(&store, false, at(10 + DAY), &mut || true)), (1, 1, 3));
    assert_eq!(parts(&store), [digest(1, 100)]);
}

#[test]
fn a_part_that_a_run_takes_up_or_somebody_wants_in_the_same_moment_stays() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    import(&store, 0, &[with_file(1, 100)]);
    part(&store, digest(1, 100), at(10));
    store.decline(uid(1), at(11)).unwrap();
    let later = at(10 + DAY);
    // Cleanup asks before each removal whether it goes on; by then it has seen that nobody wants the file.
    let (mut run, mut asked) = (None, 0);
    let taken = clean(&store, false, later, &mut || {
        asked += 1;
        if asked == 2 {
            run = Some(store.begin_content(digest(1, 100)).unwrap());
        }
        true
    });
    assert!(matches!(&run, Some(ContentTurn::Yours(part)) if part.length() == 3), "{run:?}");
    assert_eq!((counts(&taken), parts(&store)), ((0, 0, 0), vec![digest(1, 100)]));
    assert_eq!(counts(&clean(&store, true, later, &mut || true)), (0, 0, 0), "somebody fetches it");
    drop(run);

    part(&store, digest(1, 100), at(10));
    let mut asked = 0;
    let wanted = clean(&store, false, later, &mut || {
        asked += 1;
        if asked == 2 {
            store.want_files(&[digest(1, 100)], Guid::from_u128(7), at(12)).unwrap();
        }
        true
    });
    assert_eq!((counts(&wanted), parts(&store)), ((0, 0, 0), vec![digest(1, 100)]));
}
