//! Measurements, side by side.
