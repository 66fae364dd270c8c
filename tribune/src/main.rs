//! One binary: `tribune`.

#[cfg(test)]
mod demo;

fn main() {}
