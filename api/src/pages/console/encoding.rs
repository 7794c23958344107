//! Content codings of the console's files (RFC 9110 §8.4.1): which one a client gets, and how it is made.

use std::io::{self, Write};

use brotli::CompressorWriter;
use flate2::{Compression, write::GzEncoder};

/// Brotli quality, from 0 to 11. Higher qualities take several times longer and save about 3 %.
const BROTLI_QUALITY: u32 = 9;

/// A content coding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Encoding {
    /// `br` (RFC 7932), the smallest.
    Brotli,
    /// `gzip` (RFC 1952).
    Gzip,
}

impl Encoding {
    /// The smallest coding that `accept`, an `Accept-Encoding` header, allows. `None`: not encoded.
    pub(super) fn choose(accept: &str) -> Option<Self> {
        [Self::Brotli, Self::Gzip].into_iter().find(|coding| accepts(accept, coding.name()))
    }

    /// Its name in `Content-Encoding`.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Gzip => "gzip",
        }
    }

    /// Compresses `bytes`. This takes up to a second for the largest file, so call it outside the async threads.
    ///
    /// # Errors
    /// None in practice, because it writes to memory.
    pub(super) fn compress(self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        match self {
            Self::Brotli => {
                let mut writer = CompressorWriter::new(Vec::new(), 1 << 14, BROTLI_QUALITY, 22);
                writer.write_all(bytes)?;
                writer.flush()?;
                Ok(writer.into_inner())
            }
            Self::Gzip => {
                let mut writer = GzEncoder::new(Vec::new(), Compression::default());
                writer.write_all(bytes)?;
                writer.finish()
            }
        }
    }
}

/// Whether `accept` names `coding`, or `*`, with a weight above 0 (RFC 9110 §12.5.3).
fn accepts(accept: &str, coding: &str) -> bool {
    let weight = |name: &str| {
        accept.split(',').find_map(|item| {
            let (listed, parameters) = item.split_once(';').unwrap_or((item, ""));
            let quality = parameters.trim().strip_prefix("q=").map_or(Ok(1.0), str::parse::<f32>);
            listed.trim().eq_ignore_ascii_case(name).then(|| quality.unwrap_or_default())
        })
    };
    weight(coding).or_else(|| weight("*")).is_some_and(|quality| quality > 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_chooses_the_coding() {
        for (accept, expected) in [
            ("gzip, deflate, br, zstd", Some(Encoding::Brotli)),
            ("gzip;q=1.0, br;q=0.5", Some(Encoding::Brotli)),
            ("GZIP", Some(Encoding::Gzip)),
            ("br;q=0, gzip", Some(Encoding::Gzip)),
            ("br; q=0, *", Some(Encoding::Gzip)),
            ("*", Some(Encoding::Brotli)),
            ("*;q=0", None),
            ("br;q=many", None),
            ("identity", None),
            ("brx", None),
            ("", None),
        ] {
            assert_eq!(Encoding::choose(accept), expected, "{accept}");
        }
    }

    #[test]
    fn compressed_text_is_smaller_and_complete() {
        let text = "Insula ".repeat(1000);
        let brotli = Encoding::Brotli.compress(text.as_bytes()).unwrap();
        let mut plain = Vec::new();
        brotli::BrotliDecompress(&mut brotli.as_slice(), &mut plain).unwrap();
        assert_eq!((plain == text.as_bytes(), brotli.len() < 100), (true, true));
        let gzip = Encoding::Gzip.compress(text.as_bytes()).unwrap();
        let mut plain = String::new();
        io::Read::read_to_string(&mut flate2::read::GzDecoder::new(gzip.as_slice()), &mut plain).unwrap();
        assert_eq!((plain == text, gzip.len() < 200), (true, true));
    }
}
