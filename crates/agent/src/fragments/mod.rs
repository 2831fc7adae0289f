//! Agent: what an agent reads in the fragments it is sent (MS-WUSP 3.1.1.1). Fragments are sequences of
//! elements without a root; everything not named here is passed over.

mod core_fragment;
mod extended;
mod localized;
mod reader;

pub use core_fragment::CoreFacts;
pub use extended::{ExtendedFacts, FileSpec, InstallCommand, InstallResult, ReturnCode};
pub use localized::LocalizedTexts;

use sluicegate_terms::TermError;

/// A fragment that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum FragmentError {
    /// Not well-formed.
    #[error("the {fragment} fragment is not well-formed XML: {source}")]
    Xml {
        /// Which fragment.
        fragment: &'static str,
        /// What the reader said.
        source: quick_xml::Error,
    },
    /// A value that breaks its rule.
    #[error("the {fragment} fragment has a bad {element}: {source}")]
    Value {
        /// Which fragment.
        fragment: &'static str,
        /// Where.
        element: &'static str,
        /// What is wrong.
        source: TermError,
    },
    /// Something every fragment of its kind must have is not there.
    #[error("the {fragment} fragment has no {element}")]
    Missing {
        /// Which fragment.
        fragment: &'static str,
        /// What is missing.
        element: &'static str,
    },
}
