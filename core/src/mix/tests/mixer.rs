//! Many sources at once: who is heard, what goes out, and what never does.

use super::super::mixer::{Input, Mixer, OPEN_INLETS_MAX, OnAir, Output, Spec, Why};
use super::super::{Event, FRAME_PEAK_DBTP_MAX, HoldSound, InletId, Kind, Levelling};
use super::synth::{Random, ebur128_dbtp, ebur128_lufs, power_db, speech, tone, tone_snr_db};
use crate::ingest::Pcm;
use crate::reason::Refusal;
use crate::time::Time;

const PAGE: usize = 960;

/// A mixer fed 20 ms of each of its sources before every tick.
struct Stage {
    mixer: Mixer,
    ticks: u64,
    sound: Vec<f32>,
    kinds: Vec<Kind>,
    events: Vec<(u64, Event)>,
}

impl Stage {
    fn new(on_air: OnAir) -> Self {
        let mut mixer = Mixer::new();
        mixer.handle_input(Time::ZERO, Input::OnAir(on_air));
        Self { mixer, ticks: 0, sound: Vec::new(), kinds: Vec::new(), events: Vec::new() }
    }

    fn now(&self) -> Time {
        Time::from_millis(self.ticks * 20)
    }

    fn tell(&mut self, input: Input) {
        self.mixer.handle_input(self.now(), input);
        self.drain();
    }

    fn open(&mut self, inlet: u32, name: &str, levelling: Levelling, backup_for: Option<&str>) {
        let spec = Spec { name: name.into(), levelling, backup_for: backup_for.map(Into::into) };
        self.tell(Input::Open { inlet: InletId(inlet), spec });
    }

    /// `seconds` during which each source sends its samples, from `self.ticks` on.
    fn play(&mut self, seconds: f64, sources: &[(u32, &[f32])]) {
        for _ in 0..(seconds * 50.0).round() as usize {
            for (inlet, samples) in sources {
                let from = self.ticks as usize * PAGE % (samples.len() / PAGE * PAGE);
                let pcm = Pcm { rate_hz: 48_000, samples: samples[from..from + PAGE].to_vec() };
                self.tell(Input::Sound { inlet: InletId(*inlet), pcm });
            }
            self.tell(Input::Tick);
            self.ticks += 1;
            assert_eq!(self.kinds.len() as u64, self.ticks, "one frame for each tick");
        }
    }

    fn drain(&mut self) {
        while let Some(output) = self.mixer.poll_output() {
            match output {
                Output::Frame(frame) => {
                    self.sound.extend(frame.samples);
                    self.kinds.push(frame.kind);
                    self.mixer.give_back(frame);
                }
                Output::Event(event) => self.events.push((self.ticks, event)),
                Output::Minus { .. } => unreachable!("nobody is on the stage"),
            }
        }
    }

    /// What went out between these seconds.
    fn between(&self, from: f64, to: f64) -> &[f32] {
        &self.sound[(from * 48_000.0) as usize..(to * 48_000.0) as usize]
    }

    fn when(&self, event: Event) -> f64 {
        let found = self.events.iter().find(|(_, other)| *other == event);
        found.unwrap_or_else(|| panic!("{event:?} in {:?}", self.events)).0 as f64 / 50.0
    }
}

/// The mean level of one tone in pieces of `samples` of up to 50 ms, in dB of its amplitude below full scale.
fn tone_db(samples: &[f32], hz: f64) -> f64 {
    let step = std::f64::consts::TAU * hz / 48_000.0;
    let power = |piece: &[f32]| {
        let (s, c) = piece.iter().enumerate().fold((0.0, 0.0), |(s, c), (n, &x)| {
            let (sin, cos) = (step * n as f64).sin_cos();
            (s + f64::from(x) * sin, c + f64::from(x) * cos)
        });
        (2.0 * s.hypot(c) / piece.len() as f64).powi(2)
    };
    let pieces = samples.chunks_exact(samples.len().min(2_400));
    let count = pieces.len() as f64;
    10.0 * (pieces.map(power).sum::<f64>() / count).max(1e-20).log10()
}

