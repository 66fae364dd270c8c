//! One source at a time: clocks, bursts, stalls, files, changed rates.

use std::time::Duration;

use super::super::mixer::{Input, Mixer, OnAir, Output, Spec};
use super::super::{Event, InletId, Kind, Levelling};
use super::synth::{Random, tone, tone_snr_db};
use crate::ingest::Pcm;
use crate::time::{FRAME_SAMPLES, Time};

const INLET: InletId = InletId(1);
const HZ: f64 = 1_000.0;

/// A tone sent in pages.
struct Sender {
    rate_hz: u32,
    /// Seconds of its clock in a second of the program's, less 1.
    drift: f64,
    page_ms: u64,
    /// When page `n`, complete after `f64` ms, arrives.
    arrives_ms: Box<dyn FnMut(u64, f64) -> f64>,
    next: u64,
    due_ms: f64,
    /// One second of the tone, which repeats.
    second: Vec<f32>,
}

impl Sender {
    fn new(rate_hz: u32, drift: f64, page_ms: u64) -> Self {
        Self::with(rate_hz, drift, page_ms, |_, complete_ms| complete_ms)
    }

    fn with(rate_hz: u32, drift: f64, page_ms: u64, arrives: impl FnMut(u64, f64) -> f64 + 'static) -> Self {
        let second = tone(HZ, rate_hz, 0.3, 0..u64::from(rate_hz));
        let arrives_ms = Box::new(arrives);
        let mut sender = Self { rate_hz, drift, page_ms, arrives_ms, next: 0, due_ms: 0.0, second };
        sender.due_ms = sender.arrival();
        sender
    }

    fn arrival(&mut self) -> f64 {
        let complete_ms = ((self.next + 1) * self.page_ms) as f64 / (1.0 + self.drift);
        // TCP keeps the order: a page is never there before the one before it.
        (self.arrives_ms)(self.next, complete_ms).max(self.due_ms)
    }

    fn page(&mut self) -> Pcm {
        let samples = u64::from(self.rate_hz) * self.page_ms / 1_000;
        let from = self.next * samples % u64::from(self.rate_hz);
        let pcm = Pcm {
            rate_hz: self.rate_hz,
            samples: self.second.iter().copied().cycle().skip(from as usize).take(samples as usize).collect(),
        };
        self.next += 1;
        self.due_ms = self.arrival();
        pcm
    }
}

/// What came of it.
#[derive(Default)]
struct Heard {
    sound: Vec<f32>,
    kinds: Vec<Kind>,
    events: Vec<Event>,
    backlog_ms: Vec<f64>,
    margin_ms: Vec<f64>,
    correction_ppm: Vec<f64>,
}

impl Heard {
    fn underruns(&self) -> usize {
        self.events.iter().filter(|event| matches!(event, Event::Underrun { .. })).count()
    }

    fn skipped_ms(&self) -> u64 {
        let skipped = |event: &Event| match event {
            Event::Skipped { ms, .. } => Some(*ms),
            _ => None,
        };
        self.events.iter().filter_map(skipped).sum()
    }

    /// The worst signal-to-noise ratio of every fifth 50 ms in these seconds.
    fn worst_snr_db(&self, seconds: std::ops::Range<usize>) -> f64 {
        let sound = &self.sound[seconds.start * 48_000..seconds.end * 48_000];
        sound
            .chunks_exact(2_400)
            .step_by(5)
            .map(|part| tone_snr_db(part, HZ, 48_000.0).0)
            .fold(f64::INFINITY, f64::min)
    }

    /// The most that waited in any tick of these seconds.
    fn most_waiting_ms(&self, seconds: std::ops::Range<usize>) -> f64 {
        self.backlog_ms[seconds.start * 50..seconds.end * 50].iter().copied().fold(0.0, f64::max)
    }
}

