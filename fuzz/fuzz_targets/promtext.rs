//! Any frames as a page.

#![no_main]

use barewire_fuzz::{frame::Frame, page::check};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|frames: Vec<Frame>| check(&frames.into_iter().map(Into::into).collect::<Vec<_>>()));
