//! Store: the computers that ask this server: who they are, where they belong, what they reported.

mod contacts;
mod directory;
mod events;
mod kinds;
mod list;
mod status;

pub use contacts::Contact;
pub(crate) use contacts::Contacts;
pub use directory::{ComputerGroups, Registration, Targeting};
pub(crate) use directory::{assigned as assigned_groups, find_row, split_groups as requested_names};
pub use events::{EventBatch, Recorded, ReportedEvent, StoredEvent};
pub use kinds::OwnClients;
pub(crate) use list::computer_row;
pub use list::{Computer, ComputerFilter, ComputerPage};
pub(crate) use status::state_row;