fn open(mixer: &mut Mixer) {
    mixer.handle_input(Time::ZERO, Input::OnAir(OnAir::Program));
    let spec = Spec { name: "main".into(), levelling: Levelling::Off, backup_for: None };
    mixer.handle_input(Time::ZERO, Input::Open { inlet: INLET, spec });
}

fn listen(mixer: &mut Mixer, heard: &mut Heard) {
    while let Some(output) = mixer.poll_output() {
        match output {
            Output::Frame(frame) => {
                heard.sound.extend(frame.samples);
                heard.kinds.push(frame.kind);
                mixer.give_back(frame);
            }
            Output::Event(event) => heard.events.push(event),
            Output::Minus { .. } => unreachable!("nobody is on the stage"),
        }
    }
    if let Some(level) = mixer.levels().next() {
        heard.backlog_ms.push(level.backlog_ms);
        heard.margin_ms.push(level.margin_ms);
        heard.correction_ppm.push(level.correction_ppm);
    }
}

/// Plays a sender; `backlog_ms_max` is where the server would stop reading.
fn play(mut sender: Sender, seconds: u64, backlog_ms_max: u64) -> Heard {
    let (mut mixer, mut heard) = (Mixer::new(), Heard::default());
    open(&mut mixer);
    for tick in 0..seconds * 50 {
        let now_ms = (tick * 20) as f64;
        while sender.due_ms <= now_ms && mixer.backlog_ms(INLET) <= backlog_ms_max {
            let at =
                Time::ZERO + Duration::from_secs_f64(sender.due_ms.max(now_ms - 20.0).max(0.0) / 1_000.0);
            let pcm = sender.page();
            mixer.handle_input(at, Input::Sound { inlet: INLET, pcm });
        }
        mixer.handle_input(Time::from_millis(tick * 20), Input::Tick);
        listen(&mut mixer, &mut heard);
    }
    assert_eq!(heard.sound.len() as u64, seconds * 48_000, "a frame for every tick");
    heard
}

#[test]
fn a_clock_that_is_off_is_followed_for_ten_minutes_without_gap_or_skip() {
    for (rate_hz, drift, page_ms) in
        [(48_000, 0.001, 100), (44_100, -0.001, 100), (48_000, 0.002, 20), (44_100, -0.002, 60)]
    {
        let heard = play(Sender::new(rate_hz, drift, page_ms), 600, 3_000);
        let what = format!("{rate_hz} Hz, {drift}, pages of {page_ms} ms");
        assert_eq!((heard.underruns(), heard.skipped_ms()), (0, 0), "{what}: {:?}", heard.events);
        let waiting = heard.most_waiting_ms(1..600);
        assert!(waiting <= 100.0 + page_ms as f64, "{what}: {waiting:.0} ms waited");
        let snr_db = heard.worst_snr_db(1..600);
        assert!(snr_db > 60.0, "{what}: {snr_db:.1} dB");
        let settled = &heard.correction_ppm[120 * 50..];
        let (least, most) = settled.iter().fold((f64::MAX, f64::MIN), |(l, m), c| (l.min(*c), m.max(*c)));
        assert!(
            least > drift * 1e6 - 300.0 && most < drift * 1e6 + 300.0,
            "{what}: {least:.0}..{most:.0} ppm"
        );
    }
}

#[test]
fn jitter_is_absorbed_after_it_has_been_met() {
    for seed in 1..=5 {
        let mut random = Random::new(seed);
        let late = move |_, complete_ms: f64| complete_ms + 80.0 * random.unit();
        let heard = play(Sender::with(48_000, 0.0005, 20, late), 180, 3_000);
        assert!(heard.underruns() <= 3, "seed {seed}: {} underruns", heard.underruns());
        assert_eq!(heard.skipped_ms(), 0, "seed {seed}");
        assert!(heard.most_waiting_ms(60..180) < 260.0, "seed {seed}");
        let snr_db = heard.worst_snr_db(60..180);
        assert!(snr_db > 55.0, "seed {seed}: {snr_db:.1} dB");
    }
}

