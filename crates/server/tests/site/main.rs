//! Tests of whole servers over HTTP. One program, so that what they share is built once; each file is about one
//! side of the server.

mod admin;
mod admin_audit;
mod admin_cleanup;
mod admin_downstream;
mod admin_export;
mod admin_groups;
mod admin_hierarchy;
mod admin_rules;
mod contents;
mod damage;
mod handshake;
mod keys;
mod lifecycle;
mod limits;
mod lists;
mod looking_after;
mod lost_files;
mod missing_files;
mod reports;
mod rings;
mod scans;
mod start;
mod storm;
mod support;
mod upstream;
mod upstream_decisions;
mod upstream_rollup;
