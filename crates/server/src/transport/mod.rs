//! What is common to every endpoint: reading bounded requests, encodings, bodies of answers, and the
//! loop that accepts connections.

pub(crate) mod blocking;
pub mod body;
pub mod coding;
pub mod lane;
pub mod listen;
pub(crate) mod panics;
pub mod request;
mod stall;
