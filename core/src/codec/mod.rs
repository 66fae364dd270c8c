//! The only modules that know a codec's library: one file each, safe on the outside, every byte from outside
//! checked.
