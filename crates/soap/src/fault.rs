//! SOAP: faults, in the shape real servers give them (MS-WUSP 2.2.2.4, observed-behaviour 1.5).

use crate::Limits;
use crate::envelope::SoapVersion;
use crate::error::{AnswerError, DecodeError};
use crate::reader::XmlReader;
use crate::service::{Service, Style};
use crate::writer::{XmlWriter, epilogue, write_prologue};
use core::fmt;
use sluicegate_terms::Guid;

/// Who erred.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FaultCode {
    /// The sender of the request.
    Client,
    /// The server.
    Server,
}

impl FaultCode {
    const fn as_str(self, version: SoapVersion) -> &'static str {
        match (version, self) {
            (SoapVersion::V11, Self::Client) => "Client",
            (SoapVersion::V11, Self::Server) => "Server",
            (SoapVersion::V12, Self::Client) => "Sender",
            (SoapVersion::V12, Self::Server) => "Receiver",
        }
    }
}

/// What went wrong, as MS-WUSP 2.2.2.4 and MS-WSUSSS 2.2.9.3 name it; callers react to this word alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// The server cannot decrypt the cookie.
    InvalidCookie,
    /// The configuration changed since GetConfig.
    ConfigChanged,
    /// RegisterComputer must come first.
    RegistrationRequired,
    /// The server's identity or state changed.
    ServerChanged,
    /// An error of the server.
    InternalServerError,
    /// The cookie is good but too old.
    CookieExpired,
    /// A parameter is wrong; the message names it.
    InvalidParameters,
    /// The authorization cookie given to GetCookie is not good.
    InvalidAuthorizationCookie,
    /// RegisterComputer was called though it is not wanted.
    RegistrationNotRequired,
    /// Try again later.
    ServerBusy,
    /// Files moved since the last synchronization.
    FileLocationChanged,
    /// The downstream server speaks a protocol version this server does not (MS-WSUSSS 2.2.9.3).
    IncompatibleProtocolVersion,
    /// Files were asked for that no update of this server has (MS-WSUSSS 2.2.9.3); the message lists them.
    FileDigestsMissing,
}

impl ErrorCode {
    /// Every code: those of agents in the order of the specification, then those of servers alone.
    pub const ALL: [Self; 13] = [
        Self::InvalidCookie,
        Self::ConfigChanged,
        Self::RegistrationRequired,
        Self::ServerChanged,
        Self::InternalServerError,
        Self::CookieExpired,
        Self::InvalidParameters,
        Self::InvalidAuthorizationCookie,
        Self::RegistrationNotRequired,
        Self::ServerBusy,
        Self::FileLocationChanged,
        Self::IncompatibleProtocolVersion,
        Self::FileDigestsMissing,
    ];

    /// The spelling on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidCookie => "InvalidCookie",
            Self::ConfigChanged => "ConfigChanged",
            Self::RegistrationRequired => "RegistrationRequired",
            Self::ServerChanged => "ServerChanged",
            Self::InternalServerError => "InternalServerError",
            Self::CookieExpired => "CookieExpired",
            Self::InvalidParameters => "InvalidParameters",
            Self::InvalidAuthorizationCookie => "InvalidAuthorizationCookie",
            Self::RegistrationNotRequired => "RegistrationNotRequired",
            Self::ServerBusy => "ServerBusy",
            Self::FileLocationChanged => "FileLocationChanged",
            Self::IncompatibleProtocolVersion => "IncompatibleProtocolVersion",
            Self::FileDigestsMissing => "FileDigestsMissing",
        }
    }

    /// The code of this spelling. `FileLocationsChanged` is taken too: the specification has both.
    #[must_use]
    pub fn from_wire(text: &str) -> Option<Self> {
        let text = if text == "FileLocationsChanged" { "FileLocationChanged" } else { text };
        Self::ALL.into_iter().find(|code| code.as_str() == text)
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A fault to be sent, always with HTTP status 500.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Who erred.
    pub code: FaultCode,
    /// What went wrong.
    pub error_code: ErrorCode,
    /// The parameter's name for `InvalidParameters`, else empty on real servers. May be empty.
    pub message: String,
    /// Stands in the server's log too, so that the two sides can be joined.
    pub id: Guid,
    /// The SOAPAction header as it came, quotes included (observed). May be empty.
    pub method: String,
    /// The absolute URL of the service. Real servers leave it out on the Client service (observed).
    pub actor: Option<String>,
}

const TEXT: &str = "Fault occurred";

