//! The metrics of the guard: the ledger, and the verdict.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tribune_core::guard::Kind;
use tribune_core::guard::live::{Account, Said, Unit};

use super::capacity::Level;
use super::metrics::Count;

/// What the guard said. Copies are the same.
#[derive(Clone, Debug, Default)]
pub struct GuardMetrics {
    ledger: Family<Entry, Count>,
    verdict: Family<Verdict, Gauge>,
    self_inflicted: Gauge,
    proofs: Family<Proof, Count>,
    share: Family<Share, Level>,
    people: Gauge,
    sources: Gauge,
    /// Sources that are refused now.
    pub refused: Gauge,
    /// Seconds in which the ledger was not what the sockets counted.
    pub unbalanced: Count,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Entry {
    unit: &'static str,
    account: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Proof {
    by: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Verdict {
    kind: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Share {
    of: &'static str,
    bound: &'static str,
}

impl GuardMetrics {
    pub(super) fn register(&self, to: &mut Registry) {
        to.register("guard_ledger", "What was taken, by unit and account", self.ledger.clone());
        to.register("guard_verdict", "1 for what is going on, 0 for the others", self.verdict.clone());
        to.register(
            "guard_self_inflicted",
            "1 while our own errors are at fault for what is asked again",
            self.self_inflicted.clone(),
        );
        to.register(
            "guard_attack_share",
            "Share that an attack takes, low and high end of its range",
            self.share.clone(),
        );
        to.register("guard_proofs", "By what it is known that somebody hears, in parts", self.proofs.clone());
        to.register("guard_people", "People here, as the guard takes them for people", self.people.clone());
        to.register("guard_sources", "Sources that are remembered", self.sources.clone());
        to.register("guard_refused", "Sources that are refused for a while", self.refused.clone());
        to.register(
            "guard_unbalanced",
            "Seconds in which the ledger was not what the sockets counted",
            self.unbalanced.clone(),
        );
    }

    /// A second is over.
    pub fn show(&self, said: &Said) {
        for unit in Unit::ALL {
            for account in Account::ALL {
                let entry = Entry { unit: unit.word(), account: account.word() };
                self.ledger.get_or_create(&entry).inc_by(said.sums.get(unit, account));
            }
        }
        for kind in [Kind::Calm, Kind::Crowd, Kind::Attack, Kind::Both, Kind::Unknown] {
            let is = said.verdict.kind == kind;
            self.verdict.get_or_create(&Verdict { kind: kind.word() }).set(is.into());
        }
        self.self_inflicted.set(said.verdict.self_inflicted.into());
        let shares = &said.verdict.attack_share;
        for (of, range) in [
            ("requests", shares.requests),
            ("newcomers", shares.newcomers),
            ("connection_seconds", shares.connection_seconds),
        ] {
            self.share.get_or_create(&Share { of, bound: "low" }).set(range.low);
            self.share.get_or_create(&Share { of, bound: "high" }).set(range.high);
        }
        let proofs = &said.proofs;
        for (by, count) in [
            ("acknowledged", proofs.acknowledged),
            ("receipt", proofs.receipts),
            ("false_receipt", proofs.false_receipts),
        ] {
            self.proofs.get_or_create(&Proof { by }).inc_by(count);
        }
        self.people.set(i64::try_from(said.people).unwrap_or(i64::MAX));
        self.sources.set(i64::try_from(said.sources).unwrap_or(i64::MAX));
    }
}
