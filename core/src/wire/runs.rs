//! Texts that are rendered once and copied many times.
//!
//! What never changes of a line lies one run behind the other in one buffer, with spare bytes at its end. So a block of a
//! fixed size can be copied, and what is too much cut off: that is a few moves, where a copy of any length is a call that
//! must find out which it is.

/// Runs of bytes, one after another.
///
/// ```
/// use barewire::wire::runs::Runs;
///
/// let mut runs = Runs::new();
/// let name = runs.add(|out| out.extend_from_slice(b"hits:"));
/// let mut line = Vec::new();
/// runs.push(name, &mut line);
/// assert_eq!(line, b"hits:");
/// assert_eq!(runs.get(name), b"hits:");
/// ```
#[derive(Debug, Clone, Default)]
pub struct Runs {
    /// All runs, and a block of zeros if there are any.
    text: Vec<u8>,
}

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Run {
    start: u32,
    len: u32,
}

/// How much is copied at once.
const BLOCK: usize = 64;

impl Run {
    /// How many bytes it has.
    #[inline]
    pub fn len(self) -> usize {
        self.len as usize
    }

    /// Whether it has none.
    #[inline]
    pub fn is_empty(self) -> bool {
        self.len == 0
    }
}

impl Runs {
    /// None so far.
    pub const fn new() -> Self {
        Runs { text: Vec::new() }
    }

    /// Adds the run that `push` appends.
    ///
    /// # Panics
    /// Together they have more than 4 GiB.
    pub fn add(&mut self, push: impl FnOnce(&mut Vec<u8>)) -> Run {
        let start = self.text.len().saturating_sub(BLOCK);
        self.text.truncate(start);
        push(&mut self.text);
        let end = self.text.len();
        self.text.resize(end + BLOCK, 0);
        let short = |bytes: usize| u32::try_from(bytes).expect("texts of less than 4 GiB");
        Run { start: short(start), len: short(end) - short(start) }
    }

    /// The bytes of a run.
    #[inline]
    pub fn get(&self, run: Run) -> &[u8] {
        &self.text[run.start as usize..][..run.len()]
    }

    /// The first bytes of a run, and whatever behind it.
    #[inline]
    fn block(&self, run: Run) -> &[u8; BLOCK] {
        self.text[run.start as usize..].first_chunk().expect("a block of zeros behind the last")
    }

    /// Appends a run to `out`.
    #[inline(always)]
    pub fn push(&self, run: Run, out: &mut Vec<u8>) {
        let (start, end) = (run.start as usize, out.len() + run.len());
        out.extend_from_slice(self.block(run));
        // Not the whole run: the compiler would make one copy of any length of the two.
        if run.len() > BLOCK {
            out.extend_from_slice(&self.text[start + BLOCK..start + run.len()]);
        }
        out.truncate(end);
    }

    /// Forgets them all, and keeps the memory.
    pub fn clear(&mut self) {
        self.text.clear();
    }
}

/// A text of at most `N` bytes that is appended again and again, such as the end of every line.
///
/// ```
/// use barewire::wire::runs::Short;
///
/// let end = Short::<16>::of(&[b"|T1700000000", b"\n"]);
/// let mut line = b"hits:1|c".to_vec();
/// end.push(&mut line);
/// assert_eq!(line, b"hits:1|c|T1700000000\n");
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Short<const N: usize> {
    block: [u8; N],
    len: usize,
}

impl<const N: usize> Short<N> {
    /// The text that the parts make, one behind the other.
    ///
    /// # Panics
    /// Together they have more than `N` bytes.
    pub fn of(parts: &[&[u8]]) -> Self {
        let (mut block, mut len) = ([0; N], 0);
        for part in parts {
            block[len..len + part.len()].copy_from_slice(part);
            len += part.len();
        }
        Short { block, len }
    }

    /// Its bytes.
    #[inline]
    pub fn get(&self) -> &[u8] {
        &self.block[..self.len]
    }

    /// How many bytes it has.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it has none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Its bytes, and zeros behind them.
    #[inline]
    pub(super) fn block(&self) -> &[u8; N] {
        &self.block
    }

    /// Appends it to `out`.
    #[inline]
    pub fn push(&self, out: &mut Vec<u8>) {
        push_start(out, &self.block, self.len);
    }
}

impl<const N: usize> Default for Short<N> {
    fn default() -> Self {
        Short { block: [0; N], len: 0 }
    }
}

/// Appends the first `len` bytes of a block: all of it, and what is too much is cut off.
#[inline]
pub(super) fn push_start<const N: usize>(out: &mut Vec<u8>, block: &[u8; N], len: usize) {
    let end = out.len() + len;
    out.extend_from_slice(block);
    out.truncate(end);
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    #[test]
    fn a_short_text_is_its_parts_up_to_the_whole_block() {
        for (parts, expected) in
            [(&[b"ab".as_slice(), b"", b"c"][..], "abc"), (&[b"abcd"], "abcd"), (&[], "")]
        {
            let (short, mut out) = (Short::<4>::of(parts), b"before ".to_vec());
            short.push(&mut out);
            assert_eq!(out, format!("before {expected}").as_bytes());
            assert_eq!(short.get(), expected.as_bytes());
        }
    }

    proptest! {
        #[test]
        fn what_is_pushed_is_what_was_added(texts in vec(vec(any::<u8>(), 0..200), 0..20)) {
            let mut runs = Runs::new();
            runs.add(|out| out.push(1));
            runs.clear();
            let added: Vec<Run> = texts.iter().map(|text| runs.add(|out| out.extend_from_slice(text))).collect();
            for (text, run) in texts.iter().zip(added) {
                let mut out = b"before ".to_vec();
                runs.push(run, &mut out);
                prop_assert_eq!(&out, &[b"before ", &**text].concat());
                prop_assert_eq!((run.len(), run.is_empty()), (text.len(), text.is_empty()));
                prop_assert_eq!(runs.get(run), &**text);
            }
        }
    }
}
