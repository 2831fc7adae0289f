//! Cli room: writes an export package as its parts come, in either form. Only the lists of what is inside
//! are gathered in memory; documents go straight to the file.

use anyhow::{Context as _, anyhow, bail};
use flate2::Compression;
use flate2::write::GzEncoder;
use sluicegate_catalog::package::{
    Contents, Export, ExportFile, METADATA_MEMBER, NOTES_MEMBER, PACKAGE_END, PACKAGE_MEMBER,
    push_metadata_line, push_note, push_package_head, push_package_update,
};
use sluicegate_soap::cabinet::{CabinetError, write_streamed};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use tokio::sync::mpsc;

/// The form of a package, by the ending of its file's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// A Cabinet file of `package.xml` and `metadata.txt`, up to 2 GiB of documents.
    Cab,
    /// One XML text, gzip-compressed, of any size.
    XmlGz,
}

impl Form {
    pub(crate) fn of(path: &Path) -> anyhow::Result<Self> {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        if name.ends_with(".cab") {
            Ok(Self::Cab)
        } else if name.ends_with(".xml.gz") {
            Ok(Self::XmlGz)
        } else {
            bail!("`{}` has to end in .cab or .xml.gz, which says how it is written", path.display())
        }
    }
}

/// A part of an export: all files come first, then the documents, then the notes.
#[derive(Debug)]
pub(crate) enum Item {
    File(ExportFile),
    Document { contents: Contents, xml: String },
    Note(String),
    End,
}

/// Writes a package of everything that comes, until [`Item::End`].
pub(crate) fn pack(form: Form, export: Export, out: File, from: mpsc::Receiver<Item>) -> anyhow::Result<()> {
    let mut out = match form {
        Form::Cab => cab(export, BufWriter::new(out), from)?,
        Form::XmlGz => xml_gz(export, BufWriter::new(out), from)?,
    };
    out.flush()?;
    out.into_inner().map_err(|error| anyhow!("{error}"))?.sync_all().context("the file cannot be written")
}

/// What comes next; it is an error when nothing does.
fn next(from: &mut mpsc::Receiver<Item>) -> anyhow::Result<Item> {
    from.blocking_recv().context("the server's answer broke off; nothing was kept, export again")
}

/// Why a Cabinet file could not be written.
enum Failed {
    Cabinet(CabinetError),
    Other(anyhow::Error),
}

impl From<CabinetError> for Failed {
    fn from(error: CabinetError) -> Self {
        Self::Cabinet(error)
    }
}

impl From<anyhow::Error> for Failed {
    fn from(error: anyhow::Error) -> Self {
        Self::Other(error)
    }
}

fn cab(
    mut export: Export,
    out: BufWriter<File>,
    mut from: mpsc::Receiver<Item>,
) -> anyhow::Result<BufWriter<File>> {
    let (mut all, mut notes) = (Vec::new(), String::new());
    let members = [METADATA_MEMBER, PACKAGE_MEMBER, NOTES_MEMBER];
    let written = write_streamed(out, &members, |number, out| {
        let put = |out: &mut dyn Write, text: &str| {
            out.write_all(text.as_bytes()).context("the file cannot be written").map_err(Failed::Other)
        };
        match number {
            0 => {
                let mut line = String::new();
                loop {
                    match next(&mut from)? {
                        Item::File(file) => export.files.push(file),
                        Item::Document { contents, xml } => {
                            line.clear();
                            push_metadata_line(&mut line, contents.identity, &xml);
                            put(out, &line)?;
                            all.push(contents);
                        }
                        Item::Note(note) => {
                            notes.push_str(&note);
                            notes.push('\n');
                        }
                        Item::End => return Ok(()),
                    }
                }
            }
            1 => {
                let mut text = String::new();
                push_package_head(&mut text, &export);
                for contents in &all {
                    push_package_update(&mut text, contents, None);
                    put(out, &text)?;
                    text.clear();
                }
                text.push_str(PACKAGE_END);
                put(out, &text)
            }
            _ => put(out, &notes),
        }
    });
    written.map_err(|failed| match failed {
        Failed::Cabinet(CabinetError::Limit { .. }) => {
            anyhow!("the documents are more than a Cabinet file can hold (2 GiB); export to a name that ends in .xml.gz")
        }
        // That the file cannot be written is said of either form in the same way, by whoever knows its name.
        Failed::Cabinet(CabinetError::Write(why)) => std::io::Error::other(why).into(),
        Failed::Cabinet(error) => error.into(),
        Failed::Other(error) => error,
    })
}

