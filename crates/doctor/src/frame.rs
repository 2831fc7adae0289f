//! Doctor room: what stands around the words of a log line. Takes the frames of the log families off
//! (`<![LOG[...]LOG]!>`, `text  $$<COMPONENT><time><thread>`, `STATMSG: ...`) and finds the time.

use memchr::memmem::Finder;
use std::borrow::Cow;
use std::sync::LazyLock;

/// Something to look for, made ready once: that costs more than to search a line.
type Needle = LazyLock<Finder<'static>>;

static LOG_BEGINS: Needle = LazyLock::new(|| Finder::new("<![LOG["));
static STATUS_MESSAGE: Needle = LazyLock::new(|| Finder::new("STATMSG:"));
static INSERT: Needle = LazyLock::new(|| Finder::new("ISTR"));
static ATTRIBUTES: Needle = LazyLock::new(|| Finder::new("\" NUMATTRS="));
static EXCEPTION_CODE: Needle = LazyLock::new(|| Finder::new(" LE="));
static DATE: Needle = LazyLock::new(|| Finder::new(" date=\""));
static TIME: Needle = LazyLock::new(|| Finder::new("<time=\""));
static JSON_TIME: Needle = LazyLock::new(|| Finder::new("\"timestamp\":\""));
static SYNC_TIME: Needle = LazyLock::new(|| Finder::new("Sync time: "));

/// The words of one line: without the frame of its family. A status message gives its inserts, whose
/// order is the source and the message (the rendered sentence is translated, the inserts are kept apart).
pub(crate) fn words(line: &str) -> Cow<'_, str> {
    let mut text = line;
    if let Some(start) = find(text, &LOG_BEGINS) {
        text = text.get(start + 7..).unwrap_or_default();
        if let Some(end) = text.rfind("]LOG]!>") {
            text = text.get(..end).unwrap_or_default();
        }
    } else if let Some(end) = component(text) {
        text = text.get(..end).unwrap_or_default();
    }
    if find(text, &STATUS_MESSAGE).is_some() {
        return Cow::Owned(inserts(text));
    }
    Cow::Borrowed(text.trim())
}

/// Where the last `$$<` stands, behind which a site server's log names component, time and thread.
fn component(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    memchr::memrchr_iter(b'$', bytes).find(|at| bytes.get(*at..).is_some_and(|rest| rest.starts_with(b"$$<")))
}

/// What ends insert n of a status message; after the last one stands something else.
const ENDS: [&str; 10] = [
    "\" ISTR1=\"",
    "\" ISTR2=\"",
    "\" ISTR3=\"",
    "\" ISTR4=\"",
    "\" ISTR5=\"",
    "\" ISTR6=\"",
    "\" ISTR7=\"",
    "\" ISTR8=\"",
    "\" ISTR9=\"",
    "\" ISTR10=\"",
];
static END_FINDERS: LazyLock<[Finder<'static>; 10]> = LazyLock::new(|| ENDS.map(Finder::new));

/// The inserts of a status message that say something, in their order.
fn inserts(text: &str) -> String {
    let mut begins = [None; ENDS.len()];
    for at in INSERT.find_iter(text.as_bytes()) {
        let Some([digit, b'=', b'"']) = text.as_bytes().get(at + 4..at + 7) else { continue };
        let slot = digit.checked_sub(b'0').and_then(|n| begins.get_mut(usize::from(n)));
        if let Some(slot @ None) = slot {
            *slot = Some(at + 7);
        }
    }
    let mut said = String::new();
    for (n, begin) in begins.into_iter().enumerate() {
        let value = begin.and_then(|at| text.get(at..)).and_then(|rest| insert(rest, n)).unwrap_or_default();
        if !value.is_empty() {
            if !said.is_empty() {
                said.push_str(" | ");
            }
            said.push_str(value);
        }
    }
    // Recent builds add the code of the exception after the inserts.
    if let Some(at) = find(text, &EXCEPTION_CODE) {
        said.push_str(text.get(at..).unwrap_or_default());
    }
    said
}

/// Insert `n` of a status message, with which `rest` begins.
fn insert(rest: &str, n: usize) -> Option<&str> {
    // Most are empty, and the next one follows at once.
    if rest.starts_with(ENDS.get(n)?) {
        return None;
    }
    let end =
        find(rest, END_FINDERS.get(n)?).or_else(|| find(rest, &ATTRIBUTES)).or_else(|| rest.find('"'))?;
    rest.get(..end)
}

fn find(text: &str, what: &Finder<'_>) -> Option<usize> {
    what.find(text.as_bytes())
}

/// The time a line carries: as written, and as seconds that can be compared within one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment<'a> {
    date: &'a str,
    time: &'a str,
    pub(crate) seconds: i64,
}

impl Moment<'_> {
    /// Date and time as the line has them.
    pub(crate) fn written(&self) -> String {
        format!("{} {}", self.date, self.time)
    }
}

/// Finds the time of a line. Each family writes it in one place and one shape (observed, and the formats
/// of the log viewers): at the start, in the frame's attributes, or behind `$$<COMPONENT>`.
pub(crate) fn moment(line: &str) -> Option<Moment<'_>> {
    // Searching for words costs more than seeing that one of their letters is missing.
    let quoted = memchr::memchr(b'"', line.as_bytes()).is_some();
    if quoted && let Some(date) = after(line, &DATE) {
        let time = after(line, &TIME)?;
        let (month, day, year) = (number(date, 0, 2)?, number(date, 3, 2)?, number(date, 6, 4)?);
        return build(date.get(..10)?, time, year, month, day);
    }
    if let Some(at) = component(line) {
        let rest = line.get(at..)?;
        let ends = memchr::memchr_iter(b'>', rest.as_bytes());
        let start = ends.map(|end| end + 1).find(|next| rest.as_bytes().get(*next) == Some(&b'<'))?;
        let stamp = rest.get(start + 1..)?;
        let (month, day, year) = (number(stamp, 0, 2)?, number(stamp, 3, 2)?, number(stamp, 6, 4)?);
        return build(stamp.get(..10)?, stamp.get(11..)?, year, month, day);
    }
    if quoted && let Some(stamp) = after(line, &JSON_TIME) {
        return leading(stamp);
    }
    leading(line.trim_start_matches(['\u{feff}', ' ']))
}

