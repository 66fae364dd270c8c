//! What became of a source that came, and whether it is taken for people.

use super::{BEGIN_MS, Source};

/// Who did so often what people and their browsers do now and then did not come to hear.
const WRONGS_MIN: u32 = 3;
/// So many requests for one thing and nothing else, one a second and more: who was refused and does that is
/// not taken for somebody, since nobody knows. Browsers that we put off come again after four seconds.
const HAMMERS_MIN: u32 = 5;
const HAMMERS_MS: u64 = 1_000;

/// What became of somebody who came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Became {
    /// A listener, or who looks around where there is nothing to hear.
    One,
    /// Nothing, though it was served.
    None,
    /// It was given a page and asked for nothing twice: somebody who looked and left. A machine that does
    /// no more costs no more.
    Looked,
    /// That is not known: we refused them, told them to wait, or they look at the page.
    NotAsked,
}

impl Source {
    /// Whether it never heard anything, nobody told it to wait, and it has been here for long.
    pub const fn is_silent(&self, at_ms: u64) -> bool {
        !self.has_begun() && self.refused_ms.is_none() && self.waits_ms.is_none() && self.is_old(at_ms)
    }

    /// Whether it came longer ago than who comes takes to begin.
    pub const fn is_old(&self, at_ms: u64) -> bool {
        at_ms >= self.first_ms + BEGIN_MS
    }

    /// What became of it, [`BEGIN_MS`] after it came.
    pub fn became(&self) -> Became {
        let begun_ms = if self.is_on_air { self.begun_ms } else { self.looked_ms };
        let breaks = self.wrong.1 > 0 && self.begun_ms.is_none();
        match begun_ms {
            Some(at_ms) if at_ms <= self.first_ms + BEGIN_MS && !breaks => Became::One,
            _ if breaks && self.wrong.1 >= WRONGS_MIN => Became::None,
            _ if self.refused_ms.is_some() || self.waits_ms.is_some() || self.requests == 0 => {
                Became::NotAsked
            }
            _ if breaks => Became::None,
            // They have the page open, which asks for the status: they may press at any moment, or never.
            _ if self.keeps_page => Became::NotAsked,
            _ if self.has_page && self.requests as usize <= self.different.count() => Became::Looked,
            _ => Became::None,
        }
    }

    /// Of those who came with it, so many are an attack's at least, 0 to 1; known when it is clear what
    /// became of it.
    pub fn doubt(&mut self, share: f64) {
        if self.begun_ms.is_none() {
            self.doubt = (share * 255.0) as u8;
        }
    }

    /// Whether it is taken for somebody: hears, waits, comes again because of us, or looks around where there
    /// is nothing to hear.
    pub fn is_somebody(&self, at_ms: u64) -> bool {
        let is_kept = self.waits_ms.is_some() || (self.refused_ms.is_some() && !self.hammers());
        let looks = !self.is_on_air && self.looked_ms.is_some();
        !self.is_blamed(at_ms) && (self.hears(at_ms) || is_kept || looks)
    }

    fn hammers(&self) -> bool {
        let lasted_ms = self.last_ms.saturating_sub(self.first_ms);
        let is_often = lasted_ms < HAMMERS_MS * u64::from(self.requests);
        self.different.count() <= 1 && self.agents.count() <= 1 && self.requests >= HAMMERS_MIN && is_often
    }

    /// How many people it is: by the sound it takes, where one takes `each` of late.
    pub fn people(&self, each: f32) -> u64 {
        let by_sound = if each > 0.0 { (self.recent / each).round() as u64 } else { 1 };
        let by_sound = if self.is_many() { by_sound } else { 1 };
        by_sound.max(u64::from(self.streams)).max(1)
    }

    /// Pieces of sound of late, for one who hears alone at an address.
    pub fn alone_takes(&self, at_ms: u64) -> Option<f32> {
        (self.hears(at_ms) && !self.is_many() && self.streams == 0).then_some(self.recent)
    }

    /// Whether it was seen since.
    pub const fn was_here_since(&self, at_ms: u64) -> bool {
        self.last_ms >= at_ms || self.open > 0
    }
}