fn xml_gz(
    mut export: Export,
    out: BufWriter<File>,
    mut from: mpsc::Receiver<Item>,
) -> anyhow::Result<BufWriter<File>> {
    let mut out = GzEncoder::new(out, Compression::default());
    let mut text = String::new();
    let mut place = Place::Files;
    loop {
        let item = next(&mut from)?;
        if place == Place::Files && !matches!(item, Item::File(_)) {
            push_package_head(&mut text, &export);
            place = Place::Documents;
        }
        if place == Place::Documents && matches!(item, Item::Note(_) | Item::End) {
            text.push_str(PACKAGE_END);
            place = Place::Notes;
        }
        match item {
            Item::File(file) => export.files.push(file),
            Item::Document { contents, xml } => push_package_update(&mut text, &contents, Some(&xml)),
            Item::Note(note) => push_note(&mut text, &note),
            Item::End => {
                out.write_all(text.as_bytes())?;
                return Ok(out.finish()?);
            }
        }
        out.write_all(text.as_bytes())?;
        text.clear();
    }
}

/// Which part of the text is being written.
#[derive(PartialEq, Eq)]
enum Place {
    Files,
    Documents,
    Notes,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::carry::unpack;
    use sluicegate_catalog::package::Language;
    use sluicegate_terms::{Guid, RevisionNumber, Sha1Digest, Timestamp, UpdateId, UpdateIdentity};

    fn export() -> Export {
        Export {
            server: Guid::from_u128(1),
            created: Timestamp::UNIX_EPOCH,
            languages: vec![Language {
                id: 9,
                short_name: "en".into(),
                long_name: "English".into(),
                enabled: true,
            }],
            files: Vec::new(),
        }
    }

    fn identity(n: u128) -> UpdateIdentity {
        UpdateIdentity { update: UpdateId(Guid::from_u128(n)), revision: RevisionNumber::new(200).unwrap() }
    }

    fn items() -> Vec<Item> {
        let document = |n: u128| Item::Document {
            contents: Contents {
                identity: identity(n),
                files: vec![Sha1Digest([7; 20])],
                ..Contents::default()
            },
            xml: format!("<Update n=\"{n}\">{} ü €</Update>", "x & y".repeat(20_000).replace('&', "&amp;")),
        };
        let file =
            ExportFile { sha1: Sha1Digest([7; 20]), name: "a.exe".into(), url: "http://x/a.exe".into() };
        vec![
            Item::File(file),
            document(1),
            document(2),
            Item::Note("{\"declined\":{}}".to_owned()),
            Item::Note("{\"group\":{}}".to_owned()),
            Item::End,
        ]
    }

