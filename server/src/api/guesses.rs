//! What is counted at the stage door. A right key is never refused for its neighbours' guesses: those are
//! counted only once a key has been found wrong.

use std::net::IpAddr;

use tribune_core::guard::live::home;
use tribune_core::room::KeyHash;
use tribune_core::time::Time;

use super::pace::{Pace, TooMany};

/// Wrong keys that one address may show in a minute.
pub const WRONG_KEYS_MAX: u32 = 10;
/// Times that one key may sign a browser in, in a minute: an audience of one address, not a flood.
pub const SIGN_INS_MAX: u32 = 120;
/// Times that one address may ask for a passkey or show one, in a minute.
pub const PASSKEYS_MAX: u32 = 60;

/// Times that one sign-in or key may ask for a change, in a minute: four a second, which no hand does for
/// long.
pub const ACTS_MAX: u32 = 240;

/// The counts.
#[derive(Debug)]
pub struct Guesses {
    wrong: Pace<IpAddr>,
    sign_ins: Pace<[u8; 32]>,
    passkeys: Pace<IpAddr>,
    acts: Pace<[u8; 32]>,
}

impl Default for Guesses {
    fn default() -> Self {
        Self {
            wrong: Pace::new(WRONG_KEYS_MAX),
            sign_ins: Pace::new(SIGN_INS_MAX),
            passkeys: Pace::new(PASSKEYS_MAX),
            acts: Pace::new(ACTS_MAX),
        }
    }
}

impl Guesses {
    /// Counts a wrong key; whether that was one too many.
    pub fn wrong(&mut self, now: Time, from: IpAddr) -> TooMany {
        self.wrong.count(now, home(from))
    }

    /// Counts a browser that is signed in by a right key; only who has that key can make it too many.
    pub fn sign_in(&mut self, now: Time, by: &KeyHash) -> TooMany {
        self.sign_ins.count(now, by.0)
    }

    /// Counts a change that somebody asks for, by what they showed.
    pub fn act(&mut self, now: Time, by: &KeyHash) -> TooMany {
        self.acts.count(now, by.0)
    }

    /// Counts somebody who begins or ends with a passkey.
    pub fn passkey(&mut self, now: Time, from: IpAddr) -> TooMany {
        self.passkeys.count(now, home(from))
    }
}
