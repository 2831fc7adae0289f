//! Room: the agent. A portable update agent that detects, downloads, installs (in simulation) and reports as
//! a Windows Update Agent does, and the fleet simulator built on it. Speaks only the protocol: it knows
//! nothing of the server's insides. Time and randomness come from its caller.

pub mod agent;
pub mod cache;
mod clock;
pub mod correlation;
pub mod download;
pub mod error;
pub mod events;
pub mod fleet;
pub mod fragments;
pub mod hresult;
pub mod http;
pub mod machine;
pub mod profile;
mod random;
pub mod recovery;
pub mod scan;
pub mod session;
pub mod simulated;

pub use agent::{Agent, AgentOptions, CycleSummary};
pub use clock::Clock;
pub use error::AgentError;
pub use hresult::HResult;
pub use profile::Profile;
pub use random::Random;
