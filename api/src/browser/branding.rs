//! The name, the logo and the accent colour of an installation, as pages and files.

use std::fmt::Write as _;

use bytes::Bytes;
use insula_core::{
    base::{
        accent::{Accent, Shades},
        crypto::hex,
    },
    runtime::config::{Config, Logo},
};
use poem::{Endpoint, Response, Route, endpoint::make_sync, get, http::header};
use sha2::{Digest, Sha256};

use super::csp::Policy;

/// The logo of pages if the operator has none. Its colours are those of the style sheet.
const MARK: &str = include_str!("mark.svg");
/// The names of these files contain a hash of their content.
const FOREVER: &str = "public, max-age=31536000, immutable";

/// How an installation presents itself.
#[derive(Debug)]
pub struct Branding {
    /// Name of the product, as users see it.
    pub product: String,
    /// The path and the content of the logo of the operator.
    logo: Option<NamedFile>,
    /// The path and the content of a style sheet with the accent colour of the operator.
    colors: Option<NamedFile>,
}

/// A file whose path contains a hash of its content.
#[derive(Debug)]
struct NamedFile {
    path: String,
    media_type: &'static str,
    bytes: Bytes,
}

impl NamedFile {
    fn colors(style: String) -> Self {
        let path = format!("/brand/colors-{}.css", hex(&Sha256::digest(&style)[..8]));
        Self { path, media_type: "text/css; charset=utf-8", bytes: style.into() }
    }
}

impl From<&Logo> for NamedFile {
    fn from(logo: &Logo) -> Self {
        Self { path: logo.path(), media_type: logo.format.media_type(), bytes: logo.bytes.clone().into() }
    }
}

impl Branding {
    /// Reads the settings.
    pub fn of(config: &Config) -> Self {
        let logo = config.logo_file.as_ref().map(NamedFile::from);
        let colors = config.accent_color.as_ref().map(|accent| NamedFile::colors(style_sheet(accent)));
        Self { product: config.product_name.0.clone(), logo, colors }
    }

    /// The path of the logo of the operator.
    pub fn logo_path(&self) -> Option<&str> {
        self.logo.as_ref().map(|logo| logo.path.as_str())
    }

    /// Adds the files to `outside`.
    pub(crate) fn add_routes(&self, outside: Route) -> Route {
        [&self.logo, &self.colors]
            .into_iter()
            .flatten()
            .fold(outside, |route, file| route.at(&file.path, get(serve(file))))
    }

    /// The logo and the name, for the top of a page. `up`: the relative path to the home page.
    pub(crate) fn heading(&self, up: &str) -> String {
        let logo = match &self.logo {
            Some(logo) => format!("<img class=\"logo\" src=\"{up}{}\" alt=\"\">", &logo.path[1..]),
            None => MARK.trim_end().to_owned(),
        };
        format!("{logo}<span>{}</span>", escaped(&self.product))
    }

    /// The elements for the head of a page. `up`: the relative path to the home page.
    pub(crate) fn head(&self, up: &str) -> String {
        let mut head = String::new();
        if let Some(colors) = &self.colors {
            let _ = writeln!(head, "    <link rel=\"stylesheet\" href=\"{up}{}\">", &colors.path[1..]);
        }
        let icon =
            self.logo.as_ref().map_or_else(|| "data:,".to_owned(), |logo| format!("{up}{}", &logo.path[1..]));
        let _ = writeln!(head, "    <link rel=\"icon\" href=\"{icon}\">");
        head
    }

    /// The page of the web console with the logo and the accent colour.
    pub(crate) fn console_page(&self, page: &str) -> String {
        let mut page = page.to_owned();
        if let Some(logo) = &self.logo {
            page = page.replace("href=\"/favicon.svg\"", &format!("href=\"{}\"", logo.path));
        }
        if let Some(colors) = &self.colors {
            let link = format!("<link rel=\"stylesheet\" href=\"{}\">\n  </head>", colors.path);
            page = page.replacen("</head>", &link, 1);
        }
        page
    }
}

fn serve(file: &NamedFile) -> impl Endpoint<Output = Response> + use<> {
    let (bytes, media_type) = (file.bytes.clone(), file.media_type);
    make_sync(move |_| {
        Response::builder()
            .content_type(media_type)
            .header(header::CACHE_CONTROL, FOREVER)
            .extension(Policy::Image)
            .body(bytes.clone())
    })
}

/// Text as HTML.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// The rules are stronger than those of the pages, in whichever order the files load. Pages without scripts follow the
/// theme of the system.
fn style_sheet(accent: &Accent) -> String {
    let rule = |selector: &str, shades: &Shades| {
        let Shades { accent, hover, on_accent, soft, text } = shades;
        format!(
            "{selector} {{ --accent: {accent}; --accent-hover: {hover}; --on-accent: {on_accent}; --accent-soft: {soft}; \
             --accent-text: {text}; }}\n"
        )
    };
    [
        rule(":root:root", &accent.light),
        format!(
            "@media (prefers-color-scheme: dark) {{ {} }}\n",
            rule(":root:root:not([data-theme])", &accent.dark).trim_end()
        ),
        rule(":root:root[data-theme=\"dark\"]", &accent.dark),
    ]
    .concat()
}