/// `2008-08-01 10:11:12`, `2008/08/01<TAB>10:11:12`, `2026-10-04T15:03:36Z`.
fn leading(text: &str) -> Option<Moment<'_>> {
    let (year, month, day) = (number(text, 0, 4)?, number(text, 5, 2)?, number(text, 8, 2)?);
    let between = *text.as_bytes().get(10)?;
    if !matches!(between, b' ' | b'\t' | b'T') || !matches!(text.as_bytes().get(4)?, b'-' | b'/') {
        return None;
    }
    let time = text.get(11..)?.trim_start();
    build(text.get(..10)?, time, year, month, day)
}

fn build<'a>(date: &'a str, time: &'a str, year: i64, month: i64, day: i64) -> Option<Moment<'a>> {
    let (h, m, s) = (number(time, 0, 2)?, number(time, 3, 2)?, number(time, 6, 2)?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || h > 23 || m > 59 || s > 60 {
        return None;
    }
    // Days since the epoch by the civil calendar, counted in years that begin in March.
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let year_of_era = y.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days =
        era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468;
    let seconds = days * 86_400 + h * 3_600 + m * 60 + s;
    Some(Moment { date, time: time.get(..8)?, seconds })
}

fn after<'a>(text: &'a str, key: &Finder<'_>) -> Option<&'a str> {
    text.get(find(text, key)? + key.needle().len()..)
}

fn number(text: &str, at: usize, digits: usize) -> Option<i64> {
    let part = text.as_bytes().get(at..at + digits)?;
    part.iter().try_fold(0i64, |sum, b| b.is_ascii_digit().then(|| sum * 10 + i64::from(b - b'0')))
}

/// `Sync time: 0d00h05m01s`, in seconds.
pub(crate) fn sync_time(text: &str) -> Option<i64> {
    let rest = after(text, &SYNC_TIME)?;
    if !rest.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let mut total = 0i64;
    let mut value = 0i64;
    for c in rest.chars().take(20) {
        let unit = match c {
            '0'..='9' => {
                value = value * 10 + i64::from(c.to_digit(10)?);
                continue;
            }
            'd' => 86_400,
            'h' => 3_600,
            'm' => 60,
            's' => return Some(total.saturating_add(value)),
            _ => return None,
        };
        total = total.saturating_add(value.saturating_mul(unit));
        value = 0;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_taken_off() {
        assert_eq!(words("<![LOG[Sync failed: x]LOG]!><time=\"1\" date=\"2\">"), "Sync failed: x");
        assert_eq!(
            words("Sync failed: x  $$<SMS_WSUS_SYNC_MANAGER><08-06-2007 10:54:25.519+420><thread=1 (0x1)>"),
            "Sync failed: x"
        );
        assert_eq!(
            words("STATMSG: ID=6703 PID=401 ISTR0=\"A.B\" ISTR1=\"the 'x' \"y\" z\" ISTR2=\"\" NUMATTRS=0"),
            "A.B | the 'x' \"y\" z"
        );
        assert_eq!(
            words(
                "STATMSG: ID=1 ISTR0=\"\" ISTR1=\"b\" ISTR2=\"\" ISTR3=\"\" ISTR4=\"e ISTR1=\" ISTR5=\"j\" NUMATTRS=0 LE=0X1"
            ),
            "b | e ISTR1= | j LE=0X1"
        );
        assert_eq!(words("STATMSG: ID=1 ISTR1=\"cut off \"here"), "cut off ");
    }

    #[test]
    fn times_of_every_family_are_found() {
        let at = |line: &str| moment(line).unwrap().seconds;
        assert_eq!(at("2008-08-01\t10:11:12:345\t788\tee4\tPT\tx"), 1_217_585_472);
        assert_eq!(at("2008/08/01 10:11:12.3456789 788 3812 Agent x"), 1_217_585_472);
        assert_eq!(at("2008-08-01 10:11:12.345 UTC\tError\tw3wp.12\tx"), 1_217_585_472);
        assert_eq!(at("2008-08-01T10:11:12.345Z ERROR fault"), 1_217_585_472);
        assert_eq!(at("{\"timestamp\":\"2008-08-01T10:11:12Z\",\"level\":\"ERROR\"}"), 1_217_585_472);
        assert_eq!(at("x  $$<SMS_X><08-01-2008 10:11:12.345+420><thread=1 (0x1)>"), 1_217_585_472);
        assert_eq!(
            at("<![LOG[x]LOG]!><time=\"10:11:12.345+420\" date=\"08-01-2008\" component=\"X\">"),
            1_217_585_472
        );
        assert_eq!(moment("no time here"), None);
        assert_eq!(moment("2008-13-01 10:11:12"), None);
    }

    #[test]
    fn run_times_are_read() {
        assert_eq!(sync_time("Sync time: 0d00h05m01s"), Some(301));
        assert_eq!(sync_time("Sync time: 1d02h00m00s  $$<X>"), Some(93_600));
        assert_eq!(sync_time("Sync time: soon"), None);
    }
}
