//! How well a speaker is heard, in a word: what a host reads beside each name.

use super::event::Event;
use crate::ingest::speaker::Way;

/// From this share of lost packets on, some of it is heard.
const LOST_SHARE_FAIR: f64 = 0.02;
/// And from this on, words are lost.
const LOST_SHARE_POOR: f64 = 0.10;
/// Sound held back so long for its path makes people talk into each other's words, in milliseconds.
const HELD_BACK_MS_FAIR: f64 = 100.0;
/// And so long, they notice.
const HELD_BACK_MS_POOR: f64 = 180.0;

/// What was last reported of a speaker's sound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Health {
    /// It comes.
    #[default]
    Well,
    /// There is nothing in it.
    Silent,
    /// It does not come.
    Dead,
}

impl Health {
    /// After what the mixer has just reported of them.
    #[must_use]
    pub const fn after(self, event: Event) -> Self {
        match event {
            Event::Silent { .. } => Self::Silent,
            Event::Dead { .. } => Self::Dead,
            Event::Returned { .. } => Self::Well,
            Event::Refused { .. }
            | Event::RateOutside { .. }
            | Event::Underrun { .. }
            | Event::Skipped { .. }
            | Event::Speaking { .. }
            | Event::Echo { .. }
            | Event::EchoGone { .. }
            | Event::Clipping { .. }
            | Event::ClippingGone { .. }
            | Event::Over { .. }
            | Event::TookOver { .. }
            | Event::GaveBack { .. }
            | Event::ClockLate { .. } => self,
        }
    }
}

/// How well a speaker is heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quality {
    /// Nothing has come.
    None,
    /// As well as can be.
    Good,
    /// With something missing, or late.
    Fair,
    /// With words missing, or so late that it disturbs.
    Poor,
    /// There is nothing in what comes: a muted microphone, or a cable pulled.
    Silent,
    /// It has stopped coming.
    Lost,
}

impl Quality {
    /// Of a speaker of whom the mixer last reported `health` and whose packets come this `way`.
    pub fn of(health: Health, way: Option<Way>) -> Self {
        let Some(way) = way else { return Self::None };
        match health {
            Health::Dead => Self::Lost,
            Health::Silent => Self::Silent,
            Health::Well if is_over(way, LOST_SHARE_POOR, HELD_BACK_MS_POOR) => Self::Poor,
            Health::Well if is_over(way, LOST_SHARE_FAIR, HELD_BACK_MS_FAIR) => Self::Fair,
            Health::Well => Self::Good,
        }
    }

    /// The word on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Good => "good",
            Self::Fair => "fair",
            Self::Poor => "poor",
            Self::Silent => "silent",
            Self::Lost => "lost",
        }
    }
}

fn is_over(way: Way, lost_share: f64, held_back_ms: f64) -> bool {
    way.lost_share >= lost_share || way.held_back_ms >= held_back_ms
}

#[cfg(test)]
mod tests {
    use super::super::InletId;
    use super::*;

    #[test]
    fn the_word_says_what_is_heard() {
        let inlet = InletId(1);
        let (silent, dead) = (Event::Silent { inlet }, Event::Dead { inlet });
        let well = Health::default();
        for (health, way, word) in [
            (well, None, "none"),
            (well, Some((20.0, 0.0)), "good"),
            (well, Some((120.0, 0.0)), "fair"),
            (well, Some((20.0, 0.05)), "fair"),
            (well, Some((20.0, 0.2)), "poor"),
            (well, Some((200.0, 0.0)), "poor"),
            (well.after(silent), Some((20.0, 0.0)), "silent"),
            (well.after(silent).after(dead), Some((20.0, 0.0)), "lost"),
            (well.after(dead).after(Event::Underrun { inlet }), Some((20.0, 0.0)), "lost"),
            (well.after(dead).after(Event::Returned { inlet }), Some((20.0, 0.0)), "good"),
        ] {
            let way = way.map(|(held_back_ms, lost_share)| Way { held_back_ms, lost_share });
            assert_eq!(Quality::of(health, way).word(), word);
        }
    }
}
