//! The last result of the self-test, in the data folder: as long as machine and program are the same, it is
//! not run again.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Costs, machine};

const FILE: &str = "capacity.json";

#[derive(Serialize, Deserialize)]
struct Kept {
    of: String,
    costs: Costs,
}

/// What was measured here before by this very program; none if there is nothing, or of another.
pub(super) fn read(data: &Path) -> Option<Costs> {
    let text = fs::read(data.join(FILE)).ok()?;
    let kept: Kept = serde_json::from_slice(&text).ok()?;
    let sound = kept.costs.processor_ms.iter().all(|ms| ms.is_finite() && *ms > 0.0);
    (kept.of == name() && sound).then_some(kept.costs)
}

/// Keeps it; without a disk it is measured again at the next start.
pub(super) fn write(data: &Path, costs: &Costs) {
    let kept = Kept { of: name(), costs: *costs };
    let text = serde_json::to_string_pretty(&kept).expect("numbers and text are JSON");
    if let Err(error) = fs::write(data.join(FILE), text) {
        tracing::warn!(%error, "self_test_not_kept");
    }
}

/// The machine and the program: a build is told by the file it lies in.
fn name() -> String {
    let build = fs::metadata("/proc/self/exe").map(|file| (file.len(), file.mtime()));
    format!("{} {build:?}; {}", env!("CARGO_PKG_VERSION"), machine::name())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_measured_here_and_by_this_program_counts() {
        let folder = tempfile::tempdir().unwrap();
        let costs = super::super::tests::some_costs();
        assert_eq!(read(folder.path()), None);
        write(folder.path(), &costs);
        assert_eq!(read(folder.path()), Some(costs));
        write(folder.path(), &Costs { processor_ms: [0.0; 3], ..costs });
        assert_eq!(read(folder.path()), None, "nothing is free");
        for odd in ["", "{}", "\u{0}", "{\"of\": \"elsewhere\", \"costs\": null}"] {
            fs::write(folder.path().join(FILE), odd).unwrap();
            assert_eq!(read(folder.path()), None, "{odd}");
        }
    }
}
