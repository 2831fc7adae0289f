use super::*;
use crate::Clause;
use proptest::prelude::*;
use rustc_hash::FxHashMap;
use sluicegate_terms::Guid;

fn id(number: u128) -> UpdateId {
    UpdateId(Guid::from_u128(number))
}
fn rev(number: u128, revision: i64) -> UpdateIdentity {
    UpdateIdentity { update: id(number), revision: RevisionNumber::new(revision).unwrap() }
}
fn record(number: u128, needs: &[&[u128]]) -> ScanRecord {
    revised(rev(number, 1), needs)
}
fn revised(identity: UpdateIdentity, needs: &[&[u128]]) -> ScanRecord {
    let mut record = ScanRecord::new(identity, UpdateKind::Software);
    record.prerequisites = needs
        .iter()
        .map(|any| Clause { any_of: any.iter().map(|n| id(*n)).collect(), is_category: false })
        .collect();
    record
}
fn bundle(number: u128, members: &[u128]) -> ScanRecord {
    let mut record = record(number, &[]);
    record.bundles = vec![members.iter().map(|n| rev(*n, 1)).collect()];
    record
}
fn category(number: u128, kind: CategoryKind, parent: Option<u128>) -> ScanRecord {
    let mut record = ScanRecord::new(rev(number, 1), UpdateKind::Category);
    record.category_kind = Some(kind);
    record.prerequisites = parent.map(|n| Clause::category(id(n))).into_iter().collect();
    record
}

/// Content follows from the record; `salt` makes another document of the same identity.
fn digest(record: &ScanRecord, salt: u8) -> Sha256Digest {
    let mut digest = [salt; 32];
    for (at, byte) in record.encode().iter().enumerate() {
        digest[at % 31] = digest[at % 31].wrapping_mul(31).wrapping_add(*byte);
    }
    Sha256Digest(digest)
}
fn verdicts_with(records: &[ScanRecord], known: &impl Known) -> Vec<Verdict> {
    let candidates: Vec<_> = records
        .iter()
        .map(|record| Candidate { source: "file.xml", record, content: digest(record, 0) })
        .collect();
    check_set(&candidates, known)
}
fn verdicts(records: &[ScanRecord]) -> Vec<Verdict> {
    verdicts_with(records, &NothingKnown)
}

#[derive(Default)]
struct Catalog(FxHashMap<UpdateIdentity, ScanRecord>);
impl Catalog {
    fn of(records: &[ScanRecord]) -> Self {
        Self(records.iter().map(|record| (record.identity, record.clone())).collect())
    }
    fn highest(&self, update: UpdateId) -> Option<&ScanRecord> {
        self.0
            .values()
            .filter(|record| record.identity.update == update)
            .max_by_key(|record| record.identity.revision)
    }
}
impl Known for Catalog {
    fn content(&self, revision: UpdateIdentity) -> Option<Sha256Digest> {
        self.0.get(&revision).map(|record| digest(record, 0))
    }
    fn update(&self, update: UpdateId) -> Option<KnownUpdate> {
        self.highest(update).map(|record| KnownUpdate {
            revision: record.identity.revision,
            kind: record.kind,
            category_kind: record.category_kind,
        })
    }
    fn prerequisites(&self, update: UpdateId) -> Vec<Clause> {
        self.highest(update).map(|record| record.prerequisites.clone()).unwrap_or_default()
    }
}

#[test]
fn sound_sets_enter_in_any_order() {
    let records = [record(3, &[&[1, 9], &[2]]), record(2, &[&[1]]), record(1, &[]), bundle(4, &[3, 2])];
    assert_eq!(verdicts(&records), vec![Verdict::Added; 4]);
}

#[test]
fn repeats_are_unchanged_and_new_revisions_are_revised() {
    let one = record(1, &[]);
    let two = revised(rev(1, 2), &[]);
    let records = [one.clone(), one.clone(), two];
    assert_eq!(verdicts(&records), [Verdict::Added, Verdict::Unchanged, Verdict::Revised]);
    let known = Catalog::of(std::slice::from_ref(&one));
    assert_eq!(verdicts_with(&records, &known), [Verdict::Unchanged, Verdict::Unchanged, Verdict::Revised]);
}

#[test]
fn contradictions_name_the_other_file_and_keep_both_out() {
    let record = record(1, &[]);
    let with = |source, salt| Candidate { source, record: &record, content: digest(&record, salt) };
    let verdicts = check_set(&[with("a.xml", 0), with("b.xml", 1)], &NothingKnown);
    let other = |file: &str| Verdict::Refused(Problem::Contradiction { other: file.to_owned() });
    assert_eq!(verdicts, [other("b.xml"), other("a.xml")]);
    let known = Catalog::of(std::slice::from_ref(&record));
    let verdicts = check_set(&[with("a.xml", 1)], &known);
    assert!(
        matches!(&verdicts[0], Verdict::Refused(Problem::Contradiction { other }) if other.contains("catalog"))
    );
}

