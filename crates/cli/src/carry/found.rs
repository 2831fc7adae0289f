//! Cli room: which files in a folder are those of updates: such as are named by their digest, as in content folders
//! and in what an export leaves. Their bytes are looked at by whoever sends them.

use crate::carry::partial;
use anyhow::{Context as _, bail};
use sluicegate_terms::Sha1Digest;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The files whose names are digests, in the folder and in those within it; links count as what they lead to. A folder
/// that has none is another one than was meant, unless it is empty, as an export without any file leaves it.
pub(crate) fn find(folder: &Path) -> anyhow::Result<BTreeMap<Sha1Digest, PathBuf>> {
    let files = named_by_digest(folder)?;
    let unlistable = || format!("cannot list `{}`", folder.display());
    if files.is_empty() && std::fs::read_dir(folder).with_context(unlistable)?.next().is_some() {
        bail!(
            "`{}` has no file of an update: none, there or two folders down, is named by its digest (40 hexadecimal \
             digits)",
            folder.display()
        );
    }
    Ok(files)
}

fn named_by_digest(folder: &Path) -> anyhow::Result<BTreeMap<Sha1Digest, PathBuf>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![(folder.to_owned(), 0)];
    while let Some((folder, depth)) = folders.pop() {
        let unlistable = || format!("cannot list `{}`", folder.display());
        for entry in std::fs::read_dir(&folder).with_context(unlistable)? {
            let entry = entry.with_context(unlistable)?;
            // A link that leads nowhere is taken for a file: one of an update is named when it cannot be sent.
            let meta = std::fs::metadata(entry.path()).ok();
            if meta.as_ref().is_some_and(std::fs::Metadata::is_dir) && depth < 2 {
                folders.push((entry.path(), depth + 1));
                continue;
            }
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let (stem, ending) = name.split_once('.').unwrap_or((&name, ""));
            if let Ok(sha1) = Sha1Digest::from_hex(stem)
                && meta.is_none_or(|meta| meta.is_file())
                && ending != "part"
                && partial::not_whole(&name).is_none()
            {
                files.insert(sha1, entry.path());
            }
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_named_by_a_digest_are_found() {
        let dir = tempfile::tempdir().unwrap();
        let inner = dir.path().join("AB");
        std::fs::create_dir(&inner).unwrap();
        let name = "2F88DF42DA48AA980FB748D13BAA2DE49CD154AB";
        for file in [format!("{name}.exe"), "readme.txt".to_owned(), format!("{}.part", "0".repeat(40))] {
            std::fs::write(inner.join(file), b"x").unwrap();
        }
        let found: Vec<_> = find(dir.path()).unwrap().into_keys().collect();
        assert_eq!(found, [Sha1Digest::from_hex(name).unwrap()]);
    }

    #[cfg(unix)]
    #[test]
    fn links_to_files_and_to_folders_are_followed() {
        use std::os::unix::fs::symlink;
        let dir = tempfile::tempdir().unwrap();
        let (real, by_folder, by_file) = (dir.path().join("r"), dir.path().join("s"), dir.path().join("t"));
        let name = "2F88DF42DA48AA980FB748D13BAA2DE49CD154AB";
        for folder in [&real.join("AB"), &by_folder, &by_file] {
            std::fs::create_dir_all(folder).unwrap();
        }
        std::fs::write(real.join("AB").join(name), b"x").unwrap();
        symlink(real.join("AB"), by_folder.join("AB")).unwrap();
        symlink(&by_folder, by_folder.join("round")).unwrap();
        symlink(real.join("AB").join(name), by_file.join(format!("{name}.exe"))).unwrap();
        symlink(real.join("nowhere"), by_file.join("0".repeat(40))).unwrap();
        let found = |folder: &Path| find(folder).unwrap().into_keys().collect::<Vec<_>>();
        let digest = Sha1Digest::from_hex(name).unwrap();
        assert_eq!(found(&by_folder), [digest]);
        // The one that leads nowhere is not passed over in silence: sending it says why not.
        assert_eq!(found(&by_file), [Sha1Digest([0; 20]), digest]);
    }

    #[test]
    fn a_folder_of_other_things_is_not_taken_for_one_of_content() {
        let dir = tempfile::tempdir().unwrap();
        assert!(find(dir.path()).unwrap().is_empty());
        std::fs::create_dir(dir.path().join("etc")).unwrap();
        std::fs::write(dir.path().join("readme.txt"), b"x").unwrap();
        let said = find(dir.path()).unwrap_err().to_string();
        assert!(said.contains("has no file of an update") && said.contains("digest"), "{said}");
    }
}
