//! Automatic approval rules: what they match, plan and do.

mod support;

use sluicegate_policy::ApprovalAction::{Install, NotApproved};
use sluicegate_policy::rules::{
    Candidate, DeadlineOffset, MOST_CHOICES, MOST_RULES, Plan, Rule, RuleError, RuleId, RuleName, RuleTerms,
    SaveError, Skip, plan,
};
use sluicegate_policy::{ApprovalError, Decisions, Subject};
use sluicegate_terms::{DeploymentId, GroupId, Timestamp, UpdateId};
use support::{approved, at, change, eula, gid, order, stamp, uid};

fn terms(classifications: &[u128], products: &[u128], groups: &[u128]) -> RuleTerms {
    RuleTerms {
        name: "A rule".parse().unwrap(),
        classifications: classifications.iter().map(|n| uid(*n)).collect(),
        products: products.iter().map(|n| uid(*n)).collect(),
        groups: groups.iter().map(|n| gid(*n)).collect(),
        deadline: None,
    }
}

fn rule(terms: RuleTerms) -> Rule {
    Rule::new(terms, true).unwrap()
}

fn candidate(n: u128, categories: &[u128]) -> Candidate {
    Candidate { subject: Subject::software(uid(n)), categories: categories.iter().map(|n| uid(*n)).collect() }
}

fn made(plan: &Plan) -> Vec<(UpdateId, GroupId)> {
    plan.approvals.iter().map(|p| (p.subject.update, p.group)).collect()
}

#[test]
fn a_rule_wants_a_classification_and_a_product_where_it_names_some() {
    let categories = |list: &[u128]| list.iter().map(|n| uid(*n)).collect::<Vec<_>>();
    let both = rule(terms(&[10, 11], &[20], &[0]));
    assert!(both.matches(&categories(&[11, 20])));
    assert!(!both.matches(&categories(&[11, 21])));
    assert!(!both.matches(&categories(&[12, 20])));
    assert!(!both.matches(&[]));
    assert!(rule(terms(&[10], &[], &[0])).matches(&categories(&[10])));
    assert!(rule(terms(&[], &[20], &[0])).matches(&categories(&[20, 9])));
    assert!(rule(terms(&[], &[], &[0])).matches(&[]));
}

#[test]
fn the_default_rule_is_that_of_wsus() {
    let rule = Rule::default_rule();
    assert!(!rule.enabled());
    for classification in ["e6cf1350-c01b-414d-a61f-263d14d133b4", "0fa1201d-4330-4fa8-8ae9-b877473b6441"] {
        assert!(rule.matches(&[classification.parse().unwrap()]), "{classification}");
    }
    assert!(!rule.matches(&[uid(1)]));
    assert!(rule.terms().groups.contains(&GroupId::ALL_COMPUTERS));
}

#[test]
fn deadlines_are_days_later_at_a_time_of_day() {
    let noon: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
    let after = |days, minute| DeadlineOffset::new(days, minute).unwrap().after(noon).iso();
    assert_eq!(after(7, 185), "2026-11-28T03:05:00Z");
    assert_eq!(after(0, 0), "2026-11-21T00:00:00Z");
    assert_eq!(after(999, 1_439), "2029-08-16T23:59:00Z");
    assert!(DeadlineOffset::new(1_000, 0).is_err() && DeadlineOffset::new(0, 1_440).is_err());
    let offset = DeadlineOffset::new(3, 4).unwrap();
    assert_eq!((offset.days(), offset.minute()), (3, 4));
}

#[test]
fn a_plan_leaves_alone_what_is_decided_declined_or_cannot_be() {
    let mut decisions = approved(&[(2, NotApproved)]);
    decisions.decline(&Subject::software(uid(4)), change(5)).unwrap();
    let mut licensed = candidate(5, &[10]);
    licensed.subject.eula = Some(eula(1));
    let candidates =
        [candidate(1, &[10]), candidate(3, &[10]), candidate(4, &[10]), licensed, candidate(6, &[11])];
    let rule = rule(terms(&[10], &[], &[0, 2]));
    let planned = plan([(RuleId(7), &rule)].into_iter(), &decisions, &candidates, at(0));
    assert_eq!(made(&planned), [(uid(1), gid(0)), (uid(3), gid(2)), (uid(3), gid(0))]);
    let refused = |group| {
        (uid(5), group, Skip::Refused(ApprovalError::EulaNotAccepted { update: uid(5), eula: eula(1) }))
    };
    let skipped: Vec<_> = planned.skipped.iter().map(|s| (s.update, s.group, s.why.clone())).collect();
    assert_eq!(
        skipped,
        [
            (uid(1), gid(2), Skip::Decided),
            (uid(4), gid(2), Skip::Declined),
            (uid(4), gid(0), Skip::Declined),
            refused(gid(2)),
            refused(gid(0)),
        ]
    );
    assert!(planned.skipped.iter().all(|s| s.rule == RuleId(7)));
}

