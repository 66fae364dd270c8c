//! What a stranger writes into an access log, and what somebody makes of the guard's ledger.

use std::hash::{BuildHasherDefault, DefaultHasher};

use tribune_core::guard::inspect::Inspection;
use tribune_core::guard::log::{self, Skipped};
use tribune_core::guard::report::{Broken, Chain, Evening, Finder, Line, whole_lines};

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

/// A ledger: of a room's evening there is a report, and the lines that come with it give the same report
/// again; a node that goes on after it writes lines that can be read.
pub fn guard_ledger(data: &[u8]) {
    let (whole, last) = whole_lines(data);
    for room in ["debate", "other"] {
        let Ok(evening) = evening_of(room, &data[..whole]) else { continue };
        let bundle = evening.bundle("1");
        let is_there = data.windows(bundle.ledger.len()).any(|piece| piece == bundle.ledger);
        assert!(is_there, "only what was written");
        let again = evening_of(room, &bundle.ledger).map(|evening| evening.bundle("1").json);
        assert_eq!(again, Ok(bundle.json), "the same report from its own lines");
    }
    let last = last.map(|begin| &data[begin..whole - 1]);
    let (mut chain, broken) = Chain::after(last);
    let line = last.and_then(|last| Line::read(last).ok());
    assert!(broken.is_some() || line.is_some() == last.is_some());
    for _ in 0..2 {
        let Some(line) = line.clone() else { return };
        let (bytes, head) = chain.next(line);
        assert!(Line::read(&bytes).is_ok(), "what is written is read");
        chain.kept(head);
    }
}

fn evening_of(room: &str, ledger: &[u8]) -> Result<Evening, Broken> {
    let mut finder = Finder::new(room);
    ledger.split(|byte| *byte == b'\n').for_each(|line| finder.take(line));
    finder.finish()
}
