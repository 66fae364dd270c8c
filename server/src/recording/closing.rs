//! What is written when the chain is closed: the few bytes around the stored sound that make it files, and
//! the seal.
//!
//! The seal's document comes last; when it is there, the replay is complete. Everything here can be made
//! again from the log and the stored sound, so a crash half-way is mended by doing it again.

use std::io;

use bytes::Bytes;
use sha2::{Digest, Sha256};
use tribune_core::egress::replay::playlist;
use tribune_core::program::seal::{Closing, Extent, Files, Link, Record, Seal};
use tribune_core::program::{PartNo, mp4, ogg};

use super::folder::Stored;
use super::redaction::read_marks;
use super::runs;
use super::tape::{Growing, Tape};

/// The name under which the playlist refers to the chunks.
const MEDIA_NAME: &str = "replay.mp4";

/// Writes everything a replay needs beside the stored sound.
pub fn write(tape: &Tape) -> io::Result<()> {
    let put = |stored: Stored, bytes: &[u8]| tape.disk.replace(&stored.path(&tape.folder), bytes);
    let (end, records) = (tape.chain.at(), tape.records()?);
    let mut files = Files::default();
    if let Some(last) = end.parts.checked_sub(1) {
        let pre_skip = tape.genesis.opus.priming_samples;
        let head = ogg::headers(ogg::Headers { pre_skip, title: &tape.genesis.title });
        let tail = ogg::end_page(PartNo(last), pre_skip);
        let index = runs::index(&tape.runs.file, tape.runs.len, &tape.aac)?;
        let m4a_head = index.head(tape.chunks.len);
        let init = mp4::init_segment(std::slice::from_ref(&tape.aac));
        put(Stored::OpusHead, &head)?;
        put(Stored::OpusTail, &tail)?;
        put(Stored::M4aHead, &m4a_head)?;
        put(Stored::Init, &init)?;
        put(Stored::Playlist, &playlist_of(&records, &init))?;
        files.opus = vec![extent(&head), extent_of(&tape.pages), extent(&tail)];
        files.m4a = vec![extent(&m4a_head), extent_of(&tape.chunks)];
    }
    let redactions = read_marks(&tape.folder)?;
    let closing = Closing::sign((&tape.genesis, &end), &redactions, files, &tape.key);
    let links = records.iter().map(Link::from).collect();
    let seal = Seal { genesis: tape.genesis.clone(), links, redactions, closing: Some(closing) };
    put(Stored::Seal, &seal.to_json())
}

fn playlist_of(records: &[Record], init: &Bytes) -> Vec<u8> {
    let entry = |record: &Record| match record {
        Record::Entry { entry, chunk_bytes, .. } => Some((*entry, *chunk_bytes)),
        Record::Signed { .. } => None,
    };
    let (entries, sizes): (Vec<_>, Vec<_>) = records.iter().filter_map(entry).unzip();
    let sizes: Vec<u32> = sizes.into_iter().filter(|&size| size > 0).collect();
    playlist((MEDIA_NAME, init.len() as u64), &entries, &sizes).into_bytes()
}

fn extent(bytes: &[u8]) -> Extent {
    Extent { bytes: bytes.len() as u64, sha256: Sha256::digest(bytes).into() }
}

fn extent_of(growing: &Growing) -> Extent {
    Extent { bytes: growing.len, sha256: growing.hash.clone().finalize().into() }
}
