//! What downstream servers are answered from: an immutable index of all revisions by their arrival, the
//! anchors that say up to where a server has seen them and of which history, and the sealed cookies those servers carry.

pub(crate) mod anchor;
pub(crate) mod filter;
pub(crate) mod index;
pub(crate) mod lineage;
pub(crate) mod pass;

#[cfg(test)]
mod index_tests;
