//! Agent: a simulated computer, good enough to live through years of updates: it judges real applicability
//! rules over made-up facts, and installing a package really changes those facts.

mod device;
mod machine;
mod package;

pub use device::SimulatedDevice;
pub use machine::{SimulatedMachine, SimulatedRules};
pub use package::{Ending, Package, PackageError, Step};
