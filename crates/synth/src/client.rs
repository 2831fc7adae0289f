//! Synth: simulated machines. What one has installed, its devices, and what a complete scan brings it.

use crate::Catalog;
use crate::dice::{Dice, Topic};
use crate::layout::Subject;
use crate::tree::{self, Fixed};
use crate::{drivers, relate};
use sluicegate_catalog::Clause;
use sluicegate_terms::{Guid, UpdateId, UpdateIdentity, UpdateKind};
use std::collections::HashSet;

/// A device of a machine, as SystemSpec describes it (MS-WUSP 2.2.2.2.4).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Device {
    /// Most specific first.
    pub hardware_ids: Vec<String>,
    /// Less specific ones.
    pub compatible_ids: Vec<String>,
}

/// A simulated machine: one of four systems, an architecture, a build, an edition, some traits, a few
/// products and some seventy devices.
#[derive(Clone, Debug)]
pub struct Client {
    present: HashSet<UpdateId>,
    products: Vec<usize>,
    devices: Vec<Device>,
    computer_hardware_ids: Vec<Guid>,
    architecture: usize,
}

impl Client {
    pub(crate) fn new(catalog: &Catalog, seed: u64) -> Self {
        let mut dice = Dice::new(catalog.seed, Topic::Client, seed);
        let system = dice.below(tree::SYSTEMS.len());
        // x64, or ARM64 in one of ten.
        let architecture = if dice.chance(90) { 0 } else { 2 };
        let build = 3 + dice.below(tree::BUILDS - 3);
        let edition = dice.below(tree::EDITIONS);
        let office = tree::OFFICES.start + dice.below(tree::OFFICES.len());
        let mut products = vec![system, tree::ANTIVIRUS, tree::RUNTIME, office, tree::TOOLS];
        products.extend((0..2).map(|_| tree::EXTRAS.start + dice.below(tree::EXTRAS.len())));
        products.sort_unstable();
        products.dedup();
        let traits: Vec<bool> = (0..tree::TRAITS).map(|_| dice.chance(75)).collect();
        let has = |fixed: Fixed| match fixed {
            Fixed::Product(n) => products.contains(&n),
            Fixed::Architecture(n) => n == architecture,
            Fixed::Build(n) => n <= build,
            Fixed::Edition(n) => n == edition,
            Fixed::Trait(n) => traits.get(n).copied().unwrap_or(false),
            Fixed::Feature { product, which } => which == 0 && products.contains(&product),
            everywhere => everywhere.is_everywhere(),
        };
        let present =
            all_fixed().filter(|&fixed| has(fixed)).map(|fixed| catalog.id(Subject::Fixed(fixed))).collect();
        let devices = (0..70)
            .map(|_| {
                let [full, with_maker, plain] =
                    drivers::hardware_ids(catalog, dice.below(drivers::device_count(catalog) * 4));
                Device { hardware_ids: vec![full, with_maker], compatible_ids: vec![plain] }
            })
            .collect();
        // Real machines send six, from the most to the least specific.
        let model = dice.below(drivers::COMPUTER_MODELS);
        let computer_hardware_ids = (0..6)
            .map(|n| drivers::computer_model(catalog, (model + n * 67) % drivers::COMPUTER_MODELS))
            .collect();
        Self { present, products, devices, computer_hardware_ids, architecture }
    }

    /// Whether the category or detectoid is installed on the machine, so that an agent lists its revision
    /// in `InstalledNonLeafUpdateIDs`. False for everything else.
    #[must_use]
    pub fn has(&self, update: UpdateId) -> bool {
        self.present.contains(&update)
    }

    /// The categories and detectoids that are installed, in no particular order.
    pub fn installed(&self) -> impl Iterator<Item = UpdateId> {
        self.present.iter().copied()
    }

    /// Its devices, for the driver pass.
    #[must_use]
    pub fn devices(&self) -> &[Device] {
        &self.devices
    }

    /// `ComputerSpec/HardwareIDs`.
    #[must_use]
    pub fn computer_hardware_ids(&self) -> &[Guid] {
        &self.computer_hardware_ids
    }

    /// `FeatureScoreMatchingKey`.
    #[must_use]
    pub const fn feature_score_key(&self) -> &'static str {
        if self.architecture == 0 { "AMD64.10.0" } else { "ARM64.10.0" }
    }

    /// How many products it has.
    #[must_use]
    pub fn products(&self) -> usize {
        self.products.len()
    }
}

fn all_fixed() -> impl Iterator<Item = Fixed> {
    (0..tree::COUNT).filter_map(Fixed::from_number)
}

pub(crate) fn delivered(catalog: &Catalog, client: &Client) -> Vec<UpdateIdentity> {
    // Prerequisites have lower numbers, so one pass in order of the catalog finds everything.
    let mut held: HashSet<UpdateId> = HashSet::new();
    let mut out = Vec::new();
    for subject in catalog.layout.live_subjects() {
        if relate::kind(subject) == UpdateKind::Driver {
            continue;
        }
        let newest = catalog.newest(subject);
        let record = relate::record(catalog, subject, catalog.layout.history(subject));
        let satisfied = |clause: &Clause| clause.any_of.iter().any(|id| held.contains(id));
        if record.prerequisites.iter().all(satisfied) {
            if client.has(newest.update) {
                held.insert(newest.update);
            }
            out.push(newest);
        }
    }
    out
}
