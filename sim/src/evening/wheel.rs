//! What happens when: a bucket for each tenth of a second. Within one, in the order in which it was put
//! there.

/// A bucket in milliseconds.
pub(super) const STEP_MS: u32 = 100;

/// What happens to somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// They ask for the page and a ticket once more.
    Come,
    /// They have the page, and with it a ticket.
    Take,
    /// They ask whether it is their turn.
    Ask,
    /// Their claim is looked at.
    Claim,
    /// They have the first sound.
    Hear,
    /// They come again after their connection broke.
    Rejoin,
    /// They leave.
    Leave,
    /// Somebody of the guard's sample asks where they stand.
    Polls,
    /// Somebody of the guard's sample goes on hearing.
    Hears,
    /// Somebody of the guard's sample closes the connection by which they came.
    HangsUp,
}

const MOMENTS: [Moment; 10] = [
    Moment::Come,
    Moment::Take,
    Moment::Ask,
    Moment::Claim,
    Moment::Hear,
    Moment::Rejoin,
    Moment::Leave,
    Moment::Polls,
    Moment::Hears,
    Moment::HangsUp,
];

/// To whom something happens, and by which of their connections: what belongs to an earlier one is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Whose {
    pub who: u32,
    pub connection: u8,
}

/// All that is still to happen.
#[derive(Debug)]
pub(super) struct Wheel {
    buckets: Vec<Vec<u64>>,
    at: usize,
}

impl Wheel {
    /// Nothing is to happen before `end_ms`; what would later never does.
    pub fn new(end_ms: u32) -> Self {
        Self { buckets: vec![Vec::new(); (end_ms / STEP_MS) as usize + 1], at: 0 }
    }

    /// Something is to happen, at the earliest with the next step.
    pub fn put(&mut self, at_ms: u32, Whose { who, connection }: Whose, moment: Moment) {
        let bucket = ((at_ms / STEP_MS) as usize).max(self.at + 1);
        if let Some(bucket) = self.buckets.get_mut(bucket) {
            bucket.push(u64::from(who) << 16 | u64::from(connection) << 8 | moment as u64);
        }
    }

    /// What happens in the step at this time.
    pub fn take(&mut self, now_ms: u32) -> Vec<(Whose, Moment)> {
        self.at = (now_ms / STEP_MS) as usize;
        let packed = self.buckets.get_mut(self.at).map(std::mem::take).unwrap_or_default();
        let unpacked = |one: u64| {
            let whose = Whose { who: (one >> 16) as u32, connection: (one >> 8) as u8 };
            (whose, MOMENTS[(one & 0xff) as usize])
        };
        packed.into_iter().map(unpacked).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_there_comes_once_and_in_order() {
        let mut wheel = Wheel::new(1_000);
        let whose = |who, connection| Whose { who, connection };
        wheel.put(250, whose(7, 255), Moment::Leave);
        wheel.put(210, whose(u32::MAX, 0), Moment::Come);
        wheel.put(5_000, whose(1, 1), Moment::Ask);
        assert_eq!(wheel.take(0), []);
        assert_eq!(wheel.take(200), [(whose(7, 255), Moment::Leave), (whose(u32::MAX, 0), Moment::Come)]);
        wheel.put(200, whose(3, 2), Moment::HangsUp);
        assert_eq!(wheel.take(200), [], "not in the step that is under way");
        assert_eq!(wheel.take(300), [(whose(3, 2), Moment::HangsUp)]);
        assert_eq!(wheel.take(5_000), []);
    }

    #[test]
    fn every_moment_has_its_number() {
        for (number, moment) in MOMENTS.into_iter().enumerate() {
            assert_eq!(moment as usize, number);
        }
    }
}
