//! What it costs to … (`quantile`).

fn main() {}
