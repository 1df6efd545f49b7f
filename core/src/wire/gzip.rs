//! Bodies in gzip (RFC 1952), by a compressor that is used again: a new one would allocate at every tick.

use std::{
    fmt,
    io::{self, Read},
};

use flate2::read::MultiGzDecoder;
use flate2::{Compress, Compression, Crc, FlushCompress, Status};

/// Deflate, no flags, no time, no extra flags, an unknown system.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];

/// Packs one document after another.
pub struct Gzip {
    compress: Compress,
    packed: Vec<u8>,
}

impl Gzip {
    /// A compressor that prefers speed.
    pub fn new() -> Self {
        Gzip { compress: Compress::new(Compression::fast(), false), packed: Vec::new() }
    }

    /// `body` as one gzip member.
    pub fn pack(&mut self, body: &[u8]) -> &[u8] {
        self.packed.clear();
        self.packed.extend_from_slice(&HEADER);
        self.deflate(body);
        let mut crc = Crc::new();
        crc.update(body);
        self.packed.extend_from_slice(&crc.sum().to_le_bytes());
        self.packed.extend_from_slice(&crc.amount().to_le_bytes());
        &self.packed
    }

    fn deflate(&mut self, body: &[u8]) {
        self.compress.reset();
        let mut rest = body;
        loop {
            // More than what is left can grow to, as a rule.
            self.packed.reserve(rest.len() / 2 + 64);
            let before = self.compress.total_in();
            let status = self.compress.compress_vec(rest, &mut self.packed, FlushCompress::Finish);
            let read = usize::try_from(self.compress.total_in() - before).unwrap_or(rest.len());
            rest = &rest[read..];
            match status {
                Ok(Status::Ok | Status::BufError) => {}
                Ok(Status::StreamEnd) => return,
                Err(error) => unreachable!("deflate takes any bytes: {error}"),
            }
        }
    }
}

/// Unpacks `packed`, one gzip member or several, into `body`, whose contents before are dropped.
///
/// # Errors
/// Bytes that are no gzip, and a body of more than `limit` bytes: a few packed bytes can stand for gigabytes.
pub fn unpack(packed: &[u8], limit: usize, body: &mut Vec<u8>) -> io::Result<()> {
    body.clear();
    // One more than the limit, so that what is too long can be told from what just fits.
    let bound = (limit as u64).saturating_add(1);
    MultiGzDecoder::new(packed).take(bound).read_to_end(body)?;
    if body.len() > limit {
        body.truncate(limit);
        return Err(io::Error::other(format!("unpacked, it is larger than {limit} bytes")));
    }
    Ok(())
}

impl Default for Gzip {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Gzip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gzip").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn unpacked(packed: &[u8]) -> Vec<u8> {
        let mut body = b"of the answer before".to_vec();
        unpack(packed, usize::MAX, &mut body).expect("gzip");
        body
    }

    #[test]
    fn a_body_is_unpacked_up_to_its_limit_and_no_further() {
        let mut body = Vec::new();
        let packed = Gzip::new().pack(&[0; 1 << 20]).to_vec();
        assert!(packed.len() < 10_000);
        assert!(unpack(&packed, 1 << 20, &mut body).is_ok());
        let error = unpack(&packed, (1 << 20) - 1, &mut body).unwrap_err();
        assert_eq!(error.to_string(), "unpacked, it is larger than 1048575 bytes");
        assert!(body.capacity() < 4 << 20);
        for bad in [&packed[..packed.len() / 2], b"{}", b""] {
            assert!(unpack(bad, 1 << 20, &mut body).is_err(), "{} bytes", bad.len());
        }
    }

    proptest! {
        #[test]
        fn what_was_packed_is_unpacked_the_second_time_too(
            bodies in vec(vec(any::<u8>(), 0..5000), 2),
            times in 1..40_usize,
        ) {
            let mut gzip = Gzip::new();
            for body in bodies {
                let body = body.repeat(times);
                prop_assert_eq!(unpacked(gzip.pack(&body)), body);
            }
        }
    }
}
