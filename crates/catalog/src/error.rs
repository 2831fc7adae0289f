//! Catalog: what can be wrong with an update document. An error names the update (once it is known),
//! the element, the place and the reason, so that an administrator can find the line.

use sluicegate_terms::{Locale, TermError, UpdateId};

/// Why a document was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}<{element}> at byte {offset}: {reason}", named(.update))]
pub struct CatalogError {
    /// Which update, when the document was read that far.
    pub update: Option<UpdateId>,
    /// The element that is wrong, without its prefix.
    pub element: String,
    /// Where it starts, in bytes of the document as UTF-8 without its byte order mark.
    pub offset: u64,
    /// What is wrong with it.
    pub reason: Reason,
}

fn named(update: &Option<UpdateId>) -> String {
    update.map(|id| format!("update {id}: ")).unwrap_or_default()
}

impl CatalogError {
    pub(crate) fn new(element: &str, offset: u64, reason: Reason) -> Self {
        Self { update: None, element: element.chars().take(80).collect(), offset, reason }
    }

    pub(crate) fn for_update(mut self, update: UpdateId) -> Self {
        self.update.get_or_insert(update);
        self
    }
}

/// What is wrong with an element.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// More bytes than [`crate::Limits::max_bytes`].
    #[error("the document is larger than {0} bytes; raise the limit if it is genuine")]
    TooLarge(usize),
    /// Neither UTF-8 nor UTF-16, or broken in the middle.
    #[error("the text is not valid {0}; documents are UTF-8 or UTF-16")]
    Encoding(&'static str),
    /// A document type definition. They can expand without bound, so none is read.
    #[error("document type definitions are refused; remove the DOCTYPE")]
    Doctype,
    /// Not well-formed XML.
    #[error("the XML is not well-formed: {0}")]
    Syntax(String),
    /// Deeper than [`crate::Limits::max_depth`].
    #[error("elements nest deeper than {0} levels")]
    TooDeep(usize),
    /// More than [`crate::Limits::max_nodes`].
    #[error("the document has more than {0} elements and texts")]
    TooManyNodes(usize),
    /// More than [`crate::Limits::max_attributes`].
    #[error("the element has more than {0} attributes")]
    TooManyAttributes(usize),
    /// The root is another element.
    #[error("expected an <Update> document")]
    NotAnUpdate,
    /// A required child is absent.
    #[error("the element <{0}> is missing")]
    MissingElement(&'static str),
    /// A child that may occur once occurs again.
    #[error("the element <{0}> occurs twice")]
    RepeatedElement(&'static str),
    /// A required attribute is absent.
    #[error("the attribute {0} is missing")]
    MissingAttribute(&'static str),
    /// A value breaks the rule of its type.
    #[error("{name}: {problem}")]
    Value {
        /// The attribute or child element.
        name: &'static str,
        /// Which rule it breaks.
        problem: TermError,
    },
    /// A number, version or word outside what its attribute allows.
    #[error("{name} is `{value}`, expected {expected}")]
    Unexpected {
        /// The attribute or child element.
        name: &'static str,
        /// The value, shortened.
        value: String,
        /// What would do.
        expected: &'static str,
    },
    /// A clause of a relationship names nothing.
    #[error("a clause of {0} names no update")]
    EmptyClause(&'static str),
    /// An update in a relationship with itself.
    #[error("the update names itself in {0}")]
    SelfReference(&'static str),
    /// Two texts for one language.
    #[error("the language {0} has two sets of texts")]
    RepeatedLanguage(Locale),
    /// Too many of something for the compact record.
    #[error("more than {limit} {what}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many are allowed.
        limit: usize,
    },
}
