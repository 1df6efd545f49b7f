//! What threads write, and what was true when it was read.

pub(crate) mod buckets;
pub(crate) mod distribution;
mod histogram;
pub(crate) mod metric;
mod owner;
mod page;
pub(crate) mod registry;
pub(crate) mod sample;
mod sampler;
pub(crate) mod shard;
pub(crate) mod snapshot;
mod total;
