//! Logging: what the error codes of faults mean (MS-WUSP 2.2.2.4), what agents make of them, and what to do.

/// What a code means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meaning {
    /// What happened.
    pub what: &'static str,
    /// What to do, if anything.
    pub remedy: &'static str,
}

/// The meaning of an `ErrorCode`; `None` for a word that is none.
#[must_use]
pub fn explain(code: &str) -> Option<Meaning> {
    let (what, remedy) = match code {
        "InvalidCookie" => (
            "The agent's cookie is not one of this server: it is damaged, or of another server or key.",
            "Nothing: the agent gets a new cookie and goes on. When it happens to many computers at once, the \
             file cookie.key was replaced.",
        ),
        "CookieExpired" => {
            ("The agent's cookie is too old.", "Nothing: the agent gets a new cookie and goes on.")
        }
        "ConfigChanged" => (
            "The server's settings changed after the agent last read them.",
            "Nothing: the agent reads them again and goes on.",
        ),
        "RegistrationRequired" => {
            ("The computer is not known here, or was forgotten.", "Nothing: the agent registers and goes on.")
        }
        "RegistrationNotRequired" => ("The computer registered though nobody asked it to.", "Nothing."),
        "ServerChanged" => (
            "The agent's cookie is of another server, or knows changes that this one does not: the server was \
             replaced or restored from a backup.",
            "Nothing: the agent starts over with a full scan (its log shows 0x80244015).",
        ),
        "InternalServerError" => (
            "The server could not do its work; agents log 0x8024400E. The line with the same ID says why.",
            "Read the cause; when it names stored data, run `sluicegate check`; when the disk is full, free space.",
        ),
        "ServerBusy" => (
            "More requests came at once than there is room for; the agent was told to come back.",
            "Nothing for a while after a restart or a release; when it goes on, look at the waiting gauges of /metrics.",
        ),
        "InvalidParameters" => (
            "The request breaks a rule of the protocol; the fault's message names the parameter.",
            "A computer that does it again and again has a damaged update agent or cache: reset its cache.",
        ),
        "InvalidAuthorizationCookie" => (
            "The agent's proof of who it is is not good.",
            "Nothing: the agent asks for a new one and goes on.",
        ),
        "FileLocationChanged" => (
            "The addresses of files changed after the agent learned them.",
            "Nothing: the agent asks for them again and goes on.",
        ),
        "IncompatibleProtocolVersion" => (
            "The other side speaks a version of the protocol that this server does not.",
            "Bring the downstream server up to date.",
        ),
        "FileDigestsMissing" => (
            "A downstream server asked for files that no update here names.",
            "Synchronize the upstream server first, then the downstream server again.",
        ),
        _ => return None,
    };
    Some(Meaning { what, remedy })
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluicegate_soap::fault::ErrorCode;

    #[test]
    fn every_code_that_can_be_sent_is_explained() {
        for code in ErrorCode::ALL {
            assert!(explain(&code.to_string()).is_some(), "{code}");
        }
        assert_eq!(explain("Nonsense"), None);
    }
}
