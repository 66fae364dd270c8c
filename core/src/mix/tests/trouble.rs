//! What is wrong with a speaker's sound, and that nothing is said when nothing is.

use super::super::noise::{Background, Expander};
use super::super::{Event, InletId, Muted, OnAir};
use super::stage::{Stage, frame_of};
use super::synth::{Random, power_db, voice};
use crate::mix::level::KWeighting;
use crate::mix::level::lufs;
use crate::time::FRAME_SAMPLES;

const ONE: InletId = InletId(1);

/// Goal: a loudspeaker that is heard in a microphone is noticed; its end too.
#[test]
fn an_echo_is_noticed_and_its_end() {
    let (talk, answer) = (voice(1, 25.0), voice(2, 25.0));
    let mut stage = Stage::with(2, OnAir::Hold);
    let delay = 9_600;
    let says = |echo: f32| {
        let (talk, answer) = (&talk, &answer);
        move |who: u32, at: usize, heard: &[f32]| {
            if who == 0 {
                return frame_of(talk, at);
            }
            // Who is heard over a loudspeaker speaks a little too.
            let mut frame = frame_of(answer, at)?;
            let speaks = if at / 48_000 % 8 < 2 { 0.5 } else { 0.0 };
            for (n, sample) in frame.iter_mut().enumerate() {
                *sample =
                    *sample * speaks + echo * heard.get((at + n).wrapping_sub(delay)).copied().unwrap_or(0.0);
            }
            Some(frame)
        }
    };
    stage.play(12.0, says(0.2));
    stage.play(12.0, says(0.0));
    let echo = stage.when(|event| *event == Event::Echo { inlet: ONE });
    let gone = stage.when(|event| *event == Event::EchoGone { inlet: ONE });
    assert!(echo.len() == 1 && echo[0] < 12.0, "{:?}", stage.events);
    assert!(gone.len() == 1 && (12.0..24.0).contains(&gone[0]), "{:?}", stage.events);
    assert!(stage.when(|event| *event == Event::Echo { inlet: InletId(0) }).is_empty());
}

/// Goal: people who talk, in turns or at once, are no echo of each other.
#[test]
fn a_conversation_is_no_echo() {
    for seed in 1..3 {
        let voices: Vec<Vec<f32>> = (0..2).map(|who| voice(seed * 10 + who, 30.0)).collect();
        let mut stage = Stage::with(2, OnAir::Program);
        stage.play(30.0, |who, at, _| {
            let turn = at / 144_000 % 3;
            let frame = frame_of(&voices[who as usize], at)?;
            let gain = if turn == who as usize || turn == 2 { 1.0 } else { 0.001 };
            Some(frame.iter().map(|x| x * gain).collect())
        });
        let echo = stage.when(|event| matches!(event, Event::Echo { .. }));
        assert!(echo.is_empty(), "seed {seed}: {:?}", stage.events);
    }
}

/// Goal: a microphone turned up too far is told once, and when it is well again once more.
#[test]
fn clipping_is_told_once() {
    let loud: Vec<f32> = voice(4, 10.0).iter().map(|x| (x * 12.0).clamp(-1.0, 1.0)).collect();
    let mut stage = Stage::with(2, OnAir::Program);
    let well = voice(4, 10.0);
    stage.play(4.0, |who, at, _| frame_of(if who == 1 { &loud } else { &well }, at));
    stage.play(10.0, |_, at, _| frame_of(&well, at));
    let clips = stage.when(|event| *event == Event::Clipping { inlet: ONE });
    let gone = stage.when(|event| *event == Event::ClippingGone { inlet: ONE });
    assert!(clips.len() == 1 && clips[0] < 3.0, "{:?}", stage.events);
    assert!(gone.len() == 1 && (11.0..13.5).contains(&gone[0]), "{:?}", stage.events);
    let wrong = |event: &Event| matches!(event, Event::Clipping { inlet } if *inlet != ONE);
    assert!(stage.when(wrong).is_empty());
}

/// Goal: a silent microphone and a lost one are told apart from a muted one.
#[test]
fn silence_and_a_lost_device_are_told() {
    let (talk, silence) = (voice(6, 5.0), vec![0.0; FRAME_SAMPLES]);
    let mut stage = Stage::with(3, OnAir::Program);
    stage.mute(2, Muted::Yes);
    stage.play(12.0, |who, at, _| if who == 0 { frame_of(&talk, at) } else { Some(silence.clone()) });
    let silent = stage.when(|event| *event == Event::Silent { inlet: ONE });
    assert!(silent.len() == 1 && (9.5..12.0).contains(&silent[0]), "{:?}", stage.events);
    assert!(stage.when(|event| *event == Event::Silent { inlet: InletId(2) }).is_empty());
    stage.play(2.0, |who, at, _| if who == 0 { None } else { frame_of(&talk, at) });
    let dead = stage.when(|event| *event == Event::Dead { inlet: InletId(0) });
    assert!(dead.len() == 1 && (13.0..13.4).contains(&dead[0]), "{:?}", stage.events);
    stage.play(1.0, |_, at, _| frame_of(&talk, at));
    let back = stage.when(|event| *event == Event::Returned { inlet: InletId(0) });
    assert!(back.len() == 1 && (14.0..14.2).contains(&back[0]), "{:?}", stage.events);
}

/// Goal: a background 30 dB below a voice is lowered by at least 8 dB in pauses; no beginning of a word loses
/// more than 1 dB.
#[test]
fn the_background_is_lowered_and_no_word_is_cut() {
    let mut random = Random::new(8);
    let noise: Vec<f32> = (0..1_920_000).map(|_| 0.006 * random.sample()).collect();
    let talk = voice(9, 40.0);
    // Two seconds of talk, two of pause.
    let speaks = |at: usize| at / 96_000 % 2 == 1;
    let input: Vec<f32> = noise
        .iter()
        .zip(&talk)
        .enumerate()
        .map(|(at, (n, t))| n + if speaks(at) { *t } else { 0.0 })
        .collect();
    let (mut background, mut expander) = (Background::new(), Expander::new());
    let mut weighting = KWeighting::default();
    let mut output = Vec::new();
    for frame in input.chunks_exact(FRAME_SAMPLES) {
        let mut frame: [f32; FRAME_SAMPLES] = frame.try_into().expect("a whole frame");
        let loud = lufs(weighting.mean_square(&frame));
        let known = background.lufs();
        background.hear(loud);
        expander.apply(loud, known, &mut frame);
        output.extend(frame);
    }
    let lowered_db = power_db(&input[816_000..864_000]) - power_db(&output[816_000..864_000]);
    assert!((8.0..12.5).contains(&lowered_db), "{lowered_db:.1} dB");
    let mut cut_db: f64 = 0.0;
    for word in (96_000..1_900_000).step_by(192_000) {
        let begins = word + talk[word..].iter().position(|x| x.abs() > 0.02).expect("it is loud");
        let first = begins..begins + 1_920;
        cut_db = cut_db.max(power_db(&input[first.clone()]) - power_db(&output[first]));
    }
    assert!(cut_db < 1.0, "{cut_db:.2} dB");
}
