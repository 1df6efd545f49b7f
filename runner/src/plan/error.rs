//! Why a plan was refused.

use std::{error::Error, fmt};

/// A field of a plan that cannot be run: which one, what is wrong with it, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanError {
    field: String,
    reason: String,
}

impl PlanError {
    pub(crate) fn new(field: impl Into<String>, reason: impl Into<String>) -> Self {
        PlanError { field: field.into(), reason: reason.into() }
    }

    /// The path of the field, such as `steps[1].url`; empty when the text is no JSON at all.
    pub fn field(&self) -> &str {
        &self.field
    }
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.field.is_empty() {
            f.write_str(&self.reason)
        } else {
            write!(f, "{}: {}", self.field, self.reason)
        }
    }
}

impl Error for PlanError {}
