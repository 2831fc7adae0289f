//! Store: the catalog's rows and fragments: taking revisions in, keeping the others in quarantine, and
//! reading them back for snapshots, clients and administrators.

mod categories;
mod commit;
mod contradictions;
mod damage;
mod document;
mod files;
mod fragments;
pub(crate) mod given;
mod import;
mod in_order;
mod known;
mod packed;
mod quarantine;
mod revisions;
mod search;
mod serving;
mod shelf;
mod summary;
mod supersedence;

pub use categories::CategoryPlace;
pub(crate) use categories::{CategoryTree, column as categories_column, of_row as categories_of_row};
pub(crate) use commit::{decode_record, relist};
pub use document::Document;
pub(crate) use document::{Form, LONGEST_DOCUMENT, decode as decode_document};
pub use files::FileFacts;
pub(crate) use files::{FileIndex, declared as declared_file};
pub use fragments::RevisionFragments;
pub(crate) use fragments::decode as decode_fragments;
pub(crate) use import::Staged;
pub use import::{ImportReport, Importer, PreparedRevision, Quarantined};
pub use packed::PackedRevision;
pub use quarantine::QuarantineEntry;
pub use revisions::{CatalogSize, DamagedRevision, StoredRevision};
pub use search::{CategoryRow, RevisionFile, RevisionRow, UpdateDetails, UpdatePage, UpdateRow};
pub(crate) use search::{LARGEST_PAGE, update_row};
pub use serving::{Documents, FileAddress, Serving};
pub use shelf::Cores;
pub(crate) use shelf::{Epoch, Lengths, Segments, open_short};
pub(crate) use summary::Summary;
pub(crate) use supersedence::{fill as fill_supersedence, forget as forget_supersedence};
