//! Content files whose place on the disk is not as it was: what is a fact ends that they are held, what may pass does not.

use crate::support;

use sluicegate_store::Store;
use sluicegate_store::check::{CheckOptions, CheckReport};
use sluicegate_store::content::Damage;
use sluicegate_terms::Sha1Digest;
use std::path::{Path, PathBuf};
use support::{at, file, import, open, software};

const FILES: [(&str, &[u8]); 3] =
    [("one.exe", b"content of one"), ("two.exe", b"content of two"), ("three.exe", b"of three")];

/// A store that holds some files, and where they lie.
fn holding(dir: &Path) -> (Store, Vec<(Sha1Digest, PathBuf)>) {
    let store = open(dir);
    let mut update = software(1, 1, "One");
    update.files.extend(FILES.map(|(name, bytes)| file(name, bytes)));
    import(&store, 0, &[update]);
    let places = FILES.map(|(name, bytes)| {
        let sha1 = store.add_content(name, &mut &*bytes, at(1), &mut |_| {}).unwrap().sha1;
        let hex = sha1.to_hex_upper();
        (sha1, dir.join("Content").join(&hex[38..]).join(format!("{hex}.exe")))
    });
    (store, places.to_vec())
}

fn options(repair: bool) -> CheckOptions<'static> {
    CheckOptions { content: false, repair, now: at(50), prepare: None }
}

fn whats(report: &CheckReport) -> Vec<&str> {
    report.findings.iter().map(|finding| finding.what.as_str()).collect()
}

fn in_steps(store: &Store) -> CheckReport {
    store.check_in_steps(&|_, _| None, &mut || true).unwrap().unwrap()
}

#[test]
fn a_check_that_reads_no_file_finds_those_that_are_gone_or_cut_off_and_its_repair_makes_them_wanted() {
    let dir = tempfile::tempdir().unwrap();
    let (store, files) = holding(dir.path());
    std::fs::remove_file(&files[0].1).unwrap();
    std::fs::write(&files[1].1, b"cut").unwrap();
    let found = store.check(&options(false)).unwrap();
    assert_eq!(found.files, 3);
    let said = whats(&found).join("\n");
    assert!(said.contains(&format!("{} is gone from the disk", files[0].0.to_hex_upper())), "{said}");
    assert!(said.contains("has 3 bytes instead of 14"), "{said}");
    assert!(files.iter().all(|(sha1, _)| store.content().has(*sha1)), "it looks only");
    assert!(store.check(&options(true)).unwrap().is_sound());
    let held: Vec<bool> = files.iter().map(|(sha1, _)| store.content().has(*sha1)).collect();
    assert_eq!((held, files[1].1.exists()), (vec![false, false, true], false));
    assert_eq!(whats(&store.check(&options(false)).unwrap()), Vec::<&str>::new());
}

#[test]
fn the_daily_check_no_longer_holds_them_and_tells_what_it_lost() {
    let dir = tempfile::tempdir().unwrap();
    let (store, files) = holding(dir.path());
    assert_eq!(in_steps(&store).files, 3);
    std::fs::remove_file(&files[0].1).unwrap();
    let report = in_steps(&store);
    assert!(report.is_sound() && whats(&report)[0].contains("is gone from the disk"), "{report:?}");
    assert!(!store.content().has(files[0].0));
    let lost = store.lost_files().unwrap();
    assert_eq!((lost.len(), &lost[0].damage, lost[0].name.as_str()), (1, &Damage::Gone, "one.exe"));
    assert_eq!(whats(&in_steps(&store)), Vec::<&str>::new());
    store.add_content("one.exe", &mut &*FILES[0].1, at(60), &mut |_| {}).unwrap();
    assert!(store.lost_files().unwrap().is_empty() && store.content().has_lost());
}

#[test]
fn a_lost_file_that_nobody_needs_any_more_is_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let (store, files) = holding(dir.path());
    std::fs::remove_file(&files[0].1).unwrap();
    assert_eq!(store.content().lose_if_damaged(files[0].0).unwrap(), Some(Damage::Gone));
    store.decline(support::uid(1), at(60)).unwrap();
    assert!(store.lost_files().unwrap().is_empty());
}

