//! What threads write, and what was true when it was read.

pub(crate) mod metric;
