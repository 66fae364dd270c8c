//! What a stranger writes into an access log.

use std::hash::{BuildHasherDefault, DefaultHasher};

use tribune_core::guard::inspect::Inspection;
use tribune_core::guard::log::{self, Skipped};

/// A log: every line is counted or skipped, every share lies in its range, and who is blamed asked for
/// something.
pub fn access_log(data: &[u8]) {
    let mut inspection = Inspection::new(BuildHasherDefault::<DefaultHasher>::default());
    let mut lines = 0;
    for line in data.split(|byte| *byte == b'\n') {
        match log::read(line) {
            Ok(entry) => inspection.take(&entry),
            Err(Skipped::Empty) => continue,
            Err(why) => inspection.skip(why),
        }
        lines += 1;
    }
    let findings = inspection.finish();
    assert_eq!(findings.requests + findings.skipped.values().sum::<u64>(), lines);
    assert!(findings.red.len() as u64 + findings.yellow <= findings.sources);
    assert!(findings.red.iter().all(|red| red.requests > 0));
    assert!(findings.windows.iter().map(|window| window.requests()).sum::<u64>() == findings.requests);
    let document = findings.document();
    let shares = document.pointer("/verdict/attack_share").and_then(|shares| shares.as_object());
    for share in shares.expect("three shares").values() {
        let (low, high) = (share[0].as_f64(), share[1].as_f64());
        assert!(low >= Some(0.0) && low <= high && high <= Some(1.0), "{share}");
    }
}