    fn packed(name: &str, items: Vec<Item>) -> anyhow::Result<tempfile::TempDir> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        let (sender, receiver) = mpsc::channel(64);
        for item in items {
            sender.try_send(item).unwrap();
        }
        drop(sender);
        pack(Form::of(&path)?, export(), File::create(&path)?, receiver)?;
        Ok(dir)
    }

    #[test]
    fn either_form_gives_back_documents_and_notes() {
        for name in ["out.cab", "OUT.XML.GZ"] {
            let dir = packed(name, items()).unwrap();
            let mut seen = Vec::new();
            let notes = unpack::each(&dir.path().join(name), |identity, xml| {
                seen.push((identity, xml));
                Ok(true)
            })
            .unwrap()
            .notes;
            assert_eq!(notes, ["{\"declined\":{}}", "{\"group\":{}}"], "{name}");
            let wanted: Vec<_> = items()
                .into_iter()
                .filter_map(|item| match item {
                    Item::Document { contents, xml } => Some((Some(contents.identity), xml)),
                    _ => None,
                })
                .collect();
            assert_eq!(seen, wanted, "{name}");
        }
    }

    #[test]
    fn an_export_that_breaks_off_is_no_package() {
        for name in ["out.cab", "out.xml.gz"] {
            let mut broken = items();
            broken.truncate(3);
            assert!(packed(name, broken).unwrap_err().to_string().contains("broke off"), "{name}");
        }
    }

    #[test]
    fn a_cabinet_of_another_major_version_is_refused_before_its_documents() {
        let mut line = String::new();
        push_metadata_line(&mut line, identity(1), "<Update/>");
        let list = |version: &str| format!("<ExportPackage FormatVersion=\"{version}\"></ExportPackage>");
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out.cab");
        for (version, known) in [("1.0", true), ("9.0", false)] {
            let list = list(version);
            let members: [(&str, &[u8]); 2] =
                [(METADATA_MEMBER, line.as_bytes()), (PACKAGE_MEMBER, list.as_bytes())];
            std::fs::write(&path, sluicegate_soap::cabinet::write(&members).unwrap()).unwrap();
            let mut seen = 0;
            let outcome = unpack::each(&path, |_, _| {
                seen += 1;
                Ok(true)
            });
            assert_eq!((outcome.is_ok(), seen), (known, usize::from(known)), "{version}");
            if let Err(error) = outcome {
                let said = error.to_string();
                assert!(said.contains("FormatVersion 9.0") && !said.contains("copy it again"), "{said}");
            }
        }
    }

    #[test]
    fn what_the_list_of_a_cabinet_has_and_its_documents_lack_is_named() {
        let contents: Vec<_> =
            [1, 2, 3].map(|n| Contents { identity: identity(n), ..Contents::default() }).into();
        let list = sluicegate_catalog::package::package_xml(&export(), &contents);
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out.cab");
        for present in [&[1, 2, 3][..], &[2], &[]] {
            let mut documents = String::new();
            present.iter().for_each(|n| push_metadata_line(&mut documents, identity(*n), "<Update/>"));
            let members: [(&str, &[u8]); 2] =
                [(METADATA_MEMBER, documents.as_bytes()), (PACKAGE_MEMBER, list.as_bytes())];
            std::fs::write(&path, sluicegate_soap::cabinet::write(&members).unwrap()).unwrap();
            let lacking: Vec<_> =
                [1, 2, 3].into_iter().filter(|n| !present.contains(n)).map(|n| Some(identity(n))).collect();
            assert_eq!(unpack::each(&path, |_, _| Ok(true)).unwrap().bare, lacking, "{present:?}");
        }
    }

    #[test]
    fn text_that_is_no_package_is_refused_and_one_that_ends_early_is_damaged() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out.xml.gz");
        let update = "<ExportPackage><Updates><Update><Xml>&lt;Update/&gt;</Xml></Update>";
        for (text, said) in [
            (String::new(), "this is not an export package"),
            ("\r\n".to_owned(), "this is not an export package"),
            ("<html><body>x</body></html>".to_owned(), "this is not an export package"),
            (update.to_owned(), "is damaged or not whole"),
            (format!("{update}</Updates>"), "is damaged or not whole"),
        ] {
            let mut packed = GzEncoder::new(File::create(&path).unwrap(), Compression::fast());
            packed.write_all(text.as_bytes()).unwrap();
            packed.finish().unwrap();
            let error = unpack::each(&path, |_, _| Ok(true)).unwrap_err().to_string();
            assert!(error.contains(said) && error.contains("out.xml.gz"), "{text}: {error}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_an_error_of_the_file_in_either_form() {
        for form in [Form::Cab, Form::XmlGz] {
            let (sender, receiver) = mpsc::channel(64);
            items().into_iter().for_each(|item| sender.try_send(item).unwrap());
            drop(sender);
            let full = File::options().read(true).write(true).open("/dev/full").unwrap();
            let error = pack(form, export(), full, receiver).unwrap_err();
            assert!(error.root_cause().is::<std::io::Error>(), "{form:?}: {error:#}");
        }
    }

    #[test]
    fn an_empty_export_is_a_package() {
        for name in ["out.cab", "out.xml.gz"] {
            let dir = packed(name, vec![Item::End]).unwrap();
            let beside = unpack::each(&dir.path().join(name), |_, _| panic!("there is no document")).unwrap();
            assert!(beside.notes.is_empty());
        }
    }

    #[test]
    fn another_ending_is_refused() {
        assert!(Form::of(Path::new("out.zip")).unwrap_err().to_string().contains(".xml.gz"));
    }
}
