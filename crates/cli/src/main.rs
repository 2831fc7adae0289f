//! The `sluicegate` binary: arguments in, rooms wired together, answers out. The only room that
//! may know all others, and the only one that uses `anyhow`.

mod admin_client;
mod args;
mod bench;
mod carry;
mod commands;
mod demo;
mod endpoint;
mod lines;
mod output;
mod typed;

use std::ffi::OsString;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: sluicegate_allocator::Allocator = sluicegate_allocator::Allocator;

fn main() -> ExitCode {
    sluicegate_allocator::give_back_soon();
    let words: Vec<OsString> = std::env::args_os().collect();
    let cli = match typed::parse(&words) {
        Ok(cli) => cli,
        Err(error) => return typed::refuse(&words, &error),
    };
    // Ten thousand clients are ten thousand open files; the usual soft limit of 1024 is for desktops.
    let _ = rlimit::increase_nofile_limit(1 << 20);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(e) => {
            eprintln!("sluicegate: cannot start its worker threads: {e}");
            return ExitCode::FAILURE;
        }
    };
    let json = cli.target.json;
    match runtime.block_on(commands::run(cli)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) if json => {
            eprintln!("{}", output::failure(&e));
            ExitCode::FAILURE
        }
        Err(e) => {
            eprintln!("sluicegate: {e:#}");
            ExitCode::FAILURE
        }
    }
}
