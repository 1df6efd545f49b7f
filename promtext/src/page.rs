//! Pages, each rendered and packed once for all who ask for the same one.

use std::{sync::Arc, time::Instant};

#[cfg(feature = "gzip")]
use barewire::wire::gzip::Gzip;
use barewire::{
    Snapshot,
    view::{Frame, Shape, View},
};

use crate::{
    accept::{Coding, Exposition},
    desk::Shared,
    encode::{Encoded, Encoder, Format},
    name::Escaping,
    scraper::Visit,
};

/// What a scrape is answered with.
#[derive(Debug, Default)]
pub(crate) struct Page {
    pub(crate) bytes: Vec<u8>,
    pub(crate) encoded: Encoded,
    /// Which snapshot it shows, counted as the desk counts; 0 for none.
    pub(crate) snapshot: u64,
}

/// Where pages come from.
pub(crate) trait Pages {
    /// The newest page of this kind.
    fn newest(&mut self, exposition: Exposition, coding: Coding) -> Arc<Page>;
    /// A scraper took all of this one.
    fn taken(&mut self, page: &Page, visit: &mut Visit);
}

/// Renders what lies on the desk.
#[derive(Debug)]
pub(crate) struct Renderer {
    shared: Arc<Shared>,
    /// One for each format and escaping, once it was asked for.
    sheets: [Option<Box<Sheet>>; FORMATS.len() * Escaping::ALL.len()],
    #[cfg(feature = "gzip")]
    gzip: Gzip,
}

const FORMATS: [Format; 2] = [Format::Text004, Format::OpenMetrics];

/// The pages of one format and escaping.
#[derive(Debug)]
struct Sheet {
    encoder: Encoder,
    plain: Option<Arc<Page>>,
    #[cfg(feature = "gzip")]
    packed: Option<Arc<Page>>,
}

impl Renderer {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Renderer {
            shared,
            sheets: Default::default(),
            #[cfg(feature = "gzip")]
            gzip: Gzip::new(),
        }
    }
}

impl Pages for Renderer {
    fn newest(&mut self, exposition: Exposition, coding: Coding) -> Arc<Page> {
        let (format, escaping) = (exposition.format(), exposition.escaping());
        let at = format as usize * Escaping::ALL.len() + escaping as usize;
        let sheet = self.sheets[at].get_or_insert_with(|| Box::new(Sheet::new(format, escaping)));
        let plain = sheet.plain(&self.shared);
        match coding {
            #[cfg(feature = "gzip")]
            Coding::Gzip => sheet.packed(&plain, &mut self.gzip, &self.shared),
            _ => plain,
        }
    }

    fn taken(&mut self, page: &Page, visit: &mut Visit) {
        self.shared.taken(page, visit);
    }
}

impl Sheet {
    fn new(format: Format, escaping: Escaping) -> Self {
        Sheet {
            encoder: Encoder::new(format).escaping(escaping),
            plain: None,
            #[cfg(feature = "gzip")]
            packed: None,
        }
    }

    fn plain(&mut self, shared: &Shared) -> Arc<Page> {
        let (newest, earlier, snapshot) = shared.newest();
        let Sheet { encoder, plain, .. } = self;
        renewed(plain, snapshot, shared, |page| {
            page.encoded = match newest {
                Some(newest) => render(encoder, shared, &newest, earlier.as_deref(), &mut page.bytes),
                None => encoder.push([], &mut page.bytes),
            };
        })
    }

    #[cfg(feature = "gzip")]
    fn packed(&mut self, plain: &Page, gzip: &mut Gzip, shared: &Shared) -> Arc<Page> {
        renewed(&mut self.packed, plain.snapshot, shared, |page| {
            page.bytes.extend_from_slice(gzip.pack(&plain.bytes));
            page.encoded = plain.encoded;
        })
    }
}

/// The page that is there, if it shows that snapshot, or else one that `fill` fills.
fn renewed(
    slot: &mut Option<Arc<Page>>,
    snapshot: u64,
    shared: &Shared,
    fill: impl FnOnce(&mut Page),
) -> Arc<Page> {
    if let Some(page) = slot.as_ref().filter(|page| page.snapshot == snapshot) {
        return Arc::clone(page);
    }
    let began = Instant::now();
    let shown = slot.get_or_insert_default();
    // Scrapers that are still taking the last page keep it.
    if Arc::get_mut(shown).is_none() {
        *shown = Arc::default();
    }
    let page = Arc::get_mut(shown).expect("nobody else has it");
    page.bytes.clear();
    fill(page);
    page.snapshot = snapshot;
    shared.encoded(began.elapsed());
    Arc::clone(shown)
}

fn render(
    encoder: &mut Encoder,
    shared: &Shared,
    newest: &Snapshot,
    earlier: Option<&Snapshot>,
    out: &mut Vec<u8>,
) -> Encoded {
    let mut views = shared.views.lock();
    if views.is_empty() {
        views.push(View::everything().histograms(Shape::Explicit));
    }
    let frames: Vec<&Frame> = views.iter_mut().map(|view| view.show(newest, earlier)).collect();
    encoder.push(frames.iter().copied(), out)
}

#[cfg(test)]
mod tests;
