//! For tests: somebody says something, so that there is a recording.

use tribune_core::ingest::Pcm;
use tribune_core::mix::{Kind, Levelling, Spec};

use super::Program;

/// Says one second of tone, and returns when a part of it has been cut.
pub async fn something(program: &Program) {
    let spec = Spec { name: "test".into(), levelling: Levelling::On, backup_for: None };
    let (inlet, _) = program.inlet(spec).await.expect("an input is free");
    let samples = (0..48_000).map(|n| 0.1 * (n as f32 * 0.06).sin()).collect();
    inlet.sound(Pcm { rate_hz: 48_000, samples }).await.expect("the program runs");
    let mut window = program.live().window.clone();
    let cut = window.wait_for(|now| now.last().is_some_and(|part| part.kind == Kind::Conversation)).await;
    assert!(cut.is_ok(), "the program ended before a part was cut");
}
