//! Catalog: applicability rules, the part of an update that tells whether a computer has it or needs it. Parsed from a
//! Core fragment, evaluated over [`Facts`] in three-valued logic. The schemas are in MS-WUSP appendix A,
//! note 42; what real agents make of them is in observed-behaviour 9, and where it says nothing the choice
//! made here says so.

mod base;
mod evaluate;
mod facts;
mod metadata;
mod msi;
mod read;
mod rules;
mod simulated;

pub use evaluate::{Applicability, evaluate, evaluate_bundle};
pub use facts::{
    CbsState, DriverStanding, Facts, FileFacts, MsiPatchState, MsiProductFacts, OsVersion, Processor,
    RegistryPath, RegistryValue,
};
pub use metadata::{Metadata, MsiPatch, MsiTarget, TargetVersion};
pub use rules::{
    AttributeComparison, Expression, FilePlace, FileTest, MsiParts, MsiProductTest, RegistryKey, Rules,
    ScalarComparison, TextComparison, WindowsVersionTest,
};
pub use simulated::SimulatedFacts;

#[cfg(test)]
#[path = "applicability/tests.rs"]
mod tests;
