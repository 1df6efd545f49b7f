//! What it costs to … (`merge`).

fn main() {}
