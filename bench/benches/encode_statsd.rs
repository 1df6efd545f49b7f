//! What it costs to … (`encode_statsd`).

fn main() {}
