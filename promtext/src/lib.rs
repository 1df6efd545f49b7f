//! Prometheus text for barewire: a hand-written encoder and a scrape endpoint.
