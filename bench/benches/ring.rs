//! What it costs to … (`ring`).

fn main() {}
