//! Exporters and receivers that misbehave.

fn main() {}
