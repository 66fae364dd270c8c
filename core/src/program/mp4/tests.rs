use std::collections::BTreeMap;

use super::*;
use crate::program::{DEFAULT, PART_SAMPLES, PartNo, Renditions, Units};

/// Every box in a file by its path (`moov/trak/mdia`), with its contents; panics when sizes do not add up.
fn read(file: &[u8]) -> BTreeMap<String, Vec<Vec<u8>>> {
    let mut found = BTreeMap::new();
    read_into(file, "", &mut found);
    found
}

fn read_into(mut bytes: &[u8], path: &str, found: &mut BTreeMap<String, Vec<Vec<u8>>>) {
    const FOLDERS: [&str; 9] = ["moov", "trak", "mdia", "minf", "dinf", "stbl", "mvex", "moof", "traf"];
    while !bytes.is_empty() {
        let size = u32_at(bytes, 0) as usize;
        let name = String::from_utf8(bytes[4..8].to_vec()).expect("a box has a name");
        let (head, size) = if size == 1 { (16, u64_at(bytes, 8) as usize) } else { (8, size) };
        let body = &bytes[head..size];
        let path = if path.is_empty() { name.clone() } else { format!("{path}/{name}") };
        found.entry(path.clone()).or_default().push(body.to_vec());
        if FOLDERS.contains(&name.as_str()) || name == "edts" {
            read_into(body, &path, found);
        }
        bytes = &bytes[size..];
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes[at..at + 4].try_into().expect("4 bytes"))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_be_bytes(bytes[at..at + 8].try_into().expect("8 bytes"))
}

fn units(count: usize, seed: usize) -> Units {
    let all: Vec<Vec<u8>> = (0..count).map(|n| vec![(n + seed) as u8; 3 + (n * 7 + seed) % 50]).collect();
    Units::join(all.iter().map(Vec::as_slice))
}

#[test]
fn an_init_segment_says_how_to_decode_each_codec() {
    let renditions = Renditions::new(&DEFAULT).expect("legal");
    for (index, entry, config) in [
        (0, b"Opus", b"\0\0\0\x13dOps\0\x01\x01\x38\0\0\xbb\x80\0\0\0".to_vec()),
        (3, b"mp4a", b"\x05\x02\x11\x88\x06\x01\x02".to_vec()),
    ] {
        let file = renditions.init_segment(index).expect("listed");
        let boxes = read(&file);
        let stsd = &boxes["moov/trak/mdia/minf/stbl/stsd"][0];
        assert_eq!(&stsd[12..16], entry);
        assert!(stsd.ends_with(&config), "{stsd:x?}");
        let trex = &boxes["moov/mvex/trex"][0];
        assert_eq!(
            (u32_at(trex, 4), u32_at(trex, 12)),
            (1, renditions.get(index).expect("listed").codec.unit_samples())
        );
        assert_eq!(u32_at(&boxes["moov/trak/mdia/mdhd"][0], 20), 48_000);
        assert!(!boxes.contains_key("moov/trak/edts"));
    }
}

#[test]
fn a_chunk_says_where_and_when_each_unit_is() {
    let renditions = Renditions::new(&DEFAULT).expect("legal");
    for (index, shift) in [(0, 1_288), (3, 0)] {
        let rendition = renditions.get(index).expect("listed");
        let units = units(rendition.codec.units_per_part(), index);
        for no in [0, 1, 45_000, 1 << 40].map(PartNo) {
            let file = chunk(no, rendition, &units);
            let boxes = read(&file);
            assert_eq!(u32_at(&boxes["moof/mfhd"][0], 4), (no.0 as u32) + 1);
            assert_eq!(u64_at(&boxes["moof/traf/tfdt"][0], 4), no.0 * PART_SAMPLES + shift);
            assert_eq!(u32_at(&boxes["moof/traf/tfhd"][0], 8), rendition.codec.unit_samples());
            let run = &boxes["moof/traf/trun"][0];
            assert_eq!(u32_at(run, 4) as usize, units.sizes().len());
            let mut at = u32_at(run, 8) as usize;
            for (n, unit) in units.iter().enumerate() {
                let size = u32_at(run, 12 + 4 * n) as usize;
                assert_eq!(&file[at..at + size], unit);
                at += size;
            }
            assert_eq!((at, &boxes["mdat"][0]), (file.len(), &units.bytes().to_vec()));
        }
    }
}

