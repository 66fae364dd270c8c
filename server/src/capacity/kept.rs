//! The last result of the self-test, in the data folder: as long as machine and program are the same, it is
//! not run again.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Channel, Costs, machine};

const FILE: &str = "capacity.json";

#[derive(Serialize, Deserialize)]
struct Kept {
    of: String,
    on: String,
    costs: Costs,
}

/// What was measured here before.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Known {
    /// By this very program.
    Still(Costs),
    /// By another build: to begin with, until there is a moment to measure.
    Before(Costs),
}

/// What was measured on this machine before, for listeners who come so; none if there is nothing, or of
/// another.
pub(super) fn read(data: &Path, by: Channel) -> Option<Known> {
    let text = fs::read(data.join(FILE)).ok()?;
    let kept: Kept = serde_json::from_slice(&text).ok()?;
    let is_cost = |ms: &f64| ms.is_finite() && *ms > 0.0;
    let sound = kept.costs.processor_ms.iter().all(is_cost) && is_cost(&kept.costs.late_processor_ms);
    let known = if kept.of == build() { Known::Still(kept.costs) } else { Known::Before(kept.costs) };
    (kept.on == machine::name() && kept.costs.by == by && sound).then_some(known)
}

/// Keeps it; without a disk it is measured again at the next start.
pub(super) fn write(data: &Path, costs: &Costs) {
    let kept = Kept { of: build(), on: machine::name(), costs: *costs };
    let text = serde_json::to_string_pretty(&kept).expect("numbers and text are JSON");
    if let Err(error) = fs::write(data.join(FILE), text) {
        tracing::warn!(%error, "self_test_not_kept");
    }
}

/// The program: a build is told by the file it lies in.
fn build() -> String {
    let build = fs::metadata("/proc/self/exe").map(|file| (file.len(), file.mtime()));
    format!("{} {build:?}", env!("CARGO_PKG_VERSION"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_measured_here_and_by_this_program_counts() {
        let folder = tempfile::tempdir().unwrap();
        let costs = super::super::tests::some_costs();
        assert_eq!(read(folder.path(), Channel::Clear), None);
        write(folder.path(), &costs);
        assert_eq!(read(folder.path(), Channel::Clear), Some(Known::Still(costs)));
        assert_eq!(read(folder.path(), Channel::Tls), None, "TLS costs more");
        let path = folder.path().join(FILE);
        let another =
            fs::read_to_string(&path).unwrap().replace(&build().replace('"', "\\\""), "another build");
        fs::write(&path, another).unwrap();
        assert_eq!(read(folder.path(), Channel::Clear), Some(Known::Before(costs)));
        write(folder.path(), &Costs { processor_ms: [0.0; 3], ..costs });
        assert_eq!(read(folder.path(), Channel::Clear), None, "nothing is free");
        for odd in ["", "{}", "\u{0}", "{\"of\": \"elsewhere\", \"costs\": null}"] {
            fs::write(folder.path().join(FILE), odd).unwrap();
            assert_eq!(read(folder.path(), Channel::Clear), None, "{odd}");
        }
    }
}
