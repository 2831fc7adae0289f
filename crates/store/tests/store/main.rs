//! Tests of the store over a folder. One program, so that what they share is built once; each file is about one
//! side of it.

mod alerts;
mod allowed;
mod at_once;
mod audit;
mod carried;
mod catalog;
mod check;
mod cleanup;
mod cleanup_conditions;
mod clocks_below;
mod computers;
mod decisions;
mod declined_again;
mod dropped;
mod files_given;
mod filters;
mod found_content;
mod generations;
mod given_again;
mod grouped_below;
mod groups;
mod kb954960;
mod languages;
mod lifting;
mod lost_content;
mod memberships;
mod modes;
mod parts_unwanted;
mod place;
mod restored_below;
mod ring;
mod rollback;
mod rollup;
mod room;
mod rules;
#[path = "../support/scans.rs"]
mod scans;
mod settings;
mod start;
mod status;
mod summary;
#[path = "../support/mod.rs"]
mod support;
mod twins;
mod wanted_below;
