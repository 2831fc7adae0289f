//! Changes that several administrators make at the same moment: each changes what it names, and what the others changed
//! stays.

use crate::support;

use sluicegate_policy::cleanup::CleanupSettings;
use sluicegate_policy::rules::{Rule, RuleError, RuleTerms};
use sluicegate_store::{Contact, Store};
use sluicegate_terms::{ComputerId, GroupId};
use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use support::{at, open};

/// How many change something at the same moment.
const MANY: usize = 12;

/// Lets `change` run on so many threads, all of which begin together.
fn together(change: impl Fn(usize) + Sync) {
    let ready = Barrier::new(MANY);
    std::thread::scope(|threads| {
        for number in 0..MANY {
            let (ready, change) = (&ready, &change);
            threads.spawn(move || {
                ready.wait();
                change(number);
            });
        }
    });
}

fn store_with_rule() -> (tempfile::TempDir, Store, sluicegate_policy::rules::RuleId) {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let terms = RuleTerms {
        name: "old".parse().unwrap(),
        classifications: BTreeSet::new(),
        products: BTreeSet::new(),
        groups: [GroupId::ALL_COMPUTERS].into(),
        deadline: None,
    };
    let id = store.save_rule(None, Rule::new(terms, true).unwrap(), at(1)).unwrap();
    (dir, store, id)
}

#[test]
fn a_rule_keeps_what_each_changed_of_it() {
    let (_dir, store, id) = store_with_rule();
    together(|number| {
        let changed = store.change_rule(id, at(2), |rule| {
            let mut terms = rule.terms().clone();
            match number {
                0 => return rule.changed(terms, Some(false)),
                1 => terms.name = "new".parse()?,
                _ => drop(terms.products.insert(support::uid(number as u128))),
            }
            rule.changed(terms, None)
        });
        changed.unwrap();
    });
    let decisions = store.decisions();
    let rule = decisions.rule(id).unwrap();
    assert_eq!((rule.enabled(), rule.terms().name.as_str()), (false, "new"));
    assert_eq!(rule.terms().products.len(), MANY - 2);
}

#[test]
fn a_refused_change_of_a_rule_leaves_it_and_an_unknown_rule_is_said() {
    let (_dir, store, id) = store_with_rule();
    let before = store.decisions();
    let refused = store.change_rule(id, at(2), |rule| {
        let terms = RuleTerms { groups: BTreeSet::new(), ..rule.terms().clone() };
        Rule::new(terms, true)
    });
    assert!(refused.unwrap_err().to_string().contains("no group"));
    assert_eq!(store.decisions(), before);
    store.remove_rule(id, at(3)).unwrap();
    let gone = store.change_rule(id, at(4), |rule| Ok::<_, RuleError>(rule.clone()));
    assert!(gone.unwrap_err().to_string().contains("there is no rule"));
}

#[test]
fn both_options_of_new_revisions_are_as_they_were_set() {
    let (_dir, store, _) = store_with_rule();
    for yes in [false, true, false] {
        together(|number| {
            let change = |options: &mut sluicegate_policy::SuccessionOptions| match number % 2 {
                0 => options.approvals_follow = yes,
                _ => options.decline_expired = yes,
            };
            store.change_succession(at(2), change).unwrap();
        });
        let options = store.decisions().options;
        assert_eq!((options.approvals_follow, options.decline_expired), (yes, yes));
    }
}

#[test]
fn no_filter_or_setting_of_cleanup_is_lost() {
    let (_dir, store, _) = store_with_rule();
    together(|number| {
        let change = |settings: &mut CleanupSettings| match number {
            0 => settings.set("computer-days", "77"),
            1 => settings.set("enabled", "false"),
            _ => {
                settings.filters.insert(format!("title=*{number}*").parse().unwrap());
                Ok(())
            }
        };
        store.change_cleanup_settings(at(2), change).unwrap().unwrap();
    });
    let settings = store.cleanup_settings().unwrap();
    let texts: std::collections::BTreeMap<_, _> = settings.texts().into_iter().collect();
    assert_eq!((texts["computer-days"].as_str(), texts["enabled"].as_str()), ("77", "false"));
    assert_eq!(settings.filters.len(), MANY - 2);
    let refused = store.change_cleanup_settings(at(3), |settings| {
        settings.filters.clear();
        Err("no")
    });
    assert_eq!(refused.unwrap(), Err("no"));
    assert_eq!(store.cleanup_settings().unwrap(), settings);
}

#[test]
fn every_server_that_was_allowed_is_on_the_list_and_every_other_off_it() {
    let (_dir, store, _) = store_with_rule();
    let name = |number: usize| format!("server{number:02}");
    together(|number| {
        let add = |list: &[String]| Ok::<_, Infallible>([list, &[name(number)]].concat());
        store.change_allowed_downstream(at(2), add).unwrap().unwrap();
    });
    assert_eq!(*store.allowed_downstream(), (0..MANY).map(name).collect::<Vec<_>>());
    together(|number| {
        let without = |list: &[String]| {
            let rest: Vec<String> = list.iter().filter(|who| **who != name(number)).cloned().collect();
            if rest.is_empty() { Err("the last") } else { Ok(rest) }
        };
        let _ = store.change_allowed_downstream(at(3), without).unwrap();
    });
    assert_eq!(store.allowed_downstream().len(), 1, "the last one was refused");
}

/// Notes of computers are written by whoever looks at computers, while others come: what one said is known from then on.
#[test]
fn what_a_computer_asked_for_is_known_while_it_is_being_written() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let done = AtomicBool::new(false);
    std::thread::scope(|threads| {
        threads.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                store.flush_contacts().unwrap();
            }
        });
        let lost: Vec<usize> = (0..2_000)
            .filter(|n| {
                let computer: ComputerId = format!("pc-{n}").parse().unwrap();
                let requested_groups = Some(vec!["Pilots".to_owned()]);
                store.touch(Contact { requested_groups, ..Contact::new(computer.clone(), at(1)) }).unwrap();
                (0..3).any(|_| store.groups_of(&computer).unwrap().requested != ["Pilots"])
            })
            .collect();
        done.store(true, Ordering::Relaxed);
        assert_eq!(lost, [0; 0], "computers whose groups were unknown for a moment");
    });
}
