//! Vocabularies as tables. A table has a row for each shape of a series: the name, the kind, the unit (`-` where there is
//! none) and the exact labels in any order.

use super::{PATIENCE, Target};
use serde_json::json;
use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

/// Two steps under a rate, of which some fail.
pub(crate) fn shop(target: &Target) -> String {
    let steps = json!([{ "name": "browse", "url": "/" }, { "name": "buy", "method": "POST", "url": "/", "body": "{}" }]);
    // The mean has a value whatever fails.
    let thresholds = json!(["avg < 10s"]);
    let plan = json!({ "name": "shop", "target": target.url(), "rate": 50, "steps": steps, "thresholds": thresholds });
    plan.to_string()
}

/// The rows of a table, each with its labels sorted.
fn rows(table: &str) -> BTreeSet<String> {
    let row = |line: &str| {
        let mut words: Vec<_> = line.split_whitespace().collect();
        let labels = words.split_off(3);
        format!("{} {}", words.join(" "), sorted(labels))
    };
    table.lines().map(str::trim).filter(|line| !line.is_empty()).map(row).collect()
}

/// Labels in the order of a table.
pub(crate) fn sorted<'a>(labels: impl IntoIterator<Item = &'a str>) -> String {
    labels.into_iter().collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(" ")
}

/// Waits until everything of a table has been seen.
pub(crate) fn expect(table: &str, what: &str, seen: impl Fn() -> BTreeSet<String>) {
    let expected = rows(table);
    let deadline = Instant::now() + PATIENCE;
    let mut known = BTreeSet::new();
    while !expected.is_subset(&known) {
        let missing: Vec<_> = expected.difference(&known).collect();
        assert!(Instant::now() < deadline, "{what}: {missing:#?} not among {known:#?}");
        thread::sleep(Duration::from_millis(200));
        known.extend(seen());
    }
}
