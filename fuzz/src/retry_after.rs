//! Whatever a receiver asks for, the pause is a reasonable one.

use std::time::{Duration, UNIX_EPOCH};

use barewire::wire::net::{MAX_RETRY_AFTER, read_retry_after};

/// Reads `value` at `now`, in seconds since the Unix epoch.
///
/// # Panics
/// When the pause is too long, or is not the number of seconds that stands there.
pub fn check(now: u32, value: &[u8]) {
    let at = |seconds: u64| read_retry_after(value, UNIX_EPOCH + Duration::from_secs(seconds));
    let pause = at(now.into());
    assert!(pause.is_none_or(|pause| pause <= MAX_RETRY_AFTER));
    // A date comes nearer, and a number of seconds does not.
    assert_eq!(at(u64::from(now) + 1).is_some(), pause.is_some());
    assert!(at(u64::from(now) + 1) <= pause);
    let text = std::str::from_utf8(value).unwrap_or("").trim_ascii();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        let seconds = text.parse().unwrap_or(u64::MAX);
        assert_eq!(pause, Some(Duration::from_secs(seconds).min(MAX_RETRY_AFTER)));
    }
}
