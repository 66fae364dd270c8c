//! What each target of the server's own parsers does with its bytes. `server/tests/corpus.rs` runs the same
//! over the committed corpus, without a fuzzer.

use std::sync::LazyLock;
use std::time::Duration;

use serde_json::json;
use tribune_core::door::address;
use tribune_core::room::{
    CAP_MAX, Caller, Facts, Input, Moment, NOTICE_CHARS_MAX, Name, Output, Role, Room, is_title,
};
use tribune_core::time::{MediaTime, Time, WallTime};
use tribune_server::answer::Failure;
use tribune_server::config::{Config, OPTIONS};
use tribune_server::outside::{self, Answering, Asked, Plain, Strange, Whole};
use tribune_server::page::{self, Encoding, Lang, Site};

/// What Chromium offers.
const OFFER: &str = include_str!("../../../core/tests/sdp/chromium-sendrecv.sdp");

/// A target takes any bytes and panics when something that must hold does not.
pub type Target = fn(&[u8]);

/// Every target by its name.
#[allow(dead_code)] // Each fuzz target calls one of them; only the replay walks the table.
pub const TARGETS: [(&str, Target); 8] = [
    ("api_body", api_body),
    ("brief", brief),
    ("certificate", certificate),
    ("config", config),
    ("listener_page", listener_page),
    ("request_words", request_words),
    ("speaker_datagrams", speaker_datagrams),
    ("tls_records", tls_records),
];

/// An offer, and datagrams after it: each begins with its length, two bytes. Nobody without the password of
/// the answer is taken for the speaker, and nobody is sent more than they sent.
pub fn speaker_datagrams(data: &[u8]) {
    static ANSWERING: LazyLock<Answering> = LazyLock::new(|| {
        Answering::new(([127, 0, 0, 1], 8_082).into(), &[]).expect("a certificate can be made")
    });
    let end = data.windows(2).position(|two| two == [0, 0]).unwrap_or(data.len());
    let (offer, mut rest) = data.split_at(end);
    let offer = if offer.is_empty() { OFFER.into() } else { String::from_utf8_lossy(offer) };
    let Some(mut strange) = Strange::answer(&ANSWERING, &offer) else { return };
    rest = rest.get(2..).unwrap_or_default();
    while let [high, low, after @ ..] = rest {
        let bytes = after.len().min(usize::from(u16::from_be_bytes([*high, *low])));
        let (datagram, others) = after.split_at(bytes);
        let sent = strange.take(datagram);
        assert!(sent <= datagram.len(), "{sent} bytes for {bytes}");
        assert!(!strange.is_connected());
        rest = others;
    }
}

/// What a listener sends by TLS: the same whatever pieces it comes in; and what is sealed is opened.
pub fn tls_records(data: &[u8]) {
    let both = || outside::records().expect("a cipher that is known");
    let in_pieces = |bytes: &[u8], piece: usize| {
        let mut records = both();
        let said = bytes.chunks(piece).map(|bytes| records.open(bytes));
        said.into_iter().find(|said| *said != Ok(true)).unwrap_or(Ok(true))
    };
    let (piece, plain) =
        data.split_first().map_or((1, data), |(first, rest)| (usize::from(*first) + 1, rest));
    assert_eq!(in_pieces(plain, piece), in_pieces(plain, plain.len().max(1)));
    let (mut records, mut sealed) = (both(), Vec::new());
    for plain in plain.chunks(16_384) {
        records.seal(plain, &mut sealed).expect("it fits");
    }
    assert_eq!(in_pieces(&sealed, piece), Ok(true));
    records.seal_end(&mut sealed).expect("it fits");
    assert_eq!(in_pieces(&sealed, piece), Ok(false));
}

/// A connection's first bytes: a brief request is one from its first byte to its last, and what follows it is
/// not looked at; and a plain one is the same request to both who read it.
pub fn brief(data: &[u8]) {
    let read = |bytes: &[u8]| {
        let whole = Whole::read(&bytes.to_vec().into())?;
        assert!(whole.bytes <= bytes.len());
        Some((whole.request.method().clone(), whole.request.uri().clone(), whole.bytes, whole.is_last))
    };
    let plain = Plain::read(data);
    let Some(whole) = read(data) else {
        assert_eq!(plain, None, "who is answered at once would be refused the longer way");
        return;
    };
    if let Some(plain) = plain {
        assert_eq!((whole.0.as_str(), whole.1.path()), ("GET", plain.path));
        assert_eq!((whole.2, whole.3), (plain.bytes, plain.is_last));
        assert_eq!(plain.path, format!("/{}/status", plain.room));
    }
    assert_eq!(read(&data[..whole.2]), Some(whole.clone()));
    assert_eq!(read(&data[..whole.2 - 1]), None);
}

