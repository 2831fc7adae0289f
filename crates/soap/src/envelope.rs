//! SOAP: envelopes. Finds out which version of SOAP a message speaks and which operation its Body
//! holds, within limits; headers are tolerated and passed over.

use crate::error::DecodeError;
use crate::reader::XmlReader;

/// Which SOAP a message speaks; answers speak the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SoapVersion {
    /// SOAP 1.1; what agents speak.
    V11,
    /// SOAP 1.2.
    V12,
}

impl SoapVersion {
    /// The namespace of Envelope, Header, Body and Fault.
    #[must_use]
    pub const fn namespace(self) -> &'static str {
        match self {
            Self::V11 => "http://schemas.xmlsoap.org/soap/envelope/",
            Self::V12 => "http://www.w3.org/2003/05/soap-envelope",
        }
    }

    /// The media type of messages.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::V11 => "text/xml; charset=utf-8",
            Self::V12 => "application/soap+xml; charset=utf-8",
        }
    }

    fn of_namespace(namespace: &str) -> Option<Self> {
        [Self::V11, Self::V12].into_iter().find(|version| version.namespace() == namespace)
    }
}

/// How much one message may hold. Checked before and while it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the whole message, uncompressed.
    pub bytes: usize,
    /// Levels of nested elements.
    pub depth: usize,
    /// Elements in all.
    pub elements: usize,
    /// Bytes of text in one element.
    pub text: usize,
    /// Entries of one array of numbers or short texts.
    pub array: usize,
    /// Entries of one array of structures, each of which takes far more memory than bytes on the wire.
    pub records: usize,
}

impl Limits {
    /// For what agents send. A client that holds 100,000 revisions still fits; real servers refuse
    /// more than 400 `InstalledNonLeafUpdateIDs`, which is a limit of theirs and not of the protocol.
    /// Devices, events and identities come by the hundred; 20,000 keep one request under some 20 MB.
    pub const REQUEST: Self =
        Self { bytes: 8 << 20, depth: 32, elements: 500_000, text: 4 << 20, array: 250_000, records: 20_000 };

    /// For what servers send: Core fragments of 47 MB were seen (observed-behaviour 3.3).
    pub const ANSWER: Self = Self {
        bytes: 512 << 20,
        depth: 32,
        elements: 10_000_000,
        text: 256 << 20,
        array: 2_000_000,
        records: 1_000_000,
    };

    /// For lists of revisions, which no protocol divides: a record is small (20 bytes), has three elements, and takes at
    /// most [`MOST_PER_REVISION`](crate::server_sync::RevisionListWriter::MOST_PER_REVISION) of the bytes.
    pub const REVISION_LIST: Self = Self { elements: 12_100_000, records: 4_000_000, ..Self::ANSWER };
}

impl Default for Limits {
    fn default() -> Self {
        Self::REQUEST
    }
}

/// Reads up to the element in Body. Answers the reader inside that element, the SOAP version, and
/// the element's name and namespace.
pub(crate) fn open<'a>(
    body: &'a [u8],
    limits: &Limits,
) -> Result<(XmlReader<'a>, SoapVersion, &'a str, String), DecodeError> {
    let mut reader = XmlReader::new(body, limits)?;
    let version = match reader.next_opened()? {
        Some(root) => match SoapVersion::of_namespace(&root.namespace) {
            Some(version) if root.name == "Envelope" => version,
            _ => return Err(DecodeError::NotAnEnvelope { found: full_name(root.name, &root.namespace) }),
        },
        None => return Err(DecodeError::NoOperation),
    };
    while let Some(part) = reader.next_opened()? {
        if part.name == "Body" && part.namespace == version.namespace() {
            let Some(operation) = reader.next_opened()? else {
                return Err(DecodeError::NoOperation);
            };
            return Ok((reader, version, operation.name, operation.namespace));
        }
        reader.skip()?;
    }
    Err(DecodeError::NoOperation)
}

/// After the element in Body was read: closes Body and Envelope and refuses what follows.
pub(crate) fn close(mut reader: XmlReader<'_>) -> Result<(), DecodeError> {
    // Body, then Envelope; further elements in either are passed over.
    for _ in 0..2 {
        while reader.next_opened()?.is_some() {
            reader.skip()?;
        }
    }
    reader.finish()
}

/// `{namespace}name`, cut to a length that fits a message for people.
pub(crate) fn full_name(name: &str, namespace: &str) -> String {
    format!("{{{namespace}}}{name}").chars().take(200).collect()
}
