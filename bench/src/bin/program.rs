//! What it costs to cut the program: processor time in milliseconds for each second of sound, by Opus
//! complexity and for the default renditions.
//!
//! `program` prints one JSON line; `program DIR` also writes what was made, so that other tools can be asked
//! whether they take it.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use tribune_core::codec::opus::{self, Prediction};
use tribune_core::egress::Window;
use tribune_core::mix::{Frame, Kind};
use tribune_core::program::{Codec, Cutter, DEFAULT, Edition, Input, Part, PartNo, Renditions, mp4, ogg};
use tribune_core::time::{FRAME_SAMPLES, WallTime};

const SECONDS: usize = 60;
const FRAMES: usize = SECONDS * 50;

fn main() -> anyhow::Result<()> {
    let frames: Vec<Frame> = (0..FRAMES).map(frame).collect();
    let mut complexity_ms = serde_json::Map::new();
    for complexity in [0, 3, 5, 7, 8, 9, 10] {
        let began_ms = processor_ms()?;
        encode_opus(&frames, complexity)?;
        let spent_ms = (processor_ms()? - began_ms) / SECONDS as f64;
        complexity_ms.insert(complexity.to_string(), spent_ms.into());
    }
    let mut cutter = Cutter::new(Arc::new(Renditions::new(&DEFAULT)?), PartNo(1_200))?;
    let began_ms = processor_ms()?;
    let parts = cut(&mut cutter, &frames)?;
    let cut_ms = (processor_ms()? - began_ms) / SECONDS as f64;
    let line = serde_json::json!({
        "seconds": SECONDS,
        "default_renditions_ms_per_s": cut_ms,
        "window_append_us": append_us(cutter.renditions(), &parts)?,
        "index_four_hours_ms": index_four_hours_ms(cutter.renditions())?,
        "three_opus_ms_per_s_by_complexity": complexity_ms,
    });
    writeln!(std::io::stdout(), "{line}")?;
    match std::env::args().nth(1) {
        Some(folder) => write_out(Path::new(&folder), cutter.renditions(), &parts),
        None => Ok(()),
    }
}

/// Milliseconds this thread has run: what others run at the same time does not count. Linux only.
fn processor_ms() -> anyhow::Result<f64> {
    let line = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanos: f64 = line.split_whitespace().next().unwrap_or_default().parse()?;
    Ok(nanos / 1e6)
}

/// A buzzing voice and a breath of noise, with pauses: harder to code than silence, easier than an orchestra.
fn frame(at: usize) -> Frame {
    let mut noise = 0x9E37_79B9_u32.wrapping_mul(at as u32 + 1);
    let samples = std::array::from_fn(|n| {
        let t = (at * FRAME_SAMPLES + n) as f32 / 48_000.0;
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let voice = (std::f32::consts::TAU * (140.0 + 30.0 * (3.0 * t).sin()) * t).sin().powi(5);
        let loud = (2.1 * t).sin().max(0.0);
        loud * (0.5 * voice + 0.02 * ((noise >> 16) as f32 / 32_768.0 - 1.0))
    });
    Frame { kind: Kind::Conversation, samples }
}

fn encode_opus(frames: &[Frame], complexity: u8) -> anyhow::Result<()> {
    let mut packets = Vec::new();
    for bit_rate in [64_000, 32_000, 16_000] {
        let mut encoder = opus::Encoder::with_complexity(bit_rate, complexity)?;
        for (at, frame) in frames.iter().enumerate() {
            let prediction = if at % 16 == 0 { Prediction::Fresh } else { Prediction::Carry };
            packets.clear();
            encoder.encode(&frame.samples, prediction, &mut packets)?;
        }
    }
    Ok(())
}

fn cut(cutter: &mut Cutter, frames: &[Frame]) -> anyhow::Result<Vec<Part>> {
    let mut parts = Vec::new();
    for (at, frame) in frames.iter().enumerate() {
        cutter.handle_input(Input::Frame { frame, wall: WallTime(1_723_507_200_000 + at as i64 * 20) })?;
        parts.extend(cutter.poll_output());
    }
    Ok(parts)
}

