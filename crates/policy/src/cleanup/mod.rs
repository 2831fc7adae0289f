//! Policy: cleanup that nobody has to run. What may be declined and what may be forgotten, as pure functions
//! of catalog, decisions and time. Storing and forgetting are the caller's; here is only who may go.

mod graph;
mod plan;
mod settings;
#[cfg(test)]
mod tests;

pub use graph::{Dropped, Graph, RevisionFacts};
pub use plan::{HeldUp, Referred, Removal};
pub use settings::{CleanupSettings, CleanupStep, SettingError};
