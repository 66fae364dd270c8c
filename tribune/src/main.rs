//! One binary: `tribune`.

fn main() {}
