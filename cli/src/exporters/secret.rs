//! Secrets on the command line, where everybody sees them; or in a file or a variable, where few do.

use std::env;

use barewire::wire::post::Secret;

/// Reads `@file:PATH`, `@env:NAME`, or else the secret itself. An error does not repeat it, nor the name of a variable:
/// who wrote `$NAME` for `NAME` gave the secret for it.
pub(super) fn read(text: &str) -> Result<Secret, String> {
    if let Some(path) = text.strip_prefix("@file:") {
        return Secret::file(path).map_err(|error| error.to_string());
    }
    if let Some(name) = text.strip_prefix("@env:") {
        let is_name = !name.is_empty() && !name.contains(['=', '\0']);
        return match env::var(name) {
            Ok(value) if is_name && !value.is_empty() => Ok(value.into()),
            _ => Err("the variable that @env: names is not set, or is empty or not utf-8".to_owned()),
        };
    }
    if text.starts_with('@') {
        return Err("a secret that begins with @ is @file:PATH or @env:NAME".to_owned());
    }
    Ok(text.into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_secret_is_given_as_it_is_or_by_the_name_of_a_variable() {
        assert_eq!(read("hunter2").unwrap().expose(), "hunter2");
        assert_eq!(read("").unwrap().expose(), "");
        assert_eq!(read("@env:CARGO_MANIFEST_DIR").unwrap().expose(), env!("CARGO_MANIFEST_DIR"));
    }

    #[test]
    fn what_names_no_secret_is_refused_and_not_repeated() {
        let unset = "the variable that @env: names is not set, or is empty or not utf-8";
        let odd = "a secret that begins with @ is @file:PATH or @env:NAME";
        for (text, expected) in
            [("@env:hunter2", unset), ("@env:", unset), ("@env:a=b", unset), ("@hunter2", odd), ("@", odd)]
        {
            assert_eq!(read(text).unwrap_err(), expected);
        }
        assert!(read("@file:/nowhere").unwrap_err().starts_with("the file '/nowhere' cannot be read: "));
    }

    proptest! {
        #[test]
        fn a_text_is_the_secret_or_says_where_it_is_or_is_refused_and_not_repeated(
            text in "@?(env:)?[a-zé= \u{0}]{0,4}hunter2\\PC{0,4}",
        ) {
            match read(&text) {
                Ok(secret) => prop_assert_eq!(secret.expose(), text),
                Err(why) => prop_assert!(text.starts_with('@') && !why.contains("hunter2"), "{}", why),
            }
        }
    }
}
