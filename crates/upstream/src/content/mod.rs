//! Content: the files of updates, from Microsoft's addresses or from a parent's `Content` folder into the
//! store. A file appears there only when its length and digests are as declared; what has come of one
//! survives a kill and is gone on with.

mod address;
mod error;
mod fetch;
mod many;
mod places;

pub use address::parent_address;
pub use error::ContentError;
pub use many::{ContentOptions, ContentProgress, ContentReport, FailedFile, WantedFile, fetch_all};