fn steepest(samples: &[f32]) -> f32 {
    samples.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max)
}

#[test]
fn the_hold_sound_is_quiet_and_never_clicks() {
    let mut stage = Stage::new(OnAir::Hold);
    stage.play(30.0, &[]);
    assert!(stage.kinds.iter().all(|kind| *kind == Kind::Hold));
    let lufs = ebur128_lufs(stage.between(1.0, 30.0));
    assert!((lufs + 40.0).abs() < 1.0, "{lufs:.1} LUFS");
    assert!(steepest(&stage.sound) < 0.002, "{}", steepest(&stage.sound));
}

#[test]
fn before_the_start_nothing_of_the_inputs_gets_out() {
    let mut quiet = Stage::new(OnAir::Hold);
    quiet.play(10.0, &[]);
    let mut busy = Stage::new(OnAir::Hold);
    let loud = tone(1_000.0, 48_000, 1.0, 0..48_000);
    for inlet in 0..4 {
        let levelling = if inlet % 2 == 0 { Levelling::On } else { Levelling::Off };
        busy.open(inlet, &format!("voice {inlet}"), levelling, None);
    }
    busy.play(10.0, &[(0, &loud), (1, &loud), (2, &loud), (3, &loud)]);
    assert_eq!(quiet.sound, busy.sound);
    assert_eq!(quiet.kinds, busy.kinds);
    assert!(busy.mixer.levels().all(|level| level.speaking && level.backlog_ms < 200.0), "kept current");
}

#[test]
fn going_on_and_off_the_air_keeps_hold_and_conversation_apart() {
    let mut stage = Stage::new(OnAir::Hold);
    stage.open(0, "main", Levelling::Off, None);
    let voice = tone(1_000.0, 48_000, 0.5, 0..48_000);
    stage.play(2.0, &[(0, &voice)]);
    stage.tell(Input::OnAir(OnAir::Program));
    stage.play(2.0, &[(0, &voice)]);
    stage.tell(Input::OnAir(OnAir::Hold));
    stage.play(2.0, &[(0, &voice)]);
    for (at, kind) in stage.kinds.iter().enumerate() {
        let frame = &stage.sound[at * PAGE..(at + 1) * PAGE];
        match kind {
            Kind::Hold => assert!(tone_db(frame, 1_000.0) < -50.0, "the voice in hold frame {at}"),
            // The first frame ends the hold sound, the last the voice; between them there is only the voice.
            Kind::Conversation if (101..200).contains(&at) => {
                let (snr_db, _) = tone_snr_db(frame, 1_000.0, 48_000.0);
                assert!(snr_db > 50.0, "hold in frame {at}, or no voice: {snr_db:.1} dB");
            }
            Kind::Conversation => assert!((100..=200).contains(&at), "frame {at}"),
        }
    }
    let conversation = stage.kinds.iter().filter(|kind| **kind == Kind::Conversation).count();
    assert_eq!(conversation, 101);
    assert!(steepest(&stage.sound) < 0.07, "{}", steepest(&stage.sound));
}

#[test]
fn silence_from_a_source_is_conversation_and_nobody_for_two_seconds_is_hold() {
    let mut stage = Stage::new(OnAir::Program);
    stage.play(1.0, &[]);
    stage.open(0, "main", Levelling::On, None);
    let silence = vec![0.0; 48_000];
    stage.play(15.0, &[(0, &silence)]);
    stage.play(4.0, &[]);
    stage.play(1.0, &[(0, &silence)]);
    let runs: Vec<(Kind, usize)> =
        stage.kinds.chunk_by(|one, other| one == other).map(|run| (run[0], run.len())).collect();
    let [
        (Kind::Hold, before),
        (Kind::Conversation, spoken),
        (Kind::Hold, alone),
        (Kind::Conversation, again),
    ] = runs[..]
    else {
        panic!("{runs:?}")
    };
    assert!((50..56).contains(&before), "{runs:?}");
    assert!((15 * 50 + 95..15 * 50 + 105).contains(&spoken), "{runs:?}");
    assert!((95..105).contains(&alone) && (40..50).contains(&again), "{runs:?}");
    assert!((10.0..12.5).contains(&stage.when(Event::Silent { inlet: InletId(0) })));
    assert!((16.9..17.3).contains(&stage.when(Event::Dead { inlet: InletId(0) })));
}

