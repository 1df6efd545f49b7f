//! What it costs to … (`http_codec`).

fn main() {}