#[test]
fn a_chunk_can_be_renumbered_and_nothing_else_can() {
    let renditions = Renditions::new(&DEFAULT).expect("legal");
    let rendition = renditions.get(3).expect("listed");
    let units = units(15, 9);
    let mut live = chunk(PartNo(739), rendition, &units).to_vec();
    assert_eq!(renumber(&mut live, PartNo(2), rendition), Some(()));
    assert_eq!(live, chunk(PartNo(2), rendition, &units));
    for wrong in [&live[..50], &live[1..], b"".as_slice()] {
        let mut copy = wrong.to_vec();
        assert_eq!(renumber(&mut copy, PartNo(3), rendition), None);
        assert_eq!(copy, wrong);
    }
}

/// Goal: the index finds every unit of every track in a file of chunks, also when other boxes lie between.
#[test]
fn the_index_finds_every_unit_in_the_stored_file() {
    let renditions = Renditions::new(&DEFAULT).expect("legal");
    let tracks = [3, 0].map(|index| renditions.track(index).expect("listed").clone());
    let mut index = Index::new(tracks.to_vec());
    let (mut stored, mut pushed) = (b"something before".to_vec(), [Vec::new(), Vec::new()]);
    for no in 0..40 {
        for (place, track) in tracks.iter().enumerate() {
            // The last part of an interrupted evening may be short.
            let count = if no == 20 { 4 } else { track.rendition.codec.units_per_part() };
            let units = units(count, no);
            let chunk = chunk(PartNo(no as u64), &track.rendition, &units);
            index.push(place, (stored.len() + chunk.len() - units.bytes().len()) as u64, units.sizes());
            pushed[place].extend(units.iter().map(<[u8]>::to_vec));
            stored.extend_from_slice(&chunk);
        }
    }
    let mut file = index.head(stored.len() as u64);
    file.extend_from_slice(&stored);
    let boxes = read(&file);
    for (place, track) in tracks.iter().enumerate() {
        let table = |name: &str| boxes[&format!("moov/trak/mdia/minf/stbl/{name}")][place].clone();
        let (stsc, stsz, stco) = (table("stsc"), table("stsz"), table("stco"));
        let (mut unit, mut rule) = (0, 0);
        for run in 0..u32_at(&stco, 4) {
            while rule + 1 < u32_at(&stsc, 4) && u32_at(&stsc, 8 + 12 * (rule as usize + 1)) <= run + 1 {
                rule += 1;
            }
            let mut at = u32_at(&stco, 8 + 4 * run as usize) as usize;
            for _ in 0..u32_at(&stsc, 12 + 12 * rule as usize) {
                let size = u32_at(&stsz, 12 + 4 * unit) as usize;
                assert_eq!(file[at..at + size], pushed[place][unit]);
                (at, unit) = (at + size, unit + 1);
            }
        }
        assert_eq!((unit, u32_at(&stsz, 8) as usize), (pushed[place].len(), pushed[place].len()));
        let samples = unit as u64 * u64::from(track.rendition.codec.unit_samples());
        let edit = &boxes["moov/trak/edts/elst"][place];
        let priming = u64::from(track.rendition.priming_samples);
        assert_eq!((u64_at(edit, 8), u64_at(edit, 16)), (samples - priming, priming));
    }
}

#[test]
fn a_file_too_large_for_32_bits_is_indexed_in_64() {
    let renditions = Renditions::new(&DEFAULT).expect("legal");
    for (stored, table, mdat_head) in
        [(u64::from(u32::MAX) - 100_000, "stco", 8), (u64::from(u32::MAX), "co64", 16)]
    {
        let mut index = Index::new(vec![renditions.track(3).expect("listed").clone()]);
        index.push(0, stored - 45, &[3; 15]);
        let head = index.head(stored);
        let size = if mdat_head == 8 {
            u64::from(u32_at(&head, head.len() - 8))
        } else {
            assert_eq!(u32_at(&head, head.len() - 16), 1);
            u64_at(&head, head.len() - 8)
        };
        assert_eq!(size, stored + mdat_head);
        let boxes = read(&head[..head.len() - mdat_head as usize]);
        let offsets = &boxes[&format!("moov/trak/mdia/minf/stbl/{table}")][0];
        let at = if mdat_head == 8 { u64::from(u32_at(offsets, 8)) } else { u64_at(offsets, 8) };
        assert_eq!(at, head.len() as u64 + stored - 45);
    }
}
