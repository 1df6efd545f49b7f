//! What it costs to … (`encode_influx`).

fn main() {}
