//! Any frames as an OTLP/JSON request.

#![no_main]

use barewire_fuzz::{frame::Frame, request::check};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|frames: Vec<Frame>| check(&frames.into_iter().map(Into::into).collect::<Vec<_>>()));
