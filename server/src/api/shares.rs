//! Of what there is a limited number of, how much each has: one who takes many leaves the others theirs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What is held now, by whom. Copies are the same.
#[derive(Debug)]
pub struct Shares<By>(Arc<Inner<By>>);

#[derive(Debug)]
struct Inner<By> {
    most: usize,
    held: Mutex<BTreeMap<By, usize>>,
}

/// One share; dropping it gives it back.
#[derive(Debug)]
pub struct Share<By: Ord> {
    of: Arc<Inner<By>>,
    by: By,
}

impl<By: Ord + Clone> Shares<By> {
    /// Up to `most` each.
    pub fn new(most: usize) -> Self {
        Self(Arc::new(Inner { most, held: Mutex::new(BTreeMap::new()) }))
    }

    /// One more for `by`; `None` when they hold as many as may be.
    pub fn take(&self, by: By) -> Option<Share<By>> {
        let mut held = self.0.held();
        let count = held.entry(by.clone()).or_default();
        if *count >= self.0.most {
            return None;
        }
        *count += 1;
        drop(held);
        Some(Share { of: Arc::clone(&self.0), by })
    }
}

impl<By> Inner<By> {
    fn held(&self) -> MutexGuard<'_, BTreeMap<By, usize>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<By> Clone for Shares<By> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<By: Ord> Drop for Share<By> {
    fn drop(&mut self) {
        let mut held = self.of.held();
        if let Some(count) = held.get_mut(&self.by) {
            *count -= 1;
            if *count == 0 {
                held.remove(&self.by);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_so_many_and_gives_them_back() {
        let shares = Shares::new(2);
        let (one, _two) = (shares.take("ann"), shares.take("ann"));
        assert!(one.is_some() && shares.take("ann").is_none() && shares.take("ben").is_some());
        drop(one);
        assert!(shares.take("ann").is_some());
        assert_eq!(shares.0.held().len(), 1, "who holds nothing is forgotten");
    }
}
