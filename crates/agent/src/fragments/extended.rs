//! Fragments: Extended, as far as an agent needs it: the files to fetch and the command that installs them
//! (MS-WUSP 3.1.1.1, observed-behaviour 7).

use super::FragmentError;
use super::reader::{Step, Steps, attribute};
use quick_xml::events::BytesStart;
use sluicegate_terms::{Sha1Digest, Sha256Digest};

const FRAGMENT: &str = "Extended";

/// Files and install command of a revision.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExtendedFacts {
    /// The handler's namespace, empty for bundles.
    pub handler: String,
    /// What must be downloaded to install.
    pub files: Vec<FileSpec>,
    /// How to install, for the command line handler.
    pub command: Option<InstallCommand>,
}

/// One file of a revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSpec {
    /// Its name for people and installers.
    pub name: String,
    /// Its length in bytes.
    pub size: u64,
    /// Its name for servers.
    pub sha1: Sha1Digest,
    /// The digest that proves it, if declared (`AdditionalDigest`).
    pub sha256: Option<Sha256Digest>,
}

/// `InstallCommand` of the command line handler.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InstallCommand {
    /// Which file to run.
    pub program: String,
    /// With what.
    pub arguments: String,
    /// What its exit codes mean.
    pub return_codes: Vec<ReturnCode>,
}

/// `ReturnCode` of an install command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReturnCode {
    /// The exit code.
    pub code: i32,
    /// What it means.
    pub result: InstallResult,
    /// Whether the computer must be restarted then.
    pub restart: bool,
}

/// `Result` of a return code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstallResult {
    /// Done.
    Succeeded,
    /// Not done.
    Failed,
    /// Stopped by someone.
    Cancelled,
}

impl InstallCommand {
    /// What an exit code means: as declared, else success for 0 only.
    #[must_use]
    pub fn meaning(&self, code: i32) -> ReturnCode {
        let undeclared = if code == 0 { InstallResult::Succeeded } else { InstallResult::Failed };
        self.return_codes.iter().copied().find(|declared| declared.code == code).unwrap_or(ReturnCode {
            code,
            result: undeclared,
            restart: false,
        })
    }
}

impl ExtendedFacts {
    /// Reads an Extended fragment. Files without a valid SHA-1 digest are an error: agents need it
    /// (observed-behaviour 7).
    ///
    /// # Errors
    /// [`FragmentError`].
    pub fn read(xml: &str) -> Result<Self, FragmentError> {
        let mut steps = Steps::new(xml, FRAGMENT);
        let mut facts = Self::default();
        let mut digest_text: Option<String> = None;
        loop {
            match steps.next()? {
                Step::Open { element, empty } => {
                    digest_text = facts.enter(&element)?.filter(|()| !empty).map(|()| String::new());
                }
                Step::Text(text) => {
                    if let Some(digest) = digest_text.as_mut() {
                        digest.push_str(&text);
                    }
                }
                Step::Close => {
                    if let Some(text) = digest_text.take() {
                        let digest =
                            Sha256Digest::from_base64(&text).map_err(|e| value("AdditionalDigest", e))?;
                        if let Some(file) = facts.files.last_mut() {
                            file.sha256 = Some(digest);
                        }
                    }
                }
                Step::End => return Ok(facts),
            }
        }
    }

    /// Takes in one element; `Some` when its text is a SHA-256 digest.
    fn enter(&mut self, element: &BytesStart<'_>) -> Result<Option<()>, FragmentError> {
        let text = |name| attribute(element, name).unwrap_or_default();
        match element.local_name().as_ref() {
            "ExtendedProperties" => self.handler = text("Handler"),
            "File" => self.files.push(FileSpec {
                name: text("FileName"),
                size: text("Size").parse().map_err(|_| missing("File/@Size"))?,
                sha1: Sha1Digest::from_base64(&text("Digest")).map_err(|e| value("File", e))?,
                sha256: None,
            }),
            "AdditionalDigest" if text("Algorithm") == "SHA256" => return Ok(Some(())),
            "InstallCommand" => {
                let (program, arguments) = (text("Program"), text("Arguments"));
                self.command = Some(InstallCommand { program, arguments, return_codes: Vec::new() });
            }
            "ReturnCode" => {
                let result = match text("Result").as_str() {
                    "Succeeded" => InstallResult::Succeeded,
                    "Cancelled" => InstallResult::Cancelled,
                    _ => InstallResult::Failed,
                };
                let code = text("Code").parse().map_err(|_| missing("ReturnCode/@Code"))?;
                if let Some(command) = self.command.as_mut() {
                    command.return_codes.push(ReturnCode { code, result, restart: text("Reboot") == "true" });
                }
            }
            _ => {}
        }
        Ok(None)
    }
}

fn value(element: &'static str, source: sluicegate_terms::TermError) -> FragmentError {
    FragmentError::Value { fragment: FRAGMENT, element, source }
}

fn missing(element: &'static str) -> FragmentError {
    FragmentError::Missing { fragment: FRAGMENT, element }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMAND: &str = concat!(
        r#"<ExtendedProperties DefaultPropertiesLanguage="en" Handler="urn:command" MaxDownloadSize="3"><KBArticleID>1</KBArticleID></ExtendedProperties>"#,
        r#"<Files><File Digest="h/W9BGlYUAaqXTp30cZi/SiV3c0=" DigestAlgorithm="SHA1" FileName="a&amp;b.exe" Size="3">"#,
        r#"<AdditionalDigest Algorithm="SHA256">Amt0qymy5KsROiwIXm4QIIV75Ju4r+Cl28Pg8gaLXUA=</AdditionalDigest></File>"#,
        r#"<File Digest="6LHXWIXPjwU6Ewe9ycP4e/DPeto=" DigestAlgorithm="SHA1" FileName="c.cab" Size="4" /></Files>"#,
        r#"<HandlerSpecificData type="cmd:CommandLineInstallation"><InstallCommand Program="a&amp;b.exe" Arguments="/q">"#,
        r#"<ReturnCode Code="0" Result="Succeeded" /><ReturnCode Code="3010" Result="Succeeded" Reboot="true" /></InstallCommand></HandlerSpecificData>"#
    );

    #[test]
    fn files_and_command_are_read() {
        let facts = ExtendedFacts::read(COMMAND).unwrap();
        assert_eq!(facts.handler, "urn:command");
        assert_eq!(facts.files.len(), 2);
        assert_eq!(facts.files[0].name, "a&b.exe");
        assert!(facts.files[0].sha256.is_some() && facts.files[1].sha256.is_none());
        let command = facts.command.unwrap();
        assert_eq!(command.arguments, "/q");
        assert!(command.meaning(3010).restart);
        assert_eq!(command.meaning(0).result, InstallResult::Succeeded);
        assert_eq!(command.meaning(5).result, InstallResult::Failed);
    }

    #[test]
    fn the_barest_fragment_is_enough_and_a_file_without_digest_is_not() {
        let bare = ExtendedFacts::read(r#"<ExtendedProperties DefaultPropertiesLanguage="en" />"#).unwrap();
        assert_eq!(bare, ExtendedFacts::default());
        let error = ExtendedFacts::read(r#"<Files><File FileName="a" Size="1" /></Files>"#).unwrap_err();
        assert!(error.to_string().contains("SHA-1"), "{error}");
        assert!(ExtendedFacts::read(&COMMAND.replace(r#"Size="3""#, r#"Size="three""#)).is_err());
    }
}
