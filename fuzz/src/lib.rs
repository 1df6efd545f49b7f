//! What must hold for every input. The targets only bring the bytes.

#![forbid(unsafe_code)]

pub mod accept;
pub mod event;
pub mod field;
pub mod frame;
pub mod message;
pub mod page;
pub mod plan;
pub mod request;
