//! What the road does to a voice, and how little of it is heard.

mod hostile;
pub(crate) mod road;

use super::*;
use road::{CLEAN, Loss, Road, lag, packets, play, travel, voice};

fn share(heard: &[Heard], what: Heard) -> f64 {
    heard.iter().filter(|other| **other == what).count() as f64 / heard.len() as f64
}

/// The steepest step from one sample to the next.
fn steepest(samples: &[f32]) -> f32 {
    samples.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max)
}

/// Goal: on a clean path sound waits for the tick and for nothing else.
/// Method: every phase between the speaker's packets and our ticks.
#[test]
fn on_a_clean_path_a_packet_waits_for_the_tick_only() {
    let sent = packets(&voice(1, 12.0), false);
    let came = travel(&sent, CLEAN);
    let delays: Vec<f64> = (0..10)
        .map(|phase| {
            let journey = play(&came, 11.0, f64::from(phase) * 2.0);
            assert_eq!(share(journey.between(2.0, 11.0), Heard::Sound), 1.0, "phase {phase}");
            journey.delay_ms(5.0, 11.0)
        })
        .collect();
    let mean = delays.iter().sum::<f64>() / 10.0;
    assert!((10.0..16.0).contains(&mean), "{mean:.1} of {delays:.1?}");
    assert!(delays.iter().all(|delay| *delay < 26.0), "{delays:.1?}");
}

/// Goal: 60 ms of jitter is not heard, and costs at most 120 ms.
/// Method: the same voice over both roads; in order and overtaking.
#[test]
fn sixty_milliseconds_of_jitter_leave_no_gap() {
    let sound = voice(2, 26.0);
    let sent = packets(&sound, false);
    let clean = play(&travel(&sent, CLEAN), 25.0, 3.0);
    for seed in 1..5 {
        let road = Road { jitter_ms: 60.0, seed, ..CLEAN };
        let mut came = travel(&sent, road);
        if seed % 2 == 0 {
            let mut latest = came[0].arrived;
            came.sort_by_key(|packet| packet.seq);
            for packet in &mut came {
                latest = latest.max(packet.arrived);
                packet.arrived = latest;
            }
        }
        let journey = play(&came, 25.0, 3.0);
        let heard = journey.between(5.0, 25.0);
        let made_up = heard.iter().filter(|heard| **heard != Heard::Sound).count();
        let more_ms = journey.delay_ms(10.0, 25.0) - clean.delay_ms(10.0, 25.0);
        assert!(made_up <= heard.len() / 200, "seed {seed}: {made_up} ticks of {}", heard.len());
        assert!(more_ms < 120.0, "seed {seed}: {more_ms:.1} ms");
        assert!(!heard.contains(&Heard::Nothing));
    }
}

/// Goal: loss and duplicates are made up for; the delay stays below a packet's length more.
#[test]
fn what_is_lost_is_made_up() {
    let sound = voice(3, 30.0);
    let sent = packets(&sound, false);
    for (loss, repaired_least) in [(Loss::Random(0.05), 0.5), (Loss::Bursts(0.05, 3.0), 0.2)] {
        let road = Road { loss, twice: 0.05, ..CLEAN };
        let journey = play(&travel(&sent, road), 29.0, 9.0);
        let counts = journey.speaker.counts();
        let lost = sent.len() as f64 * 0.05;
        assert!((0.6..1.4).contains(&(counts.lost as f64 / lost)), "{counts:?}");
        assert!(counts.twice > 30, "{counts:?}");
        let made_up = counts.repaired_samples + counts.concealed_samples;
        assert!((0.8..1.3).contains(&(made_up as f64 / 960.0 / counts.lost as f64)), "{counts:?}");
        assert!(counts.repaired_samples as f64 > repaired_least * made_up as f64, "{counts:?}");
        assert!(journey.delay_ms(10.0, 29.0) < 48.0, "{:.1} ms", journey.delay_ms(10.0, 29.0));
        assert!(share(journey.between(1.0, 29.0), Heard::Nothing) < 0.005);
        assert!(steepest(&journey.sound) < 2.0 * steepest(&sound) + 0.05, "{}", steepest(&journey.sound));
    }
}

/// Goal: packets that come again after 40 ms are waited for, when there are many.
#[test]
fn what_is_sent_again_is_waited_for() {
    let sent = packets(&voice(4, 30.0), false);
    let road = Road { loss: Loss::Bursts(0.05, 3.0), again_ms: Some(40.0), ..CLEAN };
    let journey = play(&travel(&sent, road), 29.0, 9.0);
    let made_up = 1.0 - share(journey.between(5.0, 29.0), Heard::Sound);
    assert!(made_up < 0.005, "{made_up}: {:?}", journey.speaker.counts());
    assert!(journey.delay_ms(10.0, 29.0) < 110.0, "{:.1} ms", journey.delay_ms(10.0, 29.0));
}

