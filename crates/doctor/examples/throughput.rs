//! Measures how fast logs are read, against baselines of the same run: counting the lines of the same
//! file (what `wc -l` does) and copying its bytes in memory.
//!
//! `cargo run --release -p sluicegate-doctor --example throughput -- [MiB] [FOLDER]`

use sluicegate_doctor::{Doctor, Limits};
use std::io::{Read, Write};
use std::time::Instant;

type Failure = Box<dyn std::error::Error>;
/// Makes line number n.
type Line = Box<dyn Fn(usize) -> String>;

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let mebibytes: usize = arguments.next().map_or(Ok(256), |n| n.parse())?;
    let folder = arguments.next().map_or_else(std::env::temp_dir, Into::into);
    let doctor = Doctor::builtin()?;
    println!("{:<34} {:>9} {:>9} {:>9} {:>7}", "log", "doctor", "lines", "copy", "ratio");
    for (name, line) in kinds() {
        let path = folder.join(format!("doctor-throughput-{}.log", std::process::id()));
        let size = write(&path, &line, mebibytes << 20)?;
        let rate = |seconds: f64| (size as f64 / seconds) / f64::from(1 << 20);
        let (_, lines) = timed(|| count_lines(&path));
        let bytes = std::fs::read(&path)?;
        let (_, copy) = timed(|| Ok(std::hint::black_box(bytes.clone()).len()));
        drop(bytes);
        let (report, seconds) =
            timed(|| Ok(doctor.examine(std::slice::from_ref(&path), &Limits::default(), &mut |_| {})?));
        std::fs::remove_file(&path)?;
        let report = report?;
        println!(
            "{name:<34} {:>7.0}/s {:>7.0}/s {:>7.0}/s {:>7.2}   {} lines, {} findings",
            rate(seconds),
            rate(lines),
            rate(copy),
            lines / seconds,
            report.files.iter().map(|file| file.lines).sum::<u64>(),
            report.findings.len()
        );
    }
    println!("MiB a second; ratio: against counting the lines of the same file");
    Ok(())
}

/// Kinds of logs, from the ordinary to one in which every line is a candidate.
fn kinds() -> Vec<(&'static str, Line)> {
    vec![
        (
            "client log, an error in 1000 lines",
            Box::new(|n| {
                let what = if n % 1000 == 7 {
                    "*FAILED* [80072EE2] Web service call failed"
                } else {
                    "Added update 11C1A2B3-0000-1111-2222-333344445555.200 to search result"
                };
                format!(
                    "2023/01/10 10:{:02}:{:02}.1234567 1000  2000  Agent           {what}\n",
                    n / 60 % 60,
                    n % 60
                )
            }),
        ),
        (
            "server log, stack traces",
            Box::new(|n| {
                match n % 8 {
                0 => format!("2023-01-10 10:{:02}:{:02}.345 UTC\tInfo\tw3wp.{}\tClientImplementation.SyncUpdates\tSoftware sync for client took {n} ms\n", n / 60 % 60, n % 60, n % 90),
                _ => "   at Microsoft.UpdateServices.Internal.Reporting.EventLogger.Write(Int32 number, String text)\n".to_owned(),
            }
            }),
        ),
        (
            "IIS log, all well",
            Box::new(|n| {
                format!(
                    "2023-01-10 10:{:02}:{:02} 10.0.0.1 POST /ClientWebService/client.asmx - 8530 - 10.0.{}.{} Windows-Update-Agent/10.0.10011.16384+Client-Protocol/2.33 - 200 0 0 {}\n",
                    n / 60 % 60,
                    n % 60,
                    n % 200,
                    n % 250,
                    n % 390
                )
            }),
        ),
        (
            "IIS log, every request a 503",
            Box::new(|n| {
                format!(
                    "2023-01-10 10:{:02}:{:02} 10.0.0.1 POST /ClientWebService/client.asmx - 8530 - 10.0.{}.{} Windows-Update-Agent/10.0.10011.16384+Client-Protocol/2.33 - 503 0 0 {}\n",
                    n / 60 % 60,
                    n % 60,
                    n % 200,
                    n % 250,
                    n % 390
                )
            }),
        ),
        (
            "client log, every line a fault",
            Box::new(|n| {
                format!(
                    "2008-08-11\t10:{:02}:{:02}:345\t 788\tee4\tPT\tWARNING: SyncUpdates failure, error = 0x8024400E, soap client error = 7, soap error code = 400, HTTP status code = 200\n",
                    n / 60 % 60,
                    n % 60
                )
            }),
        ),
    ]
}

fn write(path: &std::path::Path, line: &dyn Fn(usize) -> String, size: usize) -> Result<usize, Failure> {
    let mut file = std::io::BufWriter::new(std::fs::File::create(path)?);
    let mut written = 0;
    for n in 0.. {
        if written >= size {
            break;
        }
        let line = line(n);
        file.write_all(line.as_bytes())?;
        written += line.len();
    }
    file.flush()?;
    Ok(written)
}

fn count_lines(path: &std::path::Path) -> Result<usize, Failure> {
    let mut file = std::fs::File::open(path)?;
    let mut buffer = vec![0u8; 1 << 18];
    let mut lines = 0;
    loop {
        let n = file.read(&mut buffer)?;
        if n == 0 {
            return Ok(lines);
        }
        lines += memchr::memchr_iter(b'\n', buffer.get(..n).unwrap_or_default()).count();
    }
}

fn timed<T>(what: impl FnOnce() -> Result<T, Failure>) -> (Result<T, Failure>, f64) {
    let start = Instant::now();
    let result = what();
    (result, start.elapsed().as_secs_f64())
}
