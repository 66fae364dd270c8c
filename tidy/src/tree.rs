//! What is tracked, or would be: the files git knows and those it does not ignore.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Source;

/// The folder of the workspace.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tidy lies in the workspace").to_path_buf()
}

/// Every text file of the work tree that git does not ignore, in the order of their paths.
///
/// # Panics
/// When git cannot be asked: without it there is no telling a source from what was built.
pub fn files() -> Vec<Source> {
    let listed = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate"])
        .current_dir(root())
        .output()
        .expect("git lists the files");
    assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
    let names = String::from_utf8(listed.stdout).expect("paths are UTF-8");
    let mut files: Vec<_> = names
        .split('\0')
        .filter(|name| !name.is_empty())
        .filter_map(|name| Some(Source::new(name, fs::read_to_string(root().join(name)).ok()?)))
        .collect();
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}