#[test]
fn a_hosts_hold_sound_loops_without_a_click() {
    let mut stage = Stage::new(OnAir::Hold);
    stage.tell(Input::HoldSound(HoldSound::of(tone(313.7, 48_000, 0.1, 0..50_001))));
    stage.play(5.0, &[]);
    assert!(power_db(stage.between(1.0, 5.0)) > -26.0);
    assert!(steepest(&stage.sound) < 0.006, "{}", steepest(&stage.sound));
    for odd in [vec![], vec![f32::NAN], vec![f32::INFINITY; 3], vec![9.0; 100]] {
        stage.tell(Input::HoldSound(HoldSound::of(odd)));
        stage.play(1.0, &[]);
    }
    assert!(stage.sound.iter().all(|x| x.is_finite() && x.abs() < 0.9));
}

#[test]
fn a_hold_sound_gives_way_to_another_without_a_click() {
    let mut stage = Stage::new(OnAir::Hold);
    let of = |hz: f64| HoldSound::of(tone(hz, 48_000, 0.1, 0..50_001));
    stage.tell(Input::HoldSound(of(313.7)));
    stage.play(2.01, &[]);
    stage.tell(Input::HoldSound(of(201.3)));
    // Nothing of this one has been heard yet, so nothing of it ends.
    stage.tell(Input::HoldSound(of(251.1)));
    stage.play(2.0, &[]);
    assert!(tone_db(stage.between(1.0, 2.0), 313.7) > -26.0);
    assert!(tone_db(stage.between(3.0, 4.0), 251.1) > -26.0);
    // In pieces of 50 ms the other tone leaks to -48 dB here.
    assert!(tone_db(stage.between(3.0, 4.0), 313.7) < -40.0);
    stage.tell(Input::HoldSound(HoldSound::built_in()));
    stage.tell(Input::OnAir(OnAir::Program));
    stage.play(2.0, &[]);
    assert!(steepest(&stage.sound) < 0.007, "{}", steepest(&stage.sound));
}

#[test]
fn sixteen_are_open_and_the_seventeenth_is_refused() {
    let mut stage = Stage::new(OnAir::Program);
    for inlet in 0..=OPEN_INLETS_MAX as u32 {
        stage.open(inlet, &format!("voice {inlet}"), Levelling::On, None);
    }
    let refused = Event::Refused { inlet: InletId(16), refusal: Refusal::InputsFull };
    assert_eq!(stage.events, [(0, refused)]);
    stage.tell(Input::Close { inlet: InletId(3) });
    stage.open(17, "voice 17", Levelling::On, None);
    assert_eq!(stage.events.len(), 1);
    stage.play(0.1, &[]);
    assert_eq!(stage.mixer.levels().count(), 16);
    assert_eq!(stage.mixer.counters().refused, 1);
}

/// Goal: a sender who comes back under its name is heard, also when all inputs are taken.
/// Method: sixteen tones, one of which is taken over; then a request that is older than the
/// name's holder.
#[test]
fn who_takes_over_a_name_takes_over_its_place() {
    let mut stage = Stage::new(OnAir::Program);
    for inlet in 0..OPEN_INLETS_MAX as u32 {
        stage.open(inlet, &format!("voice {inlet}"), Levelling::Off, None);
    }
    let (old, new) = (tone(500.0, 48_000, 0.2, 0..48_000), tone(1_000.0, 48_000, 0.2, 0..48_000));
    stage.play(2.0, &[(3, &old)]);
    stage.open(18, "voice 3", Levelling::Off, None);
    assert_eq!(stage.events.iter().filter(|(_, event)| matches!(event, Event::Refused { .. })).count(), 0);
    stage.play(3.0, &[(3, &old), (18, &new)]);
    assert_eq!(stage.mixer.levels().count(), OPEN_INLETS_MAX);
    let last = stage.between(4.0, 5.0);
    let heard = (tone_db(last, 500.0), tone_db(last, 1_000.0));
    assert!(heard.0 < -60.0 && heard.1 > -20.0, "the old at {:.0} dB, the new at {:.0} dB", heard.0, heard.1);

    stage.open(17, "voice 3", Levelling::Off, None);
    let late = Event::Refused { inlet: InletId(17), refusal: Refusal::SourceReplaced };
    assert_eq!(stage.events.last(), Some(&(stage.ticks, late)));
    assert!(stage.mixer.levels().any(|level| level.inlet == InletId(18)));
}

