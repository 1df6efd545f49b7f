//! Which points a backend is shown.

mod point;

pub use point::{Explicit, Exponential, ExponentialBuckets, Frame, Number, Point, Scope, Temporality, Value};