/// Microseconds to append one part to a full window, playlists included.
fn append_us(renditions: &Arc<Renditions>, parts: &[Part]) -> anyhow::Result<f64> {
    const APPENDS: u64 = 1_000;
    let mut window = Window::new(Arc::clone(renditions), Edition(WallTime(0)));
    let Some(model) = parts.get(1) else { return Ok(0.0) };
    let mut spent_ms = 0.0;
    for no in 0..192 + APPENDS {
        let part = Arc::new(Part { no: PartNo(no), ..model.clone() });
        let began_ms = processor_ms()?;
        window = window.append(part);
        spent_ms += if no < 192 { 0.0 } else { processor_ms()? - began_ms };
    }
    Ok(spent_ms * 1e3 / APPENDS as f64)
}

/// Milliseconds from the end of a recording of four hours to the head of its M4A.
fn index_four_hours_ms(renditions: &Renditions) -> anyhow::Result<f64> {
    let aac = renditions.best(Codec::AacLc).and_then(|index| renditions.track(index));
    let mut index = mp4::Index::new(aac.cloned().into_iter().collect());
    for no in 0..45_000 {
        index.push(0, no * 2_700 + 160, &[170; 15]);
    }
    let began_ms = processor_ms()?;
    std::hint::black_box(index.head(45_000 * 2_700));
    Ok(processor_ms()? - began_ms)
}

/// Writes each rendition as a listener who joins in the middle gets it, and the recording's files.
fn write_out(folder: &Path, renditions: &Renditions, parts: &[Part]) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder)?;
    let Some(last) = parts.last() else { return Ok(()) };
    for (index, rendition) in renditions.iter().enumerate() {
        let name = rendition.name();
        let mut mp4 = renditions.init_segment(index).unwrap_or_default().to_vec();
        let mut stream = Vec::new();
        let suffix = match rendition.codec {
            Codec::Opus => {
                stream.extend(renditions.ogg_headers("A live program").unwrap_or_default());
                "opus"
            }
            Codec::AacLc => "aac",
        };
        for part in parts {
            mp4.extend_from_slice(&part.tracks[index].chunk);
            stream.extend_from_slice(&part.tracks[index].stream);
        }
        if rendition.codec == Codec::Opus {
            stream.extend(renditions.ogg_end(last.no).unwrap_or_default());
        }
        std::fs::write(folder.join(format!("{name}.mp4")), mp4)?;
        std::fs::write(folder.join(format!("{name}.{suffix}")), stream)?;
    }
    write_recording(folder, renditions, parts)
}

fn write_recording(folder: &Path, renditions: &Renditions, parts: &[Part]) -> anyhow::Result<()> {
    let (Some(opus), Some(aac)) = (renditions.best(Codec::Opus), renditions.best(Codec::AacLc)) else {
        return Ok(());
    };
    let (Some(track), Some(init)) = (renditions.track(aac), renditions.init_segment(aac)) else {
        return Ok(());
    };
    let mut pages = renditions.ogg_headers("A recorded program").unwrap_or_default();
    let mut chunks = Vec::new();
    let mut index = mp4::Index::new(vec![track.clone()]);
    for (at, part) in parts.iter().enumerate() {
        let no = PartNo(at as u64);
        let mut page = part.tracks[opus].stream.to_vec();
        anyhow::ensure!(ogg::renumber(&mut page, ogg::PageHead::of_part(no)).is_some());
        pages.extend(page);
        let mut chunk = part.tracks[aac].chunk.to_vec();
        anyhow::ensure!(mp4::renumber(&mut chunk, no, &track.rendition).is_some());
        let units = &part.tracks[aac].units;
        index.push(0, (chunks.len() + chunk.len() - units.bytes().len()) as u64, units.sizes());
        chunks.extend(chunk);
    }
    pages.extend(renditions.ogg_end(PartNo(parts.len() as u64 - 1)).unwrap_or_default());
    std::fs::write(folder.join("replay.opus"), pages)?;
    std::fs::write(folder.join("replay.mp4"), [init.as_ref(), &chunks].concat())?;
    std::fs::write(folder.join("replay.m4a"), [index.head(chunks.len() as u64), chunks].concat())?;
    Ok(())
}
