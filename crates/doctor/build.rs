//! Lists the rule files, so that adding a rule is adding a file: writes an array of (path, text) that
//! `src/book.rs` includes.

use std::fmt::Write as _;
use std::path::Path;

fn main() -> std::io::Result<()> {
    let root = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    let rules = Path::new(&root).join("rules");
    let mut names = Vec::new();
    for folder in ["problems", "codes", "related"] {
        println!("cargo::rerun-if-changed=rules/{folder}");
        for entry in std::fs::read_dir(rules.join(folder))? {
            let path = entry?.path();
            if path.extension().is_some_and(|e| e == "toml") {
                names.push(path);
            }
        }
    }
    names.sort();
    let mut list = String::from("&[\n");
    for path in &names {
        let short = path.strip_prefix(&root).unwrap_or(path);
        let _ = writeln!(list, "    ({:?}, include_str!({:?})),", short, path);
    }
    list.push_str("]\n");
    println!("cargo::rerun-if-changed=build.rs");
    let out = std::env::var("OUT_DIR").unwrap_or_default();
    std::fs::write(Path::new(&out).join("rules.rs"), list)
}
