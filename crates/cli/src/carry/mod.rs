//! Cli room: carrying a catalog between networks as files: packing what a server exports, unpacking it for
//! another, and the files of updates beside it.

pub(crate) mod content;
pub(crate) mod found;
pub(crate) mod journal;
pub(crate) mod pack;
pub(crate) mod partial;
pub(crate) mod unpack;
