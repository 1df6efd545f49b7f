//! Any text as a plan.

#![no_main]

use barewire_fuzz::plan::check;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| check(text));
