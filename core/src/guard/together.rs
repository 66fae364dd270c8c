//! How many listen behind one address, by how many ask for the same piece.
//!
//! Whoever listens takes every piece once. Of the pieces of late, the second in number is what is counted,
//! so that one piece asked for over and over makes nobody.

/// Pieces of late that are told apart: those on their way to listeners who are not all at the same place.
const PIECES: usize = 4;

/// How often each of the last pieces was asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Together {
    /// Hash and number, the oldest at `oldest`.
    pieces: [(u32, u16); PIECES],
    oldest: u8,
}

impl Together {
    /// Somebody asked for this piece. How many ask together.
    pub fn asks(&mut self, piece: u32) -> u16 {
        match self.pieces.iter_mut().find(|(before, times)| *times > 0 && *before == piece) {
            Some((_, times)) => *times = times.saturating_add(1),
            None => {
                self.pieces[usize::from(self.oldest)] = (piece, 1);
                self.oldest = (self.oldest + 1) % PIECES as u8;
            }
        }
        let mut most = [0_u16; 2];
        for (_, times) in self.pieces {
            if times > most[0] {
                most = [times, most[0]];
            } else {
                most[1] = most[1].max(times);
            }
        }
        most[1].max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_listen_as_ask_for_the_same_pieces() {
        let mut together = Together::default();
        let mut last = 0;
        for piece in 0..100 {
            for _ in 0..140 {
                last = together.asks(piece);
            }
        }
        assert_eq!(last, 140);
        for piece in 100..108 {
            last = together.asks(piece);
        }
        assert_eq!(last, 1, "of those who left nothing is kept");
    }

    #[test]
    fn one_piece_over_and_over_is_one_and_so_are_all_in_turn() {
        let mut together = Together::default();
        assert_eq!((0..100_000).map(|_| together.asks(7)).max(), Some(1));
        let mut together = Together::default();
        assert_eq!((0..1_000).map(|piece| together.asks(piece)).max(), Some(1));
    }
}
