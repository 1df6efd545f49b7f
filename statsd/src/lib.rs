//! DogStatsD for barewire: a hand-written encoder, over UDP and Unix sockets.

#![forbid(unsafe_code)]
