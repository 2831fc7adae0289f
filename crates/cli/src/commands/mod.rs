//! Cli room: one file per command family. Each turns arguments into calls of the admin API (or
//! starts the server) and prints what came back.

mod approvals;
pub(crate) mod audit;
pub(crate) mod catalog;
pub(crate) mod check;
pub(crate) mod cleanup;
mod computers;
mod config;
pub(crate) mod content;
pub(crate) mod diagnose;
pub(crate) mod doctor;
mod downstream;
mod export;
pub(crate) mod filters;
mod groups;
mod import;
pub(crate) mod log;
pub(crate) mod repair;
mod reports;
pub(crate) mod rollback;
mod rules;
mod serve;
mod status;
mod sync;
mod updates;
mod upstream;

use crate::admin_client::AdminClient;
use crate::args::{Cli, Command};
use crate::endpoint::Endpoint;

/// Runs what was asked for.
pub(crate) async fn run(cli: Cli) -> anyhow::Result<()> {
    let Cli { target, command } = cli;
    match command {
        Command::Doctor(args) => return doctor::run(&target, &args),
        Command::Serve(args) => return serve::run(&target, &args).await,
        Command::Audit(args) => return audit::run(&target, args).await,
        Command::Check(args) => return check::run(&target, &args).await,
        Command::Rollback(args) => return rollback::run(&target, &args),
        Command::Log(args) => return log::run(&target, args),
        Command::Repair(args) => return repair::run(&target, args).await,
        Command::Bench(args) => return crate::bench::run(&args, target.json).await,
        Command::BenchBare(args) => return crate::bench::bare::serve(&args).await,
        _ => {}
    }
    let client = AdminClient::new(Endpoint::find(&target)?);
    let json = target.json;
    match command {
        Command::Serve(_) | Command::Doctor(_) | Command::Bench(_) | Command::BenchBare(_) => Ok(()),
        Command::Audit(_) | Command::Check(_) | Command::Log(_) | Command::Repair(_) => Ok(()),
        Command::Rollback(_) => Ok(()),
        Command::Alerts(args) => audit::alerts(&client, args, json).await,
        Command::Catalog(args) => catalog::run(&client, args, json).await,
        Command::Updates(args) => updates::run(&client, args, json).await,
        Command::Groups(args) => groups::run(&client, args, json).await,
        Command::Rules(args) => rules::run(&client, args, json).await,
        Command::Approve(args) => approvals::approve(&client, &args, json).await,
        Command::Unapprove(args) => approvals::unapprove(&client, &args, json).await,
        Command::Decline(args) => approvals::decline(&client, &args, json).await,
        Command::Computers(args) => computers::run(&client, args, json).await,
        Command::Reports(args) => reports::run(&client, args, json).await,
        Command::Content(args) => content::run(&client, args, json).await,
        Command::Upstream(args) => upstream::run(&client, args, json).await,
        Command::Sync(args) => sync::run(&client, args, json).await,
        Command::Downstream(args) => downstream::run(&client, args, json).await,
        Command::Export(args) => export::run(&client, &args, json).await,
        Command::Import(args) => import::run(&client, &args, json).await,
        Command::Filters(args) => filters::run(&client, args, json).await,
        Command::Cleanup(args) => cleanup::run(&client, args, json).await,
        Command::Diagnose => diagnose::run(&client, json).await,
        Command::Config(args) => config::run(&client, args, json).await,
        Command::Status => status::run(&client, json).await,
    }
}