#[test]
fn missing_prerequisites_spread_to_dependents_only() {
    let records =
        [record(1, &[&[8]]), record(2, &[&[1]]), record(3, &[&[1, 4]]), record(4, &[]), bundle(5, &[2])];
    let verdicts = verdicts(&records);
    assert_eq!(
        verdicts[0],
        Verdict::Refused(Problem::MissingPrerequisite { any_of: vec![id(8)], refused: false })
    );
    assert_eq!(
        verdicts[1],
        Verdict::Refused(Problem::MissingPrerequisite { any_of: vec![id(1)], refused: true })
    );
    assert_eq!(verdicts[2..4], [Verdict::Added, Verdict::Added]);
    assert_eq!(verdicts[4], Verdict::Refused(Problem::MissingBundled { member: rev(2, 1), refused: true }));
    assert!(
        Problem::MissingPrerequisite { any_of: vec![id(8)], refused: false }
            .to_string()
            .contains(&id(8).to_string())
    );
}

#[test]
fn bundled_revisions_are_exact() {
    let records = [bundle(1, &[2]), revised(rev(2, 7), &[])];
    assert_eq!(
        verdicts(&records),
        [Verdict::Refused(Problem::MissingBundled { member: rev(2, 1), refused: false }), Verdict::Added]
    );
    let known = Catalog::of(&[record(2, &[])]);
    assert_eq!(verdicts_with(&records, &known), [Verdict::Added, Verdict::Revised]);
}

#[test]
fn prerequisite_circles_are_refused_with_their_path() {
    let records =
        [record(1, &[&[2]]), record(2, &[&[3]]), record(3, &[&[1]]), record(4, &[&[1]]), record(5, &[])];
    let verdicts = verdicts(&records);
    for verdict in &verdicts[..3] {
        let Verdict::Refused(Problem::PrerequisiteCycle { path }) = verdict else { panic!("{verdict:?}") };
        assert_eq!(path.len(), 3);
    }
    assert_eq!(
        verdicts[3],
        Verdict::Refused(Problem::MissingPrerequisite { any_of: vec![id(1)], refused: true })
    );
    assert_eq!(verdicts[4], Verdict::Added);
}

#[test]
fn a_circle_with_a_way_out_is_none() {
    // 1 needs (2 or 3), 2 needs 1: delivered in the order 3, 1, 2.
    let records = [record(1, &[&[2, 3]]), record(2, &[&[1]]), record(3, &[])];
    assert_eq!(verdicts(&records), vec![Verdict::Added; 3]);
}

#[test]
fn a_new_revision_that_closes_a_circle_through_the_catalog_is_refused() {
    let known = Catalog::of(&[record(1, &[]), record(2, &[&[1]])]);
    let records = [revised(rev(1, 2), &[&[2]]), record(3, &[&[1]])];
    let verdicts = verdicts_with(&records, &known);
    assert!(matches!(&verdicts[0], Verdict::Refused(Problem::PrerequisiteCycle { path }) if path.len() == 2));
    assert_eq!(verdicts[1], Verdict::Added, "the old revision still stands");
}

#[test]
fn circles_inside_the_catalog_are_nobodys_fault() {
    let known = Catalog::of(&[record(1, &[&[2]]), record(2, &[&[1]]), record(3, &[])]);
    let records = [revised(rev(3, 2), &[&[1]])];
    assert_eq!(verdicts_with(&records, &known), [Verdict::Revised]);
}

#[test]
fn bundle_circles_are_refused() {
    let records = [bundle(1, &[2]), bundle(2, &[1]), bundle(3, &[1]), bundle(4, &[])];
    let verdicts = verdicts(&records);
    for verdict in &verdicts[..2] {
        assert!(matches!(verdict, Verdict::Refused(Problem::BundleCycle { path }) if path.len() == 2));
    }
    assert!(matches!(verdicts[2], Verdict::Refused(Problem::MissingBundled { refused: true, .. })));
    assert_eq!(verdicts[3], Verdict::Added);
}

