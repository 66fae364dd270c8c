//! The other side of the ledger: what the sockets themselves counted, where nobody knows of the guard.

use std::collections::VecDeque;

use tribune_core::guard::live::Unit;

use super::Counted;
use crate::ops::metrics::ListenerMetrics;

/// Whoever was accepted is told of within so many milliseconds: a proxy has ten seconds to say for whom it
/// connects, and as much is left to a node that is late.
const TOLD_WITHIN_MS: u64 = 20_000;

/// What a listener counted, second by second.
pub struct Sockets {
    listener: ListenerMetrics,
    /// What it counted by when, in milliseconds of the node's clock; the first is the last that is old
    /// enough.
    before: VecDeque<(u64, Sums)>,
}

/// Connections and handshakes.
#[derive(Clone, Copy, Debug, Default)]
struct Sums([u64; 2]);

const UNITS: [Unit; 2] = [Unit::Connections, Unit::Handshakes];

impl Sockets {
    /// Of this listener, which the guard watches.
    pub const fn new(listener: ListenerMetrics) -> Self {
        Self { listener, before: VecDeque::new() }
    }

    /// A second is over, and so much was told by then: the units of which more was told than was ever
    /// counted, or less than was counted [`TOLD_WITHIN_MS`] ago, with both figures.
    pub fn second(&mut self, at_ms: u64, told: Counted) -> impl Iterator<Item = (Unit, u64, u64)> {
        let ListenerMetrics { accepted, handshakes_done, handshakes_failed, .. } = &self.listener;
        let now = Sums([accepted.get(), handshakes_done.get() + handshakes_failed.get()]);
        self.before.push_back((at_ms, now));
        let is_old =
            |before: Option<&(u64, Sums)>| before.is_some_and(|(then, _)| then + TOLD_WITHIN_MS <= at_ms);
        while is_old(self.before.get(1)) {
            self.before.pop_front();
        }
        let before = self.before.front().filter(|before| is_old(Some(before)));
        let before = before.map_or(Sums::default(), |(_, before)| *before);
        UNITS.into_iter().zip(before.0).zip(now.0).filter_map(move |((unit, before), now)| {
            let told = told.of(unit)?;
            let counted = told.clamp(before, now);
            (counted != told).then_some((unit, counted, told))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::Metrics;

    #[test]
    fn what_was_accepted_is_told_soon_and_nothing_else_is() {
        let listener = Metrics::new(std::path::Path::new(".")).listener("public");
        let mut sockets = Sockets::new(listener.clone());
        let mut told = Counted::default();
        let mut at_ms = 0;
        let mut wrong = |told: Counted| {
            at_ms += 1_000;
            sockets.second(at_ms, told).collect::<Vec<_>>()
        };
        assert_eq!(wrong(told), []);
        listener.accepted.inc_by(7);
        for second in 0..20 {
            assert_eq!(wrong(told), [], "second {second}: they may still say who they are");
        }
        assert_eq!(wrong(told), [(Unit::Connections, 7, 0)]);
        told.connections = 7;
        assert_eq!(wrong(told), []);
        told.handshakes = 1;
        assert_eq!(wrong(told), [(Unit::Handshakes, 0, 1)], "of a handshake that nobody made");
        listener.handshakes_failed.inc();
        assert_eq!(wrong(told), []);
    }
}
