//! The demonstration: what a newcomer hears first.

pub mod voices;
