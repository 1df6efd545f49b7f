//! `barewire target`: the embedded server, alone.

use std::{fs::File, path::Path, thread, time::Duration};

use barewire_runner::{Behaviour, Delay, Target};

use crate::{args::TargetArgs, console, failure::Failure, interrupt::Interrupt};

pub(crate) fn run(args: &TargetArgs) -> Result<(), Failure> {
    if !(0.0..=100.0).contains(&args.errors) {
        return Err(Failure::Usage(format!("--errors: '{}' is no percentage: give 0 to 100", args.errors)));
    }
    let behaviour = Behaviour {
        delay: args.delay.unwrap_or(Delay::Constant(Duration::ZERO)),
        errors: args.errors,
        stall: args.stall,
    };
    let target = bind(args, behaviour)?;
    let interrupt = Interrupt::listen()?;
    console::print(&format!(
        "serving at http://{}/ until Ctrl-C; its own count is at /-/stats\n",
        target.local_addr()
    ));
    while !interrupt.is_set() {
        thread::sleep(Duration::from_millis(50));
    }
    console::print(&format!("served {} requests\n", target.requests()));
    target.stop().map_err(|error| match &args.trace {
        Some(path) => Failure::Defect(format!("--trace: '{}' could not be written: {error}", path.display())),
        None => Failure::Defect(format!("the target did not end well: {error}")),
    })
}

fn bind(args: &TargetArgs, behaviour: Behaviour) -> Result<Target, Failure> {
    let target = match &args.trace {
        Some(path) => Target::bind_traced(args.listen, behaviour, create(path)?),
        None => Target::bind(args.listen, behaviour),
    };
    target.map_err(|error| {
        Failure::Usage(format!(
            "--listen: cannot listen at '{}': {error}; choose another port, or 0",
            args.listen
        ))
    })
}

fn create(path: &Path) -> Result<File, Failure> {
    File::create(path).map_err(|error| {
        Failure::Usage(format!(
            "--trace: '{}' cannot be written: {error}; choose another file",
            path.display()
        ))
    })
}
