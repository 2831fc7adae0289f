//! Cli room: what was typed, read into arguments. What is refused here was wrong before any server was asked: it is
//! told as every other failure, as JSON where `--json` is among the words, and the exit code is 2.

use crate::args::{Cli, Command};
use crate::output;
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgMatches, CommandFactory as _, FromArgMatches as _};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::process::ExitCode;

/// Commands that say themselves what an empty text would take away, and how that is written.
const SAY_IT_THEMSELVES: [&str; 1] = ["upstream"];

/// Reads words, the program's name first.
pub(crate) fn parse<T: Into<OsString> + Clone>(
    words: impl IntoIterator<Item = T>,
) -> clap::error::Result<Cli> {
    let mut command = Cli::command();
    let matches = command.try_get_matches_from_mut(words)?;
    filled(&mut command, &matches)?;
    let cli = Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))?;
    once(&mut command, &cli)?;
    Ok(cli)
}

/// Refuses empty arguments. They are what a variable that nobody set leaves behind, and without a word an order for
/// one would become an order for all.
fn filled(command: &mut clap::Command, matches: &ArgMatches) -> clap::error::Result<()> {
    let is_empty = |arg: &&clap::Arg| {
        let id = arg.get_id().as_str();
        let Ok(Some(mut given)) = matches.try_get_raw(id) else { return false };
        matches.value_source(id) == Some(ValueSource::CommandLine)
            && given.any(|value| value.to_string_lossy().trim().is_empty())
    };
    let empty = command.get_arguments().find(is_empty).map(ToString::to_string);
    if let Some(arg) = empty {
        let what = format!("'{arg}' is empty, so nothing was done; give it a value, or leave it out");
        return Err(command.error(ErrorKind::InvalidValue, what));
    }
    match matches.subcommand() {
        Some((name, matches)) if !SAY_IT_THEMSELVES.contains(&name) => {
            command.find_subcommand_mut(name).map_or(Ok(()), |command| filled(command, matches))
        }
        _ => Ok(()),
    }
}

/// Refuses a filter of `approve` that is named twice: an update would have to fit both.
fn once(command: &mut clap::Command, cli: &Cli) -> clap::error::Result<()> {
    let Command::Approve(args) = &cli.command else { return Ok(()) };
    let mut names = BTreeSet::new();
    match args.filter.iter().find(|part| !names.insert(part.name)) {
        None => Ok(()),
        Some(twice) => {
            let what = format!("--filter {}= is given twice, so nothing was done; give it once", twice.name);
            let kind = ErrorKind::ArgumentConflict;
            Err(match command.find_subcommand_mut("approve") {
                Some(approve) => approve.error(kind, what),
                None => command.error(kind, what),
            })
        }
    }
}

/// Says what is wrong with the words, or prints the help or the version that they ask for.
pub(crate) fn refuse(words: &[OsString], error: &clap::Error) -> ExitCode {
    let json = words.iter().skip(1).take_while(|word| *word != "--").any(|word| word == "--json");
    if json && error.use_stderr() {
        eprintln!("{}", output::failure(&anyhow::anyhow!(sentence(error))));
    } else {
        let _ = error.print();
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

/// The error without the usage of the command.
fn sentence(error: &clap::Error) -> String {
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return "a command is missing; --help lists them".to_owned();
    }
    let text = error.render().to_string();
    let said = ["\n\nUsage:", "\n\nFor more information"]
        .iter()
        .fold(text.as_str(), |said, end| said.split(end).next().unwrap_or(said));
    said.trim_start_matches("error: ").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(words: &[&str]) -> String {
        let error = parse(["sluicegate"].iter().chain(words)).map(|_| ()).unwrap_err();
        assert_eq!(error.exit_code(), 2, "{words:?}");
        sentence(&error)
    }

    #[test]
    fn no_argument_may_be_empty() {
        for words in [
            &["updates", "show", ""][..],
            &["computers", "show", ""],
            &["computers", "move", "", "--group", "Pilot"],
            &["computers", "list", "--group", ""],
            &["downstream", "computers", ""],
            &["downstream", "allow", "north", ""],
            &["decline", " "],
            &["approve", "x", "", "--group", "Pilot"],
            &["approve", "x", "--group", ""],
            &["approve", "x", "--group", "Pilot", "--deadline", ""],
            &["unapprove", "x", "--group", ""],
            &["groups", "delete", ""],
            &["groups", "rename", "Pilots", ""],
            &["groups", "rename", " ", "Pilots"],
            &["filters", "add", ""],
            &["rules", "edit", "1", "--group", ""],
            &["audit", "list", "--since", ""],
            &["--server", "", "--token-file", "x", "status"],
        ] {
            let said = refused(words);
            assert!(said.contains("is empty, so nothing was done"), "{words:?}: {said}");
        }
        assert!(refused(&["unapprove", "x", "--group", ""]).starts_with("'--group <NAME>' is empty"));
        assert!(parse(["sluicegate", "unapprove", "x"]).is_ok());
        assert!(parse(["sluicegate", "upstream", "set", ""]).is_ok(), "it says what `none` is for");
    }

    #[test]
    fn the_upstream_that_is_set_needs_not_be_named_to_change_the_way_to_it() {
        for words in [&["--proxy", "none"][..], &["--ca", "none"], &["--replica"], &["http://parent:8530"]] {
            assert!(parse(["sluicegate", "upstream", "set"].iter().chain(words)).is_ok(), "{words:?}");
        }
        assert!(refused(&["upstream", "set"]).contains("required"));
        assert!(refused(&["upstream", "set", "--no-probe"]).contains("required"));
    }

    #[test]
    fn a_filter_of_approve_has_a_known_name_and_a_value_and_is_given_once() {
        let filter = |parts: &[&str]| {
            let parts = parts.iter().flat_map(|part| ["--filter", part]);
            refused(&["approve", "--group", "Pilot"].into_iter().chain(parts).collect::<Vec<_>>())
        };
        for empty in ["product=", "search= ", "classification=", "approval="] {
            assert!(filter(&[empty]).contains("is empty, so nothing was done"), "{empty}");
        }
        assert!(filter(&["search"]).contains("NAME=VALUE"));
        assert!(filter(&["colour=red"]).contains("there is no filter `colour`"));
        assert!(filter(&["search=a", "product=b", "search=c"]).contains("--filter search= is given twice"));
        let two = ["sluicegate", "approve", "--filter", "search=a=b", "--filter", "product=b"];
        let Command::Approve(args) = parse(two).unwrap().command else { panic!("another command") };
        assert_eq!(args.filter.first().unwrap().value, "a=b");
    }

    #[test]
    fn what_is_wrong_is_told_without_the_usage() {
        assert!(refused(&["updates", "list", "--limit", "-1"]).contains("'-1'"));
        let unknown = refused(&["aprove", "x"]);
        assert!(unknown.contains("'aprove'") && !unknown.contains("Usage"), "{unknown}");
        assert!(refused(&[]).contains("a command is missing"));
        assert!(!refused(&["approve"]).contains("Usage"));
    }
}
