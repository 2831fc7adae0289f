//! Logging: one event as lines of `SoftwareDistribution.log`. Columns as real servers write them (known-problems
//! S-30): UTC time, level, process and thread, component, message, with tabs between them.

use sluicegate_terms::Timestamp;
use std::fmt::Write as _;

/// Longest message of a line, in characters.
const LONGEST: usize = 8_000;

/// Fields whose values never go into a log.
const SECRET: [&str; 7] = ["cookie", "token", "password", "authorization", "secret", "credentials", "body"];

/// An event, taken apart.
#[derive(Debug, Default)]
pub(super) struct Event {
    pub(super) level: &'static str,
    /// Where in the program it was logged (a module path).
    pub(super) target: String,
    pub(super) message: String,
    pub(super) fields: Vec<(String, String)>,
    pub(super) thread: u64,
}

impl Event {
    fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The lines of this event at a time.
    pub(super) fn lines(&self, at: Timestamp) -> String {
        let mut out = String::with_capacity(256);
        match (self.message.as_str(), self.field("id")) {
            ("fault", Some(id)) => self.fault(&mut out, at, id),
            _ => self.line(&mut out, at, self.level, &self.component(), &self.text()),
        }
        out
    }

    /// A fault is two lines, as on real servers: what happened, and what the client was told under which id.
    fn fault(&self, out: &mut String, at: Timestamp, id: &str) {
        let of = |name: &str| self.field(name).unwrap_or_default();
        let operation = if of("operation").is_empty() { "Request" } else { of("operation") };
        let implementation = match of("service") {
            "Reporting" => "ReportingImplementation",
            "SimpleAuth" => "SimpleAuthImplementation",
            "DssAuth" => "DssAuthImplementation",
            "ServerSync" => "ServerSyncImplementation",
            _ => "ClientImplementation",
        };
        let component = format!("{implementation}.{operation}");
        let (client, peer) = (of("client"), of("peer"));
        let text = format!("{} [ID={id}, client={client}, peer={peer}]", of("cause"));
        self.line(out, at, self.level, &component, &text);
        let shown = if client.is_empty() { "?" } else { client };
        let text = format!(
            "ThrowException: actor = {}, ID={id}, ErrorCode={}, Message={}, Client={shown}",
            of("actor"),
            of("error_code"),
            of("fault_message")
        );
        self.line(out, at, "Warning", "SoapUtilities.CreateException", &text);
    }

    /// `sluicegate_server::publisher` as `Server.Publisher`.
    fn component(&self) -> String {
        let mut component = String::new();
        for part in self.target.trim_start_matches("sluicegate_").split("::").take(2) {
            if !component.is_empty() {
                component.push('.');
            }
            for word in part.split('_') {
                let mut letters = word.chars();
                component.extend(letters.next().map(|first| first.to_ascii_uppercase()));
                component.push_str(letters.as_str());
            }
        }
        if component.is_empty() { "Server".to_owned() } else { component }
    }

    fn text(&self) -> String {
        let mut text = self.message.clone();
        for (name, value) in &self.fields {
            let hidden = SECRET.iter().any(|secret| name.to_ascii_lowercase().contains(secret));
            let value = if hidden { "(hidden)" } else { value };
            let quote = if value.is_empty() || value.contains(' ') { "\"" } else { "" };
            // Writing to a String cannot fail.
            let _ = write!(text, " {name}={quote}{value}{quote}");
        }
        text
    }

    fn line(&self, out: &mut String, at: Timestamp, level: &str, component: &str, text: &str) {
        let iso = at.iso();
        let (date, time) = (iso.get(..10).unwrap_or_default(), iso.get(11..19).unwrap_or_default());
        let thousandths = at.ticks().rem_euclid(10_000_000) / 10_000;
        let _ = write!(
            out,
            "{date} {time}.{thousandths:03} UTC\t{level}\tsluicegate.{}\t{component}\t",
            self.thread
        );
        out.extend(text.chars().take(LONGEST).map(|c| if c.is_control() { ' ' } else { c }));
        out.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(message: &str, fields: &[(&str, &str)]) -> Event {
        Event {
            level: "Error",
            target: "sluicegate_server::some_module::x".to_owned(),
            message: message.to_owned(),
            fields: fields.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect(),
            thread: 12,
        }
    }

    fn noon() -> Timestamp {
        Timestamp::from_ticks("2026-10-04T12:00:00Z".parse::<Timestamp>().unwrap().ticks() + 1_234_567)
    }

    #[test]
    fn lines_have_the_columns_of_real_servers() {
        let line = event("it grew", &[("by", "3"), ("name", "a b")]).lines(noon());
        assert_eq!(
            line,
            "2026-10-04 12:00:00.123 UTC\tError\tsluicegate.12\tServer.SomeModule\tit grew by=3 name=\"a b\"\n"
        );
    }

    #[test]
    fn a_fault_is_found_under_its_id_as_on_real_servers() {
        let fields = [
            ("id", "c0a7445f-b989-43fa-ac20-11f8ca65fa8c"),
            ("service", "Client"),
            ("operation", "SyncUpdates"),
            ("error_code", "InternalServerError"),
            ("client", "pc-1"),
            ("peer", "192.0.2.7:50000"),
            ("actor", "http://wsus/ClientWebService/client.asmx"),
            ("cause", "the disk\nfailed"),
        ];
        let lines = event("fault", &fields).lines(noon());
        let [first, second] = lines.lines().collect::<Vec<_>>()[..] else { panic!("{lines}") };
        assert!(
            first.contains("\tError\tsluicegate.12\tClientImplementation.SyncUpdates\tthe disk failed ["),
            "{first}"
        );
        assert!(
            second.ends_with(
                "\tWarning\tsluicegate.12\tSoapUtilities.CreateException\tThrowException: actor = \
             http://wsus/ClientWebService/client.asmx, ID=c0a7445f-b989-43fa-ac20-11f8ca65fa8c, \
             ErrorCode=InternalServerError, Message=, Client=pc-1"
            ),
            "{second}"
        );
    }

    #[test]
    fn secrets_and_line_breaks_do_not_get_in() {
        let line = event("x", &[("proxy_password", "hunter2"), ("auth_token", "t0k"), ("text", "a\nb\tc")])
            .lines(noon());
        assert!(!line.contains("hunter2") && !line.contains("t0k"), "{line}");
        assert_eq!((line.matches('\n').count(), line.matches('\t').count()), (1, 4));
    }
}
