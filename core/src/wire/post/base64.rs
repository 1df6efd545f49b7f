//! Base64 with padding (RFC 4648, section 4), as Basic credentials are sent.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Appends `bytes` in base64.
pub(super) fn push_base64(out: &mut String, bytes: &[u8]) {
    for group in bytes.chunks(3) {
        let byte = |at: usize| u32::from(group.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in 0..4 {
            let sextet = bits >> (18 - 6 * digit) & 0x3f;
            out.push(if digit > group.len() { '=' } else { char::from(ALPHABET[sextet as usize]) });
        }
    }
}

/// The bytes that `text` spells, with or without its padding, if it spells any.
pub(super) fn from_base64(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for group in text.trim_end_matches('=').as_bytes().chunks(4) {
        let sextets = group.iter().map(|byte| ALPHABET.iter().position(|digit| digit == byte));
        let bits =
            sextets.collect::<Option<Vec<_>>>()?.into_iter().fold(0, |bits, sextet| bits << 6 | sextet);
        let spelled = (bits << (6 * (4 - group.len()))).to_be_bytes();
        let last_three = spelled.len() - 3;
        // A sextet alone is no byte.
        bytes.extend_from_slice(&spelled[last_three..][..(group.len() * 6 / 8)]);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn base64(bytes: &[u8]) -> String {
        let mut out = String::new();
        push_base64(&mut out, bytes);
        out
    }

    #[test]
    fn the_vectors_of_the_rfc_hold() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
        assert_eq!(base64(&[0xfb, 0xef, 0xff]), "++//");
    }

    #[test]
    fn what_is_not_base64_is_nothing() {
        assert_eq!(from_base64("Zm9v!"), None);
        assert_eq!(from_base64("Zm9vé"), None);
        assert_eq!(from_base64("Z"), Some(vec![]));
    }

    proptest! {
        #[test]
        fn what_was_spelled_is_read(bytes in vec(any::<u8>(), 0..100)) {
            prop_assert_eq!(from_base64(&base64(&bytes)), Some(bytes));
        }
    }
}
