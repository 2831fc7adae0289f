//! Synth: how updates relate. Prerequisites, bundles and supersedence of every subject, and the compact
//! record made of them.

use crate::Catalog;
use crate::dice::{Dice, Topic};
use crate::drivers;
use crate::layout::{Place, Release, Role, Subject};
use crate::tree::{self, Fixed};
use sluicegate_catalog::document::Relationships;
use sluicegate_catalog::{Clause, ScanRecord};
use sluicegate_terms::{RevisionNumber, UpdateIdentity, UpdateKind};

/// Revisions of categories count from 100, of everything else from 200 (observed on recorded documents).
pub(crate) fn revision_number(subject: Subject, earlier: usize) -> RevisionNumber {
    let first = if matches!(subject, Subject::Fixed(_)) { 100 } else { 200 };
    i64::try_from(first + earlier).ok().and_then(|n| RevisionNumber::new(n).ok()).unwrap_or_default()
}

/// What the ten updates of a release have in common.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Demands {
    pub(crate) place: Place,
    pub(crate) classification: usize,
    /// A second product it is for as well.
    sibling: Option<usize>,
    /// The architecture of its packages; `None` is any.
    architecture: Option<usize>,
    /// The first of three system builds of which one is needed.
    build: Option<usize>,
    /// The first of two editions of which one is needed.
    edition: Option<usize>,
    machine_trait: Option<usize>,
    feature: Option<usize>,
    /// How many releases before it each release replaces.
    depth: usize,
    pub(crate) expired: bool,
}

impl Demands {
    pub(crate) fn of(catalog: &Catalog, release: Release) -> Self {
        let place = catalog.layout.place_of(release);
        let number = (release.number as u64) << 1 | u64::from(release.retired);
        let mut dice = Dice::new(catalog.seed, Topic::Release, number);
        let product = place.product;
        let classification = match product {
            tree::ANTIVIRUS => 2,
            tree::TOOLS => 5,
            // Security updates most, then critical ones and plain updates.
            _ => dice.pick(&[1, 1, 1, 1, 0, 0, 7, 7, 6, 3, 4]),
        };
        let sibling = product + tree::FAMILIES;
        let sibling = (dice.chance(15) && sibling < tree::ACTIVE && !release.retired).then_some(sibling);
        let architecture = match dice.below(100) {
            0..60 => None,
            60..85 => Some(0),
            85..90 => Some(1),
            _ => Some(2),
        };
        let mut sometimes = |percent: usize, bound: usize| {
            let (hit, value) = (dice.chance(percent), dice.below(bound));
            (hit && !release.retired).then_some(value)
        };
        let build = sometimes(20, tree::BUILDS - 2);
        let edition = sometimes(10, tree::EDITIONS);
        let machine_trait = sometimes(25, tree::TRAITS);
        // The first feature four times as often as the second.
        let feature = sometimes(30, 5).map(|n| usize::from(n == 4));
        // One chain replaces equally many each time.
        let chain = (product * 8 + place.lane()) as u64;
        let depth = 1 + Dice::new(catalog.seed, Topic::Release, u64::MAX - chain).below(6);
        let expired = release.retired && dice.chance(30);
        Self {
            place,
            classification,
            sibling,
            architecture,
            build,
            edition,
            machine_trait,
            feature,
            depth,
            expired,
        }
    }
}

/// The relationships of one revision.
pub(crate) fn relationships(catalog: &Catalog, subject: Subject, earlier: usize) -> Relationships {
    match subject {
        Subject::Fixed(fixed) => {
            let above = fixed.prerequisite().map(|above| catalog.id(Subject::Fixed(above)));
            let clause =
                above.map(|above| Clause { any_of: vec![above], is_category: fixed.category().is_some() });
            Relationships { prerequisites: clause.into_iter().collect(), ..Relationships::default() }
        }
        Subject::Software { release, position } => software(catalog, release, position, earlier),
        Subject::Driver(number) => {
            let systems = drivers::systems(catalog, number);
            let prerequisites = vec![
                clause(catalog, [Fixed::Classification(tree::DRIVERS)], true),
                clause(catalog, systems.map(Fixed::Product), true),
            ];
            Relationships { prerequisites, ..Relationships::default() }
        }
    }
}

fn clause(catalog: &Catalog, any_of: impl IntoIterator<Item = Fixed>, is_category: bool) -> Clause {
    let any_of = any_of.into_iter().map(|fixed| catalog.id(Subject::Fixed(fixed))).collect();
    Clause { any_of, is_category }
}

