//! SOAP: what can be wrong with a message, said so that a person can mend it, and which fault answers it.

use crate::fault::{ErrorCode, FaultCode, ReceivedFault};

/// A message that cannot be read. Displays as a sentence that says what, where and what would do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The body is longer than [`Limits::bytes`](crate::Limits::bytes).
    #[error("the message has {bytes} bytes, at most {limit} are accepted")]
    TooLarge {
        /// Its length.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The body is not UTF-8.
    #[error(
        "the message is not UTF-8 (first bad byte at offset {offset}); send it as text/xml; charset=utf-8"
    )]
    NotUtf8 {
        /// Where the first bad byte is.
        offset: usize,
    },
    /// The XML declaration names an encoding other than UTF-8.
    #[error("the XML declaration names the encoding `{0}`; only UTF-8 is accepted")]
    Encoding(String),
    /// Not well-formed XML.
    #[error("the message is not well-formed XML near byte {offset}: {reason}")]
    Malformed {
        /// About where.
        offset: u64,
        /// What is wrong.
        reason: String,
    },
    /// A document type declaration; SOAP forbids it, and it is the root of entity attacks.
    #[error("the message has a document type declaration (DTD), which SOAP forbids; remove it")]
    DocumentType,
    /// A processing instruction; SOAP forbids it.
    #[error("the message has a processing instruction, which SOAP forbids; remove it")]
    ProcessingInstruction,
    /// Elements nested deeper than [`Limits::depth`](crate::Limits::depth).
    #[error("elements are nested deeper than {limit} levels")]
    TooDeep {
        /// The limit.
        limit: usize,
    },
    /// More elements than [`Limits::elements`](crate::Limits::elements).
    #[error("the message has more than {limit} elements")]
    TooManyElements {
        /// The limit.
        limit: usize,
    },
    /// The root element is not an Envelope of SOAP 1.1 or 1.2.
    #[error(
        "the root element is `{found}`; expected Envelope in http://schemas.xmlsoap.org/soap/envelope/ \
         (SOAP 1.1) or http://www.w3.org/2003/05/soap-envelope (SOAP 1.2)"
    )]
    NotAnEnvelope {
        /// The root element, `{namespace}name`.
        found: String,
    },
    /// The envelope has no Body with an operation in it.
    #[error("the envelope has no Body with one element in it that names the operation")]
    NoOperation,
    /// This service has no such operation.
    #[error("this service has no operation `{found}`; it has {expected}")]
    UnknownOperation {
        /// The element in Body, `{namespace}name`.
        found: String,
        /// The operations it has.
        expected: String,
    },
    /// The SOAPAction header names another operation than the body does.
    #[error("SOAPAction is `{action}`, but the body holds the operation `{operation}`; they must agree")]
    ActionMismatch {
        /// The header, without quotes.
        action: String,
        /// The operation in the body.
        operation: &'static str,
    },
    /// A parameter breaks a rule. The path leads from the operation to the element, with dots.
    #[error("parameter {path} {problem}")]
    Parameter {
        /// For example `parameters.InstalledNonLeafUpdateIDs`.
        path: String,
        /// What is wrong with it.
        problem: Problem,
    },
}

/// What is wrong with one parameter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// It must be there and is not.
    #[error("is missing")]
    Missing,
    /// It may be there once and is there again.
    #[error("is given more than once")]
    Repeated,
    /// Its text does not fit its type.
    #[error("is not valid: {0}")]
    Value(String),
    /// Its text is longer than [`Limits::text`](crate::Limits::text) bytes.
    #[error("has more than {0} bytes of text")]
    TooLong(usize),
    /// It has more entries than [`Limits::array`](crate::Limits::array).
    #[error("has more than {0} entries")]
    TooMany(usize),
    /// It has elements where text belongs.
    #[error("holds elements where text belongs")]
    NotText,
    /// It has text where elements belong.
    #[error("holds text where elements belong")]
    NotElements,
}

impl DecodeError {
    /// True when the envelope was read and one parameter is at fault: this is answered with a SOAP fault.
    /// Otherwise the message as a whole is no request, and HTTP 400 (413 for [`Self::TooLarge`]) answers.
    #[must_use]
    pub fn is_parameter(&self) -> bool {
        matches!(self, Self::Parameter { .. })
    }

    /// The fault that answers this error: who erred, the error code and its message, which is the
    /// parameter's path for `InvalidParameters` (MS-WUSP 2.2.2.4, observed as `parameters.…`).
    /// Unreadable bytes in a cookie are a cookie the server cannot decrypt.
    #[must_use]
    pub fn fault(&self) -> (FaultCode, ErrorCode, String) {
        let code = match self {
            Self::Parameter { path, .. } if path.ends_with(".EncryptedData") => ErrorCode::InvalidCookie,
            Self::Parameter { path, .. } if path.ends_with(".CookieData") => {
                ErrorCode::InvalidAuthorizationCookie
            }
            _ => ErrorCode::InvalidParameters,
        };
        let message = match self {
            Self::Parameter { path, .. } => path.clone(),
            other => other.to_string(),
        };
        (FaultCode::Client, code, message)
    }
}

/// Why an answer holds no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// The server answered with a fault.
    #[error("the server answered with a fault: {0}")]
    Fault(Box<ReceivedFault>),
    /// The answer cannot be read.
    #[error("the answer cannot be read: {0}")]
    Unreadable(#[from] DecodeError),
}
