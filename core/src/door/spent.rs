//! One bit for each ticket: whether it has left the line. Nothing else is kept of those who wait.

/// A bit for each serial, 125 kB for a million tickets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    words: Vec<u64>,
    count: u64,
}

impl Spent {
    /// Sets the bit of `serial`; whether it was not set before.
    pub fn set(&mut self, serial: u32) -> bool {
        let (word, bit) = place(serial);
        if self.words.len() <= word {
            self.words.resize(word + 1, 0);
        }
        let is_new = self.words[word] & bit == 0;
        self.words[word] |= bit;
        self.count += u64::from(is_new);
        is_new
    }

    /// Clears it: they wait again.
    pub fn clear(&mut self, serial: u32) {
        let (word, bit) = place(serial);
        if let Some(word) = self.words.get_mut(word).filter(|word| **word & bit != 0) {
            *word &= !bit;
            self.count -= 1;
        }
    }

    /// Whether it is set.
    pub fn has(&self, serial: u32) -> bool {
        let (word, bit) = place(serial);
        self.words.get(word).is_some_and(|word| word & bit != 0)
    }

    /// How many are set.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Bytes it takes.
    pub fn bytes(&self) -> usize {
        self.words.capacity() * size_of::<u64>()
    }
}

fn place(serial: u32) -> (usize, u64) {
    (serial as usize / 64, 1 << (serial % 64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bit_is_set_once_and_cleared_once() {
        let mut spent = Spent::default();
        assert!(spent.set(70) && !spent.set(70) && spent.set(0));
        assert_eq!(
            (spent.has(70), spent.has(71), spent.has(1_000_000), spent.count()),
            (true, false, false, 2)
        );
        spent.clear(70);
        spent.clear(70);
        spent.clear(1_000_000);
        assert_eq!((spent.has(70), spent.count()), (false, 1));
    }

    #[test]
    fn a_million_tickets_take_125_kilobytes() {
        let mut spent = Spent::default();
        spent.set(999_999);
        assert_eq!(spent.bytes(), 125_000);
    }
}