#[test]
fn sixteen_shouting_stay_below_the_true_peak() {
    for levelling in [Levelling::On, Levelling::Off] {
        let mut stage = Stage::new(OnAir::Program);
        let voices: Vec<Vec<f32>> =
            (0..16).map(|seed| speech(&mut Random::new(seed), 48_000, 8.0, 0..96_000)).collect();
        let sources: Vec<(u32, &[f32])> =
            voices.iter().enumerate().map(|(at, voice)| (at as u32, &voice[..])).collect();
        for inlet in 0..16 {
            stage.open(inlet, &format!("voice {inlet}"), levelling, None);
        }
        stage.play(10.0, &sources);
        let peak = ebur128_dbtp(&stage.sound);
        assert!(peak <= FRAME_PEAK_DBTP_MAX, "{peak:.2} dBTP");
        let in_mix = stage.mixer.levels().filter(|level| level.in_mix).count();
        assert_eq!(
            in_mix,
            match levelling {
                Levelling::On => 4,
                Levelling::Off => 16,
            }
        );
    }
}

#[test]
fn a_fifth_voice_is_heard_as_soon_as_it_speaks() {
    let mut stage = Stage::new(OnAir::Program);
    for inlet in 0..6 {
        stage.open(inlet, &format!("voice {inlet}"), Levelling::On, None);
    }
    let silence = vec![0.0; 48_000];
    let murmur = |seed| -> Vec<f32> {
        let mut random = Random::new(seed);
        (0..48_000).map(|_| 0.001 * random.sample()).collect()
    };
    let (one, two, three) = (murmur(1), murmur(2), murmur(3));
    let word = tone(1_000.0, 48_000, 0.1, 0..48_000);
    let quiet: [(u32, &[f32]); 6] =
        [(0, &one), (1, &two), (2, &three), (3, &silence), (4, &silence), (5, &silence)];
    stage.play(2.0, &quiet);
    let mut spoken = quiet;
    spoken[5] = (5, &word);
    let starts = stage.sound.len();
    stage.play(1.0, &spoken);
    // The inlet's margin and the limiter's look-ahead lie between the sound and the program; the word is then
    // whole at once.
    let begin = stage.sound[starts..].iter().position(|x| x.abs() > 0.02).expect("the word is heard");
    assert!(begin < 100 * 48, "{begin} samples");
    let word_db = power_db(&stage.sound[starts + begin + 480..starts + begin + 2_400]);
    assert!((word_db + 23.0).abs() < 1.5, "{word_db:.1} dB");
    assert!(steepest(&stage.sound) < 0.03);
}

