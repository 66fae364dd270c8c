//! The real binary, real sockets, real programs: what people use to send and to hear, against a node of our
//! own.
//!
//! No test sleeps: each waits for bytes, for a condition on the public wire, or for a program to end.
//! Programs that are not installed fail the test by name; `make` installs them.

mod again;
mod attacks;
mod bad_input;
mod cache;
mod capacity;
mod disk;
mod door;
mod edge;
mod fanout;
mod floor;
mod guard;
mod hls;
mod hold;
mod icy;
mod inspect;
mod kernel;
mod kill;
mod late;
mod leaving;
mod node;
mod pause;
mod players;
mod program;
mod recording;
mod rehearse;
mod report;
mod secure;
mod sessions;
mod simulate;
mod sources;
mod stage;
mod stage_bad_input;
mod stage_roads;
mod tone;
