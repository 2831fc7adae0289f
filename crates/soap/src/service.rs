//! SOAP: the services, their namespaces and the style of their envelopes, and what makes a type the
//! request or the answer of an operation.

use crate::envelope::{Limits, SoapVersion};
use crate::error::{AnswerError, DecodeError};

/// A web service that agents or other update servers talk to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Service {
    /// Gives authorization cookies (MS-WUSP 2.2.2.1).
    SimpleAuth,
    /// Configuration, registration, synchronization (MS-WUSP 2.2.2.2).
    Client,
    /// Takes events of agents (MS-WUSP 2.2.2.3) and what downstream servers roll up (MS-WSUSSS 3.1.4.13).
    Reporting,
    /// Gives authorization cookies to downstream servers (MS-WSUSSS 3.1.4.2).
    DssAuth,
    /// Lets downstream servers synchronize (MS-WSUSSS 3.1.4).
    ServerSync,
}

/// How the answers of a service are written (observed-behaviour 1.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// A request of the native agent: prefix `s`, nothing declared that is not used.
    Agent,
    /// The Client service: prefix `s`, no XML declaration, `xsi` and `xsd` declared on Body.
    Plain,
    /// The other services: XML declaration, prefix `soap`, `xsi` and `xsd` declared on Envelope.
    Declared,
}

impl Service {
    /// Every service of this room.
    pub const ALL: [Self; 5] =
        [Self::SimpleAuth, Self::Client, Self::Reporting, Self::DssAuth, Self::ServerSync];

    /// The namespace of its operations, and the first part of its SOAP actions.
    #[must_use]
    pub const fn namespace(self) -> &'static str {
        match self {
            Self::SimpleAuth => "http://www.microsoft.com/SoftwareDistribution/Server/SimpleAuthWebService",
            Self::Client => "http://www.microsoft.com/SoftwareDistribution/Server/ClientWebService",
            Self::Reporting | Self::ServerSync => "http://www.microsoft.com/SoftwareDistribution",
            Self::DssAuth => "http://www.microsoft.com/SoftwareDistribution/Server/DssAuthWebService",
        }
    }

    pub(crate) const fn style(self) -> Style {
        match self {
            Self::Client => Style::Plain,
            Self::SimpleAuth | Self::Reporting | Self::DssAuth | Self::ServerSync => Style::Declared,
        }
    }

    /// How requests are written: as the native agent does, and to the services of servers as the
    /// toolkit does that their answers come from (what a real downstream server sends was never captured).
    pub(crate) const fn request_style(self) -> Style {
        match self {
            Self::SimpleAuth | Self::Client | Self::Reporting => Style::Agent,
            Self::DssAuth | Self::ServerSync => Style::Declared,
        }
    }
}

/// One operation of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Operation {
    /// Whose it is.
    pub service: Service,
    /// The element in Body; the answer's has `Response` behind it.
    pub name: &'static str,
    /// The namespace of that element; `Ping` has its own.
    pub namespace: &'static str,
}

impl Operation {
    pub(crate) const fn of(service: Service, name: &'static str) -> Self {
        Self { service, name, namespace: service.namespace() }
    }

    /// The SOAP action, without the quotes that belong around it in the header.
    #[must_use]
    pub fn soap_action(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }
}

/// A request: what an agent or a downstream server writes and a server reads.
pub trait RequestMessage {
    /// Which operation it calls.
    const OPERATION: Operation;

    /// The envelope, as the callers of this service write it.
    fn encode(&self, version: SoapVersion) -> Vec<u8>;
}

/// An answer: what a server writes and an agent or a downstream server reads.
pub trait ResponseMessage<'a>: Sized {
    /// Which operation it answers.
    const OPERATION: Operation;

    /// The envelope, in the style of its service.
    fn encode(&self, version: SoapVersion) -> Vec<u8> {
        self.encode_long(version, 0)
    }

    /// [`ResponseMessage::encode`] of what will have about `length` bytes.
    fn encode_long(&self, version: SoapVersion, length: usize) -> Vec<u8>;

    /// Reads an answer or a fault.
    ///
    /// # Errors
    /// [`AnswerError::Fault`] when the server answered with one, else what cannot be read.
    fn decode(body: &'a [u8], limits: &Limits) -> Result<Self, AnswerError>;
}

/// Refuses a SOAPAction header that names another operation than the body. An absent or empty one
/// says nothing. MS-WUSP 2.2.2.2.9 gives SyncPrinterCatalog the action of SyncUpdates in its prose
/// and its own in the WSDL, so both are taken there.
pub(crate) fn check_action(action: Option<&str>, operation: &Operation) -> Result<(), DecodeError> {
    let action = action.unwrap_or_default().trim().trim_matches('"');
    let Some(named) = action.rsplit('/').next().filter(|named| !named.is_empty()) else {
        return Ok(());
    };
    if named == operation.name || (operation.name == "SyncPrinterCatalog" && named == "SyncUpdates") {
        return Ok(());
    }
    Err(DecodeError::ActionMismatch { action: action.chars().take(200).collect(), operation: operation.name })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_must_name_the_operation_of_the_body() {
        let sync = Operation::of(Service::Client, "SyncUpdates");
        let quoted = format!("\"{}\"", sync.soap_action());
        assert!(check_action(Some(&quoted), &sync).is_ok());
        assert!(check_action(None, &sync).is_ok());
        assert!(check_action(Some("\"\""), &sync).is_ok());
        let other = Operation::of(Service::Client, "GetConfig");
        assert!(matches!(check_action(Some(&quoted), &other), Err(DecodeError::ActionMismatch { .. })));
    }

    #[test]
    fn the_printer_catalog_is_taken_under_both_published_actions() {
        let printers = Operation::of(Service::Client, "SyncPrinterCatalog");
        let sync = Operation::of(Service::Client, "SyncUpdates");
        assert!(check_action(Some(&printers.soap_action()), &printers).is_ok());
        assert!(check_action(Some(&sync.soap_action()), &printers).is_ok());
        assert!(check_action(Some(&printers.soap_action()), &sync).is_err());
    }
}
