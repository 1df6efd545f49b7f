//! The runner's own vocabulary: what is counted, as it is.

use ::barewire::view::View;

pub(super) fn view() -> View {
    View::everything().scope("barewire", env!("CARGO_PKG_VERSION"))
}
