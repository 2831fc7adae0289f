//! Synth: the fixed part of every catalog. The category tree and the detectoids, by number.

use sluicegate_terms::CategoryKind;

pub(crate) const FAMILIES: usize = 10;
/// Products whose updates are live.
pub(crate) const ACTIVE: usize = 64;
/// Products whose updates are all declined.
pub(crate) const RETIRED: usize = 40;
pub(crate) const PRODUCTS: usize = ACTIVE + RETIRED;
pub(crate) const CLASSIFICATIONS: usize = 9;
pub(crate) const ARCHITECTURES: usize = 3;
pub(crate) const BUILDS: usize = 6;
pub(crate) const EDITIONS: usize = 6;
pub(crate) const TRAITS: usize = 61;
pub(crate) const FEATURES_PER_PRODUCT: usize = 2;

/// The class of drivers, among the classifications.
pub(crate) const DRIVERS: usize = 8;
/// What the classifications are called; numbers in titles would read like nothing.
pub(crate) const CLASSIFICATION_NAMES: [&str; CLASSIFICATIONS] = [
    "Critical Updates",
    "Security Updates",
    "Definition Updates",
    "Feature Packs",
    "Service Packs",
    "Tools",
    "Update Rollups",
    "Updates",
    "Drivers",
];

/// The first products have parts: what machines run. The others are what else a catalog holds.
pub(crate) const SYSTEMS: core::ops::Range<usize> = 0..4;
pub(crate) const ANTIVIRUS: usize = 4;
pub(crate) const RUNTIME: usize = 5;
/// Two office suites; a machine has one.
pub(crate) const OFFICES: core::ops::Range<usize> = 6..8;
pub(crate) const TOOLS: usize = 8;
/// Of these a machine has one or two.
pub(crate) const EXTRAS: core::ops::Range<usize> = 9..14;

/// A category or detectoid.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fixed {
    Company,
    Family(usize),
    Product(usize),
    Classification(usize),
    Architecture(usize),
    Build(usize),
    Edition(usize),
    Trait(usize),
    Feature { product: usize, which: usize },
}

/// Sections in the order of numbers: how many, and what makes one.
type Section = (usize, fn(usize) -> Fixed);
const SECTIONS: [Section; 9] = [
    (1, |_| Fixed::Company),
    (FAMILIES, Fixed::Family),
    (PRODUCTS, Fixed::Product),
    (CLASSIFICATIONS, Fixed::Classification),
    (ARCHITECTURES, Fixed::Architecture),
    (BUILDS, Fixed::Build),
    (EDITIONS, Fixed::Edition),
    (TRAITS, Fixed::Trait),
    (ACTIVE * FEATURES_PER_PRODUCT, |n| Fixed::Feature {
        product: n / FEATURES_PER_PRODUCT,
        which: n % FEATURES_PER_PRODUCT,
    }),
];

/// How many there are.
pub(crate) const COUNT: usize = 1
    + FAMILIES
    + PRODUCTS
    + CLASSIFICATIONS
    + ARCHITECTURES
    + BUILDS
    + EDITIONS
    + TRAITS
    + ACTIVE * FEATURES_PER_PRODUCT;

impl Fixed {
    /// The one of a number below [`COUNT`].
    pub(crate) fn from_number(number: usize) -> Option<Self> {
        let mut rest = number;
        for (count, make) in SECTIONS {
            if rest < count {
                return Some(make(rest));
            }
            rest -= count;
        }
        None
    }

    /// Its number.
    pub(crate) const fn number(self) -> usize {
        const PRODUCT: usize = 1 + FAMILIES;
        const CLASSIFICATION: usize = PRODUCT + PRODUCTS;
        const ARCHITECTURE: usize = CLASSIFICATION + CLASSIFICATIONS;
        const BUILD: usize = ARCHITECTURE + ARCHITECTURES;
        const EDITION: usize = BUILD + BUILDS;
        const TRAIT: usize = EDITION + EDITIONS;
        const FEATURE: usize = TRAIT + TRAITS;
        match self {
            Self::Company => 0,
            Self::Family(n) => 1 + n,
            Self::Product(n) => PRODUCT + n,
            Self::Classification(n) => CLASSIFICATION + n,
            Self::Architecture(n) => ARCHITECTURE + n,
            Self::Build(n) => BUILD + n,
            Self::Edition(n) => EDITION + n,
            Self::Trait(n) => TRAIT + n,
            Self::Feature { product, which } => FEATURE + product * FEATURES_PER_PRODUCT + which,
        }
    }

    /// The level, for categories.
    pub(crate) const fn category(self) -> Option<CategoryKind> {
        match self {
            Self::Company => Some(CategoryKind::Company),
            Self::Family(_) => Some(CategoryKind::ProductFamily),
            Self::Product(_) => Some(CategoryKind::Product),
            Self::Classification(_) => Some(CategoryKind::UpdateClassification),
            _ => None,
        }
    }

    /// What must be installed first.
    pub(crate) const fn prerequisite(self) -> Option<Self> {
        match self {
            Self::Family(_) => Some(Self::Company),
            Self::Product(n) => Some(Self::Family(n % FAMILIES)),
            Self::Feature { product, .. } => Some(Self::Product(product)),
            _ => None,
        }
    }

    /// True on every machine, by the rule `True` (observed for companies and families).
    pub(crate) const fn is_everywhere(self) -> bool {
        matches!(self, Self::Company | Self::Family(_) | Self::Classification(_))
    }

    /// What people read.
    pub(crate) fn title(self) -> String {
        match self {
            Self::Company => "Synthetic Software Company".to_owned(),
            Self::Family(n) => format!("Family {}", n + 1),
            Self::Product(n) if SYSTEMS.contains(&n) => format!("Synthetic System {}", n + 10),
            Self::Product(ANTIVIRUS) => "Synthetic Antivirus".to_owned(),
            Self::Product(RUNTIME) => "Synthetic Runtime".to_owned(),
            Self::Product(n) if OFFICES.contains(&n) => format!("Synthetic Office {}", n + 2014),
            Self::Product(TOOLS) => "Synthetic Tools".to_owned(),
            Self::Product(n) if n < ACTIVE => format!("Product {n}"),
            Self::Product(n) => format!("Product {n} (retired)"),
            Self::Classification(n) => CLASSIFICATION_NAMES.get(n).copied().unwrap_or_default().to_owned(),
            Self::Architecture(n) => {
                format!("Processor architecture {}", ["x64", "x86", "ARM64"].get(n).unwrap_or(&"?"))
            }
            Self::Build(n) => format!("System build {} or later", 19_041 + 1_500 * n),
            Self::Edition(n) => format!("System edition {}", n + 1),
            Self::Trait(n) => format!("Trait {}", n + 1),
            Self::Feature { product, which } => format!("Feature {} of product {product}", which + 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_members_of_the_tree_correspond() {
        for number in 0..COUNT {
            assert_eq!(Fixed::from_number(number).unwrap().number(), number);
        }
        assert_eq!(Fixed::from_number(COUNT), None);
    }

    #[test]
    fn a_prerequisite_has_a_lower_number() {
        for fixed in (0..COUNT).filter_map(Fixed::from_number) {
            assert!(fixed.prerequisite().is_none_or(|above| above.number() < fixed.number()), "{fixed:?}");
        }
    }
}
