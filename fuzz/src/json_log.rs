//! Every line of the JSON log is one document, whatever the labels hold, and whatever the disk takes of it.

use std::time::{Duration, Instant};

use arbitrary::Arbitrary;
use barewire::{Event, Exporter, Metric, Registry, Unit};
use barewire_runner::{JsonLog, Origin};
use serde_json::Value as Json;

use crate::{
    event::Happened,
    frame::{LabelText, Text},
    lines::Disk,
};

/// Who runs, and what happens.
#[derive(Debug, Arbitrary)]
pub struct Told {
    run_id: Text,
    testplan: Text,
    source: Text,
    steps: Vec<Step>,
}

#[derive(Debug, Arbitrary)]
enum Step {
    /// Counts, on a series of these labels.
    Count {
        labels: Vec<(Text, LabelText)>,
        values: Vec<u64>,
    },
    Tell(Happened),
    Export,
    MakeRoom(u16),
}

/// Tells all of it, and reads the lines.
///
/// # Panics
/// When one that was written is no document, or when what was not is there as a whole line.
pub fn check(told: Told) {
    let disk = Disk::default();
    let origin = Origin {
        source: told.source.into(),
        ..Origin::new(String::from(told.run_id), String::from(told.testplan))
    };
    let mut log = JsonLog::new("a disk", disk.clone(), &origin);
    let registry = Registry::new("fuzz");
    let mut shard = registry.shard();
    let (mut written, mut torn) = (0, 0);
    for step in told.steps {
        let deadline = Instant::now() + Duration::from_secs(60);
        let outcome = match step {
            Step::MakeRoom(bytes) => {
                disk.make_room(bytes.into());
                continue;
            }
            Step::Count { labels, values } => {
                let named = |name: &str| {
                    labels.iter().fold(Metric::new(name.to_owned()), |metric, (key, value)| {
                        metric.label(key.clone(), value.clone())
                    })
                };
                shard.add(registry.counter(named("http.client.requests")), 1);
                let took = registry.histogram(named("http.client.request.duration").unit(Unit::Seconds));
                values.into_iter().for_each(|value| shard.record(took, value));
                continue;
            }
            Step::Tell(event) => log.event(&Event::from(event), deadline),
            Step::Export => log.export(&registry.snapshot(), deadline),
        };
        match outcome {
            Ok(_) => written += 1,
            Err(_) => torn += 1,
        }
    }
    let bytes = disk.bytes();
    let lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
    let broken = lines.iter().filter(|line| serde_json::from_slice::<Json>(line).is_err()).count();
    assert!(broken <= torn, "{broken} of {} are no documents, {torn} were torn", lines.len());
    assert!(torn > 0 || broken == 0 && (written == 0 || bytes.is_empty() || bytes.ends_with(b"\n")));
}