/// A body of the API: a refusal is the asker's fault and says why; what was understood is done in a room.
pub fn api_body(data: &[u8]) {
    for asked in outside::bodies(data) {
        match asked {
            Ok(Asked::Command(command)) => {
                for by in [Caller::Operator, Caller::Of(Role::Speaker)] {
                    let mut room = a_room();
                    let mut now =
                        Moment { time: Time::from_millis(1_000), wall: WallTime(1_700_000_000_000) };
                    room.handle_input(now, Input::Command { by, command: command.clone() });
                    let answers = std::iter::from_fn(|| room.poll_output());
                    assert_eq!(answers.filter(|output| matches!(output, Output::Answer(_))).count(), 1);
                    let facts = room.facts();
                    assert!(is_title(&facts.title) && facts.cap.is_none_or(|cap| cap <= CAP_MAX));
                    assert!(facts.notices.iter().all(|told| told.text.chars().count() <= NOTICE_CHARS_MAX));
                    if let Some((at, _)) = room.poll_timeout() {
                        now.time = now.time.max(at);
                        room.handle_input(now, Input::Timeout);
                    }
                }
            }
            Ok(Asked::Keys(roles)) => assert!((1..=3).contains(&roles.len())),
            Ok(Asked::Invitation(role, label)) => {
                assert!(matches!(role, Role::Speaker | Role::CoHost));
                assert!(label.is_none_or(|label| (1..=40).contains(&label.chars().count())));
            }
            Ok(Asked::Passkey(_, label)) => {
                assert!(label.is_none_or(|label| (1..=40).contains(&label.chars().count())));
            }
            Ok(Asked::SignIn(_, key)) => assert!((22..=256).contains(&key.reveal().len())),
            Ok(Asked::Name(name)) => assert!(!name.as_str().contains(char::is_control)),
            Ok(Asked::Webhook(url)) => assert!(url[..4].eq_ignore_ascii_case("http")),
            Ok(Asked::Passage((from_s, to_s), why)) => {
                assert!(0.0 <= from_s && from_s < to_s && is_title(&why))
            }
            Ok(Asked::New(new)) => {
                assert_eq!(new.starts_at.and_then(|at| WallTime::parse(&at.rfc3339())), new.starts_at);
            }
            Err(failure) => is_theirs(&failure),
        }
    }
}

fn a_room() -> Room {
    let facts = Facts::new(Name::parse("room").expect("a name"), "A room".to_owned());
    let now = Moment { time: Time::ZERO, wall: WallTime(1_700_000_000_000) };
    Room::new(now, facts, Duration::from_secs(600))
}

fn is_theirs(failure: &Failure) {
    assert!((400..500).contains(&failure.reason().row().status), "{failure:?}");
    assert!(!failure.message().is_empty());
}

/// A certificate in DER.
pub fn certificate(data: &[u8]) {
    outside::certificate_expires(data);
}

/// A configuration file, and each of its lines as a variable. What can be used can be written down and read
/// again.
pub fn config(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    match Config::load_text(&text) {
        Ok(config) => {
            let lines =
                OPTIONS.iter().filter_map(|opt| Some(format!("{} = {}\n", opt.name, (opt.show)(&config)?)));
            let written: String = lines.collect();
            assert_eq!(Config::load_text(&written), Ok(config), "{written}");
        }
        Err(wrong) => {
            assert!(!wrong.what.is_empty());
            assert!(wrong.line.is_none_or(|line| line <= 1 + text.matches('\n').count()), "{wrong}");
        }
    }
    let mut config = Config::default();
    for (name, value) in text.lines().filter_map(|line| line.split_once('=')) {
        let name = format!("TRIBUNE_{}", name.trim().to_ascii_uppercase());
        let _ = outside::variable(&mut config, &name, value.trim());
    }
}

/// A title and a notice, on the page and in a calendar: text stays text.
pub fn listener_page(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (title, told) = text.split_once('\n').unwrap_or((&text, ""));
    let status = |title: &str, told: &str| {
        json!({
            "room": "room", "title": title, "state": "scheduled", "now": "2026-11-21T19:00:00Z",
            "starts_at": "2026-11-21T20:00:00Z", "notices": [{"at": "2026-11-21T18:00:00Z", "text": told}],
        })
    };
    let (ours, theirs) = (status("x", "y"), status(title, told));
    let site = Site { public: "https://a.example".into(), stage: "https://b.example".into() };
    for lang in Lang::ALL {
        let tags = |status| page::render(status, lang, &site).html.matches('<').count();
        assert_eq!(tags(&theirs), tags(&ours), "{theirs}");
    }
    let file = page::calendar(&theirs, "https://a.example").expect("a start is announced");
    assert!(file.split("\r\n").all(|line| line.len() <= 75 && !line.contains(char::is_control)), "{file}");
    let properties = file.replace("\r\n ", "").matches("\r\n").count();
    assert_eq!(properties, 13, "{file}");
}

/// One header or parameter a line, as each of those that the server reads itself.
pub fn request_words(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut lines = text.split('\n');
    let mut next = || lines.next().unwrap_or_default();
    let (accept, host, path, query, name) = (next(), next(), next(), next(), next());
    let mentions = |word: &str| accept.to_ascii_lowercase().contains(word);
    assert!(match Encoding::choose(Some(accept)) {
        Encoding::Brotli => mentions("br"),
        Encoding::Gzip => mentions("gzip"),
        Encoding::Identity => true,
    });
    assert!(Lang::choose(None, Some(accept)) == Lang::En || mentions("fr"));
    if let Some(host) = address::host_of(host) {
        let to = outside::location(8443, &host, path);
        assert!(to.starts_with("https://") && to.ends_with(&format!(":8443{path}")), "{to}");
    }
    if let Some(Ok(MediaTime(samples))) = outside::from_s(query) {
        assert!(samples == 0 || query.contains(|c: char| c.is_ascii_digit()));
    }
    match outside::source(name, query) {
        Ok(spec) => assert!((1..=64).contains(&spec.name.len()) && spec.name.is_ascii()),
        Err(failure) => is_theirs(&failure),
    }
    let mut headers = http::HeaderMap::new();
    if let Ok(value) = http::HeaderValue::from_bytes(accept.as_bytes()) {
        headers.insert(http::header::AUTHORIZATION, value);
    }
    if let Err(failure) = outside::key(&headers) {
        is_theirs(&failure);
    }
}
