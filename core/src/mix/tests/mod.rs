//! The mix in virtual time: what goes in is computed, what comes out is measured.

mod level;
mod limiter;
mod mixer;
mod resample;
mod sources;
mod speakers;
mod stage;
mod synth;
mod trouble;
