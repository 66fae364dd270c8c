//! What is true of a case, by what was really sent.

use std::time::Duration;

use tribune_rehearsal::replay::{Played, WINDOW, Window};

use crate::labelled::ATTACKED_SHARE_MIN;

/// So many connections that are held open on purpose are an attack, whatever their share of the requests.
const HELD_OPEN_MIN: u64 = 10;

/// By windows.
pub(super) struct Truth {
    windows: Vec<(Window, Window)>,
}

impl Truth {
    pub fn of(played: &Played) -> Self {
        let (attack, honest) = (&played.attack.windows, &played.honest.windows);
        let get = |side: &[Window], number: usize| side.get(number).copied().unwrap_or_default();
        let count = attack.len().max(honest.len());
        Self { windows: (0..count).map(|number| (get(attack, number), get(honest, number))).collect() }
    }

    /// The share of the requests that were an attack's; a request without an end is one when it is given up,
    /// which is when a server knows of it. `None` where nothing was sent.
    pub fn share(&self, number: usize) -> Option<f64> {
        let (attack, honest) = self.windows.get(number)?;
        let bad = (attack.sent + attack.given_up) as f64;
        let all = bad + honest.sent as f64;
        (all > 0.0).then(|| bad / all)
    }

    pub fn is_attacked(&self, number: usize) -> bool {
        let held_open = self.windows.get(number).map_or(0, |(attack, _)| attack.held_open);
        held_open >= HELD_OPEN_MIN || self.share(number).is_some_and(|share| share >= ATTACKED_SHARE_MIN)
    }

    /// Whether somebody attacks at this time.
    pub fn is_attacked_at(&self, at: Duration) -> bool {
        self.is_attacked((at.as_millis() / WINDOW.as_millis()) as usize)
    }

    pub fn count(&self) -> usize {
        self.windows.len()
    }

    /// The beginning of the first window that is attacked; a probe before shows nothing yet.
    pub fn first_attacked(&self) -> Option<Duration> {
        (0..self.count()).find(|number| self.is_attacked(*number)).map(|number| WINDOW * number as u32)
    }

    /// The end of the last one.
    pub fn attacked_until(&self) -> Option<Duration> {
        (0..self.count()).rev().find(|number| self.is_attacked(*number)).map(|one| WINDOW * (one as u32 + 1))
    }
}

#[cfg(test)]
mod tests {
    use tribune_rehearsal::replay::Side;

    use super::*;

    #[test]
    fn a_window_is_attacked_by_what_was_sent_and_by_what_is_held_open() {
        let side = |windows: Vec<Window>| Side { windows, ..Side::default() };
        let sent = |sent| Window { sent, ..Window::default() };
        let attack = vec![sent(1), sent(300), Window { held_open: 50, ..sent(0) }, sent(0)];
        let honest = vec![sent(100), sent(100), sent(100)];
        let played = Played { attack: side(attack), honest: side(honest), heard: Vec::new() };
        let truth = Truth::of(&played);
        let attacked: Vec<bool> = (0..truth.count()).map(|number| truth.is_attacked(number)).collect();
        assert_eq!(attacked, [false, true, true, false]);
        assert_eq!((truth.share(1), truth.share(3), truth.share(9)), (Some(0.75), None, None));
        assert_eq!(truth.first_attacked(), Some(WINDOW));
        assert_eq!(truth.attacked_until(), Some(WINDOW * 3));
    }
}