#[test]
fn categories_keep_their_order() {
    use CategoryKind::{Company, Product, ProductFamily, UpdateClassification};
    let good = [
        category(1, Company, None),
        category(2, ProductFamily, Some(1)),
        category(3, Product, Some(2)),
        category(4, Product, Some(3)),
        category(5, UpdateClassification, Some(1)),
    ];
    assert_eq!(verdicts(&good), vec![Verdict::Added; 5]);
    let bad = [
        category(1, Product, None),
        category(2, Company, Some(1)),
        category(3, UpdateClassification, None),
        category(4, Product, Some(3)),
    ];
    let verdicts = verdicts(&bad);
    assert_eq!(
        verdicts[1],
        Verdict::Refused(Problem::CategoryOrder { parent: id(1), parent_kind: Product, kind: Company })
    );
    assert!(matches!(verdicts[3], Verdict::Refused(Problem::CategoryOrder { .. })));
}

#[test]
fn only_categories_are_categories_and_kinds_do_not_change() {
    let mut filed = record(2, &[]);
    filed.prerequisites = vec![Clause::category(id(1))];
    let verdicts_ = verdicts(&[record(1, &[]), filed]);
    assert_eq!(
        verdicts_[1],
        Verdict::Refused(Problem::NotACategory { category: id(1), kind: UpdateKind::Software })
    );
    let other = ScanRecord::new(rev(1, 2), UpdateKind::Detectoid);
    let known = Catalog::of(&[record(1, &[])]);
    assert_eq!(
        verdicts_with(&[other], &known),
        [Verdict::Refused(Problem::KindChanged { was: UpdateKind::Software, is: UpdateKind::Detectoid })]
    );
}

#[test]
fn ten_times_the_revisions_take_about_ten_times_as_long() {
    // A chain, a hub everything needs, and bundles over everything: the shapes that punish anything quadratic.
    let check = |count: u128| {
        let mut records = vec![record(1, &[])];
        for n in 2..=count {
            records.push(if n % 3 == 0 { bundle(n, &[n - 1, n - 2]) } else { record(n, &[&[1], &[n - 1]]) });
        }
        records.reverse();
        let started = std::time::Instant::now();
        let all = verdicts(&records);
        assert!(all.iter().all(|verdict| *verdict == Verdict::Added));
        // Removing the hub refuses everything, one by one.
        records.pop();
        assert!(verdicts(&records).iter().all(|verdict| matches!(verdict, Verdict::Refused(_))));
        started.elapsed().as_secs_f64()
    };
    let small = (0..3).map(|_| check(25_000)).fold(f64::INFINITY, f64::min);
    let large = (0..3).map(|_| check(250_000)).fold(f64::INFINITY, f64::min);
    // Quadratic would be a hundred times.
    assert!(large < small * 40.0, "{small} s and {large} s");
}

/// The rule said plainly: keep striking out what cannot be, until nothing changes.
fn reference(records: &[ScanRecord]) -> Vec<bool> {
    let mut sound = vec![false; records.len()];
    // Whether everything can be delivered in some order; one revision per update here.
    loop {
        let before = sound.clone();
        for (at, record) in records.iter().enumerate() {
            let find = |update: UpdateId| records.iter().position(|other| other.identity.update == update);
            let clauses = record.prerequisites.iter().all(|clause| {
                clause.any_of.iter().any(|update| find(*update).is_some_and(|other| before[other]))
            });
            sound[at] = clauses;
        }
        if before == sound {
            break;
        }
    }
    sound
}

proptest! {
    #[test]
    fn verdicts_agree_with_the_plain_rule(needs in prop::collection::vec(prop::collection::vec(prop::collection::vec(1_u128..12, 1..3), 0..3), 1..10)) {
        let records: Vec<_> = (1..).zip(&needs).map(|(number, clauses)| {
            let clauses: Vec<&[u128]> = clauses.iter().map(Vec::as_slice).collect();
            record(number, &clauses)
        }).collect();
        let accepted: Vec<bool> = verdicts(&records).iter().map(|verdict| *verdict == Verdict::Added).collect();
        prop_assert_eq!(accepted, reference(&records));
    }

    #[test]
    fn accepted_bundles_are_complete_and_acyclic(members in prop::collection::vec(prop::collection::vec(1_u128..10, 0..4), 1..9)) {
        let records: Vec<_> = (1..).zip(&members).map(|(number, members)| bundle(number, members)).collect();
        let verdicts = verdicts(&records);
        let mut sound = vec![false; records.len()];
        for _ in 0..=records.len() {
            for (at, members) in members.iter().enumerate() {
                sound[at] = members.iter().all(|member| sound.get(*member as usize - 1).copied().unwrap_or(false));
            }
        }
        let accepted: Vec<bool> = verdicts.iter().map(|verdict| *verdict == Verdict::Added).collect();
        prop_assert_eq!(accepted, sound);
    }
}
