//! Settings of the look of an installation, besides its name.

use std::{fs, path::Path};

use sha2::{Digest, Sha256};

use super::value::Value;
use crate::base::{accent::Accent, crypto::hex};

/// The largest logo, in bytes.
const LARGEST: usize = 64 * 1024;
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";
const EXPECTED: &str = "the path of a file of at most 64 KiB that can be read: a PNG image, or an SVG image without scripts, \
                        document type and embedded pages";

/// A logo that was read and checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logo {
    /// The content of the file.
    pub bytes: Vec<u8>,
    /// Its format.
    pub format: LogoFormat,
}

/// The formats of logos.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogoFormat {
    /// Scalable Vector Graphics, which mail programs do not show.
    Svg,
    /// Portable Network Graphics.
    Png,
}

impl LogoFormat {
    /// The media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Svg => "image/svg+xml",
            Self::Png => "image/png",
        }
    }
}

impl Logo {
    /// The path that serves it. It changes with the content.
    pub fn path(&self) -> String {
        let extension = match self.format {
            LogoFormat::Svg => "svg",
            LogoFormat::Png => "png",
        };
        format!("/brand/logo-{}.{extension}", hex(&Sha256::digest(&self.bytes)[..8]))
    }

    /// Checks the content of a file. `None`: it is no logo.
    fn check(bytes: Vec<u8>) -> Option<Self> {
        if bytes.len() > LARGEST {
            return None;
        }
        let format = match bytes.starts_with(PNG) {
            true => LogoFormat::Png,
            false => is_svg(&bytes).then_some(LogoFormat::Svg)?,
        };
        Some(Self { bytes, format })
    }
}

fn is_svg(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let text = text.trim_start_matches('\u{feff}').trim_start().to_ascii_lowercase();
    let starts = text.starts_with("<svg") || text.starts_with("<?xml") || text.starts_with("<!--");
    let refused = ["<script", "<!doctype", "<!entity", "<foreignobject", "<iframe", "javascript:"];
    starts && text.contains("<svg") && !refused.iter().any(|part| text.contains(part))
}

impl Value for Logo {
    fn parse(text: &str) -> Result<Self, &'static str> {
        fs::read(Path::new(text)).ok().and_then(Self::check).ok_or(EXPECTED)
    }
}

impl Value for Accent {
    fn parse(text: &str) -> Result<Self, &'static str> {
        Self::parse(text).map_err(|_| "a colour such as #1f6feb")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_logo_is_a_small_image_without_scripts() {
        let format = |bytes: &[u8]| Logo::check(bytes.to_vec()).map(|logo| logo.format);
        assert_eq!(format(b"\x89PNG\r\n\x1a\n..."), Some(LogoFormat::Png));
        for svg in ["<svg/>", "\u{feff}<?xml version=\"1.0\"?>\n<svg></svg>", "<!-- by hand -->\n<SVG></SVG>"]
        {
            assert_eq!(format(svg.as_bytes()), Some(LogoFormat::Svg), "{svg}");
        }
        for wrong in [
            "",
            "GIF89a",
            "<html><svg/></html>",
            "<svg><script>alert(1)</script></svg>",
            "<svg><SCRIPT href='x'/></svg>",
            "<?xml version=\"1.0\"?><!DOCTYPE svg [<!ENTITY a 'b'>]><svg>&a;</svg>",
            "<svg><foreignObject><p/></foreignObject></svg>",
            "<svg><a href='javascript:alert(1)'/></svg>",
        ] {
            assert_eq!(format(wrong.as_bytes()), None, "{wrong}");
        }
        assert_eq!(format(&[PNG, &vec![0; LARGEST]].concat()), None);
    }
}