#[test]
fn whoever_asks_for_a_file_that_is_gone_or_cut_off_ends_that_it_is_held() {
    let dir = tempfile::tempdir().unwrap();
    let (store, files) = holding(dir.path());
    std::fs::remove_file(&files[0].1).unwrap();
    std::fs::write(&files[1].1, b"cut").unwrap();
    for (sha1, path) in &files[..2] {
        assert!(store.content().open_or_lose(*sha1).unwrap().is_none());
        assert!(!store.content().has(*sha1) && !path.exists());
    }
    assert!(store.content().open_or_lose(files[2].0).unwrap().is_some());
    assert_eq!(store.lost_files().unwrap().len(), 2);
}

#[test]
fn a_file_that_cannot_be_looked_at_stays_held_since_that_may_pass() {
    let dir = tempfile::tempdir().unwrap();
    let (store, files) = holding(dir.path());
    // A link that leads to itself fails as an unreadable folder would, for every user.
    let (sha1, path) = &files[0];
    std::fs::rename(path, dir.path().join("aside")).unwrap();
    std::os::unix::fs::symlink(path, path).unwrap();
    assert!(store.content().open_or_lose(*sha1).is_err());
    let found = store.check(&options(true)).unwrap();
    assert!(!found.is_sound() && whats(&found)[0].contains("cannot be looked at"), "{found:?}");
    assert!(!in_steps(&store).is_sound());
    assert!(store.content().has(*sha1));
    std::fs::rename(dir.path().join("aside"), path).unwrap();
    assert!(store.content().open_or_lose(*sha1).unwrap().is_some());
}

#[test]
fn a_content_folder_that_is_away_takes_no_file_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let (store, files) = holding(dir.path());
    let (content, away) = (dir.path().join("Content"), dir.path().join("away"));
    std::fs::rename(&content, &away).unwrap();
    // As the place of a disk is that is not mounted.
    std::fs::create_dir(&content).unwrap();
    assert!(store.content().open_or_lose(files[0].0).is_err());
    for report in [store.check(&options(true)).unwrap(), in_steps(&store)] {
        assert_eq!((report.findings.len(), report.findings[0].repairable), (1, false), "{report:?}");
        assert!(report.findings[0].remedy.starts_with("mount it"), "{report:?}");
    }
    std::fs::remove_dir(&content).unwrap();
    std::fs::rename(&away, &content).unwrap();
    assert!(files.iter().all(|(sha1, _)| store.content().open_or_lose(*sha1).unwrap().is_some()));
}

#[test]
fn a_good_file_takes_the_place_of_one_that_is_gone_cut_off_unreadable_or_has_other_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let (store, files) = holding(dir.path());
    let (path, (name, bytes)) = (&files[0].1, FILES[0]);
    let give = || store.add_content(name, &mut &*bytes, at(70), &mut |_| {}).unwrap();
    let held = give();
    assert_eq!((held.already_held, held.replaced), (true, None));
    let spoils: [(&dyn Fn(), &str); 4] = [
        (&|| (), "is gone from the disk"),
        (&|| std::fs::write(path, b"cut").unwrap(), "has 3 bytes instead of 14"),
        (&|| std::fs::write(path, b"Content of one").unwrap(), "has other bytes than its SHA-1 says"),
        (&|| std::os::unix::fs::symlink(path, path).unwrap(), "cannot be read"),
    ];
    for (spoil, what) in spoils {
        std::fs::remove_file(path).unwrap();
        spoil();
        let given = give();
        assert!(
            !given.already_held && given.replaced.as_ref().is_some_and(|w| w.contains(what)),
            "{given:?}"
        );
        assert_eq!(std::fs::read(path).unwrap(), bytes, "{what}");
        assert!(store.content().open(files[0].0).unwrap().is_some());
    }
    assert!(store.lost_files().unwrap().is_empty());
}
