//! A thread-per-core HTTP load runner on barewire.
