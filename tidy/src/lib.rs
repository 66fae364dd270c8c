//! Source rules, as tests.
