//! Errors of JSON in plain words: the parser speaks of its types (`expected u32`, `struct Step`), and a user wrote none.

/// Kinds of values as the parser names them, and as a user would.
const KINDS: [(&str, &str); 14] = [
    ("u16", "a whole number from 0 to 65535"),
    ("u32", "a whole number from 0 to 4294967295"),
    ("u64", "a whole number, 0 or more"),
    ("i32", "a whole number from -2147483648 to 2147483647"),
    ("f64", "a number"),
    ("a string", "text in quotes"),
    ("a borrowed string", "text in quotes"),
    ("string or map", "text in quotes"),
    ("a boolean", "true or false"),
    ("a sequence", "a list in [ ]"),
    ("a map", "an object in { }"),
    ("a tuple of size 2", "a pair in [ ]"),
    ("tuple of 2 elements", "a pair in [ ]"),
    ("option", "a value or null"),
];

/// Faults of the text itself, each by the beginning of what the parser says of it.
const FAULTS: [(&str, &str); 13] = [
    ("EOF while parsing a value", "the text ends where a value is missing"),
    ("EOF while parsing", "the text ends in the middle of JSON"),
    ("expected value", "this is no value of JSON"),
    ("expected ident", "this is no value of JSON"),
    ("expected `:`", "a colon is missing behind a key"),
    ("expected `,` or", "a comma is missing, or a bracket"),
    ("key must be a string", "a key has to be in quotes"),
    ("trailing comma", "there is a comma too many"),
    ("trailing characters", "there is more text behind the end of the JSON: leave it out"),
    ("control character", "a text has a control character: write \\n for a new line"),
    ("recursion limit exceeded", "it is nested too deeply"),
    ("number out of range", "a number is out of range"),
    ("invalid number", "this is no number of JSON"),
];

/// Fields by the words that others use for them; the first one that is a field there is meant.
const MEANT: [(&str, &str); 62] = [
    ("vus", "users"),
    ("virtualusers", "users"),
    ("clients", "users"),
    ("concurrency", "users"),
    ("target", "users"),
    ("concurrency", "connections"),
    ("conns", "connections"),
    ("rps", "rate"),
    ("qps", "rate"),
    ("rpm", "rate"),
    ("throughput", "rate"),
    ("arrivalrate", "rate"),
    ("requestspersecond", "rate"),
    ("url", "target"),
    ("baseurl", "target"),
    ("host", "target"),
    ("server", "target"),
    ("endpoint", "target"),
    ("requests", "steps"),
    ("scenario", "steps"),
    ("scenarios", "steps"),
    ("flow", "steps"),
    ("tasks", "steps"),
    ("step", "steps"),
    ("time", "duration"),
    ("length", "duration"),
    ("runtime", "duration"),
    ("holdfor", "duration"),
    ("loops", "iterations"),
    ("repeat", "iterations"),
    ("count", "iterations"),
    ("spawnrate", "ramp_up"),
    ("warmup", "ramp_up"),
    ("cooldown", "ramp_down"),
    ("phases", "stages"),
    ("stage", "stages"),
    ("sleep", "think_time"),
    ("pause", "think_time"),
    ("wait", "think_time"),
    ("waittime", "think_time"),
    ("delay", "think_time"),
    ("threshold", "thresholds"),
    ("checks", "thresholds"),
    ("assertions", "thresholds"),
    ("slo", "thresholds"),
    ("gracefulstop", "drain"),
    ("title", "name"),
    ("label", "name"),
    ("id", "name"),
    ("uri", "url"),
    ("path", "url"),
    ("endpoint", "url"),
    ("verb", "method"),
    ("header", "headers"),
    ("data", "body"),
    ("json", "body"),
    ("payload", "body"),
    ("status", "expect_status"),
    ("expect", "expect_status"),
    ("expectedstatus", "expect_status"),
    ("tags", "labels"),
    ("attributes", "labels"),
];

/// What a parser of JSON says, in plain words: what stands there, and what to write.
///
/// ```
/// use barewire_runner::plain;
///
/// let said = "invalid type: string \"many\", expected u32 at line 1 column 9";
/// assert_eq!(plain(said), "\"many\" cannot stand here: give a whole number from 0 to 4294967295 (line 1, column 9)");
/// ```
pub fn plain(said: &str) -> String {
    let (said, place) = match said.rsplit_once(" at line ") {
        Some((said, place)) => (said, format!(" (line {})", place.replace(" column", ", column"))),
        None => (said, String::new()),
    };
    let plain = of_value(said).or_else(|| of_name(said)).or_else(|| of_text(said));
    plain.unwrap_or_else(|| said.replace('`', "'")) + &place
}

/// A value of the wrong kind, or out of range.
fn of_value(said: &str) -> Option<String> {
    let (found, expected) = ["invalid type: ", "invalid value: ", "invalid length "]
        .iter()
        .find_map(|start| said.strip_prefix(start))?
        .rsplit_once(", expected ")?;
    let found = match found {
        "sequence" => "a list".to_owned(),
        "map" => "an object".to_owned(),
        _ if said.starts_with("invalid length ") => format!("a list of {found}"),
        _ => found.trim_start_matches("integer ").trim_start_matches("floating point ").to_owned(),
    };
    let found = found.trim_start_matches("string ").trim_start_matches("boolean ").replace('`', "");
    Some(format!("{found} cannot stand here: give {}", kind(expected)))
}

