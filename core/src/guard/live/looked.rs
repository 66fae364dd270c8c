//! Who looked once and left, by neighbourhood: a few of each are people, of more nobody can say that.

use std::collections::BTreeMap;
use std::net::IpAddr;

/// So many of a neighbourhood, among those who came within [`TERM_MS`], are not asked what became of them.
const FEW: u32 = 8;
/// In milliseconds.
const TERM_MS: u64 = 10_000;
/// Neighbourhoods that are remembered for a term.
const NEIGHBOURHOODS_MAX: usize = 100_000;

/// Those of the present term.
#[derive(Debug, Default)]
pub struct Looked {
    term: u64,
    times: BTreeMap<IpAddr, u32>,
}

impl Looked {
    /// One more of a neighbourhood, who came at that moment. Whether they are more than a few.
    pub fn is_beyond(&mut self, neighbourhood: IpAddr, came_ms: u64) -> bool {
        let term = came_ms / TERM_MS;
        if term != self.term {
            (self.term, self.times) = (term, BTreeMap::new());
        }
        if self.times.len() >= NEIGHBOURHOODS_MAX && !self.times.contains_key(&neighbourhood) {
            return false;
        }
        let times = self.times.entry(neighbourhood).or_default();
        *times += 1;
        *times > FEW
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_of_each_neighbourhood_and_term_are_left_out() {
        let mut looked = Looked::default();
        let near = |number: u32| IpAddr::V4((0xc000_0200 + 256 * number).into());
        let beyond = |looked: &mut Looked, term: u64| {
            let comes = (0..100).map(|number| looked.is_beyond(near(number % 2), term * TERM_MS));
            comes.filter(|is_beyond| *is_beyond).count()
        };
        assert_eq!(beyond(&mut looked, 0), 100 - 2 * FEW as usize);
        assert_eq!(beyond(&mut looked, 1), 100 - 2 * FEW as usize, "another term");
    }
}
