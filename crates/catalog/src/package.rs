//! Catalog: export packages, what `wsusutil export` writes to carry a catalog to a server without a network. A `.cab` has
//! `package.xml` (what is inside) and `metadata.txt` (the documents); a `.xml.gz` has one text. Opening the
//! Cabinet or the gzip stream is not done here; this room reads and writes their contents, one document at
//! a time (full exports pass many gigabytes).

use sluicegate_terms::UpdateIdentity;

mod listing;
mod reader;
mod utf8;
mod writer;

pub use listing::{LARGEST_LISTING, Listing, ListingError};
pub use reader::{Documents, read};
pub use writer::{
    Contents, Export, ExportFile, Language, PACKAGE_END, package_xml, push_metadata_line, push_note,
    push_package_head, push_package_update, single_xml,
};

/// The name of the member that lists what is inside.
pub const PACKAGE_MEMBER: &str = "package.xml";
/// The name of the member with the documents.
pub const METADATA_MEMBER: &str = "metadata.txt";

/// The name of our own member, which other readers of packages pass over: decisions, one line of JSON each.
pub const NOTES_MEMBER: &str = "sluicegate.json";
/// The target of the processing instructions that hold the same in the `.xml.gz` form.
const NOTE: &str = "sluicegate";
/// Most bytes of notes that are read.
pub const MOST_NOTES: usize = 256 << 20;

/// One document of a package, not yet parsed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PackageDocument {
    /// Which revision the package says it is, where it says so.
    pub identity: Option<UpdateIdentity>,
    /// The document; [`crate::parse`] reads it.
    pub xml: String,
}

/// Why a package cannot be read on. What came before is good.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// The source gave out.
    #[error("the package cannot be read at byte {offset}: {problem}")]
    Read {
        /// Bytes of text read before.
        offset: u64,
        /// What the source says.
        problem: std::io::Error,
    },
    /// Not a line of `metadata.txt`.
    #[error("the entry at byte {offset} is not `update id,revision,length,document`: {reason}")]
    Entry {
        /// Where the entry starts.
        offset: u64,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A document larger than the bound.
    #[error("the document at byte {offset} is longer than {limit} bytes; raise the limit if it is genuine")]
    TooLarge {
        /// Where the entry starts.
        offset: u64,
        /// The bound.
        limit: usize,
    },
    /// The XML form is not well-formed.
    #[error("the package is not well-formed XML at byte {offset}: {reason}")]
    Xml {
        /// Where.
        offset: u64,
        /// What is wrong.
        reason: String,
    },
    /// Written in a form, or for a protocol, of another major version.
    #[error(
        "the package says {what} {said}, and this program reads version 1: import it with a newer program, or export \
         it with an older one"
    )]
    Version {
        /// Which version: `FormatVersion` or `ProtocolVersion`.
        what: &'static str,
        /// What it says, at most 20 characters.
        said: String,
    },
    /// Neither form.
    #[error("this is not an export package: it starts with neither an entry nor <ExportPackage>")]
    NotAPackage,
}

#[cfg(test)]
#[path = "package/tests.rs"]
mod tests;
