//! Agent: HTTP/1.1 to one server. An address parsed once, and a bounded pool of keep-alive connections; one
//! agent has a pool of its own, a fleet may share one.

mod address;
mod pool;

pub use address::{Address, AddressError};
pub use pool::{Answer, HttpError, Pool, PoolOptions};
