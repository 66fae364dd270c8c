//! Sealed here, read by the library; sealed by the library, understood here.

use std::io::{Read, Write};
use std::sync::Arc;

use rustls::crypto::ring::{cipher_suite, default_provider};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConnection, SupportedCipherSuite};
use rustls_pki_types::ServerName;

use super::super::Certificates;
use super::*;
use crate::net::Keys;

pub(crate) const SUITES: [SupportedCipherSuite; 3] = [
    cipher_suite::TLS13_AES_128_GCM_SHA256,
    cipher_suite::TLS13_AES_256_GCM_SHA384,
    cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
];

/// Two who shook hands by this cipher, and one's keys.
pub(crate) fn shook(suite: SupportedCipherSuite) -> (Records, ClientConnection) {
    let (server, client) = shook_hands(suite);
    let secrets = server.dangerous_extract_secrets().expect("the handshake is done");
    (Records::new(secrets).expect("a cipher of ours"), client)
}

/// Two who shook hands by this cipher.
fn shook_hands(suite: SupportedCipherSuite) -> (ServerConnection, ClientConnection) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let certificates = Certificates::empty();
    certificates.present(&made.cert.pem(), &made.signing_key.serialize_pem()).expect("it can be used");
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).expect("a root");
    let mut provider = default_provider();
    provider.cipher_suites = vec![suite];
    let config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .expect("TLS 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").expect("a name");
    let mut client = ClientConnection::new(Arc::new(config), name).expect("settings");
    let mut server = ServerConnection::new(certificates.config()).expect("settings");
    while client.wants_write() || server.wants_write() {
        let bytes = said(&mut client);
        server.read_tls(&mut &bytes[..]).expect("memory");
        server.process_new_packets().expect("they agree");
        let mut bytes = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut bytes).expect("memory");
        }
        hears(&mut client, &bytes).expect("they agree");
    }
    (server, client)
}

fn said(client: &mut ClientConnection) -> Vec<u8> {
    let mut bytes = Vec::new();
    while client.wants_write() {
        client.write_tls(&mut bytes).expect("memory");
    }
    bytes
}

/// What the library makes of these bytes, and whether it was told the end.
pub(crate) fn hears(
    client: &mut ClientConnection,
    mut bytes: &[u8],
) -> Result<(Vec<u8>, bool), rustls::Error> {
    let (mut heard, mut is_over) = (Vec::new(), false);
    while !bytes.is_empty() {
        client.read_tls(&mut bytes).expect("memory");
        let state = client.process_new_packets()?;
        is_over |= state.peer_has_closed();
        let mut piece = vec![0; state.plaintext_bytes_to_read()];
        client.reader().read_exact(&mut piece).expect("so many are there");
        heard.extend(piece);
    }
    Ok((heard, is_over))
}

#[test]
fn what_is_sealed_here_is_heard_by_any_cipher_and_ends() {
    for suite in SUITES {
        let (mut records, mut client) = shook(suite);
        for bytes in [1, 2_640, PLAIN_BYTES_MAX, 0, 7] {
            let sound: Vec<u8> = (0..bytes).map(|n| n as u8).collect();
            let mut sealed = Vec::new();
            records.seal(&sound, &mut sealed).expect("it fits");
            assert_eq!(hears(&mut client, &sealed), Ok((sound, false)), "{suite:?}");
        }
        let mut sealed = Vec::new();
        records.seal_end(&mut sealed).expect("it fits");
        assert_eq!(hears(&mut client, &sealed), Ok((Vec::new(), true)), "{suite:?}");
    }
}

#[test]
fn what_they_say_is_understood_in_any_pieces_until_they_end() {
    for (suite, piece) in SUITES.into_iter().zip([1, 7, 40_000]) {
        let (mut records, mut client) = shook(suite);
        for bytes in [3, 20_000] {
            client.writer().write_all(&vec![7; bytes]).expect("memory");
            for bytes in said(&mut client).chunks(piece) {
                assert_eq!(records.open(bytes), Ok(true), "{suite:?}");
            }
            assert!(records.begun.is_empty() && records.begun.capacity() == 0, "nothing is kept");
        }
        client.send_close_notify();
        assert_eq!(records.open(&said(&mut client)), Ok(false), "{suite:?}");
    }
}

#[test]
fn what_they_may_not_say_is_named() {
    let (mut records, mut client) = shook(SUITES[0]);
    client.refresh_traffic_keys().expect("TLS 1.3 can");
    assert_eq!(records.open(&said(&mut client)), Err(Broken::OtherKeys));
    let (mut records, mut client) = shook(SUITES[0]);
    client.writer().write_all(b"a").expect("memory");
    let mut bytes = said(&mut client);
    *bytes.last_mut().expect("a record") ^= 1;
    assert_eq!(records.open(&bytes), Err(Broken::Changed));
    for head in [[22, 3, 3, 0, 20], [23, 3, 3, 0, 16], [23, 3, 3, 0x41, 1], *b"GET /"] {
        let (mut records, _) = shook(SUITES[0]);
        assert_eq!(records.open(&head), Err(Broken::NoRecord), "{head:?}");
    }
}

#[test]
fn who_asked_for_other_keys_stays_with_the_library() {
    let keys = |asks: fn(&mut ClientConnection), is_between| {
        let (mut server, mut client) = shook_hands(SUITES[0]);
        asks(&mut client);
        let bytes = said(&mut client);
        server.read_tls(&mut &bytes[..]).expect("memory");
        server.process_new_packets().expect("they agree");
        Keys::of(server, is_between).expect("the handshake is done")
    };
    assert!(matches!(keys(|_| (), true), Keys::Taken(_)));
    assert!(matches!(keys(|_| (), false), Keys::Library(_)), "the rest of a record would be lost");
    let asks: fn(&mut ClientConnection) = |client| client.refresh_traffic_keys().expect("TLS 1.3 can");
    assert!(matches!(keys(asks, true), Keys::Library(_)), "they wait to be told of ours");
}

#[test]
fn a_key_and_a_record_have_their_ends() {
    let (mut records, _) = shook(SUITES[1]);
    let mut sealed = Vec::new();
    assert_eq!(records.seal(&[0; PLAIN_BYTES_MAX + 1], &mut sealed), Err(Broken::NoRecord));
    records.number = RECORDS_MAX - 1;
    assert_eq!(records.seal(b"a", &mut sealed), Ok(()));
    let before = sealed.clone();
    assert_eq!(records.seal(b"a", &mut sealed), Err(Broken::UsedUp));
    assert_eq!(records.seal_end(&mut sealed), Err(Broken::UsedUp));
    assert_eq!(sealed, before, "nothing of it is sent");
}

#[test]
fn it_is_known_where_a_record_ends_in_whatever_pieces_it_comes() {
    let (mut bytes, mut ends) = (Vec::new(), vec![0]);
    for length in [0_u16, 1, 255, 256, 600, 0, 3] {
        bytes.extend([23, 3, 3]);
        bytes.extend(length.to_be_bytes());
        bytes.resize(bytes.len() + usize::from(length), 0xff);
        ends.push(bytes.len());
    }
    for piece in 1..=bytes.len() {
        let (mut seen, mut at) = (Ends::default(), 0);
        for bytes in bytes.chunks(piece) {
            seen.saw(bytes);
            at += bytes.len();
            assert_eq!(seen.is_between(), ends.contains(&at), "{at} bytes in pieces of {piece}");
        }
    }
}