fn kind(expected: &str) -> &str {
    let known = KINDS.iter().find(|(name, _)| *name == expected).map(|(_, plain)| *plain);
    known.unwrap_or(if expected.starts_with("struct ") { "an object in { }" } else { expected })
}

/// A field or a word that is not known, or not there, or there twice.
fn of_name(said: &str) -> Option<String> {
    let name = said.split('`').nth(1)?;
    let known = || said.split('`').skip(3).step_by(2).collect::<Vec<_>>();
    if said.starts_with("missing field ") {
        return Some(format!("'{name}' is missing: add it"));
    }
    if said.starts_with("duplicate field ") {
        return Some(format!("'{name}' is given twice: leave one of them out"));
    }
    if said.starts_with("unknown variant ") {
        return Some(format!("'{name}' is not known: write one of {}", known().join(", ")));
    }
    said.strip_prefix("unknown field ").map(|_| match meant(name, &known()) {
        Some(field) => format!("there is no field '{name}': write '{field}'"),
        None => format!("there is no field '{name}': leave it out, or write one of {}", known().join(", ")),
    })
}

/// The field that was meant: one that is written in another manner, or has another name elsewhere.
fn meant<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let letters = |name: &str| name.to_lowercase().replace(['_', '-', ' '], "");
    let name = letters(name);
    let by_letters = known.iter().find(|field| is_slip(&name, &letters(field)));
    let words = MEANT.iter().filter(|(word, _)| *word == name);
    by_letters
        .or_else(|| words.filter_map(|(_, field)| known.iter().find(|known| *known == field)).next())
        .copied()
}

/// Whether a word is another one with one letter wrong, missing or too many, or two of them swapped.
///
/// ```
/// use barewire_runner::is_slip;
///
/// assert!(is_slip("ponits", "points") && is_slip("url", "uri") && !is_slip("insecure", "linger"));
/// ```
pub fn is_slip(given: &str, word: &str) -> bool {
    let (given, word) = (given.as_bytes(), word.as_bytes());
    let same = |(one, other): &(&u8, &u8)| one == other;
    let start = given.iter().zip(word).take_while(same).count();
    let (given, word) = (&given[start..], &word[start..]);
    let end = given.iter().rev().zip(word.iter().rev()).take_while(same).count();
    match (&given[..given.len() - end], &word[..word.len() - end]) {
        ([] | [_], [] | [_]) => true,
        ([one, other], [first, second]) => one == second && other == first,
        _ => false,
    }
}

/// A text that is no JSON.
fn of_text(said: &str) -> Option<String> {
    FAULTS.iter().find(|(start, _)| said.starts_with(start)).map(|(_, plain)| (*plain).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_parser_says_is_told_in_plain_words() {
        for (said, expected) in [
            (
                "invalid value: integer `-1`, expected u32",
                "-1 cannot stand here: give a whole number from 0 to 4294967295",
            ),
            (
                "invalid type: floating point `1.5`, expected u64",
                "1.5 cannot stand here: give a whole number, 0 or more",
            ),
            ("invalid type: integer `5`, expected struct Step", "5 cannot stand here: give an object in { }"),
            ("invalid type: map, expected a sequence", "an object cannot stand here: give a list in [ ]"),
            (
                "invalid length 1, expected a tuple of size 2",
                "a list of 1 cannot stand here: give a pair in [ ]",
            ),
            ("invalid type: null, expected a string", "null cannot stand here: give text in quotes"),
            ("missing field `duration`", "'duration' is missing: add it"),
            (
                "duplicate field `users` at line 2 column 9",
                "'users' is given twice: leave one of them out (line 2, column 9)",
            ),
            (
                "unknown variant `smoke`, expected one of `load`, `soak`",
                "'smoke' is not known: write one of load, soak",
            ),
            ("EOF while parsing an object", "the text ends in the middle of JSON"),
            ("something `new`", "something 'new'"),
        ] {
            assert_eq!(plain(said), expected);
        }
    }

    #[test]
    fn a_field_that_is_not_known_is_told_by_what_it_means() {
        for (name, expected) in [
            ("vus", "write 'users'"),
            ("rampUp", "write 'ramp_up'"),
            ("think-time", "write 'think_time'"),
            ("RPS", "write 'rate'"),
            ("raet", "write 'rate'"),
            ("bogus", "leave it out, or write one of users, rate, ramp_up, think_time"),
        ] {
            let said =
                format!("unknown field `{name}`, expected one of `users`, `rate`, `ramp_up`, `think_time`");
            assert_eq!(plain(&said), format!("there is no field '{name}': {expected}"));
        }
    }

    #[test]
    fn every_word_means_a_field_that_there_is() {
        let plan = crate::Plan::from_json(r#"{"": 0}"#).unwrap_err().to_string();
        let step = crate::Plan::from_json(r#"{"steps": [{"": 0}]}"#).unwrap_err().to_string();
        for (word, field) in MEANT.iter().filter(|(_, field)| *field != "labels") {
            assert!([&plan, &step].iter().any(|known| known.contains(field)), "{word} means {field}");
        }
    }
}