#[test]
fn of_several_rules_the_earliest_deadline_holds() {
    let due = |days: Option<u16>| {
        let deadline = days.map(|days| DeadlineOffset::new(days, 0).unwrap());
        rule(RuleTerms { deadline, ..terms(&[], &[], &[0]) })
    };
    let rules = [(RuleId(1), due(None)), (RuleId(2), due(Some(9))), (RuleId(3), due(Some(4)))];
    let decisions = Decisions::default();
    let rules = rules.iter().map(|(id, rule)| (*id, rule));
    let planned = plan(rules, &decisions, &[candidate(1, &[])], at(100));
    assert_eq!(planned.approvals.len(), 1);
    assert_eq!((planned.approvals[0].deadline, planned.approvals[0].rule), (Some(at(104)), RuleId(1)));
}

#[test]
fn carrying_a_plan_out_approves_what_it_lists_in_the_name_of_the_rule() {
    let mut decisions = approved(&[]);
    let id = decisions.save_rule(None, rule(terms(&[], &[], &[0, 2]))).unwrap();
    let rules: Vec<_> = decisions.enabled_rules().map(|(id, rule)| (id, rule.clone())).collect();
    let planned = plan(rules.iter().map(|(id, rule)| (*id, rule)), &decisions, &[candidate(1, &[])], at(0));
    assert_eq!(decisions.carry_out(&planned, &mut stamp(3)), Ok(2));
    assert!(decisions.approvals.values().all(|a| a.by == "rule: A rule" && a.action == Install));

    // Between planning and doing, somebody let it expire: what cannot be is left out.
    let mut stale = planned.clone();
    stale.approvals[0].subject.expired = true;
    assert_eq!(decisions.carry_out(&stale, &mut stamp(4)), Ok(1));
    let mut none_left = sluicegate_policy::Stamp::new(change(5), i64::from(i32::MAX) + 1);
    let failed = decisions.carry_out(&planned, &mut none_left);
    assert_eq!(failed, Err(ApprovalError::DeploymentIdsExhausted));
    decisions.remove_rule(id).unwrap();
    assert_eq!(decisions.carry_out(&planned, &mut stamp(6)), Ok(2));
    assert!(decisions.approvals.values().all(|a| a.by == "a rule"));
}

#[test]
fn rules_are_added_changed_and_removed_by_number() {
    let mut decisions = approved(&[]);
    let first = decisions.save_rule(None, rule(terms(&[], &[], &[0]))).unwrap();
    assert_eq!(first, RuleId(2), "number 1 is the default rule's");
    let second = decisions.save_rule(None, Rule::new(terms(&[1], &[], &[]), false).unwrap()).unwrap();
    assert_eq!(second, RuleId(3));
    assert_eq!(decisions.enabled_rules().map(|(id, _)| id).collect::<Vec<_>>(), [first]);
    let changed = rule(terms(&[9], &[], &[3]));
    assert_eq!(decisions.save_rule(Some(first), changed.clone()), Ok(first));
    assert_eq!(decisions.rule(first), Ok(&changed));
    assert_eq!(decisions.rule(RuleId(9)), Err(RuleError::Unknown(RuleId(9))));
    let unknown = decisions.save_rule(Some(RuleId(9)), changed.clone());
    assert_eq!(unknown, Err(SaveError::Rule(RuleError::Unknown(RuleId(9)))));
    let no_group = decisions.save_rule(None, rule(terms(&[], &[], &[77])));
    assert!(matches!(no_group, Err(SaveError::Group(_))));
    assert_eq!(decisions.remove_rule(RuleId::DEFAULT), Err(RuleError::Default));
    assert_eq!(decisions.remove_rule(first), Ok(changed));
    assert_eq!(decisions.remove_rule(first), Err(RuleError::Unknown(first)));
    while decisions.rules.len() < MOST_RULES {
        decisions.save_rule(None, rule(terms(&[], &[], &[0]))).unwrap();
    }
    let full = decisions.save_rule(None, rule(terms(&[], &[], &[0])));
    assert_eq!(full, Err(SaveError::Rule(RuleError::Full)));
    decisions.save_rule(Some(second), rule(terms(&[], &[], &[0]))).unwrap();
}

#[test]
fn a_rule_without_groups_cannot_be_enabled() {
    let name: RuleName = "A rule".parse().unwrap();
    assert_eq!(Rule::new(terms(&[], &[], &[]), true), Err(RuleError::NoGroup(name.clone())));
    let mut decisions = approved(&[]);
    let one = decisions.save_rule(None, rule(terms(&[], &[], &[3]))).unwrap();
    let two = decisions.save_rule(None, rule(terms(&[], &[], &[3, 2]))).unwrap();
    let off = decisions.save_rule(None, Rule::new(terms(&[], &[], &[3, 2]), false).unwrap()).unwrap();
    let removed = decisions.remove_group(gid(3), change(4)).unwrap();
    assert_eq!((removed.rules, removed.rules_without_group), (vec![two, off], vec![one]));
    assert!(
        !decisions.rules[&one].enabled()
            && decisions.rules[&two].enabled()
            && !decisions.rules[&off].enabled()
    );
    let mut lost = decisions.rules[&one].clone();
    assert_eq!(lost.set_enabled(true), Err(RuleError::NoGroup(name)));
    assert!(lost.waits_for_group());
    lost.set_enabled(false).unwrap();
    assert!(!lost.waits_for_group(), "somebody disabled it");
    let mut kept = decisions.rules[&two].clone();
    kept.set_enabled(false).unwrap();
    assert!(!kept.enabled());
    kept.set_enabled(true).unwrap();
    assert!(kept.enabled());
}

