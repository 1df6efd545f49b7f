//! What the benches share: the values, the series and the points that they measure with.

#![forbid(unsafe_code)]

pub mod frame;
pub mod record;
pub mod values;
