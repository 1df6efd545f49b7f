//! OTLP/JSON for barewire: a hand-written encoder, an HTTP exporter and a JSON-lines file.
