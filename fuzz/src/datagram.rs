//! No datagram is too long, no line is in two, and all that fits is there in its order.

use barewire::wire::datagram::Datagrams;

/// Packs the lines of `text` into datagrams of at most `limit` bytes.
///
/// # Panics
/// When a line is missing or torn, or a datagram is too long or shorter than it could be.
pub fn check(limit: u8, text: &[u8]) {
    let limit = usize::from(limit);
    let mut datagrams = Datagrams::new(limit);
    let mut expected = Vec::new();
    for line in text.split(|byte| *byte == b'\n') {
        let line = [line, b"\n"].concat();
        let fits = datagrams.push(|out| out.extend_from_slice(&line));
        assert_eq!(fits, line.len() <= limit);
        if fits {
            expected.push(line);
        }
    }
    let packed: Vec<&[u8]> = datagrams.iter().collect();
    assert!(packed.iter().all(|datagram| !datagram.is_empty() && datagram.len() <= limit));
    assert!(packed.iter().all(|datagram| datagram.ends_with(b"\n")));
    for pair in packed.windows(2) {
        let next = pair[1].split_inclusive(|byte| *byte == b'\n').next().expect("a line");
        assert!(pair[0].len() + next.len() > limit, "the line fits into the datagram before");
    }
    assert_eq!(packed.concat(), expected.concat());
    assert_eq!(datagrams.len_bytes(), expected.concat().len());
}
