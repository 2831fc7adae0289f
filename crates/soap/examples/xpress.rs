//! Compresses or decompresses standard input to standard output:
//! `xpress fast|best|decode < in > out`. For checking the codec against other programs and for looking
//! into recorded bodies.

use sluicegate_soap::xpress::{self, Effort};
use std::io::{Read as _, Write as _};
use std::process::ExitCode;

/// Larger inputs are not SOAP bodies.
const MAX: usize = 256 << 20;

fn run(mode: &str) -> Result<(), String> {
    let mut input = Vec::new();
    std::io::stdin().take(MAX as u64).read_to_end(&mut input).map_err(|error| error.to_string())?;
    let mut output = Vec::new();
    match mode {
        "fast" => xpress::compress_into(&mut output, &input, Effort::Fast),
        "best" => xpress::compress_into(&mut output, &input, Effort::Best),
        "decode" => xpress::decompress_into(&mut output, &input, MAX).map_err(|error| error.to_string())?,
        other => return Err(format!("`{other}` is none of fast, best and decode")),
    }
    std::io::stdout().write_all(&output).map_err(|error| error.to_string())
}

fn main() -> ExitCode {
    let mode = std::env::args().nth(1).unwrap_or_default();
    match run(&mode) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("xpress: {message}");
            ExitCode::FAILURE
        }
    }
}
