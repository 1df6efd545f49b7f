//! `barewire target`: the embedded server, alone.

use std::{thread, time::Duration};

use barewire_runner::{Behaviour, Delay, Target};

use crate::{args::TargetArgs, console, failure::Failure, run::Interrupt};

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
    Ok(())
}

fn bind(args: &TargetArgs, behaviour: Behaviour) -> Result<Target, Failure> {
    Target::bind(args.listen, behaviour).map_err(|error| {
        Failure::Usage(format!(
            "--listen: cannot listen at '{}': {error}; choose another port, or 0",
            args.listen
        ))
    })
}
