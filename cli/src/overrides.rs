//! Flags beside a spec: a flag replaces what contradicts it, and what it replaced is told; where that cannot be, it is
//! refused.

use std::time::Duration;

use barewire_runner::Plan;

use crate::{args::RunArgs, failure::Failure};

/// A plan, and what flags replaced of its spec, a sentence each.
#[derive(Debug)]
pub(crate) struct Overridden {
    pub(crate) plan: Plan,
    pub(crate) replaced: Vec<String>,
}

/// The plan of a spec, with whatever the flags say instead.
pub(crate) fn apply(plan: Plan, args: &RunArgs) -> Result<Overridden, Failure> {
    let mut overridden = Overridden { plan, replaced: Vec::new() };
    overridden.rate(args.rate);
    overridden.connections(args.connections);
    overridden.duration(args.duration)?;
    let plan = &mut overridden.plan;
    plan.threads = args.threads.or(plan.threads);
    plan.timeout = args.timeout.or(plan.timeout);
    plan.drain = args.drain.or(plan.drain);
    Ok(overridden)
}

impl Overridden {
    /// A constant rate, instead of any other course of the load.
    fn rate(&mut self, rate: Option<f64>) {
        if rate.is_none() {
            return;
        }
        self.plan.rate = rate;
        if let Some(users) = self.plan.users.take() {
            self.tell("--rate", &format!("{users} users"));
        }
        self.replace_iterations("--rate");
        self.replace_stages("--rate");
    }

    /// Connections for the arrivals of a rate; else so many users, instead of any other course of the load.
    fn connections(&mut self, connections: Option<u32>) {
        if connections.is_none() {
            return;
        }
        self.plan.connections = connections;
        let is_open = self.plan.rate.is_some() || self.plan.stages.iter().any(|stage| stage.rate.is_some());
        self.plan.users = None;
        if !is_open {
            self.replace_stages("--connections");
        }
    }

    fn duration(&mut self, duration: Option<Duration>) -> Result<(), Failure> {
        if duration.is_none() {
            return Ok(());
        }
        if !self.plan.stages.is_empty() {
            return Err(Failure::Usage(
                "--duration: the stages of the spec say how long the run lasts: change them there, or give --rate or \
                 --connections as well, for a load that stays the same"
                    .to_owned(),
            ));
        }
        self.plan.duration = duration;
        self.replace_iterations("--duration");
        Ok(())
    }

    fn replace_iterations(&mut self, flag: &str) {
        if let Some(iterations) = self.plan.iterations.take() {
            self.tell(flag, &format!("{iterations} iterations"));
        }
    }

    /// Leaves out the stages, and lasts as long as they did.
    fn replace_stages(&mut self, flag: &str) {
        let stages = std::mem::take(&mut self.plan.stages);
        if !stages.is_empty() {
            self.plan.duration = Some(stages.iter().map(|stage| stage.duration).sum());
            self.tell(flag, "stages");
        }
    }

    fn tell(&mut self, flag: &str, what: &str) {
        self.replaced.push(format!("{flag} replaces the {what} of the spec"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::run_args;

    const STAGES: &str = r#""stages": [{"duration": "2s", "users": 4}, {"duration": "3s", "users": 4}]"#;
    const RATES: &str = r#""stages": [{"duration": "2s", "rate": 4}, {"duration": "3s", "rate": 4}]"#;

    /// The load that comes of a spec with these fields and of these flags, and what is told.
    fn load(fields: &str, flags: &str) -> Result<String, String> {
        let spec = format!(r#"{{"target": "http://h", "threads": 1, {fields}}}"#);
        let plan = Plan::from_json(&spec).map_err(|error| error.to_string())?;
        let args = run_args(flags.split_whitespace());
        let Overridden { plan, replaced } = apply(plan, &args).map_err(|failure| failure.to_string())?;
        let workload = plan.check().map_err(|error| error.to_string())?;
        let load = match (workload.is_open(), workload.duration()) {
            (true, Some(time)) => format!("{:?} arrivals in {time:?}", workload.scheduled().unwrap_or(0)),
            (_, Some(time)) => format!("{time:?}"),
            (_, None) => format!("{:?} iterations", workload.scheduled().unwrap_or(0)),
        };
        Ok([format!("{load} by {}", workload.connections())]
            .into_iter()
            .chain(replaced)
            .collect::<Vec<_>>()
            .join("; "))
    }

    #[test]
    fn a_flag_replaces_what_contradicts_it_and_that_is_told() {
        for (fields, flags, expected) in [
            (r#""users": 4"#, "", "10s by 4"),
            (r#""users": 4"#, "-c 3 -d 5s", "5s by 3"),
            (r#""users": 4"#, "-r 2", "20 arrivals in 10s by 64; --rate replaces the 4 users of the spec"),
            (r#""users": 4, "iterations": 5"#, "-c 3", "15 iterations by 3"),
            (
                r#""users": 4, "iterations": 5"#,
                "-d 5s",
                "5s by 4; --duration replaces the 5 iterations of the spec",
            ),
            (
                r#""iterations": 5"#,
                "-r 2 -d 3s",
                "6 arrivals in 3s by 64; --rate replaces the 5 iterations of the spec",
            ),
            (r#""rate": 4, "duration": "5s""#, "-r 2", "10 arrivals in 5s by 64"),
            (r#""rate": 4, "duration": "5s""#, "-c 3 -d 1s", "4 arrivals in 1s by 3"),
            (STAGES, "-c 3", "5s by 3; --connections replaces the stages of the spec"),
            (STAGES, "-c 3 -d 1s", "1s by 3; --connections replaces the stages of the spec"),
            (STAGES, "-r 2", "10 arrivals in 5s by 64; --rate replaces the stages of the spec"),
            (STAGES, "-r 2 -c 3 -d 1s", "2 arrivals in 1s by 3; --rate replaces the stages of the spec"),
            (RATES, "-c 3", "16 arrivals in 5s by 3"),
            (RATES, "-r 2", "10 arrivals in 5s by 64; --rate replaces the stages of the spec"),
            (r#""type": "load""#, "-d 5s", "65s by 50"),
        ] {
            assert_eq!(load(fields, flags).as_deref(), Ok(expected), "{fields} {flags}");
        }
    }

    #[test]
    fn a_duration_beside_stages_alone_is_refused() {
        for fields in [STAGES, RATES] {
            for flags in ["-d 5s", "-d 5s --timeout 1s"] {
                let refused = load(fields, flags).unwrap_err();
                assert!(refused.starts_with("--duration: the stages of the spec say how long"), "{refused}");
            }
        }
    }
}