impl Fault {
    /// The envelope. On the Client service `actor` is not written.
    #[must_use]
    pub fn encode(&self, service: Service, version: SoapVersion) -> Vec<u8> {
        // Without xsi and xsd on the Client service: its stack declares them for results only.
        let (style, prefix) = match service.style() {
            Style::Declared => (Style::Declared, "soap:"),
            _ => (Style::Agent, "s:"),
        };
        let actor = self.actor.as_deref().filter(|_| service != Service::Client);
        let mut prologue = Vec::with_capacity(1024);
        write_prologue(&mut prologue, style, version);
        let mut out = XmlWriter::new(style, 1024);
        out.bytes(&prologue);
        let name = |local: &str| format!("{prefix}{local}");
        let code = name(self.code.as_str(version));
        out.element(&name("Fault"), |out| match version {
            SoapVersion::V11 => {
                out.element("faultcode", |out| out.raw(&code));
                out.element("faultstring", |out| out.raw(TEXT));
                if let Some(actor) = actor {
                    out.element("faultactor", |out| out.escaped(actor));
                }
                out.element("detail", |out| self.detail(out));
            }
            SoapVersion::V12 => {
                out.element(&name("Code"), |out| out.element(&name("Value"), |out| out.raw(&code)));
                out.element(&name("Reason"), |out| {
                    for part in ["<", prefix, "Text xml:lang=\"en\">", TEXT, "</", prefix, "Text>"] {
                        out.raw(part);
                    }
                });
                if let Some(actor) = actor {
                    out.element(&name("Node"), |out| out.escaped(actor));
                }
                out.element(&name("Detail"), |out| self.detail(out));
            }
        });
        out.raw(epilogue(style));
        out.into_bytes()
    }

    fn detail(&self, out: &mut XmlWriter) {
        for (name, text) in [
            ("ErrorCode", self.error_code.as_str()),
            ("Message", &self.message),
            ("ID", &self.id.to_string()),
            ("Method", &self.method),
        ] {
            // Open and closed even when empty (observed).
            out.raw("<");
            out.raw(name);
            out.raw(">");
            out.escaped(text);
            out.raw("</");
            out.raw(name);
            out.raw(">");
        }
    }
}

/// A fault as it was received, from any server: what is not there stays empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReceivedFault {
    /// The SOAP code without its prefix: `Client`, `Server`, `Sender`, `Receiver` and others.
    pub code: String,
    /// What it says for people; `Fault occurred` from update servers.
    pub text: String,
    /// The error code, when it is one of MS-WUSP 2.2.2.4.
    pub error_code: Option<ErrorCode>,
    /// The error code as it stands in the fault.
    pub error_code_text: String,
    /// The detail's message.
    pub message: String,
    /// The id to look for in the server's log.
    pub id: Option<Guid>,
    /// The SOAP action, quotes included.
    pub method: String,
    /// The URL of the service.
    pub actor: String,
}

impl fmt::Display for ReceivedFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {}",
            self.code,
            if self.error_code_text.is_empty() { &self.text } else { &self.error_code_text }
        )?;
        if !self.message.is_empty() {
            write!(f, " ({})", self.message)?;
        }
        self.id.map_or(Ok(()), |id| write!(f, ", id {id}"))
    }
}

impl ReceivedFault {
    /// Reads a body that holds a fault. `Ok(None)` when it holds something else.
    ///
    /// # Errors
    /// When it is no SOAP message.
    pub fn decode(body: &[u8], limits: &Limits) -> Result<Option<Self>, DecodeError> {
        let (mut reader, version, name, namespace) = crate::envelope::open(body, limits)?;
        if name != "Fault" || namespace != version.namespace() {
            return Ok(None);
        }
        Self::read(&mut reader, version).map(Some)
    }

    /// Reads the open Fault element.
    pub(crate) fn read(reader: &mut XmlReader<'_>, version: SoapVersion) -> Result<Self, DecodeError> {
        let mut fault = Self::default();
        while let Some(part) = reader.next_opened()? {
            match (version, part.name) {
                (SoapVersion::V11, "faultcode") => fault.code = local(&plain(reader)?),
                (SoapVersion::V11, "faultstring") => fault.text = plain(reader)?,
                (SoapVersion::V11, "faultactor") | (SoapVersion::V12, "Node") => fault.actor = plain(reader)?,
                (SoapVersion::V12, "Code") => fault.code = local(&nested(reader, "Value")?),
                (SoapVersion::V12, "Reason") => fault.text = nested(reader, "Text")?,
                (_, "detail" | "Detail") => fault.read_detail(reader)?,
                _ => reader.skip()?,
            }
        }
        Ok(fault)
    }

    fn read_detail(&mut self, reader: &mut XmlReader<'_>) -> Result<(), DecodeError> {
        while let Some(part) = reader.next_opened()? {
            match part.name {
                "ErrorCode" => {
                    self.error_code_text = plain(reader)?;
                    self.error_code = ErrorCode::from_wire(self.error_code_text.trim());
                }
                "Message" => self.message = plain(reader)?,
                "ID" => self.id = plain(reader)?.trim().parse().ok(),
                "Method" => self.method = plain(reader)?,
                _ => reader.skip()?,
            }
        }
        Ok(())
    }
}

impl From<ReceivedFault> for AnswerError {
    fn from(fault: ReceivedFault) -> Self {
        Self::Fault(Box::new(fault))
    }
}

fn plain(reader: &mut XmlReader<'_>) -> Result<String, DecodeError> {
    Ok(reader.text()?.plain().into_owned())
}

/// The text of the first child of this name.
fn nested(reader: &mut XmlReader<'_>, child: &str) -> Result<String, DecodeError> {
    let mut text = String::new();
    while let Some(part) = reader.next_opened()? {
        if part.name == child && text.is_empty() {
            text = plain(reader)?;
        } else {
            reader.skip()?;
        }
    }
    Ok(text)
}

fn local(code: &str) -> String {
    let code = code.trim();
    code.rsplit_once(':').map_or(code, |(_, local)| local).to_owned()
}
