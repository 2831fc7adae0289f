//! Applicability: from rules and facts to a verdict, in three-valued logic.

use super::base;
use super::facts::{CbsState, DriverStanding, Facts};
use super::msi;
use super::rules::{AttributeComparison, Expression, Rules};
use crate::Version;
use std::collections::BTreeSet;

/// How an update stands on a computer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Applicability {
    /// It is there.
    Installed,
    /// It is needed.
    Installable,
    /// Neither.
    NotApplicable,
    /// Cannot be told: an operator is not known, or a fact it needs. Their names, sorted.
    Unknown(Vec<String>),
}

/// Judges an update by its own rules: installed, else superseded, else installable, else not applicable
/// (observed-behaviour 9; where supersedence stands in that order is unverified). A bundle, whose rules
/// are empty, is judged by [`evaluate_bundle`] instead; here it is not applicable.
#[must_use]
pub fn evaluate(rules: &Rules, facts: &impl Facts) -> Applicability {
    let mut evaluation = Evaluation { rules, facts, loop_target: None, unknown: BTreeSet::new() };
    let mut judge = |rule: &Option<Expression>| match rule {
        None => Truth::FALSE,
        Some(rule) => evaluation.truth(rule),
    };
    match judge(&rules.is_installed).0 {
        Some(true) => return Applicability::Installed,
        None => return Applicability::Unknown(evaluation.unknown.into_iter().collect()),
        Some(false) => {}
    }
    // Only a definite supersedence hides an update.
    if judge(&rules.is_superseded) == Truth::TRUE {
        return Applicability::NotApplicable;
    }
    match judge(&rules.is_installable).0 {
        Some(true) => Applicability::Installable,
        Some(false) => Applicability::NotApplicable,
        None => Applicability::Unknown(evaluation.unknown.into_iter().collect()),
    }
}

/// Judges a bundle by its members, clause by clause. A clause with an installable member is needed even
/// when another member is installed ("any alternative installed" is refuted, observed-behaviour 9; the
/// exact rule is unverified). The bundle is applicable when every clause is, and installed when none
/// is needed.
#[must_use]
pub fn evaluate_bundle(clauses: &[Vec<Applicability>]) -> Applicability {
    let mut needed = false;
    let mut undecided = false;
    let mut unknown: BTreeSet<&String> = BTreeSet::new();
    for clause in clauses {
        if clause.contains(&Applicability::Installable) {
            needed = true;
            continue;
        }
        let mut settled = true;
        for member in clause {
            if let Applicability::Unknown(names) = member {
                settled = false;
                unknown.extend(names);
            }
        }
        if settled && !clause.contains(&Applicability::Installed) {
            return Applicability::NotApplicable;
        }
        undecided |= !settled;
    }
    if clauses.is_empty() {
        Applicability::NotApplicable
    } else if undecided {
        Applicability::Unknown(unknown.into_iter().cloned().collect())
    } else if needed {
        Applicability::Installable
    } else {
        Applicability::Installed
    }
}

/// True, false, or (`None`) not to be told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Truth(pub(super) Option<bool>);

impl Truth {
    pub(super) const TRUE: Self = Self(Some(true));
    pub(super) const FALSE: Self = Self(Some(false));
    pub(super) const UNKNOWN: Self = Self(None);

    /// All of them: one false decides.
    pub(super) fn all(items: impl Iterator<Item = Self>) -> Self {
        let mut result = Self::TRUE;
        for item in items {
            match item.0 {
                Some(false) => return item,
                None => result = item,
                Some(true) => {}
            }
        }
        result
    }

    /// Any of them: one true decides.
    pub(super) fn any(items: impl Iterator<Item = Self>) -> Self {
        Self::all(items.map(Self::not)).not()
    }

    pub(super) fn not(self) -> Self {
        Self(self.0.map(|truth| !truth))
    }
}

impl From<Option<bool>> for Truth {
    fn from(answer: Option<bool>) -> Self {
        Self(answer)
    }
}

impl From<bool> for Truth {
    fn from(answer: bool) -> Self {
        Self(Some(answer))
    }
}

pub(super) struct Evaluation<'a, F> {
    pub(super) rules: &'a Rules,
    pub(super) facts: &'a F,
    /// The key `HKEY_LOOP_TARGET` stands for.
    pub(super) loop_target: Option<String>,
    unknown: BTreeSet<String>,
}

