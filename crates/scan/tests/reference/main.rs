//! Tests of the scan engine from outside. A slow, obvious implementation of the rules (`model`) and the
//! engine answer the same questions about random worlds (`world`) and must agree on every id and field
//! (`agreement`); clients played by the rules must come to rest (`convergence`); and each rule has a test
//! of its own, named after it (`rules`, `bundled`, `devices`, `categories`).
//!
//! `PROPTEST_CASES` sets how many random worlds are tried.

mod agreement;
mod bundled;
mod categories;
mod convergence;
mod devices;
mod fixture;
mod model;
mod model_drivers;
mod rules;
mod world;
