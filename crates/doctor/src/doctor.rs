//! Doctor room: the rules, ready to use. Logs as bytes go in, findings come out; for files and folders
//! see `examine`.

use crate::book::{Book, BookError};
use crate::charset::{self, Storage};
use crate::compile::{CompileError, Matcher};
use crate::engine::Engine;
use crate::finding::Finding;
use crate::scan::scan;

/// The rules cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DoctorError {
    /// A rule file is wrong.
    #[error(transparent)]
    Book(#[from] BookError),
    /// A rule reads well but cannot be compiled.
    #[error(transparent)]
    Compile(#[from] CompileError),
}

/// The rules, compiled.
#[derive(Debug)]
pub struct Doctor {
    pub(crate) book: Book,
    pub(crate) matcher: Matcher,
}

impl Doctor {
    /// With the rules that are built in.
    ///
    /// # Errors
    /// A built-in rule is wrong; a test keeps this from happening.
    pub fn builtin() -> Result<Self, DoctorError> {
        Self::with(Book::builtin()?)
    }

    /// With other rules.
    ///
    /// # Errors
    /// A rule cannot be compiled, with its id and what is wrong.
    pub fn with(book: Book) -> Result<Self, DoctorError> {
        let matcher = Matcher::new(&book)?;
        Ok(Self { book, matcher })
    }

    /// The rules.
    #[must_use]
    pub fn book(&self) -> &Book {
        &self.book
    }

    /// Looks at logs that are already in memory, as (name, bytes).
    ///
    /// # Errors
    /// Only when the rules cannot be used.
    pub fn examine_bytes<'a>(
        &self,
        logs: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    ) -> Result<Vec<Finding>, DoctorError> {
        let mut engine = Engine::new(&self.book, &self.matcher)?;
        for (name, bytes) in logs {
            let (storage, mark) = charset::storage(bytes);
            if storage == Storage::Binary {
                continue;
            }
            engine.begin_file(name);
            let text = charset::to_bytes(storage, bytes.get(mark..).unwrap_or_default());
            let hits = scan(&self.matcher, &text);
            engine.block(&text, &hits, 0);
        }
        Ok(engine.finish())
    }
}
