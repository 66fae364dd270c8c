//! Who hears whom, when, and what of it goes out.

use super::super::loudest::LOUDEST_MAX;
use super::super::{Event, Hears, InletId, Input, Kind, Muted, OnAir, Speaking};
use super::stage::{BEFORE_TICK_MS, Stage, frame_of};
use super::synth::{Random, power_db, tone, voice};
use crate::time::FRAME_SAMPLES;

/// How well `heard` holds `said`, later by up to 100 ms, from 0 to 1.
fn holds(said: &[f32], heard: &[f32]) -> f64 {
    let length = said.len().min(heard.len()) - 4_800;
    let energy = |x: &[f32]| x.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>();
    (0..4_800)
        .step_by(4)
        .map(|lag| {
            let later = &heard[lag..lag + length];
            let cross: f64 = said[..length].iter().zip(later).map(|(x, y)| f64::from(x * y)).sum();
            cross.abs() / (energy(&said[..length]) * energy(later)).sqrt().max(1e-9)
        })
        .fold(0.0, f64::max)
}

fn steepest(samples: &[f32]) -> f32 {
    samples.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max)
}

/// Goal: each hears the others and not themselves, before and while the room is live; the audience hears all
/// of them, and only when it is live.
#[test]
fn each_hears_the_others_and_not_themselves() {
    let voices: Vec<Vec<f32>> = (1..4).map(|seed| voice(seed, 8.0)).collect();
    let mut stage = Stage::with(3, OnAir::Hold);
    stage.play(4.0, |who, at, _| frame_of(&voices[who as usize], at));
    stage.tell(Input::OnAir(OnAir::Program));
    stage.play(4.0, |who, at, _| frame_of(&voices[who as usize], at));
    for (from, to) in [(1.0, 3.5), (5.0, 7.5)] {
        let said = |who: usize| &voices[who][(from * 48_000.0) as usize..(to * 48_000.0) as usize];
        for who in 0..3 {
            for other in 0..3 {
                let holds = holds(said(other), stage.heard(who as u32, from, to));
                if who == other {
                    assert!(holds < 0.2, "{who} hears themselves: {holds:.2}");
                } else {
                    assert!(holds > 0.25, "{who} does not hear {other}: {holds:.2}");
                }
            }
            let in_program = holds(said(who), &stage.program(from, to));
            assert_eq!(in_program > 0.3, from > 4.0, "{in_program:.2}");
        }
    }
    assert!(stage.program[..200].iter().all(|frame| frame.kind == Kind::Hold));
}

/// Goal: on a clean path a packet is in the mix-minus of the first tick after its arrival.
#[test]
fn a_packet_is_heard_at_the_next_tick() {
    let silence = vec![0.0; FRAME_SAMPLES];
    let word = tone(500.0, 48_000, 0.3, 0..FRAME_SAMPLES as u64);
    let mut stage = Stage::with(2, OnAir::Program);
    stage.play(2.0, |_, _, _| Some(silence.clone()));
    stage.play(0.1, |who, _, _| Some(if who == 0 { word.clone() } else { silence.clone() }));
    let begins = stage.people[&1].heard[48_000..].iter().position(|x| x.abs() > 0.02).expect("it is heard");
    // 6.5 ms of look-ahead in each of the two encoders.
    let late_ms = (begins as f64 - 48_000.0) / 48.0 - 13.0;
    assert!((-1.0..4.0).contains(&late_ms), "{late_ms:.1} ms and {BEFORE_TICK_MS} ms from arrival to tick");
}

/// Goal: what is coded is what somebody hears: one packet for each listener in the mix, one for all others.
#[test]
fn thirteen_need_five_packets_and_who_only_sends_needs_none() {
    let voices: Vec<Vec<f32>> = (1..14).map(|seed| voice(seed, 5.0)).collect();
    let mut stage = Stage::new(OnAir::Program);
    (0..13).for_each(|who| stage.open(who, Hears::Nothing));
    stage.play(1.0, |who, at, _| frame_of(&voices[who as usize], at));
    assert_eq!(stage.packets, 0, "nobody listens");
    let mut stage = Stage::with(12, OnAir::Program);
    stage.open(12, Hears::Nothing);
    stage.play(4.0, |who, at, _| frame_of(&voices[who as usize], at));
    // A place that passes on is coded twice in that tick: the one who goes is still faded out of it.
    let most = stage.ticks as usize * (LOUDEST_MAX + 1);
    assert!((most - 250..most + 50).contains(&stage.packets), "{} of {most}", stage.packets);
    stage.tell(Input::Close { inlet: InletId(0) });
    stage.people.remove(&0);
    stage.play(1.0, |who, at, _| frame_of(&voices[who as usize], at));
}

