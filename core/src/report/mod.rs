//! The tick: one snapshot, carried out by every exporter that is idle.

pub(crate) mod exporter;
