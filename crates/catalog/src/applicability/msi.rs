//! Applicability: rules about products and patches of Windows Installer.

use super::evaluate::Truth;
use super::facts::{Facts, MsiPatchState, MsiProductFacts};
use super::metadata::{Metadata, MsiPatch, MsiTarget, TargetVersion};
use super::rules::{Expression, MsiParts, MsiProductTest, ScalarComparison};
use crate::Version;

/// The truth of a rule about Windows Installer.
pub(super) fn truth<F: Facts>(rule: &Expression, metadata: &Metadata, facts: &F) -> Truth {
    match rule {
        Expression::MsiProductInstalled(test) => product(test, facts, |_| true),
        Expression::MsiPatchInstalledForProduct(patch, test) => {
            product(test, facts, |found| found.patches.contains_key(patch))
        }
        Expression::MsiFeatureInstalledForProduct(parts) => {
            // Feature names distinguish letter case in Windows Installer.
            of_products(parts, facts, |found, part| found.features.iter().any(|one| one == part))
        }
        Expression::MsiComponentInstalledForProduct(parts) => of_products(parts, facts, |found, part| {
            found.components.iter().any(|one| one.eq_ignore_ascii_case(part))
        }),
        Expression::MsiApplicationInstalled => own_product(metadata, facts),
        Expression::MsiApplicationInstallable => own_product(metadata, facts).not(),
        Expression::MsiPatchInstalled => {
            own_patch(metadata, facts, |_, state| state == Some(MsiPatchState::Applied))
        }
        Expression::MsiPatchSuperseded => {
            own_patch(metadata, facts, |_, state| state == Some(MsiPatchState::Superseded))
        }
        Expression::MsiPatchInstallable => own_patch(metadata, facts, |fits, state| fits && state.is_none()),
        _ => Truth::UNKNOWN,
    }
}

fn product<F: Facts>(test: &MsiProductTest, facts: &F, also: impl Fn(&MsiProductFacts) -> bool) -> Truth {
    let holds = |found: &MsiProductFacts| {
        let above =
            |(min, excluded): &(Version, bool)| found.version > *min || (!excluded && found.version == *min);
        let below =
            |(max, excluded): &(Version, bool)| found.version < *max || (!excluded && found.version == *max);
        test.min.as_ref().is_none_or(above)
            && test.max.as_ref().is_none_or(below)
            && test.language.is_none_or(|language| language == found.language)
            && also(found)
    };
    facts.msi_product(&test.code).map(|found| found.as_ref().is_some_and(holds)).into()
}

fn of_products<F: Facts>(parts: &MsiParts, facts: &F, has: impl Fn(&MsiProductFacts, &str) -> bool) -> Truth {
    let mut each = parts.products.iter().map(|code| {
        let holds = |found: &MsiProductFacts| {
            let mut present = parts.parts.iter().map(|part| has(found, part));
            if parts.all_parts { present.all(|one| one) } else { present.any(|one| one) }
        };
        Truth::from(facts.msi_product(code).map(|found| found.as_ref().is_some_and(holds)))
    });
    if parts.all_products { Truth::all(&mut each) } else { Truth::any(&mut each) }
}

fn own_product<F: Facts>(metadata: &Metadata, facts: &F) -> Truth {
    if metadata.msi_products.is_empty() {
        return Truth::UNKNOWN;
    }
    Truth::any(
        metadata.msi_products.iter().map(|code| facts.msi_product(code).map(|found| found.is_some()).into()),
    )
}

/// True when the question holds for any target product that is installed. It is told whether the target's
/// limits fit and how the patch stands there.
fn own_patch<F: Facts>(
    metadata: &Metadata,
    facts: &F,
    question: impl Fn(bool, Option<MsiPatchState>) -> bool,
) -> Truth {
    let Some(MsiPatch { code, targets }) = &metadata.msi_patch else { return Truth::UNKNOWN };
    Truth::any(targets.iter().map(|target| {
        // Without a product code any product would do; which, only the patch file itself tells.
        let Some(product) = &target.product else { return Truth::UNKNOWN };
        let Some(found) = facts.msi_product(product) else { return Truth::UNKNOWN };
        let holds = |found: &MsiProductFacts| question(fits(target, found), found.patches.get(code).copied());
        found.as_ref().is_some_and(holds).into()
    }))
}

fn fits(target: &MsiTarget, found: &MsiProductFacts) -> bool {
    target.language.is_none_or(|language| language == found.language)
        && target.version.as_ref().is_none_or(|version| version_fits(version, found.version))
}

fn version_fits(target: &TargetVersion, found: Version) -> bool {
    let cut = |version: Version| {
        let mut parts = version.0;
        parts.iter_mut().skip(target.parts).for_each(|part| *part = 0);
        parts
    };
    let comparison = match target.comparison.as_str() {
        "None" => return true,
        "LessThan" => ScalarComparison::LessThan,
        "LessThanOrEqual" => ScalarComparison::LessThanOrEqualTo,
        "GreaterThan" => ScalarComparison::GreaterThan,
        "GreaterThanOrEqual" => ScalarComparison::GreaterThanOrEqualTo,
        _ => ScalarComparison::EqualTo,
    };
    comparison.holds(&cut(found), &cut(target.version))
}
