//! The accent colour of an installation: shades of one colour that people can read (WCAG 2.2, §1.4.3).

use std::fmt;

use super::text::{Color, InvalidText};

/// The contrast of text with what is behind it.
const READABLE: f64 = 4.5;
const BLACK: Rgb = Rgb([0, 0, 0]);
const WHITE: Rgb = Rgb([255, 255, 255]);
/// The lightest and the darkest background of the pages, in the light and in the dark theme (`web/src/main.css`).
const LIGHT_GROUND: Rgb = Rgb([0xef, 0xeb, 0xe4]);
const DARK_GROUND: Rgb = Rgb([0x23, 0x27, 0x2b]);
/// The fainter text in the dark theme, which can be on a soft background.
const DARK_MUTED: Rgb = Rgb([0xab, 0xa7, 0x9f]);

/// A colour in sRGB. It is displayed as `#rrggbb`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rgb([u8; 3]);

/// The shades of an accent colour in one theme.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shades {
    /// Buttons, focus and edges.
    pub accent: Rgb,
    /// A button under the pointer.
    pub hover: Rgb,
    /// Text on a button.
    pub on_accent: Rgb,
    /// The background of what is chosen.
    pub soft: Rgb,
    /// Links, and text on the soft background.
    pub text: Rgb,
}

/// The shades of the accent colour. They are as near to the chosen colour as contrast allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accent {
    /// For the light theme.
    pub light: Shades,
    /// For the dark theme.
    pub dark: Shades,
}

impl Accent {
    /// Finds the shades of the colour `#rrggbb`.
    ///
    /// # Errors
    /// `INVALID_FORMAT`.
    pub fn parse(text: &str) -> Result<Self, InvalidText> {
        let chosen = Rgb::of(&Color::parse(text)?);
        Ok(Self { light: light(chosen), dark: dark(chosen) })
    }
}

fn light(chosen: Rgb) -> Shades {
    let accent = chosen.toward(BLACK, |shade| shade.contrast(LIGHT_GROUND) >= READABLE);
    let soft = accent.mixed(WHITE, 88);
    let text = accent.toward(BLACK, |shade| shade.contrast(soft) >= READABLE);
    Shades { accent, hover: accent.mixed(BLACK, 20), on_accent: WHITE, soft, text }
}

fn dark(chosen: Rgb) -> Shades {
    let accent = chosen.toward(WHITE, |shade| shade.contrast(DARK_GROUND) >= READABLE);
    let on_accent = accent.mixed(BLACK, 60).toward(BLACK, |shade| shade.contrast(accent) >= READABLE);
    let soft =
        accent.mixed(DARK_GROUND, 75).toward(DARK_GROUND, |shade| shade.contrast(DARK_MUTED) >= READABLE);
    let text = accent.toward(WHITE, |shade| shade.contrast(soft) >= READABLE);
    Shades { accent, hover: accent.mixed(WHITE, 20), on_accent, soft, text }
}

impl Rgb {
    fn of(color: &Color) -> Self {
        let digit =
            |place: usize| char::from(color.as_str().as_bytes()[place]).to_digit(16).unwrap_or_default();
        Self([1, 3, 5].map(|place| u8::try_from(digit(place) * 16 + digit(place + 1)).unwrap_or(u8::MAX)))
    }

    /// This colour with `percent` of another one.
    fn mixed(self, other: Self, percent: u32) -> Self {
        let channel = |place: usize| {
            let sum = u32::from(self.0[place]) * (100 - percent) + u32::from(other.0[place]) * percent;
            u8::try_from((sum + 50) / 100).unwrap_or(u8::MAX)
        };
        Self([0, 1, 2].map(channel))
    }

    /// The nearest shade on the way to `end` that fits.
    fn toward(self, end: Self, fits: impl Fn(Self) -> bool) -> Self {
        (0..=100).map(|percent| self.mixed(end, percent)).find(|shade| fits(*shade)).unwrap_or(end)
    }

    /// The relative luminance (WCAG 2.2, "relative luminance").
    fn luminance(self) -> f64 {
        let [red, green, blue] = self.0.map(|channel| {
            let share = f64::from(channel) / 255.0;
            if share <= 0.04045 { share / 12.92 } else { ((share + 0.055) / 1.055).powf(2.4) }
        });
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }

    /// The contrast ratio, from 1 to 21 (WCAG 2.2, "contrast ratio").
    fn contrast(self, other: Self) -> f64 {
        let (one, two) = (self.luminance(), other.luminance());
        (one.max(two) + 0.05) / (one.min(two) + 0.05)
    }
}

impl fmt::Display for Rgb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [red, green, blue] = self.0;
        write!(f, "#{red:02x}{green:02x}{blue:02x}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_colour_becomes_readable_in_both_themes() {
        let paper = (WHITE, Rgb([0x1b, 0x1e, 0x21]));
        let inks = (Rgb([0x1f, 0x1d, 0x1a]), Rgb([0xec, 0xea, 0xe6]));
        let muted = (Rgb([0x5d, 0x57, 0x4e]), DARK_MUTED);
        for red in (0..=255).step_by(51) {
            for green in (0..=255).step_by(51) {
                for blue in (0..=255).step_by(51) {
                    let chosen = format!("#{red:02x}{green:02X}{blue:02x}");
                    let Accent { light, dark } = Accent::parse(&chosen).unwrap();
                    for (shades, ground, paper, ink, muted) in [
                        (light, LIGHT_GROUND, paper.0, inks.0, muted.0),
                        (dark, DARK_GROUND, paper.1, inks.1, muted.1),
                    ] {
                        for (front, back) in [
                            (shades.accent, ground),
                            (shades.accent, paper),
                            (shades.text, ground),
                            (shades.text, paper),
                            (shades.text, shades.soft),
                            (shades.on_accent, shades.accent),
                            (shades.on_accent, shades.hover),
                            (ink, shades.soft),
                            (muted, shades.soft),
                        ] {
                            assert!(front.contrast(back) >= READABLE, "{chosen}: {front} on {back}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn a_readable_colour_stays_as_it_is() {
        assert_eq!(Accent::parse("#7A1F5C").unwrap().light.accent.to_string(), "#7a1f5c");
        assert_eq!(Accent::parse("#e7a6d1").unwrap().dark.accent.to_string(), "#e7a6d1");
        for wrong in ["", "blue", "#12345", "#1234567", "123456", "#12345g"] {
            assert!(Accent::parse(wrong).is_err(), "{wrong}");
        }
    }
}
