//! What visitors show at the door: tickets, secrets, passes, receipts.

use tribune_core::door::KeyRing;
use tribune_core::door::pass::{PASS_CHARS, Pass};
use tribune_core::door::ticket::{RoomTag, SECRET_CHARS, Secret, TICKET_CHARS, Ticket};
use tribune_core::egress::receipt::{Receipt, TAIL_BYTES};

const KEY: [u8; 32] = [7; 32];

/// A ticket, then after a space its secret: what is accepted is written again as it was.
pub fn ticket(data: &[u8]) {
    let (keys, room) = (KeyRing::new(&KEY), RoomTag::of("debate", 1));
    let text = String::from_utf8_lossy(data);
    let (shown, secret) = text.split_once(' ').unwrap_or((&text, ""));
    if let Ok(ticket) = Ticket::open(shown, room, &keys) {
        assert_eq!((shown.len(), ticket.seal(&keys).as_str()), (TICKET_CHARS, shown));
        assert!((0.8..=1.2).contains(&ticket.jitter()));
    }
    if let Some(read) = Secret::parse(secret) {
        assert_eq!((secret.len(), read.reveal().as_str()), (SECRET_CHARS, secret));
    }
}

/// A pass: what is accepted is written again as it was.
pub fn pass(data: &[u8]) {
    let (keys, room) = (KeyRing::new(&KEY), RoomTag::of("debate", 1));
    let text = String::from_utf8_lossy(data);
    if let Ok(pass) = Pass::open(&text, room, &keys) {
        assert_eq!((text.len(), pass.seal(&keys).as_str()), (PASS_CHARS, &*text));
    }
}

/// The end of a part, then a receipt for it: what proves it is the only one for that number and pass, and a
/// good one is read again.
pub fn receipt(data: &[u8]) {
    let Some((tail, text)) = data.split_first_chunk::<TAIL_BYTES>() else { return };
    let text = String::from_utf8_lossy(text);
    let Ok(receipt) = Receipt::parse(&text) else { return };
    let number = u32::try_from(receipt.part.0 + 1).expect("fragments have 32 bits");
    let good = Receipt::make((number, tail), receipt.pass);
    let words = |text: &str| text.split_once(' ').map(|(_, rest)| rest.to_owned());
    assert_eq!(receipt.proves(tail), words(&text) == words(&good));
    assert!(Receipt::parse(&good).expect("it is one").proves(tail));
}