#[test]
fn long_pages_need_only_their_own_length() {
    for page_ms in [320, 1_000, 2_500] {
        let heard = play(Sender::new(48_000, 0.001, page_ms), 120, 6_000);
        assert_eq!((heard.underruns(), heard.skipped_ms()), (0, 0), "{page_ms} ms: {:?}", heard.events);
        assert!(heard.most_waiting_ms(10..120) <= page_ms as f64 + 110.0, "{page_ms} ms");
        assert!(heard.worst_snr_db(4..120) > 55.0, "{page_ms} ms");
    }
}

#[test]
fn after_a_short_stall_the_delay_is_worked_off_and_nothing_is_lost() {
    let stall = |_, complete_ms: f64| {
        if (10_000.0..10_600.0).contains(&complete_ms) { 10_600.0 } else { complete_ms }
    };
    let heard = play(Sender::with(48_000, 0.0, 20, stall), 150, 3_000);
    assert_eq!((heard.underruns(), heard.skipped_ms()), (1, 0));
    assert!(heard.most_waiting_ms(11..20) > 400.0);
    assert!(heard.most_waiting_ms(140..150) < 200.0, "{:.0}", heard.most_waiting_ms(140..150));
    let fastest = heard.correction_ppm.iter().copied().fold(0.0, f64::max);
    assert!((3_000.0..=10_001.0).contains(&fastest), "{fastest:.0} ppm");
    assert!(heard.worst_snr_db(20..150) > 50.0, "{:.1}", heard.worst_snr_db(20..150));
}

#[test]
fn after_a_long_stall_the_excess_is_skipped_and_counted() {
    let stall = |_, complete_ms: f64| {
        if (10_000.0..13_000.0).contains(&complete_ms) { 13_000.0 } else { complete_ms }
    };
    let heard = play(Sender::with(48_000, 0.0, 20, stall), 60, 3_000);
    assert_eq!(heard.underruns(), 1);
    assert!((2_000..3_100).contains(&heard.skipped_ms()), "{} ms", heard.skipped_ms());
    assert!(heard.most_waiting_ms(30..60) < 300.0);
    assert!(heard.worst_snr_db(30..60) > 55.0);
    assert!(
        heard.kinds[20..].iter().filter(|kind| **kind == Kind::Hold).count() < 60,
        "hold after two seconds alone"
    );
}

#[test]
fn a_file_is_played_at_its_own_speed() {
    // At 30 times real time its first three seconds take some ticks to come, as they do when a busy node
    // decodes them.
    for (speed, page_ms) in
        [(1.2, 100), (3.0, 100), (30.0, 100), (30.0, 1_000), (1_000.0, 100), (1_000.0, 1_000)]
    {
        let what = format!("speed {speed}, pages of {page_ms} ms");
        let heard = play(Sender::with(44_100, 0.0, page_ms, move |_, ms| ms / speed), 60, 3_000);
        assert_eq!((heard.underruns(), heard.skipped_ms()), (0, 0), "{what} {:?}", heard.events);
        let ppm = heard.correction_ppm[20 * 50..].iter().map(|ppm| ppm.abs()).fold(0.0, f64::max);
        assert!(ppm < 1.0, "{what}: {ppm:.0} ppm");
        let (snr_db, hz) = tone_snr_db(&heard.sound[20 * 48_000..21 * 48_000], HZ, 48_000.0);
        assert!(snr_db > 80.0 && (hz - HZ).abs() < 0.001, "{what}: {snr_db:.1} dB at {hz:.4} Hz");
        assert!(heard.most_waiting_ms(1..60) < 3_200.0 + page_ms as f64, "{what}");
    }
}

