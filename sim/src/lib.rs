//! A small seeded world around the rules.
