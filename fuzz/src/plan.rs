//! Plans are refused, not run into.

use barewire_runner::Plan;

/// Reads `text` as a plan and checks it.
///
/// # Panics
/// When it is refused without a reason.
pub fn check(text: &str) {
    let refused = match Plan::from_json(text) {
        Ok(plan) => plan.check().map(|workload| workload.scheduled()).err(),
        Err(error) => Some(error),
    };
    if let Some(error) = refused {
        assert!(!error.to_string().is_empty());
    }
}
