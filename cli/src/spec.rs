//! The target argument: a URL, a spec, or something that is told as what it is.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use barewire_runner::Plan;

use crate::{bounded, failure::Failure};

/// The largest text that is read as a spec: bodies have their room in it.
const MAX_SPEC_BYTES: u64 = 16 << 20;

/// Files of other tools by their ends, and what they are.
const ELSEWHERE: [(&str, &str); 12] = [
    (".js", "a script"),
    (".mjs", "a script"),
    (".ts", "a script"),
    (".lua", "a script"),
    (".py", "a script"),
    (".scala", "a script"),
    (".sh", "a script"),
    (".jmx", "a test plan of JMeter"),
    (".yaml", "a YAML file"),
    (".yml", "a YAML file"),
    (".toml", "a TOML file"),
    (".txt", "a list of targets"),
];

/// The plan that the argument stands for, before any flag.
pub(crate) fn plan(target: &str) -> Result<Plan, Failure> {
    // An editor may have put a byte order mark before a text that was pasted.
    if target.trim_start_matches('\u{feff}').trim_start().starts_with('{') {
        return parse("the spec", target);
    }
    if target == "-" {
        return read("the spec on standard input", io::stdin().lock());
    }
    if target.contains("://") {
        return Ok(Plan::get(target));
    }
    let name = target.to_lowercase();
    if let Some((_, what)) = ELSEWHERE.iter().find(|(end, _)| name.ends_with(end)) {
        return Err(Failure::Usage(format!(
            "target: '{target}' is {what}, and barewire reads JSON specs alone: write one, as in 'barewire run --help', or \
             give a URL"
        )));
    }
    if name.ends_with(".json") || Path::new(target).is_file() {
        let file = File::open(target).map_err(|error| unreadable(&format!("the spec '{target}'"), &error))?;
        return read(target, file);
    }
    Ok(Plan::get(target))
}

fn read(origin: &str, from: impl Read) -> Result<Plan, Failure> {
    let shown = if origin.contains(' ') { origin.to_owned() } else { format!("the spec '{origin}'") };
    let bytes = bounded::read(from, MAX_SPEC_BYTES).map_err(|error| unreadable(&shown, &error))?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Failure::Usage(format!("{shown} cannot be read: it is no UTF-8 from byte {at} on; save it as UTF-8"))
    })?;
    if text.trim().is_empty() {
        return Err(Failure::Usage(format!("{shown} is empty: 'barewire run --help' shows one")));
    }
    parse(origin, &text)
}

fn unreadable(shown: &str, error: &io::Error) -> Failure {
    Failure::Usage(format!("{shown} cannot be read: {error}; name a file that can"))
}

fn parse(origin: &str, text: &str) -> Result<Plan, Failure> {
    Plan::from_json(text).map_err(|error| Failure::Usage(format!("{origin}: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_url_and_no_spec_is_told_as_what_it_is() {
        for (target, expected) in [
            ("script.js", "target: 'script.js' is a script, and barewire reads JSON specs alone: "),
            ("dir/m.YAML", "target: 'dir/m.YAML' is a YAML file, and barewire reads JSON specs alone: "),
            ("locustfile.py", "target: 'locustfile.py' is a script, "),
            ("test.jmx", "target: 'test.jmx' is a test plan of JMeter, "),
            ("none.json", "the spec 'none.json' cannot be read: "),
            ("{", "the spec: the text ends in the middle of JSON (line 1, column 1)"),
        ] {
            let refused = plan(target).unwrap_err().to_string();
            assert!(refused.starts_with(expected), "{target}: {refused}");
        }
        for url in ["http://h/script.js", "http://h/?u=m.yaml", "localhost:8080"] {
            assert_eq!(plan(url), Ok(Plan::get(url)));
        }
    }

    #[test]
    fn a_spec_comes_from_whatever_can_be_read() {
        let read =
            |bytes: &[u8]| read("the spec on standard input", bytes).map_err(|failure| failure.to_string());
        assert_eq!(read(b"\xef\xbb\xbf{\"target\": \"http://h/\"}"), Ok(Plan::get("http://h/")));
        for (bytes, expected) in [
            (&b" \n"[..], "the spec on standard input is empty: 'barewire run --help' shows one"),
            (
                b"{\xff}",
                "the spec on standard input cannot be read: it is no UTF-8 from byte 1 on; save it as UTF-8",
            ),
        ] {
            assert_eq!(read(bytes), Err(expected.to_owned()));
        }
    }
}
