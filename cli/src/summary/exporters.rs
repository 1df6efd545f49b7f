//! What became of the snapshots, events and samples of each exporter.

use barewire::LaneReport;

use super::push as push_line;
use crate::format;

/// Appends a paragraph with some lines for each exporter.
pub(super) fn push(out: &mut String, lanes: &[LaneReport]) {
    if lanes.is_empty() {
        return;
    }
    push_line(out, "");
    for lane in lanes {
        for line in lines(lane) {
            push_line(out, &format!("  {}: {line}", lane.name));
        }
    }
}

fn lines(lane: &LaneReport) -> Vec<String> {
    let mut lines = vec![format!("{}; {}", snapshots(lane), points(lane))];
    lines.extend(beside("events", lane.events, lane.events_rejected, lane.events_lost));
    lines.extend(beside("samples", lane.samples, lane.samples_rejected, lane.samples_lost));
    lines.extend(lane.messages.iter().map(|message| format!("warning: {message}")));
    lines.extend(error(lane));
    lines
}

fn snapshots(lane: &LaneReport) -> String {
    let LaneReport { sent, partial, dropped, failed, timed_out, .. } = lane;
    let in_part = if *partial > 0 { format!(" ({partial} in part)") } else { String::new() };
    if lane.scrapes.is_some() {
        return format!("{sent} shown, {dropped} dropped, {failed} failed");
    }
    format!("{sent} sent{in_part}, {dropped} dropped, {failed} failed, {timed_out} timed out")
}

fn points(lane: &LaneReport) -> String {
    let LaneReport { points, rejected, left_out, .. } = lane;
    let bytes = format::bytes(lane.bytes);
    match lane.scrapes {
        Some(0) => "nobody scraped it".to_owned(),
        Some(scrapes) => {
            let often = if scrapes == 1 { "once".to_owned() } else { format!("{scrapes} times") };
            format!("scraped {often}: {points} points, {left_out} left out, {bytes}")
        }
        None => format!("{points} points accepted, {rejected} rejected, {left_out} left out, {bytes}"),
    }
}

/// What did not arrive of events or of samples, if anything did not.
fn beside(what: &str, told: u64, rejected: u64, lost: u64) -> Option<String> {
    let total = told + rejected + lost;
    match (rejected, lost) {
        (0, 0) => None,
        (0, _) => Some(format!("{lost} of {total} {what} were lost")),
        (_, 0) => Some(format!("{rejected} of {total} {what} were rejected")),
        _ => Some(format!("{rejected} of {total} {what} were rejected, {lost} lost")),
    }
}

/// What went wrong last, where it cost anything.
fn error(lane: &LaneReport) -> Option<String> {
    let why = lane.last_error.as_deref();
    if !lane.complete {
        return Some(format!("the last snapshot was not delivered: {}", why.unwrap_or("not in time")));
    }
    let is_costly = lane.failed + lane.timed_out + lane.events_lost + lane.samples_lost > 0;
    // A message of the receiver may be the error itself.
    let why = why.filter(|why| is_costly && lane.messages.iter().all(|message| message != why))?;
    Some(format!("the last error was: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(lane: LaneReport) -> Vec<String> {
        lines(&LaneReport { complete: true, ..lane })
    }

    #[test]
    fn what_a_receiver_rejected_is_not_hidden_by_what_was_sent() {
        let lane = LaneReport {
            sent: 3,
            partial: 2,
            points: 12,
            rejected: 6,
            left_out: 1,
            events: 1,
            events_rejected: 2,
            samples: 5,
            samples_rejected: 3,
            samples_lost: 2,
            messages: vec!["too old".to_owned()],
            ..LaneReport::default()
        };
        let expected = [
            "3 sent (2 in part), 0 dropped, 0 failed, 0 timed out; 12 points accepted, 6 rejected, 1 left out, 0B",
            "2 of 3 events were rejected",
            "3 of 10 samples were rejected, 2 lost",
            "warning: too old",
        ];
        assert_eq!(shown(lane), expected);
    }

    #[test]
    fn a_page_that_nobody_scraped_says_so() {
        let page =
            |scrapes| LaneReport { sent: 3, points: 20, scrapes: Some(scrapes), ..LaneReport::default() };
        assert_eq!(shown(page(0)), ["3 shown, 0 dropped, 0 failed; nobody scraped it"]);
        let scraped =
            |often| format!("3 shown, 0 dropped, 0 failed; scraped {often}: 20 points, 0 left out, 0B");
        assert_eq!([shown(page(1)), shown(page(2))], [[scraped("once")], [scraped("2 times")]]);
    }

    #[test]
    fn an_error_is_told_where_it_cost_something() {
        let lane =
            LaneReport { sent: 3, last_error: Some("h answered 503".to_owned()), ..LaneReport::default() };
        assert_eq!(shown(lane.clone()).len(), 1);
        let failed = LaneReport { failed: 1, ..lane.clone() };
        assert_eq!(shown(failed)[1], "the last error was: h answered 503");
        let incomplete = LaneReport { complete: false, ..lane };
        assert_eq!(lines(&incomplete)[1], "the last snapshot was not delivered: h answered 503");
    }
}
