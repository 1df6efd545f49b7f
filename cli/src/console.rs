//! Text for people. A reader that has gone away, such as `head`, has read enough: that ends nothing.

use std::{
    borrow::Cow,
    io::{self, Write as _},
};

/// The beginning of what the standard library puts behind every error of the system.
const NUMBER: &str = " (os error ";

/// Writes to stdout.
pub(crate) fn print(text: &str) {
    drop(io::stdout().write_all(in_words(text).as_bytes()));
}

/// Writes to stderr.
pub(crate) fn eprint(text: &str) {
    drop(io::stderr().write_all(in_words(text).as_bytes()));
}

/// The text without the numbers of errors, which say what the words before them do.
fn in_words(text: &str) -> Cow<'_, str> {
    if !text.contains(NUMBER) {
        return Cow::Borrowed(text);
    }
    let mut parts = text.split(NUMBER);
    let first = parts.next().unwrap_or_default().to_owned();
    Cow::Owned(parts.fold(first, |said, part| match part.split_once(')') {
        Some((number, rest)) if number.bytes().all(|byte| byte.is_ascii_digit()) => said + rest,
        _ => said + NUMBER + part,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_the_system_is_told_in_words() {
        let error = io::Error::from_raw_os_error(2);
        assert_eq!(
            in_words(&format!("'f': {error}; and {error}\n")),
            "'f': No such file or directory; and No such file or directory\n"
        );
        for text in ["", "no number", "cut (os error ", "other (os error x)"] {
            assert_eq!(in_words(text), text);
        }
    }
}
