//! Lists, reads and writes Cabinet files: `cabinet list FILE`, `cabinet read FILE MEMBER > out`,
//! `cabinet write FILE PATH…` (members are named after the files). For checking the codec against other
//! programs.

use sluicegate_soap::cabinet::{self, Cabinet, Limits};
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

type Failure = Box<dyn std::error::Error>;

fn open(path: &str) -> Result<Vec<u8>, Failure> {
    std::fs::read(path).map_err(|error| format!("{path}: {error}").into())
}

fn run(arguments: &[&str]) -> Result<(), Failure> {
    match arguments {
        ["list", file] => {
            let bytes = open(file)?;
            for entry in Cabinet::open(&bytes, &Limits::default())?.entries() {
                println!("{} {}", entry.size, entry.name);
            }
        }
        ["read", file, member] => {
            let bytes = open(file)?;
            let cabinet = Cabinet::open(&bytes, &Limits::default())?;
            let entry = cabinet.entries().iter().find(|entry| entry.name == *member);
            let entry = entry.ok_or_else(|| format!("{file} has no member `{member}`"))?;
            std::io::stdout().write_all(&cabinet.read(entry)?)?;
        }
        ["write", file, paths @ ..] => {
            let mut members = Vec::new();
            for path in paths {
                let name = Path::new(path).file_name().and_then(|name| name.to_str());
                members.push((name.ok_or_else(|| format!("{path} has no usable name"))?, open(path)?));
            }
            let borrowed: Vec<(&str, &[u8])> =
                members.iter().map(|(n, data)| (*n, data.as_slice())).collect();
            std::fs::write(file, cabinet::write(&borrowed)?)?;
        }
        _ => return Err("usage: cabinet list FILE | read FILE MEMBER | write FILE PATH…".into()),
    }
    Ok(())
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let borrowed: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&borrowed) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cabinet: {error}");
            ExitCode::FAILURE
        }
    }
}