#[test]
fn a_rule_that_lost_its_last_group_is_as_it_was_before_once_it_has_another() {
    let name = || RuleError::NoGroup("A rule".parse().unwrap());
    let [none, other, more] = [terms(&[], &[], &[]), terms(&[], &[], &[2]), terms(&[1], &[], &[])];
    let mut decisions = approved(&[]);
    let on = decisions.save_rule(None, rule(terms(&[], &[], &[3]))).unwrap();
    let off = decisions.save_rule(None, Rule::new(terms(&[], &[], &[3]), false).unwrap()).unwrap();
    decisions.remove_group(gid(3), change(4)).unwrap();
    let [on, off] = [on, off].map(|id| decisions.rules[&id].clone());
    assert_eq!((on.waits_for_group(), off.waits_for_group()), (true, false));
    // With other terms and still no group it waits on, and so it does when it was kept and read.
    assert!(on.changed(more.clone(), None).unwrap().waits_for_group());
    assert_eq!(Rule::kept(on.terms().clone(), true).unwrap(), on);
    let anew = on.changed(more, None).unwrap().changed(other.clone(), None).unwrap();
    assert!(anew.enabled() && !anew.waits_for_group());
    assert!(!off.changed(other.clone(), None).unwrap().enabled(), "somebody had disabled it");
    assert!(!on.changed(none.clone(), Some(false)).unwrap().changed(other.clone(), None).unwrap().enabled());
    assert_eq!(on.changed(none.clone(), Some(true)), Err(name()));
    assert_eq!(anew.changed(none, None), Err(name()), "nobody takes the last group away by editing");
}

#[test]
fn names_and_sizes_are_bounded() {
    for bad in ["", "  ", "a\u{7}b", &"x".repeat(257)] {
        assert!(bad.parse::<RuleName>().is_err(), "{bad:?}");
    }
    assert_eq!(format!(" {} ", "x".repeat(256)).parse::<RuleName>().unwrap().as_str().len(), 256);
    let many: Vec<u128> = (0..=MOST_CHOICES as u128).collect();
    for terms in [terms(&many, &[], &[0]), terms(&[], &many, &[0]), terms(&[], &[], &many)] {
        assert!(matches!(Rule::new(terms, true), Err(RuleError::TooMany(_))));
    }
    Rule::new(terms(&many[1..], &[], &[0]), true).unwrap();
}

#[test]
fn deployments_of_a_plan_are_new() {
    let mut decisions = approved(&[]);
    let planned = plan(
        [(RuleId(1), &rule(terms(&[], &[], &[0])))].into_iter(),
        &decisions,
        &[candidate(1, &[]), candidate(2, &[])],
        at(0),
    );
    decisions.carry_out(&planned, &mut stamp(1)).unwrap();
    let ids: Vec<_> = decisions.approvals.values().map(|a| a.deployment.get()).collect();
    assert_eq!(ids, [DeploymentId::FIRST_EXPLICIT + 1_000, DeploymentId::FIRST_EXPLICIT + 1_001]);
    let decided = plan(
        [(RuleId(1), &rule(terms(&[], &[], &[0])))].into_iter(),
        &decisions,
        &[candidate(1, &[])],
        at(0),
    );
    assert!(decided.approvals.is_empty());
    decisions.approve(&Subject::software(uid(1)), order(0, NotApproved), &mut stamp(2)).unwrap();
}

#[test]
fn a_rule_with_a_deadline_approves_what_may_ask_the_user_without_one() {
    let deadline = Some(DeadlineOffset::new(7, 0).unwrap());
    let rule = rule(RuleTerms { deadline, ..terms(&[], &[], &[0]) });
    let asking = Subject { may_ask: true, ..Subject::software(uid(1)) };
    let candidates = [Candidate { subject: asking, categories: vec![] }, candidate(2, &[])];
    let plan = plan([(RuleId(2), &rule)].into_iter(), &Decisions::default(), &candidates, at(10));
    let deadlines: Vec<_> = plan.approvals.iter().map(|p| (p.subject.update, p.deadline)).collect();
    assert_eq!(deadlines, [(uid(1), None), (uid(2), Some(at(17)))]);
    assert_eq!(plan.skipped, []);
}

#[test]
fn a_rule_is_called_by_its_number() {
    assert_eq!(RuleId(17).to_string(), "17");
}
