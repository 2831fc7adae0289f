//! The check of the disks: whether files can be written, and whether what is missing fits.

use super::Check;
use sluicegate_store::Store;
use sluicegate_store::hierarchy::FileNeed;
use std::path::PathBuf;

/// Free bytes below which the disk counts as full, besides what the missing files need.
const RESERVE: u64 = 1 << 30;

/// The disks under the data folder and the content folder.
pub(super) struct Disks {
    data: Option<u64>,
    /// The content folder, and what is free there, when it lies on a disk of its own.
    content: Option<(PathBuf, Option<u64>)>,
    /// Why nothing can be written below the content folder.
    refused: Option<String>,
}

impl Disks {
    pub(super) fn of(store: &Store) -> Self {
        let refused = store.content().try_writing().err().map(|error| error.to_string());
        Self { data: store.free_space(), content: store.content_disk(), refused }
    }

    /// Whether what is missing fits.
    pub(super) fn check(&self, missing: &[FileNeed]) -> Check {
        let name = "disk-space";
        let needed: u64 = missing.iter().map(|file| file.size).sum();
        let mib = |bytes: u64| bytes >> 20;
        let mut expected = format!("{} MiB for missing files and {} MiB to spare", mib(needed), mib(RESERVE));
        let mut looked = vec![(None, self.data, needed)];
        if let Some((folder, free)) = &self.content {
            expected =
                format!("{expected} on the disk of the content folder, {} MiB on the other", mib(RESERVE));
            looked = vec![(Some("the data folder".to_owned()), self.data, 0)];
            looked.push((Some(format!("the content folder {}", folder.display())), *free, needed));
        }
        let found: Vec<String> = looked
            .iter()
            .filter_map(|(place, free, _)| {
                let free = format!("{} MiB are free", mib((*free)?));
                Some(place.as_ref().map_or(free.clone(), |place| format!("{free} for {place}")))
            })
            .collect();
        let found = found.join(", ");
        if let Some(refused) = &self.refused {
            let remedy = "see to it that the content folder is not read-only and belongs to this program's user, and \
                          that its disk is not full";
            return Check::failed(name, &expected, format!("files cannot be taken in: {refused}"), remedy);
        }
        let short = |(_, free, needed): &&(Option<String>, Option<u64>, u64)| {
            free.is_some_and(|free| free < needed.saturating_add(RESERVE))
        };
        match looked.iter().find(short) {
            Some((place, ..)) => {
                let place = place.as_deref().unwrap_or("the data folder");
                let remedy = format!(
                    "give {place} more room, run `sluicegate cleanup run`, or fetch fewer files (`sync content`, \
                     `sync filter`)"
                );
                Check::failed(name, &expected, found, remedy)
            }
            None if found.is_empty() => Check::skipped(name, &expected, "the system does not say"),
            None => Check::passed(name, &expected, found),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;
    use sluicegate_terms::Sha1Digest;

    #[test]
    fn room_is_needed_for_the_files_that_are_missing() {
        let need = |size| FileNeed {
            sha1: Sha1Digest([0; 20]),
            size,
            sha256: None,
            name: "x.cab".to_owned(),
            url: None,
        };
        let one = |data| Disks { data, content: None, refused: None };
        assert_eq!(one(Some(RESERVE)).check(&[]).verdict, Verdict::Passed);
        assert_eq!(one(Some(RESERVE - 1)).check(&[]).verdict, Verdict::Failed);
        assert_eq!(one(Some(RESERVE + 7)).check(&[need(8)]).verdict, Verdict::Failed);
        assert_eq!(one(None).check(&[need(8)]).verdict, Verdict::Skipped);
    }

    #[test]
    fn a_content_folder_on_a_disk_of_its_own_is_looked_at_besides() {
        let need = FileNeed {
            sha1: Sha1Digest([1; 20]),
            size: 8,
            sha256: None,
            name: "x.cab".to_owned(),
            url: None,
        };
        let two = |data, content| Disks {
            data: Some(data),
            content: Some((PathBuf::from("/data/Content"), Some(content))),
            refused: None,
        };
        let need = [need];
        assert_eq!(two(RESERVE, RESERVE + 8).check(&need).verdict, Verdict::Passed);
        assert_eq!(two(RESERVE - 1, RESERVE + 8).check(&need).verdict, Verdict::Failed);
        let full = two(RESERVE, RESERVE + 7).check(&need);
        assert_eq!(full.verdict, Verdict::Failed);
        assert!(full.remedy.as_ref().unwrap().contains("/data/Content"), "{full:?}");
        assert!(full.found.contains("1024 MiB are free for the data folder, 1024 MiB"), "{full:?}");
    }

    #[test]
    fn a_content_folder_that_takes_nothing_is_told_however_much_is_free() {
        let refused = Some("cannot write /data/Content/.partial/x: Read-only file system".to_owned());
        let found = Disks { data: Some(RESERVE), content: None, refused }.check(&[]);
        assert_eq!(found.verdict, Verdict::Failed);
        assert!(found.found.contains("Read-only"), "{found:?}");
    }
}
