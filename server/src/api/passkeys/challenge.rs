//! Challenges that nobody has to remember until they are answered.
//!
//! Anybody may ask for one, so what is asked for must cost no memory: a challenge carries its time and is
//! signed with a secret of this process. Remembered is only which ones were answered rightly, which takes a
//! passkey, until they are too old to be answered again.

use std::collections::BTreeMap;
use std::time::Duration;

use tribune_core::hmac::{HMAC_BYTES, Hmac};
use tribune_core::time::Time;

/// How long somebody may take to answer.
pub const ANSWER_MAX: Duration = Duration::from_secs(300);
/// Answered challenges that are remembered; the oldest goes.
const SPENT_MAX: usize = 4_096;
const NONCE_BYTES: usize = 16;
const TIME_BYTES: usize = 8;
/// Bytes of a challenge.
pub const CHALLENGE_BYTES: usize = NONCE_BYTES + TIME_BYTES + HMAC_BYTES;

/// Makes challenges and knows its own.
pub struct Challenges {
    secret: Hmac,
    spent: BTreeMap<[u8; NONCE_BYTES], Time>,
}

/// What a challenge that came back is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Ours, in time, and not answered before.
    Good,
    /// Ours, and answered before.
    Spent,
    /// Ours, and too old.
    Late,
    /// Not ours: of another node, or from before a restart.
    Foreign,
}

impl Challenges {
    /// With a secret of its own.
    pub fn new(secret: [u8; 32]) -> Self {
        Self { secret: Hmac::new(&secret), spent: BTreeMap::new() }
    }

    /// A fresh one.
    pub fn make(&self, now: Time, nonce: [u8; NONCE_BYTES]) -> Vec<u8> {
        let mut bytes = nonce.to_vec();
        bytes.extend(now.nanos().to_be_bytes());
        bytes.extend(self.secret.of(&bytes));
        bytes
    }

    /// What this is.
    pub fn standing(&self, now: Time, challenge: &[u8]) -> Standing {
        let Some((signed, mac)) = split(challenge) else { return Standing::Foreign };
        if !self.secret.made(signed, mac) {
            return Standing::Foreign;
        }
        let (nonce, made) = read(signed);
        match (now.since(made) > ANSWER_MAX, self.spent.contains_key(&nonce)) {
            (true, _) => Standing::Late,
            (false, true) => Standing::Spent,
            (false, false) => Standing::Good,
        }
    }

    /// Takes a rightly answered one; what it was until now.
    pub fn spend(&mut self, now: Time, challenge: &[u8]) -> Standing {
        let standing = self.standing(now, challenge);
        if let (Standing::Good, Some((signed, _))) = (standing, split(challenge)) {
            self.spent.retain(|_, made| now.since(*made) <= ANSWER_MAX);
            if self.spent.len() >= SPENT_MAX {
                let oldest = self.spent.iter().min_by_key(|(_, made)| **made).map(|(nonce, _)| *nonce);
                oldest.map(|nonce| self.spent.remove(&nonce));
            }
            let (nonce, made) = read(signed);
            self.spent.insert(nonce, made);
        }
        standing
    }
}

fn split(challenge: &[u8]) -> Option<(&[u8], &[u8])> {
    (challenge.len() == CHALLENGE_BYTES).then(|| challenge.split_at(NONCE_BYTES + TIME_BYTES))
}

fn read(signed: &[u8]) -> ([u8; NONCE_BYTES], Time) {
    let (nonce, time) = signed.split_at(NONCE_BYTES);
    let nonce = nonce.try_into().expect("a signed head begins with a nonce");
    let time = time.try_into().map(u64::from_be_bytes).expect("a signed head ends with a time");
    (nonce, Time::from_nanos(time))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_is_answered_once_in_time_and_here() {
        let mut here = Challenges::new([1; 32]);
        let made = Time::from_millis(5_000);
        let challenge = here.make(made, [7; 16]);
        assert_eq!(challenge.len(), CHALLENGE_BYTES);
        assert_eq!(here.standing(made + ANSWER_MAX, &challenge), Standing::Good);
        assert_eq!(here.standing(made + ANSWER_MAX + Duration::from_nanos(1), &challenge), Standing::Late);
        assert_eq!(Challenges::new([2; 32]).standing(made, &challenge), Standing::Foreign);
        for at in 0..challenge.len() {
            let mut changed = challenge.clone();
            changed[at] ^= 1;
            assert_eq!(here.standing(made, &changed), Standing::Foreign, "{at}");
        }
        assert_eq!(here.standing(made, &challenge[1..]), Standing::Foreign);
        assert_eq!(here.standing(made, &[]), Standing::Foreign);
        assert_eq!(here.spend(made, &challenge), Standing::Good);
        assert_eq!(here.spend(made, &challenge), Standing::Spent);
        assert_eq!(here.standing(made, &here.make(made, [8; 16])), Standing::Good);
    }

    #[test]
    fn only_so_many_are_remembered_and_none_too_long() {
        let mut here = Challenges::new([1; 32]);
        let nonce = |n: u32| {
            let mut nonce = [0; 16];
            nonce[..4].copy_from_slice(&n.to_be_bytes());
            nonce
        };
        for n in 0..SPENT_MAX as u32 + 9 {
            let now = Time::from_millis(u64::from(n));
            let challenge = here.make(now, nonce(n));
            assert_eq!(here.spend(now, &challenge), Standing::Good);
        }
        assert_eq!(here.spent.len(), SPENT_MAX);
        let later = Time::from_millis(10_000) + ANSWER_MAX;
        let challenge = here.make(later, nonce(9_999_999));
        here.spend(later, &challenge);
        assert_eq!(here.spent.len(), 1);
    }
}
