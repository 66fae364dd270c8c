//! Whose turn it is among those who hear the same.
//!
//! With each part a round begins, in which everybody has one turn. It goes around: whoever a part did not
//! reach before the next was there is the first to get both, so that on a machine that cannot keep up all are
//! equally late and nobody is always the last.

/// A member who is gone.
const GONE: usize = usize::MAX;

/// Members by their keys, and how far a round has come.
#[derive(Debug, Default)]
pub(super) struct Round {
    /// With [`GONE`] between.
    members: Vec<usize>,
    present: usize,
    /// Whose turn is next, and of how many it is yet.
    at: usize,
    left: usize,
}

impl Round {
    /// One more; their number. They have a turn in the round that is under way if it still comes by the end
    /// of the line, where they are; else with the next: whoever comes is given what there is.
    pub(super) fn enters(&mut self, member: usize) -> usize {
        let number = self.members.len();
        let comes_by = self.left > 0 && self.at + self.left >= number;
        self.left += usize::from(comes_by);
        self.members.push(member);
        self.present += 1;
        number
    }

    /// Who has this number is gone.
    pub(super) fn leaves(&mut self, number: usize) {
        if let Some(member) = self.members.get_mut(number).filter(|member| **member != GONE) {
            *member = GONE;
            self.present -= 1;
        }
    }

    /// A part is there, and everybody is to have a turn.
    pub(super) fn begins(&mut self) {
        self.left = self.members.len();
    }

    /// Who is next; `None` when the round is over.
    pub(super) fn next_due(&mut self) -> Option<usize> {
        while self.left > 0 {
            let number = if self.at < self.members.len() { self.at } else { 0 };
            self.at = number + 1;
            self.left -= 1;
            if let Some(member) = self.members.get(number).filter(|member| **member != GONE) {
                return Some(*member);
            }
        }
        None
    }

    /// Whether somebody waits for their turn.
    pub(super) const fn is_under_way(&self) -> bool {
        self.left > 0
    }

    /// Whether nobody is there.
    pub(super) const fn is_empty(&self) -> bool {
        self.present == 0
    }

    /// Everybody's keys.
    pub(super) fn members(&self) -> impl Iterator<Item = usize> + '_ {
        self.members.iter().copied().filter(|member| *member != GONE)
    }

    /// Closes the gaps when there are as many as members, and tells of each member their number from then on.
    pub(super) fn closes_up(&mut self, mut is_numbered: impl FnMut(usize, usize)) {
        if self.members.len() < 2 * self.present {
            return;
        }
        let present = |members: &[usize]| members.iter().filter(|member| **member != GONE).count();
        // The turns that are left are those from `at` on, and then from the beginning.
        let from_here = self.members.len().saturating_sub(self.at).min(self.left);
        let left = present(&self.members[self.at..self.at + from_here])
            + present(&self.members[..(self.left - from_here).min(self.members.len())]);
        self.at = present(&self.members[..self.at]);
        self.left = left;
        self.members.retain(|member| *member != GONE);
        for (number, member) in self.members.iter().enumerate() {
            is_numbered(*member, number);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn of(members: std::ops::Range<usize>) -> Round {
        let mut round = Round::default();
        for member in members {
            round.enters(member);
        }
        round
    }

    fn turns(round: &mut Round, most: usize) -> Vec<usize> {
        std::iter::from_fn(|| round.next_due()).take(most).collect()
    }

    #[test]
    fn everybody_has_one_turn_also_who_comes_while_it_goes_round() {
        let mut round = of(0..4);
        assert_eq!(turns(&mut round, 9), [0; 0], "nothing is there yet");
        round.begins();
        assert_eq!(turns(&mut round, 2), [0, 1]);
        round.enters(4);
        assert_eq!(turns(&mut round, 9), [2, 3, 4]);
        assert!(!round.is_under_way());
    }

    #[test]
    fn who_was_not_reached_is_the_first_of_the_next_round() {
        let mut round = of(0..5);
        for first in [0, 2, 4, 1, 3] {
            round.begins();
            assert_eq!(turns(&mut round, 2)[0], first, "two turns a part, and nobody is always last");
        }
        round.begins();
        assert_eq!(turns(&mut round, 9), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn who_is_gone_has_no_turn_and_the_last_leaves_nothing() {
        let mut round = of(0..3);
        round.begins();
        round.leaves(1);
        round.leaves(1);
        assert_eq!(turns(&mut round, 9), [0, 2]);
        round.leaves(0);
        round.leaves(2);
        assert!(round.is_empty());
        round.begins();
        assert_eq!(turns(&mut round, 9), [0; 0]);
    }

    /// Whatever comes in whatever order: in each round each who is there from its beginning to its end has
    /// one turn, and who comes or goes meanwhile has one at most.
    #[test]
    fn nobody_is_left_out_whatever_happens_in_between() {
        let mut random = 0x2545_f491_4f6c_dd1d_u64;
        let mut below = |most: usize| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            (random % most.max(1) as u64) as usize
        };
        let (mut round, mut numbers, mut next) = (Round::default(), BTreeMap::new(), 0);
        for _ in 0..2_000 {
            let there: Vec<usize> = numbers.keys().copied().collect();
            let (mut had, mut gone) = (BTreeMap::<usize, usize>::new(), Vec::new());
            round.begins();
            loop {
                match below(8) {
                    0 => {
                        numbers.insert(next, round.enters(next));
                        next += 1;
                    }
                    1 | 2 if !numbers.is_empty() => {
                        let (&member, &number) =
                            numbers.iter().nth(below(numbers.len())).expect("one of them");
                        round.leaves(number);
                        numbers.remove(&member);
                        gone.push(member);
                        round.closes_up(|member, number| {
                            numbers.insert(member, number);
                        });
                    }
                    _ => match round.next_due() {
                        Some(member) => *had.entry(member).or_default() += 1,
                        None => break,
                    },
                }
            }
            assert!(had.values().all(|turns| *turns == 1), "{had:?}");
            assert!(there.iter().all(|member| gone.contains(member) || had.contains_key(member)));
            assert!(round.members().eq(round.members.iter().copied().filter(|member| *member != GONE)));
            assert_eq!(round.members().count(), numbers.len());
        }
    }
}
