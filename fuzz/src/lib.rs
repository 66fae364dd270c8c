//! What each fuzz target of core does with its bytes. `core/tests/corpus.rs` runs the same over the committed
//! corpus, without a fuzzer.

mod door;
mod logs;
mod recording;
mod requests;

pub use door::*;
pub use logs::*;
pub use recording::*;
pub use requests::*;

use tribune_core::codec::{aac, mp3, opus as opus_codec, vorbis};
use tribune_core::ingest::frames::{self, Frames, Kind};
use tribune_core::ingest::ogg::{self, Packets, Pages, opus};
use tribune_core::ingest::speaker::{Packet, Speaker};
use tribune_core::ingest::{Hint, Input, Output, Source, icecast, metadata};
use tribune_core::time::{FRAME_MS, FRAME_SAMPLES, Time};

/// A target takes any bytes and panics when something that must hold does not.
pub type Target = fn(&[u8]);

/// Every target by its name.
#[allow(dead_code)] // The fuzzer calls the targets one by one; only the replay walks the table.
pub const TARGETS: [(&str, Target); 36] = [
    ("ogg_pages", ogg_pages),
    ("opus_headers", opus_headers),
    ("opus_packets", opus_packets),
    ("adts_frames", adts_frames),
    ("aac_decoder", aac_decoder),
    ("mp3_frames", mp3_frames),
    ("vorbis_headers", vorbis_headers),
    ("source", source),
    ("speaker_packets", speaker_packets),
    ("icecast_headers", icecast_headers),
    ("metadata_query", metadata_query),
    ("source_head", source_head),
    ("titles", titles),
    ("hold_sound", hold_sound),
    ("ogg_renumber", ogg_renumber),
    ("mp4_renumber", mp4_renumber),
    ("seal_document", seal_document),
    ("seal_log", seal_log),
    ("redaction_marks", redaction_marks),
    ("recording_file", recording_file),
    ("recording_verify", recording_verify),
    ("status_kept", status_kept),
    ("witness", witness),
    ("range", range),
    ("proxy_header", proxy_header),
    ("visitor", visitor),
    ("hls_query", hls_query),
    ("window_place", window_place),
    ("room_words", room_words),
    ("whip_offer", whip_offer),
    ("whip_fragment", whip_fragment),
    ("ticket", ticket),
    ("pass", pass),
    ("receipt", receipt),
    ("access_log", access_log),
    ("guard_ledger", guard_ledger),
];

/// Pages, and packets out of all of them as if they were one stream.
pub fn ogg_pages(data: &[u8]) {
    let (mut pages, mut packets) = (Pages::default(), Packets::default());
    for chunk in data.chunks(97) {
        pages.push(chunk);
        while let Some(found) = pages.poll() {
            match found {
                ogg::Found::Page(page) => {
                    let batch = packets.page(&page);
                    assert!(batch.packets.iter().all(|packet| packet.bytes.len() <= ogg::PACKET_BYTES_MAX));
                }
                ogg::Found::Lost(_) => {}
                ogg::Found::Gone(_) => return,
            }
        }
    }
}

/// The headers of Ogg Opus, and a packet's length.
pub fn opus_headers(data: &[u8]) {
    if let Ok(head) = opus::Head::parse(data) {
        assert!(head.channels == 1 || head.channels == 2);
    }
    if let Some(title) = opus::tags(data) {
        assert!(title.line().chars().all(|c| !c.is_control()));
    }
    opus::packet_samples(data);
}

/// Packets of at most 255 bytes, each after a byte with its length; an empty one is a lost one.
pub fn opus_packets(data: &[u8]) {
    let mut decoder = opus_codec::Decoder::new().expect("a decoder needs nothing but memory");
    let mut rest = data;
    while let Some((&len, after)) = rest.split_first() {
        let (packet, after) = after.split_at(usize::from(len).min(after.len()));
        rest = after;
        let mut sound = Vec::new();
        let decoded = if packet.is_empty() {
            decoder.conceal(960, &mut sound)
        } else {
            decoder.decode(packet, &mut sound)
        };
        assert_eq!(decoded.unwrap_or(0), sound.len());
        assert!(sound.len() <= opus_codec::PACKET_SAMPLES_MAX);
    }
}

/// A stream of ADTS through the decoder; then the same bytes as one raw unit after a configuration.
pub fn aac_decoder(data: &[u8]) {
    let mut decoder = aac::Decoder::adts().expect("a decoder needs nothing but memory");
    let mut rest = data;
    while let Ok(taken @ 1..) = decoder.fill(rest) {
        rest = &rest[taken..];
        // Every answer but the last takes a byte at least, so that more answers than bytes are a loop.
        for answers in 0.. {
            assert!(answers <= data.len(), "the decoder goes round in a circle");
            match decoder.poll() {
                Ok(Some(sound)) => assert!(sound.samples.len() <= 4_096 * sound.channels),
                Ok(None) => break,
                Err(aac::Error::Frame) => {}
                Err(_) => return,
            }
        }
    }
    let (config, unit) = data.split_at(data.len().min(2));
    if let Ok(mut decoder) = aac::Decoder::raw(config) {
        let _ = decoder.decode(unit).map(|sound| assert!(sound.channels <= 2));
    }
}

/// Frames of AAC in ADTS.
pub fn adts_frames(data: &[u8]) {
    framed(Kind::Adts, data, |_| {});
}

