//! The arrows of ARCHITECTURE.md: which room may know which. A dependency that is not drawn there
//! fails here, and so does a pure room that could reach for files, sockets or clocks.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// Room, and the rooms it may know.
const DRAWN: &[(&str, &[&str])] = &[
    ("allocator", &[]),
    ("terms", &[]),
    ("cabinet", &[]),
    ("soap", &["terms", "cabinet"]),
    ("catalog", &["terms"]),
    ("policy", &["terms"]),
    ("scan", &["terms", "catalog", "policy"]),
    ("browse", &["terms", "policy"]),
    ("store", &["allocator", "terms", "cabinet", "catalog", "policy", "browse"]),
    ("server", &["allocator", "terms", "soap", "catalog", "policy", "scan", "store", "upstream"]),
    ("agent", &["terms", "soap", "catalog"]),
    ("upstream", &["allocator", "terms", "cabinet", "soap", "catalog", "policy", "store"]),
    ("synth", &["terms", "catalog"]),
    ("doctor", &[]),
    (
        "cli",
        &[
            "allocator",
            "terms",
            "soap",
            "catalog",
            "policy",
            "scan",
            "store",
            "server",
            "agent",
            "synth",
            "doctor",
        ],
    ),
];

/// Rooms that do no I/O.
const PURE: &[&str] = &["terms", "cabinet", "soap", "catalog", "policy", "browse", "scan", "synth"];

/// Crates no pure room may depend on.
const IO_CRATES: &[&str] =
    &["tokio", "hyper", "hyper-util", "axum", "rusqlite", "ring", "tracing-subscriber", "anyhow", "rand"];

fn crates_folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The names in `[dependencies]` of one room.
fn dependencies(room: &str) -> BTreeSet<String> {
    let manifest = std::fs::read_to_string(crates_folder().join(room).join("Cargo.toml")).unwrap();
    let mut inside = false;
    let mut names = BTreeSet::new();
    for line in manifest.lines() {
        if line.starts_with('[') {
            inside = line == "[dependencies]";
        } else if inside
            && let Some(name) =
                line.split(['.', '=', ' ']).next().filter(|n| !n.is_empty() && !n.starts_with('#'))
        {
            names.insert(name.to_owned());
        }
    }
    names
}

#[test]
fn rooms_know_only_the_rooms_drawn() {
    let drawn: BTreeMap<_, _> = DRAWN.iter().copied().collect();
    let rooms: BTreeSet<String> = std::fs::read_dir(crates_folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(
        rooms,
        drawn.keys().map(|room| (*room).to_owned()).collect(),
        "a room is missing from the drawing"
    );
    for (room, may_know) in &drawn {
        for name in dependencies(room) {
            if let Some(known) = name.strip_prefix("sluicegate-") {
                assert!(may_know.contains(&known), "`{room}` must not know `{known}`");
            }
        }
    }
}

#[test]
fn pure_rooms_cannot_reach_outside() {
    for room in PURE {
        let names = dependencies(room);
        for io in IO_CRATES {
            assert!(!names.contains(*io), "`{room}` is pure and must not depend on `{io}`");
        }
        for source in sources(&crates_folder().join(room).join("src")) {
            // Tests may read recordings and measure; what ships may not.
            let name = source.file_name().unwrap().to_string_lossy().into_owned();
            if name == "tests.rs" || name.ends_with("_tests.rs") {
                continue;
            }
            let text = std::fs::read_to_string(&source).unwrap();
            let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
            for outside in
                ["std::fs", "std::net", "std::process", "std::env", "SystemTime::now", "Instant::now"]
            {
                assert!(
                    !text.contains(outside),
                    "{} is in a pure room and uses `{outside}`",
                    source.display()
                );
            }
        }
        let root = std::fs::read_to_string(crates_folder().join(room).join("src/lib.rs")).unwrap();
        for lint in
            ["clippy::unwrap_used", "clippy::expect_used", "clippy::panic", "clippy::indexing_slicing"]
        {
            assert!(root.contains(lint), "`{room}` must deny {lint}");
        }
    }
}

fn sources(folder: &std::path::Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
    found
}
