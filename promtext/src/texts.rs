//! Texts that are copied again and again.

/// The unit of copying. A copy of a size that the compiler knows is a few instructions; any other is a call.
const CHUNK: usize = 32;

/// Texts side by side, so that the next one is on its way into the cache when the last one is read.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    /// With a chunk behind the last text, for its copy to run over.
    bytes: Vec<u8>,
}

/// Where a text is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    start: usize,
    len: usize,
}

impl Texts {
    pub(crate) fn add(&mut self, text: &[u8]) -> Span {
        let start = self.bytes.len().saturating_sub(CHUNK);
        self.bytes.truncate(start);
        self.bytes.extend_from_slice(text);
        self.bytes.resize(start + text.len() + CHUNK, 0);
        Span { start, len: text.len() }
    }

    /// Appends a text, by copying whole chunks and giving back what is too much.
    pub(crate) fn push(&self, span: Span, out: &mut Vec<u8>) {
        let end = out.len() + span.len;
        let padded = span.len.next_multiple_of(CHUNK);
        for chunk in self.bytes[span.start..span.start + padded].as_chunks::<CHUNK>().0 {
            out.extend_from_slice(chunk);
        }
        out.truncate(end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_all_lengths_are_copied_as_they_are() {
        let text = |len: usize| vec![u8::try_from(len).unwrap(); len];
        let mut texts = Texts::default();
        let spans: Vec<Span> = (0..100).map(|len| texts.add(&text(len))).collect();
        for (len, &span) in spans.iter().enumerate() {
            let mut out = b"before".to_vec();
            texts.push(span, &mut out);
            assert_eq!(out, [&b"before"[..], &text(len)].concat());
        }
    }
}