/// Frames of MP3, each decoded.
pub fn mp3_frames(data: &[u8]) {
    let mut decoder = mp3::Decoder::new().expect("a decoder needs nothing but memory");
    framed(Kind::Mp3, data, |frame| {
        let mut sound = Vec::new();
        if let Ok(samples) = decoder.decode(frame, &mut sound) {
            assert_eq!(samples, sound.len());
        }
    });
}

fn framed(kind: Kind, data: &[u8], mut each: impl FnMut(&[u8])) {
    let mut found = Frames::new(kind);
    for chunk in data.chunks(61) {
        found.push(chunk);
        while let Some(next) = found.poll() {
            match next {
                frames::Found::Frame(frame) => each(&frame),
                frames::Found::Lost(_) => {}
                frames::Found::Gone(_) => return,
            }
        }
    }
}

/// A setup header for a stream of `data[0]` channels, as long as `data[2..4]` say; the rest are packets of 64
/// bytes.
pub fn vorbis_headers(data: &[u8]) {
    let Some((&[channels, blocks, low, high], rest)) = data.split_first_chunk::<4>() else {
        return;
    };
    let mut ident = b"\x01vorbis\0\0\0\0".to_vec();
    ident.extend([channels, 0x44, 0xac, 0, 0]);
    ident.extend([0; 12]);
    ident.extend([blocks, 1]);
    let (setup, packets) = rest.split_at(usize::from(u16::from_le_bytes([low, high])).min(rest.len()));
    let Ok(mut decoder) = vorbis::Decoder::new(&ident, setup) else {
        return;
    };
    for packet in packets.chunks(64) {
        let mut sound = Vec::new();
        if let Ok(samples) = decoder.decode(packet, &mut sound) {
            assert_eq!(samples, sound.len());
        }
    }
}

/// A whole source: the first byte is what it announces, the second how its bytes are cut.
pub fn source(data: &[u8]) {
    let Some((&[hint, chunk], bytes)) = data.split_first_chunk::<2>() else {
        return;
    };
    let hint = [Hint::Ogg, Hint::Mpeg, Hint::Aac, Hint::Unknown][usize::from(hint % 4)];
    let mut source = Source::new(hint);
    let mut failed = false;
    let mut drain = |source: &mut Source| {
        while let Some(output) = source.poll_output() {
            assert!(!failed, "nothing comes after the end");
            match output {
                Output::Sound(pcm) => assert!(pcm.samples.iter().all(|sample| sample.abs() <= 8.0)),
                Output::Failed(_) => failed = true,
                Output::Format(_) | Output::Title(_) | Output::Lost(_) => {}
            }
        }
    };
    for chunk in bytes.chunks(usize::from(chunk) * 16 + 1) {
        source.handle_input(Time::ZERO, Input::Bytes(chunk));
        drain(&mut source);
    }
    source.handle_input(Time::ZERO, Input::Ended);
    drain(&mut source);
}

/// A speaker's packets, each after five bytes: the ticks that pass first; how many bytes the next two are
/// shifted by; how its number and its place differ from those of the one before; its length.
pub fn speaker_packets(data: &[u8]) {
    let mut speaker = Speaker::new().expect("a decoder needs nothing but memory");
    let (mut tick, mut seq, mut timestamp, mut rest) = (0_u64, 0_u64, 0_u64, data);
    let mut frame = [0.0; FRAME_SAMPLES];
    while let Some((&[ticks, shift, number, place, length], after)) = rest.split_first_chunk::<5>() {
        let (payload, after) = after.split_at(usize::from(length).min(after.len()));
        rest = after;
        for _ in 0..ticks % 32 {
            tick += 1;
            speaker.tick(Time::from_millis(tick * FRAME_MS), &mut frame);
            assert!(frame.iter().all(|sample| sample.is_finite()));
        }
        let differs =
            |by: u8, unit: i64| (i64::from(by as i8) << (u32::from(shift) % 7 * 8)).wrapping_mul(unit);
        seq = seq.wrapping_add_signed(differs(number, 1));
        timestamp = timestamp.wrapping_add_signed(differs(place, 120));
        let arrived = Time::from_millis(tick * FRAME_MS + 7);
        speaker.push(Packet { arrived, seq, timestamp, payload: payload.to_vec().into() });
    }
}

/// Lines of `name: value` after a line with the method.
pub fn icecast_headers(data: &[u8]) {
    let mut lines = data.split(|&byte| byte == b'\n');
    let method = String::from_utf8_lossy(lines.next().unwrap_or_default()).into_owned();
    let headers: Vec<(String, &[u8])> = lines
        .filter_map(|line| line.iter().position(|&byte| byte == b':').map(|at| line.split_at(at)))
        .map(|(name, value)| (String::from_utf8_lossy(name).into_owned(), &value[1..]))
        .collect();
    if let Ok(hello) = icecast::read(&method, headers.iter().map(|(name, value)| (name.as_str(), *value))) {
        assert!(hello.name.iter().chain(&hello.agent).all(|text| text.chars().all(|c| !c.is_control())));
    }
}

/// The query of a metadata request.
pub fn metadata_query(data: &[u8]) {
    if let Ok(update) = metadata::read(&String::from_utf8_lossy(data)) {
        assert!(!update.mount.is_empty());
        assert!(update.title.line().chars().all(|c| !c.is_control()));
    }
}
