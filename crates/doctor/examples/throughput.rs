//! Measures how fast logs are read, against baselines of the same run: counting the lines of the same
//! file (what `wc -l` does) and copying its bytes in memory. Processor time is measured beside time, since
//! it says more where other programs run.
//!
//! `cargo run --release -p sluicegate-doctor --example throughput -- [MiB [FOLDER [KIND]]]`; `KIND` is a part of a kind's name.

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
    let wanted = arguments.next().unwrap_or_default();
    let doctor = Doctor::builtin()?;
    println!(
        "{:<42} {:>9} {:>11} {:>9} {:>9} {:>7}",
        "log", "doctor", "a processor", "lines", "copy", "ratio"
    );
    for (name, line) in kinds().into_iter().filter(|(name, _)| name.contains(&wanted)) {
        let path = folder.join(format!("doctor-throughput-{}.log", std::process::id()));
        let size = write(&path, &line, mebibytes << 20)?;
        let rate = |seconds: f64| (size as f64 / seconds) / f64::from(1 << 20);
        let (_, lines) = timed(|| count_lines(&path));
        let bytes = std::fs::read(&path)?;
        let (_, copy) = timed(|| Ok(std::hint::black_box(bytes.clone()).len()));
        drop(bytes);
        let before = processor_seconds()?;
        let (report, seconds) =
            timed(|| Ok(doctor.examine(std::slice::from_ref(&path), &Limits::default(), &mut |_| {})?));
        let busy = processor_seconds()? - before;
        std::fs::remove_file(&path)?;
        let report = report?;
        println!(
            "{name:<42} {:>7.0}/s {:>9.0}/s {:>7.0}/s {:>7.0}/s {:>7.2}   {} lines, {} findings",
            rate(seconds),
            rate(busy),
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
            "server log, a failed scan in 30 lines",
            Box::new(|n| {
                match n % 30 {
                0 => format!(
                    "2008-08-01 08:{:02}:{:02}.000 UTC\tError\tw3wp.12\tClientImplementation.SyncUpdates\tSystem.ArgumentException: Item has already been added. Key in dictionary: '{n}'\n",
                    n / 60 % 60,
                    n % 60
                ),
                1 => "   at System.Collections.Hashtable.Insert(Object key, Object nvalue, Boolean add)\n".to_owned(),
                2 => "   at Microsoft.UpdateServices.Internal.ClientImplementation.GetSyncInfo(DataAccess dataAccess)\n".to_owned(),
                3 => format!(
                    "2008-08-01 08:{:02}:{:02}.000 UTC\tWarning\tw3wp.12\tSoapUtilities.CreateException\tThrowException: actor = http://x/client.asmx, ID={n:08x}-2222-3333-4444-555555555555, ErrorCode=InternalServerError, Message=, Client=?\n",
                    n / 60 % 60,
                    n % 60
                ),
                _ => format!(
                    "2008-08-01 08:{:02}:{:02}.345 UTC\tInfo\tw3wp.12\tClientImplementation.SyncUpdates\tSoftware sync for client took {n} ms\n",
                    n / 60 % 60,
                    n % 60
                ),
            }
            }),
        ),
        (
            "site server log, synchronization fails",
            Box::new(|n| {
                let end = format!(
                    "$$<SMS_WSUS_SYNC_MANAGER><03-{:02}-2009 {:02}:{:02}:{:02}.000+000><thread=1 (0x1)>\n",
                    n / 86_400 % 28 + 1,
                    n / 3_600 % 24,
                    n / 60 % 60,
                    n % 60
                );
                let text = match n % 4 {
                    0 => "Performing sync on regular schedule",
                    1 => "STATMSG: ID=6701 SEV=I ISTR0=\"\" ISTR1=\"\" ISTR2=\"\" NUMATTRS=0",
                    2 => "Sync failed: The operation has timed out. Source: CWSyncMgr::DoSync",
                    _ => {
                        "STATMSG: ID=6703 SEV=E ISTR0=\"CWSyncMgr::DoSync\" ISTR1=\"\" ISTR2=\"\" NUMATTRS=0"
                    }
                };
                format!("{text}  {end}")
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

/// What this process has used of all processors (Linux: hundredths of a second in `/proc/self/stat`).
fn processor_seconds() -> Result<f64, Failure> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields = stat.rsplit(") ").next().unwrap_or_default().split(' ').skip(11).take(2);
    let ticks: Result<Vec<u64>, _> = fields.map(str::parse).collect();
    Ok(ticks?.iter().sum::<u64>() as f64 / 100.0)
}

fn timed<T>(what: impl FnOnce() -> Result<T, Failure>) -> (Result<T, Failure>, f64) {
    let start = Instant::now();
    let result = what();
    (result, start.elapsed().as_secs_f64())
}