/// Goal: who comes into the mix or leaves it hears the others go on without a click.
#[test]
fn the_change_to_a_packet_of_ones_own_is_not_heard() {
    let hum = tone(220.0, 48_000, 0.2, 0..48_000);
    let mut stage = Stage::with(2, OnAir::Program);
    let silence = vec![0.0; FRAME_SAMPLES];
    let says = |who: u32, at: usize| if who == 0 { frame_of(&hum, at) } else { Some(silence.clone()) };
    for _ in 0..4 {
        stage.mute(1, Muted::Yes);
        stage.play(0.5, |who, at, _| says(who, at));
        stage.mute(1, Muted::No);
        stage.play(0.5, |who, at, _| says(who, at));
    }
    assert!(stage.people[&1].own.windows(2).filter(|pair| pair[0] != pair[1]).count() >= 6);
    let steady = steepest(stage.heard(1, 1.2, 1.4));
    let all = steepest(stage.heard(1, 1.0, 4.0));
    assert!(all < 1.4 * steady, "{all:.4} and {steady:.4} where nothing changes");
}

/// Goal: a mute is heard from the next tick on, everywhere, and is over as fast.
#[test]
fn a_mute_takes_effect_at_the_next_tick() {
    let hum = tone(500.0, 48_000, 0.2, 0..48_000);
    let mut stage = Stage::with(2, OnAir::Program);
    let says = |who: u32, at: usize| frame_of(&hum, at).filter(|_| who == 0);
    stage.play(2.0, |who, at, _| says(who, at));
    stage.mute(0, Muted::Yes);
    stage.play(1.0, |who, at, _| says(who, at));
    stage.mute(0, Muted::No);
    stage.play(1.0, |who, at, _| says(who, at));
    // The frame of the tick fades; then there is the codec's delay, or the limiter's.
    let heard = [stage.people[&1].heard.clone(), stage.program(0.0, 4.0)];
    for (who, sound) in heard.iter().enumerate() {
        let db = |from: f64, to: f64| power_db(&sound[(from * 48_000.0) as usize..(to * 48_000.0) as usize]);
        assert!(db(1.0, 2.0) > -30.0, "{who}");
        assert!(db(2.04, 3.0) < -60.0, "{who}: {:.1}", db(2.04, 3.0));
        assert!(db(3.04, 4.0) > -30.0, "{who}");
    }
}

/// Goal: who speaks is known within 200 ms; a pause between words, a knock and a noisy room change nothing.
#[test]
fn who_speaks_is_known_at_once() {
    let mut random = Random::new(5);
    let noise: Vec<f32> = (0..480_000).map(|_| 0.004 * random.sample()).collect();
    let word = voice(3, 1.0);
    let says = |at: usize, speaks: bool| {
        let mut frame = frame_of(&noise, at).expect("noise does not end");
        if speaks {
            frame.iter_mut().zip(&word[at % 48_000..]).for_each(|(x, word)| *x += 2.0 * word);
        }
        Some(frame)
    };
    let mut stage = Stage::with(1, OnAir::Hold);
    stage.play(4.0, |_, at, _| says(at, false));
    stage
        .play(0.02, |_, at, _| says(at, false).map(|frame| [vec![0.5; 240], frame[240..].to_vec()].concat()));
    stage.play(1.98, |_, at, _| says(at, false));
    assert_eq!(stage.events, [], "noise and a knock are not speech");
    let loud = word.chunks(FRAME_SAMPLES).position(|frame| power_db(frame) > -35.0).expect("it is loud");
    stage.play(0.8, |_, at, _| says(at, true));
    stage.play(3.0, |_, at, _| says(at, false));
    let speaking = |what| stage.when(|event| *event == Event::Speaking { inlet: InletId(0), speaking: what });
    let (began, ended) = (speaking(Speaking::Began), speaking(Speaking::Ended));
    assert_eq!((began.len(), ended.len()), (1, 1), "{:?}", stage.events);
    let late_s = began[0] - 6.0 - loud as f64 * 0.02;
    assert!((0.0..=0.2).contains(&late_s), "{late_s:.2} s");
    assert!((7.0..7.6).contains(&ended[0]), "{:.2} s", ended[0]);
}

/// Goal: a source is heard by speakers too, and speakers by who hears the program.
#[test]
fn sources_and_speakers_share_the_mix() {
    let hum = tone(700.0, 48_000, 0.2, 0..48_000);
    let mut stage = Stage::with(1, OnAir::Program);
    let spec =
        super::super::Spec { name: "main".into(), levelling: super::super::Levelling::Off, backup_for: None };
    stage.tell(Input::Open { inlet: InletId(90), spec });
    let silence = vec![0.0; FRAME_SAMPLES];
    for tick in 0..150 {
        let pcm =
            crate::ingest::Pcm { rate_hz: 48_000, samples: frame_of(&hum, tick * 960).expect("a frame") };
        stage.tell(Input::Sound { inlet: InletId(90), pcm });
        stage.play(0.02, |_, _, _| Some(silence.clone()));
    }
    assert!(power_db(stage.heard(0, 1.0, 3.0)) > -20.0);
}
