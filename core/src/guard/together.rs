//! How many listen behind one address, by how many ask for the same piece.
//!
//! Whoever listens takes every piece once. Of the pieces of late the third in number is what is counted, so
//! that one piece asked for over and over makes nobody, nor do two.

/// Pieces of late that are told apart: those on their way to listeners who are not all at the same place.
const PIECES: usize = 5;
/// Of so many the least is counted.
const AGREE: usize = 3;
/// A piece is of late for so many windows after it was asked for first.
const WINDOWS: u16 = 2;

/// How often each of the last pieces was asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Together {
    pieces: [Piece; PIECES],
    oldest: u8,
}

#[derive(Clone, Copy, Debug, Default)]
struct Piece {
    hash: u32,
    times: u16,
    /// The window of the first of these times; of its number the low half.
    since: u16,
}

impl Piece {
    const fn is_of_late(self, now: u16) -> bool {
        self.times > 0 && now.wrapping_sub(self.since) <= WINDOWS
    }
}

impl Together {
    /// Somebody asked for this piece. How many ask together.
    pub fn asks(&mut self, hash: u32, window: i64) -> u16 {
        let now = window as u16;
        match self.pieces.iter_mut().find(|piece| piece.times > 0 && piece.hash == hash) {
            Some(piece) if piece.is_of_late(now) => piece.times = piece.times.saturating_add(1),
            Some(piece) => *piece = Piece { hash, times: 1, since: now },
            None => {
                self.pieces[usize::from(self.oldest)] = Piece { hash, times: 1, since: now };
                self.oldest = (self.oldest + 1) % PIECES as u8;
            }
        }
        let times = |piece: Piece| if piece.is_of_late(now) { piece.times } else { 0 };
        let mut times = self.pieces.map(times);
        times.sort_unstable_by(|one, other| other.cmp(one));
        times[AGREE - 1].max(1)
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
                last = together.asks(piece, i64::from(piece) * 2 / 5);
            }
        }
        assert_eq!(last, 140);
        for piece in 100..108 {
            last = together.asks(piece, i64::from(piece) * 2 / 5);
        }
        assert_eq!(last, 1, "of those who left nothing is kept");
    }

    #[test]
    fn one_piece_over_and_over_is_one_and_so_are_two_and_all_in_turn() {
        for pieces in [1, 2, 1_000] {
            let mut together = Together::default();
            assert_eq!((0..10_000).map(|ask| together.asks(ask % pieces, 0)).max(), Some(1), "{pieces}");
        }
    }

    #[test]
    fn what_is_asked_for_now_and_then_for_a_day_is_one() {
        let mut together = Together::default();
        let most = (0..1_440).flat_map(|minute| (0..4).map(move |stream| (stream, minute * 12)));
        assert_eq!(most.map(|(stream, window)| together.asks(stream, window)).max(), Some(1));
    }
}
