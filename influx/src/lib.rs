//! InfluxDB line protocol for barewire: a hand-written encoder, over UDP and HTTP.

#![forbid(unsafe_code)]
