//! Whatever a scraper asks for, it is told what it gets, and gets that when it asks for it.

use barewire_promtext::{Coding, Exposition};

/// Negotiates by the lines of `fields`, each a value of `Accept` and of `Accept-Encoding`.
///
/// # Panics
/// When what comes of it, asked for by its own name, is another.
pub fn check(fields: &[u8]) {
    let lines = || fields.split(|&byte| byte == b'\n');
    let exposition = Exposition::negotiate(lines());
    let content_type = exposition.to_string();
    assert!(content_type.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{content_type}");
    assert_eq!(Exposition::negotiate([content_type.as_bytes()]), exposition);
    match Coding::negotiate(lines()) {
        Some(Coding::Gzip) => {
            assert!(fields.iter().any(|byte| b"gG*".contains(byte)), "nobody asked for gzip")
        }
        Some(Coding::Identity) => {}
        None => assert!(fields.contains(&b'0'), "nobody refused anything"),
    }
}
