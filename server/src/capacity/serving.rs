//! How listeners are served: what everybody gets, and how many are served how.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use tribune_core::door::capacity::{TIERS, Tier};

/// Shared by everybody who serves listeners; nobody waits for anybody.
#[derive(Debug, Default)]
pub struct Serving {
    next: AtomicU8,
    inside: [AtomicU64; TIERS],
}

impl Serving {
    /// How whoever can be is served from their next part on.
    pub fn next(&self) -> Tier {
        Tier::ALL[usize::from(self.next.load(Ordering::Relaxed)).min(TIERS - 1)]
    }

    /// How whoever can be is to be served from now on.
    pub fn set_next(&self, tier: Tier) {
        self.next.store(tier as u8, Ordering::Relaxed);
    }

    /// One more is served so, until what this returns is dropped.
    pub fn serve(self: &Arc<Self>, tier: Tier) -> Served {
        self.inside[tier as usize].fetch_add(1, Ordering::Relaxed);
        Served { serving: self.clone(), tier }
    }

    /// How many are served how.
    pub fn inside(&self) -> [u64; TIERS] {
        Tier::ALL.map(|tier| self.inside[tier as usize].load(Ordering::Relaxed))
    }
}

/// One listener who is served.
#[derive(Debug)]
pub struct Served {
    serving: Arc<Serving>,
    tier: Tier,
}

impl Served {
    /// How.
    pub fn tier(&self) -> Tier {
        self.tier
    }

    /// How they would be served if they could.
    pub fn wanted(&self) -> Tier {
        self.serving.next()
    }

    /// They are served otherwise from now on.
    pub fn change(&mut self, tier: Tier) {
        *self = self.serving.serve(tier);
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.serving.inside[self.tier as usize].fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_counted_by_how_they_are_served() {
        let serving = Arc::<Serving>::default();
        assert_eq!(serving.next(), Tier::Full);
        let first = serving.serve(serving.next());
        serving.set_next(Tier::Segments);
        let second = serving.serve(serving.next());
        assert_eq!((first.tier(), second.tier()), (Tier::Full, Tier::Segments));
        assert_eq!(serving.inside(), [1, 0, 1]);
        drop(first);
        assert_eq!(serving.inside(), [0, 0, 1]);
    }
}
