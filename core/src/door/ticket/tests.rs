#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;
use crate::door::mac::Earlier;

fn keys() -> KeyRing {
    KeyRing::new(&[9; 32])
}

fn room() -> RoomTag {
    RoomTag::of("debate", 1)
}

fn secret() -> Secret {
    Secret::new([5; 16])
}

fn ticket() -> Ticket {
    Ticket { room: room(), node: 0, serial: 70_000, second: 61, holder: secret().holder() }
}

#[test]
fn it_comes_back_as_it_was() {
    let text = ticket().seal(&keys());
    assert_eq!(text.len(), TICKET_CHARS);
    assert_eq!(Ticket::open(&text, room(), &keys()), Ok(ticket()));
    assert_eq!(ticket().check_secret(&secret()), Ok(()));
    assert_eq!(Secret::parse(&secret().reveal()), Some(secret()));
    assert_eq!(format!("{:?}", secret()), "Secret");
}

/// The bytes are the wire: another program may read them.
#[test]
fn its_fields_lie_where_the_page_says() {
    let bytes = URL_SAFE_NO_PAD.decode(ticket().seal(&keys())).unwrap();
    assert_eq!(bytes.len(), TICKET_BYTES);
    assert_eq!((bytes[0], &bytes[1..9]), (1, &room().0[..]));
    assert_eq!(
        (&bytes[9..11], &bytes[11..15], &bytes[15..19]),
        (&[0, 0][..], &[0, 1, 17, 112][..], &[0, 0, 0, 61][..])
    );
    assert_eq!(&bytes[19..31], &Sha256::digest([5; 16])[..12]);
}

#[test]
fn each_thing_that_is_wrong_has_its_name() {
    let text = ticket().seal(&keys());
    let newer = KeyRing::new(&[8; 32]);
    let expired = newer.clone().with_earlier(&[9; 32], Earlier::Expired);
    let honoured = newer.clone().with_earlier(&[9; 32], Earlier::Honoured);
    for (text, room, keys, answer) in [
        ("", room(), keys(), Err(TicketWrong::Malformed)),
        (&text[1..], room(), keys(), Err(TicketWrong::Malformed)),
        (&text.replacen('A', "!", 1), room(), keys(), Err(TicketWrong::Malformed)),
        (&format!("{text}A"), room(), keys(), Err(TicketWrong::Malformed)),
        (&text, RoomTag::of("other", 1), keys(), Err(TicketWrong::OtherRoom)),
        (&text, RoomTag::of("debate", 2), keys(), Err(TicketWrong::OtherRoom)),
        (&text, room(), newer, Err(TicketWrong::Forged)),
        (&text, room(), expired, Err(TicketWrong::KeyExpired)),
        (&text, room(), honoured, Ok(ticket())),
    ] {
        assert_eq!(Ticket::open(text, room, &keys), answer);
    }
    assert_eq!(ticket().check_secret(&Secret::new([6; 16])), Err(TicketWrong::SecretWrong));
    for wrong in TicketWrong::ALL {
        let row = wrong.refusal().row();
        assert!(row.code.starts_with("ticket_") || row.code == "secret_wrong", "{}", row.code);
    }
}

proptest! {
    #[test]
    fn any_ticket_comes_back(node: u16, serial: u32, second: u32, holder: [u8; 12]) {
        let ticket = Ticket { room: room(), node, serial, second, holder: Holder(holder) };
        prop_assert_eq!(Ticket::open(&ticket.seal(&keys()), room(), &keys()), Ok(ticket));
        prop_assert!((0.8..=1.2).contains(&ticket.jitter()));
    }

    #[test]
    fn no_altered_byte_is_accepted(place in 0..TICKET_BYTES, flip in 1..=255_u8) {
        let mut bytes = URL_SAFE_NO_PAD.decode(ticket().seal(&keys())).unwrap();
        bytes[place] ^= flip;
        prop_assert!(Ticket::open(&URL_SAFE_NO_PAD.encode(bytes), room(), &keys()).is_err());
    }

    #[test]
    fn no_text_panics(text in ".{0,80}") {
        prop_assert!(Ticket::open(&text, room(), &keys()).is_err());
        prop_assert!(Secret::parse(&text).is_none() || text.len() == SECRET_CHARS);
    }
}