#[test]
fn a_backup_takes_over_and_gives_back() {
    let mut stage = Stage::new(OnAir::Program);
    stage.open(0, "main", Levelling::Off, None);
    stage.open(1, "spare", Levelling::Off, Some("main"));
    let (main, spare) = (tone(1_000.0, 48_000, 0.2, 0..48_000), tone(2_000.0, 48_000, 0.2, 0..48_000));
    stage.play(5.0, &[(0, &main), (1, &spare)]);
    stage.play(5.0, &[(1, &spare)]);
    stage.play(6.0, &[(0, &main), (1, &spare)]);
    let took = stage.when(Event::TookOver { inlet: InletId(1) });
    let gave = stage.when(Event::GaveBack { inlet: InletId(1) });
    assert!((6.0..6.3).contains(&took), "took over at {took}");
    assert!((13.0..13.4).contains(&gave), "gave back at {gave}");
    for (from, to, main_heard) in [(0.5, 5.0, true), (6.4, 12.9, false), (13.5, 16.0, true)] {
        let sound = stage.between(from, to);
        let (heard, other) = if main_heard { (1_000.0, 2_000.0) } else { (2_000.0, 1_000.0) };
        assert!((tone_db(sound, heard) + 14.0).abs() < 0.5, "{from}..{to}: {:.1}", tone_db(sound, heard));
        assert!(tone_db(sound, other) < -50.0, "{from}..{to}: both are heard");
    }
    assert!(steepest(&stage.sound) < 0.08, "{}", steepest(&stage.sound));
    assert!(stage.kinds[5..].iter().all(|kind| *kind == Kind::Conversation));
}

#[test]
fn a_backup_takes_over_when_its_primary_closes() {
    let mut stage = Stage::new(OnAir::Program);
    stage.open(0, "main", Levelling::Off, None);
    stage.open(1, "spare", Levelling::Off, Some("main"));
    let (main, spare) = (tone(1_000.0, 48_000, 0.2, 0..48_000), tone(2_000.0, 48_000, 0.2, 0..48_000));
    stage.play(3.0, &[(0, &main), (1, &spare)]);
    stage.tell(Input::Close { inlet: InletId(0) });
    stage.play(3.0, &[(1, &spare)]);
    let took = stage.when(Event::TookOver { inlet: InletId(1) });
    assert!((3.0..3.2).contains(&took), "took over at {took}");
    stage.open(2, "main", Levelling::Off, None);
    stage.play(2.0, &[(2, &main), (1, &spare)]);
    assert!(tone_db(stage.between(7.0, 8.0), 1_000.0) < -60.0, "not trusted yet");
    stage.play(4.0, &[(2, &main), (1, &spare)]);
    assert!(tone_db(stage.between(10.5, 12.0), 2_000.0) < -60.0, "given back");
}

#[test]
fn two_voices_are_heard_together_each_at_its_level() {
    let mut stage = Stage::new(OnAir::Program);
    stage.open(0, "one", Levelling::On, None);
    stage.open(1, "two", Levelling::On, None);
    let (loud, faint) = (tone(500.0, 48_000, 0.9, 0..48_000), tone(1_500.0, 48_000, 0.02, 0..48_000));
    stage.play(8.0, &[(0, &loud), (1, &faint)]);
    let sound = stage.between(6.0, 8.0);
    let (one, two) = (tone_db(sound, 500.0), tone_db(sound, 1_500.0));
    assert!((one - two).abs() < 2.5 && one > -20.0, "{one:.1} and {two:.1} dB");
}

#[test]
fn the_clock_asks_for_every_frame_and_gives_up_what_is_long_past() {
    let mut mixer = Mixer::new();
    assert_eq!(mixer.poll_timeout(), None);
    for (at_ms, due_ms) in [(7, 27), (30, 47), (47, 67), (1_000, 87), (1_000, 107), (9_000, 9_020)] {
        mixer.handle_input(Time::from_millis(at_ms), Input::Tick);
        assert_eq!(mixer.poll_timeout(), Some((Time::from_millis(due_ms), Why::FrameDue)));
    }
    assert_eq!(mixer.counters().clock_late, 1);
    assert_eq!(mixer.counters().frames_hold, 6);
}

#[test]
fn the_same_inputs_give_the_same_program() {
    let run = || {
        let mut stage = Stage::new(OnAir::Program);
        let voice = speech(&mut Random::new(9), 48_000, 0.5, 0..96_000);
        for inlet in 0..8 {
            stage.open(inlet, &format!("voice {inlet}"), Levelling::On, None);
        }
        stage.play(4.0, &[(0, &voice), (3, &voice), (7, &voice)]);
        stage.sound
    };
    assert_eq!(run(), run());
}