/// Goal: a clock that is 0.1 % off is followed for minutes: nothing made up, no delay that grows.
#[test]
fn a_clock_that_is_off_is_followed() {
    let sent = packets(&voice(5, 62.0), false);
    for fast in [0.001, -0.001] {
        let journey = play(&travel(&sent, Road { fast, ..CLEAN }), 60.0, 9.0);
        let counts = journey.speaker.counts();
        assert_eq!(share(journey.between(3.0, 60.0), Heard::Sound), 1.0, "{fast}: {counts:?}");
        for from in [5.0, 30.0, 45.0] {
            let delay = journey.delay_ms(from, from + 15.0);
            assert!(delay < 36.0, "{fast}: {delay:.1} ms from second {from}");
        }
        let changed = counts.shortened_samples as f64 - counts.lengthened_samples as f64;
        let expected = fast * 60.0 * 48_000.0;
        assert!((changed - expected).abs() < 1_200.0, "{fast}: {changed} samples, not {expected}");
    }
}

/// Goal: once a path has become calm, sound is held back no longer than necessary.
#[test]
fn the_delay_goes_back_when_the_path_is_calm_again() {
    let sent = packets(&voice(6, 45.0), false);
    let mut came = travel(&sent[..1_000], Road { jitter_ms: 60.0, ..CLEAN });
    let rest = travel(&sent[1_000..], CLEAN);
    let later = std::time::Duration::from_secs(20);
    came.extend(rest.into_iter().map(|packet| Packet { arrived: packet.arrived + later, ..packet }));
    let journey = play(&came, 44.0, 3.0);
    let (during, after) = (journey.delay_ms(10.0, 19.0), journey.delay_ms(36.0, 44.0));
    assert!(during > 50.0 && after < 26.0, "{during:.1} ms, then {after:.1} ms");
    assert_eq!(share(journey.between(5.0, 44.0), Heard::Sound), 1.0);
}

/// Goal: a pause by DTX is no loss: nothing is concealed, the delay stays, and words begin whole.
#[test]
fn a_pause_is_no_loss() {
    let mut sound = voice(7, 30.0);
    for second in [3, 8, 15] {
        sound[second * 48_000..(second * 48_000 + 120_000)].fill(0.0);
    }
    let sent = packets(&sound, true);
    assert!(sent.len() < 1_300, "{}", sent.len());
    let journey = play(&travel(&sent, CLEAN), 29.0, 9.0);
    let counts = journey.speaker.counts();
    assert_eq!((counts.lost, counts.late), (0, 0), "{counts:?}");
    assert_eq!(share(journey.between(1.0, 29.0), Heard::Concealed), 0.0, "{counts:?}");
    assert_eq!(share(journey.between(1.0, 29.0), Heard::Nothing), 0.0);
    assert!(share(journey.between(1.0, 29.0), Heard::Pause) > 0.15);
    let (_, alike) = lag(&sound[..29 * 48_000], &journey.sound, 4_800);
    assert!(alike > 0.8, "{alike}");
    assert!(journey.delay_ms(20.0, 29.0) < 26.0, "{:.1}", journey.delay_ms(20.0, 29.0));
}

/// Goal: a hole of seconds is concealed, then silent, then over; no click, no old sound, no lasting delay.
#[test]
fn a_long_hole_fades_and_ends_without_a_click() {
    let sound = voice(8, 20.0);
    let sent = packets(&sound, false);
    let came = travel(&sent, CLEAN);
    let (begins, ends) = (Time::from_millis(5_000), Time::from_millis(8_000));
    let lost: Vec<Packet> =
        came.iter().filter(|packet| !(begins..ends).contains(&packet.arrived)).cloned().collect();
    let stalled: Vec<Packet> = came
        .iter()
        .map(|packet| match (begins..ends).contains(&packet.arrived) {
            true => Packet { arrived: ends, ..packet.clone() },
            false => packet.clone(),
        })
        .collect();
    for (what, came) in [("lost", lost), ("stalled", stalled)] {
        let journey = play(&came, 19.0, 9.0);
        assert_eq!(share(journey.between(5.3, 7.9), Heard::Nothing), 1.0, "{what}");
        assert!(journey.sound_between(5.3, 7.9).iter().all(|x| *x == 0.0), "{what}");
        assert_eq!(share(journey.between(8.2, 19.0), Heard::Sound), 1.0, "{what}");
        assert!(
            steepest(&journey.sound) < 1.5 * steepest(&sound) + 0.02,
            "{what}: {}",
            steepest(&journey.sound)
        );
        let delay = journey.delay_ms(14.0, 19.0);
        assert!(delay < 26.0, "{what}: {delay:.1} ms, {:?}", journey.speaker.counts());
    }
}