#[test]
fn a_new_sampling_rate_goes_on_without_a_gap() {
    let (mut mixer, mut heard) = (Mixer::new(), Heard::default());
    open(&mut mixer);
    let rates = [48_000, 44_100, 8_000, 96_000, 22_050];
    for tick in 0..rates.len() as u64 * 100 {
        let rate_hz = rates[tick as usize / 100];
        let samples = u64::from(rate_hz) / 50;
        let pcm = Pcm { rate_hz, samples: tone(HZ, rate_hz, 0.3, tick * samples..(tick + 1) * samples) };
        mixer.handle_input(Time::from_millis(tick * 20), Input::Sound { inlet: INLET, pcm });
        mixer.handle_input(Time::from_millis(tick * 20), Input::Tick);
        listen(&mut mixer, &mut heard);
    }
    assert_eq!((heard.underruns(), heard.skipped_ms()), (0, 0));
    let quietest = heard.sound[9_600..]
        .chunks_exact(960)
        .map(|part| part.iter().fold(0.0_f32, |most, x| most.max(x.abs())))
        .fold(f32::MAX, f32::min);
    assert!(quietest > 0.15, "no silence at a change: {quietest}");
    let steepest = heard.sound.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max);
    assert!(steepest < 0.06, "no click at a change: {steepest}");
}

#[test]
fn sound_that_breaks_off_does_not_click() {
    let gone = |n, complete_ms: f64| if n >= 100 { 1e9 } else { complete_ms };
    let heard = play(Sender::with(48_000, 0.0, 20, gone), 10, 3_000);
    assert_eq!(heard.underruns(), 1);
    let steepest = heard.sound.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max);
    // A tone of 1 kHz at 0.3 climbs by 0.039 between two samples.
    assert!(steepest < 0.05, "{steepest}");
    assert!(heard.events.contains(&Event::Dead { inlet: INLET }));
}

#[test]
fn a_closed_source_is_heard_to_its_end() {
    let (mut mixer, mut heard) = (Mixer::new(), Heard::default());
    open(&mut mixer);
    let pcm = Pcm { rate_hz: 48_000, samples: tone(HZ, 48_000, 0.3, 0..96_000) };
    mixer.handle_input(Time::ZERO, Input::Sound { inlet: INLET, pcm });
    mixer.handle_input(Time::ZERO, Input::Close { inlet: INLET });
    for tick in 0..150 {
        mixer.handle_input(Time::from_millis(tick * 20), Input::Tick);
        listen(&mut mixer, &mut heard);
    }
    let sounding = heard.sound.iter().filter(|x| x.abs() > 0.001).count();
    // One sample in 24 of this tone is zero.
    assert!((91_000..=92_000).contains(&sounding), "{sounding} samples");
    assert!(heard.events.contains(&Event::Over { inlet: INLET }));
    assert_eq!(heard.sound.len(), 150 * FRAME_SAMPLES);
}

#[test]
fn hostile_sound_is_bounded() {
    let mut random = Random::new(5);
    let (mut mixer, mut heard) = (Mixer::new(), Heard::default());
    open(&mut mixer);
    let odd = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e30, -1e30, f32::MIN_POSITIVE / 2.0, 0.0];
    for tick in 0..500 {
        for _ in 0..3 {
            let rate_hz = [0, 1, 7_999, 8_000, 44_100, 48_001, 95_999, 96_000, 96_001, u32::MAX]
                [(random.unit() * 10.0) as usize];
            let samples = (0..(random.unit() * 4_000.0) as usize)
                .map(|_| odd[(random.unit() * odd.len() as f64) as usize])
                .collect();
            let pcm = Pcm { rate_hz, samples };
            mixer.handle_input(Time::from_millis(tick * 20), Input::Sound { inlet: INLET, pcm });
        }
        mixer.handle_input(Time::from_millis(tick * 20), Input::Tick);
        listen(&mut mixer, &mut heard);
        assert!(mixer.backlog_ms(INLET) <= 12_000);
    }
    assert!(heard.sound.iter().all(|x| x.is_finite() && x.abs() <= 0.9));
    assert!(heard.events.iter().any(|event| matches!(event, Event::RateOutside { .. })));
}