impl<F: Facts> Evaluation<'_, F> {
    /// Nesting is bounded where rules are read.
    pub(super) fn truth(&mut self, rule: &Expression) -> Truth {
        let truth = match rule {
            Expression::True => Truth::TRUE,
            Expression::False => Truth::FALSE,
            Expression::Not(rule) => return self.truth(rule).not(),
            Expression::And(rules) => return Truth::all(rules.iter().map(|rule| self.truth(rule))),
            Expression::Or(rules) => return Truth::any(rules.iter().map(|rule| self.truth(rule))),
            Expression::RegKeyLoop { key, all, rule } => return self.each_subkey(key, *all, rule),
            Expression::CbsPackageInstalled => self.own_package(CbsState::Installed),
            Expression::CbsPackageInstallable => self.own_package(CbsState::Installable),
            Expression::CbsPackageInstalledByIdentity(identity) => {
                self.facts.cbs_package(identity).map(|state| state == Some(CbsState::Installed)).into()
            }
            Expression::DriverInstalled => self.driver(DriverStanding::Installed),
            Expression::DriverSuperseded => self.driver(DriverStanding::Superseded),
            Expression::DriverInstallable => self.driver(DriverStanding::Installable),
            Expression::DeviceAttribute { name, comparison } => self.device_attribute(name, comparison),
            Expression::Other { name, attributes } => self.facts.other(name, attributes).into(),
            Expression::MsiProductInstalled(_)
            | Expression::MsiFeatureInstalledForProduct(_)
            | Expression::MsiComponentInstalledForProduct(_)
            | Expression::MsiPatchInstalledForProduct(..)
            | Expression::MsiPatchInstalled
            | Expression::MsiPatchSuperseded
            | Expression::MsiPatchInstallable
            | Expression::MsiApplicationInstalled
            | Expression::MsiApplicationInstallable => msi::truth(rule, &self.rules.metadata, self.facts),
            _ => base::truth(rule, self.facts, self.loop_target.as_deref()),
        };
        if truth == Truth::UNKNOWN {
            self.unknown.insert(name_of(rule).to_owned());
        }
        truth
    }

    fn each_subkey(&mut self, key: &super::RegistryKey, all: bool, rule: &Expression) -> Truth {
        let path = base::full_path(key, self.loop_target.as_deref());
        match self.facts.registry_subkeys(&path) {
            None => {
                self.unknown.insert("b.RegKeyLoop".to_owned());
                Truth::UNKNOWN
            }
            // Nothing to loop over is false for both kinds, like any missing value (unverified for "all").
            Some(None) => Truth::FALSE,
            Some(Some(names)) if names.is_empty() => Truth::FALSE,
            Some(Some(names)) => {
                let outer = self.loop_target.take();
                let mut each = names.iter().map(|name| {
                    self.loop_target = Some(format!("{}\\{name}", path.path));
                    self.truth(rule)
                });
                let truth = if all { Truth::all(&mut each) } else { Truth::any(&mut each) };
                self.loop_target = outer;
                truth
            }
        }
    }

    fn own_package(&self, wanted: CbsState) -> Truth {
        let Some(identity) = &self.rules.metadata.cbs_package else { return Truth::UNKNOWN };
        self.facts.cbs_package(identity).map(|state| state == Some(wanted)).into()
    }

    fn driver(&self, wanted: DriverStanding) -> Truth {
        self.facts.driver(&self.rules.metadata.drivers).map(|standing| standing == wanted).into()
    }

    fn device_attribute(&self, name: &str, comparison: &AttributeComparison) -> Truth {
        let Some(found) = self.facts.device_attribute(name) else { return Truth::UNKNOWN };
        let Some(found) = found else { return Truth::FALSE };
        match comparison {
            AttributeComparison::Text(comparison, data) => comparison.holds(&found, data).into(),
            AttributeComparison::Version(comparison, data) => {
                found.parse::<Version>().is_ok_and(|found| comparison.holds(&found, data)).into()
            }
        }
    }
}

/// The operator's name in fragments.
fn name_of(rule: &Expression) -> &str {
    match rule {
        Expression::Other { name, .. } => name,
        Expression::WindowsVersion(_) => "b.WindowsVersion",
        Expression::Platform(_) => "b.Platform",
        Expression::WindowsLanguage(_) => "b.WindowsLanguage",
        Expression::MuiInstalled => "b.MuiInstalled",
        Expression::MuiLanguageInstalled(_) => "b.MuiLanguageInstalled",
        Expression::SystemMetric(..) => "b.SystemMetric",
        Expression::Processor { .. } => "b.Processor",
        Expression::NumberOfProcessors(..) => "b.NumberOfProcessors",
        Expression::File(..) => "b.File",
        Expression::RegKeyExists(_) => "b.RegKeyExists",
        Expression::RegValueExists { .. } => "b.RegValueExists",
        Expression::RegDword(..) => "b.RegDword",
        Expression::RegText { .. } => "b.RegSz",
        Expression::RegSzToVersion(..) => "b.RegSzToVersion",
        Expression::Wuv4 { .. } => "b.WUv4RegKeyValue",
        Expression::RegKeyLoop { .. } => "b.RegKeyLoop",
        Expression::LicenseValueExists(_) => "b.LicenseValueExists",
        Expression::LicenseDword(..) => "b.LicenseDword",
        Expression::WmiQuery { .. } => "b.WmiQuery",
        Expression::MsiProductInstalled(_) => "m.MsiProductInstalled",
        Expression::MsiFeatureInstalledForProduct(_) => "m.MsiFeatureInstalledForProduct",
        Expression::MsiComponentInstalledForProduct(_) => "m.MsiComponentInstalledForProduct",
        Expression::MsiPatchInstalledForProduct(..) => "m.MsiPatchInstalledForProduct",
        Expression::MsiPatchInstalled => "m.MsiPatchInstalled",
        Expression::MsiPatchSuperseded => "m.MsiPatchSuperseded",
        Expression::MsiPatchInstallable => "m.MsiPatchInstallable",
        Expression::MsiApplicationInstalled => "m.MsiApplicationInstalled",
        Expression::MsiApplicationInstallable => "m.MsiApplicationInstallable",
        Expression::CbsPackageInstalled => "CbsPackageInstalled",
        Expression::CbsPackageInstallable => "CbsPackageInstallable",
        Expression::CbsPackageInstalledByIdentity(_) => "CbsPackageInstalledByIdentity",
        Expression::DriverInstalled => "d.WindowsDriverInstalled",
        Expression::DriverSuperseded => "d.WindowsDriverSuperseded",
        Expression::DriverInstallable => "d.WindowsDriverInstallable",
        Expression::DeviceAttribute { .. } => "DeviceAttribute",
        Expression::True
        | Expression::False
        | Expression::Not(_)
        | Expression::And(_)
        | Expression::Or(_) => "logic",
    }
}
