//! Store: the catalog's rows and fragments: taking revisions in, keeping the others in quarantine, and
//! reading them back for snapshots, clients and administrators.

mod commit;
mod document;
mod files;
mod fragments;
mod import;
mod known;
mod quarantine;
mod revisions;
mod search;
mod shelf;
mod summary;
mod supersedence;

pub(crate) use commit::decode_record;
pub use document::Document;
pub use files::FileFacts;
pub(crate) use files::{FileIndex, declared as declared_file};
pub use fragments::RevisionFragments;
pub use import::{ImportReport, Importer, PreparedRevision, Quarantined};
pub use quarantine::QuarantineEntry;
pub use revisions::{CatalogSize, StoredRevision};
pub(crate) use search::LARGEST_PAGE;
pub use search::{
    ApprovalFilter, CategoryRow, RevisionRow, StateCounts, UpdateDetails, UpdatePage, UpdateQuery, UpdateRow,
};
pub use shelf::{CoreRef, Cores};
pub(crate) use shelf::{Lengths, Segments};
pub(crate) use supersedence::fill as fill_supersedence;