fn software(catalog: &Catalog, release: Release, position: usize, earlier: usize) -> Relationships {
    let demands = Demands::of(catalog, release);
    let role = Role::of(position);
    let is_member = matches!(role, Role::Member { .. });
    let mut prerequisites = Vec::with_capacity(6);
    if !is_member {
        prerequisites.push(clause(catalog, [Fixed::Classification(demands.classification)], true));
    }
    let products = [demands.place.product].into_iter().chain(demands.sibling).map(Fixed::Product);
    prerequisites.push(clause(catalog, products, !is_member));
    let architecture = match role {
        Role::Bundle { .. } => None,
        // A bundle of four has its package for each architecture, and another for the commonest.
        Role::Member { of: 4, n } => Some(n % tree::ARCHITECTURES),
        _ => demands.architecture,
    };
    let mut needs =
        |any_of: &mut dyn Iterator<Item = Fixed>| prerequisites.push(clause(catalog, any_of, false));
    if let Some(n) = architecture {
        needs(&mut [Fixed::Architecture(n)].into_iter());
    }
    if let Some(n) = demands.build {
        needs(&mut (n..n + 3).map(Fixed::Build));
    }
    if let Some(n) = demands.edition {
        needs(&mut [n, (n + 1) % tree::EDITIONS].into_iter().map(Fixed::Edition));
    }
    if let Some(n) = demands.machine_trait {
        needs(&mut [Fixed::Trait(n)].into_iter());
    }
    if let Some(which) = demands.feature {
        needs(&mut [Fixed::Feature { product: demands.place.product, which }].into_iter());
    }
    let supersedes = if is_member {
        Vec::new()
    } else {
        let before = (1..=demands.depth).filter_map(|back| catalog.layout.earlier(release, back));
        before.map(|release| catalog.id(Subject::Software { release, position })).collect()
    };
    let bundles = match role {
        Role::Bundle { members } => members_of(catalog, release, position, members, earlier),
        _ => Vec::new(),
    };
    Relationships { prerequisites, bundles, supersedes }
}

/// One clause with all members, as recorded bundles have. The newest revision of a bundle has the newest
/// of its members, an earlier one those of its time.
fn members_of(
    catalog: &Catalog,
    release: Release,
    position: usize,
    members: usize,
    earlier: usize,
) -> Vec<Vec<UpdateIdentity>> {
    let bundle = Subject::Software { release, position };
    let is_newest = earlier == catalog.layout.history(bundle);
    let member = |position| {
        let subject = Subject::Software { release, position };
        if is_newest { catalog.newest(subject) } else { catalog.identity(subject, earlier) }
    };
    vec![(position - members..position).map(member).collect()]
}

/// Whether administrators can approve it: what is not only part of something else.
pub(crate) fn explicitly_deployable(subject: Subject) -> bool {
    match subject {
        Subject::Fixed(_) => false,
        Subject::Software { position, .. } => !matches!(Role::of(position), Role::Member { .. }),
        Subject::Driver(_) => true,
    }
}

pub(crate) fn kind(subject: Subject) -> UpdateKind {
    match subject {
        Subject::Fixed(fixed) if fixed.category().is_some() => UpdateKind::Category,
        Subject::Fixed(_) => UpdateKind::Detectoid,
        Subject::Software { .. } => UpdateKind::Software,
        Subject::Driver(_) => UpdateKind::Driver,
    }
}

pub(crate) fn is_expired(catalog: &Catalog, subject: Subject) -> bool {
    matches!(subject, Subject::Software { release, .. } if Demands::of(catalog, release).expired)
}

/// The compact record of one revision.
pub(crate) fn record(catalog: &Catalog, subject: Subject, earlier: usize) -> ScanRecord {
    let relationships = relationships(catalog, subject, earlier);
    ScanRecord {
        identity: catalog.identity(subject, earlier),
        kind: kind(subject),
        category_kind: match subject {
            Subject::Fixed(fixed) => fixed.category(),
            _ => None,
        },
        explicitly_deployable: explicitly_deployable(subject),
        expired: is_expired(catalog, subject),
        prerequisites: relationships.prerequisites,
        bundles: relationships.bundles,
        supersedes: relationships.supersedes,
        drivers: match subject {
            Subject::Driver(number) => drivers::entries(catalog, number, earlier),
            _ => Vec::new(),
        },
    }
}
