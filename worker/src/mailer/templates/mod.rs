//! The templates of e-mails. Files of the operator can replace the built-in ones.

mod own_templates;

use std::{collections::BTreeMap, path::Path, sync::Arc};

use chrono::{DateTime, Utc};
use insula_core::lifecycle::email_content::{EmailContent, Template};
use minijinja::{
    AutoEscape, Environment, Error, UndefinedBehavior, Value, context, escape_formatter, syntax::SyntaxConfig,
};

pub use own_templates::mail_languages;

use crate::smtp::RenderedEmail;

/// The language of the built-in templates.
const FALLBACK: &str = "en";

macro_rules! built_in { ($($name:literal),+ $(,)?) => {
    /// Name and text of each built-in template.
    const BUILT_IN: &[(&str, &str)] = &[$(
        (concat!("en/", $name, ".txt"), include_str!(concat!("en/", $name, ".txt"))),
        (concat!("en/", $name, ".html"), include_str!(concat!("en/", $name, ".html"))),
    )+];
}}

built_in! {
    "base",
    "verify",
    "welcome",
    "new_device",
    "refresh_reuse",
    "already_registered",
    "reset",
    "password_changed",
    "email_change",
    "email_change_notice",
    "account_deleted",
    "invitation",
    "ownership_offered",
    "test",
}

/// The values that all e-mails of an installation contain.
pub(super) struct EmailBranding {
    /// Product name.
    pub(super) product: String,
    /// URL of the product, without a slash at the end.
    pub(super) home: String,
    /// E-mail address for reports of abuse.
    pub(super) abuse: String,
    /// URL of the logo, if the operator has one that mail programs show.
    pub(super) logo: Option<String>,
    /// Colour of buttons and links.
    pub(super) accent: String,
}

/// All compiled templates.
pub(super) struct Templates {
    environment: Environment<'static>,
    branding: EmailBranding,
}

impl Templates {
    /// Compiles the built-in templates and those of the folder `own`, and renders each with sample data.
    ///
    /// # Errors
    /// One line per error, with file and line.
    pub(super) fn open(own: Option<&Path>, branding: EmailBranding) -> Result<Self, Vec<String>> {
        let mut texts: BTreeMap<String, String> =
            BUILT_IN.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        if let Some(folder) = own {
            texts.extend(
                own_templates::read(folder)
                    .map_err(|error| vec![format!("INSULA_MAIL_TEMPLATES: {error}")])?,
            );
        }
        let names: Arc<[String]> = texts.keys().cloned().collect();
        let location = |name: &str| match own.map(|folder| folder.join(name)) {
            Some(file) if file.is_file() => file.display().to_string(),
            _ => format!("the built-in template {name}"),
        };
        let describe_error = |error: &Error, name: &str| {
            let (name, line) = (error.name().unwrap_or(name), error.line().unwrap_or_default());
            let what = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
            format!("INSULA_MAIL_TEMPLATES: {}, line {line}: {}", location(name), one_line(&what))
        };
        let (mut environment, mut errors) = (Environment::new(), Vec::new());
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        // A line with only a tag renders no empty line.
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
        environment.set_syntax(syntax.map_err(|error| vec![error.to_string()])?);
        // The default formatter would escape every slash of a link.
        environment.set_formatter(|out, state, value| match (state.auto_escape(), value.as_str()) {
            (AutoEscape::Html, Some(text)) if !value.is_safe() => Ok(out.write_str(&escaped(text))?),
            _ => escape_formatter(out, state, value),
        });
        // A language can have its own `base.html`.
        let known_names = Arc::clone(&names);
        environment.set_path_join_callback(move |name, parent| {
            let language = parent.split('/').next().unwrap_or(FALLBACK);
            let own = format!("{language}/{name}");
            if known_names.contains(&own) { own.into() } else { format!("{FALLBACK}/{name}").into() }
        });
        for (name, text) in texts {
            if let Err(error) = environment.add_template_owned(name.clone(), text) {
                errors.push(describe_error(&error, &name));
            }
        }
        let templates = Self { environment, branding };
        if errors.is_empty() {
            for name in names.iter().filter(|name| !name.contains("/base.")) {
                let Some(template) = Template::ALL.iter().find(|template| is_file_of(name, **template))
                else {
                    continue;
                };
                for sample in [TemplateValues::complete(*template), TemplateValues::minimal(*template)] {
                    let rendered = templates.one(name, &sample.values(&templates.branding, "Subject"));
                    let rendered = rendered.map_err(|error| describe_error(&error, name)).and_then(|text| {
                        let is_valid = !name.ends_with(".txt") || split(&text).is_some();
                        let missing = || {
                            format!(
                                "INSULA_MAIL_TEMPLATES: {}, line 1: must start with `Subject: …`",
                                location(name)
                            )
                        };
                        is_valid.then_some(()).ok_or_else(missing)
                    });
                    errors.extend(rendered.err().filter(|error| !errors.contains(error)));
                }
            }
        }
        if errors.is_empty() { Ok(templates) } else { Err(errors) }
    }

    /// Renders an e-mail in its language, or in English. `asked_at` is the time of the event that it reports.
    ///
    /// # Errors
    /// An error of the template. Unexpected, because all templates were rendered at start.
    pub(super) fn text(
        &self,
        content: &EmailContent,
        asked_at: DateTime<Utc>,
    ) -> Result<RenderedEmail, String> {
        let values = TemplateValues::of(content, asked_at);
        let render = |ending: &str, subject: &str| {
            let name = self.name(&content.locale, content.template, ending);
            self.one(&name, &values.values(&self.branding, subject))
                .map_err(|error| one_line(&error.to_string()))
        };
        let text = render("txt", "")?;
        let (subject, text) = split(&text).ok_or("the template has no subject")?;
        Ok(RenderedEmail { html: render("html", &subject)?, subject, text })
    }

    /// `de-CH/…`, else `de/…`, else `en/…`.
    fn name(&self, locale: &str, template: Template, ending: &str) -> String {
        let file = format!("{}.{ending}", template.as_str());
        let language = locale.split('-').next().unwrap_or(FALLBACK);
        let candidates = [locale, language].map(|language| format!("{language}/{file}"));
        let existing = candidates.into_iter().find(|name| self.environment.get_template(name).is_ok());
        existing.unwrap_or_else(|| format!("{FALLBACK}/{file}"))
    }

    fn one(&self, name: &str, values: &Value) -> Result<String, Error> {
        self.environment.get_template(name)?.render(values.clone())
    }
}

fn is_file_of(name: &str, template: Template) -> bool {
    let file = name.rsplit('/').next().unwrap_or_default();
    file.rsplit_once('.').is_some_and(|(stem, _)| stem == template.as_str())
}

/// Splits a text e-mail into subject and body. The first line is `Subject: …`. Consecutive empty lines become one.
fn split(text: &str) -> Option<(String, String)> {
    let (first, rest) = text.trim_start().split_once('\n')?;
    let subject = one_line(first.strip_prefix("Subject:")?);
    let mut body = String::with_capacity(rest.len());
    for line in rest.trim().lines().map(str::trim_end) {
        if !(line.is_empty() && body.ends_with("\n\n")) {
            body.push_str(line);
            body.push('\n');
        }
    }
    (!subject.is_empty()).then_some((subject, body))
}

/// Escapes text for HTML, between tags and in quoted attributes.
fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('"', "&quot;").replace('\'', "&#39;")
}

/// Replaces line breaks and repeated spaces by one space.
fn one_line(text: &str) -> String {
    let spaced: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    spaced.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A time in the format of all languages.
fn instant(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M UTC").to_string()
}

/// The values for templates. All names always exist; a missing value is `none`.
#[derive(Default)]
struct TemplateValues {
    to: String,
    name: Option<String>,
    link: Option<String>,
    lifetime: Option<(u64, &'static str)>,
    expires_at: Option<String>,
    device: Option<Device>,
    until: Option<String>,
    organization: Option<String>,
    inviter: Option<String>,
    at: String,
}

#[derive(Default)]
struct Device {
    name: Option<String>,
    ip: Option<String>,
    at: String,
}

impl TemplateValues {
    fn of(content: &EmailContent, asked_at: DateTime<Utc>) -> Self {
        let device = content.device.as_ref().map(|device| Device {
            name: device.name.as_deref().map(one_line),
            ip: device.ip.as_deref().map(one_line),
            at: instant(device.at),
        });
        Self {
            to: one_line(&content.to),
            name: content.name.as_deref().map(one_line),
            link: content.link.as_ref().map(|link| link.url.expose().clone()),
            lifetime: content.link.as_ref().map(|link| in_units(link.lifetime.as_secs())),
            expires_at: content.link.as_ref().map(|link| instant(link.expires_at)),
            device,
            until: content.until.map(instant),
            organization: content.invitation.as_ref().map(|names| one_line(names.organization())),
            inviter: content.invitation.as_ref().map(|names| one_line(names.inviter())),
            at: instant(asked_at),
        }
    }

    /// The fewest values that this template can have.
    fn minimal(template: Template) -> Self {
        let has_link = [
            Template::Verify,
            Template::Reset,
            Template::EmailChange,
            Template::EmailChangeNotice,
            Template::Invitation,
        ]
        .contains(&template);
        let has_organization = [Template::Invitation, Template::OwnershipOffered].contains(&template);
        let has_device = [Template::NewDevice, Template::RefreshReuse].contains(&template);
        Self {
            to: "ada@example.com".into(),
            link: has_link.then(|| "https://insula.example/verify#token=x".into()),
            lifetime: has_link.then_some((24, "hour")),
            expires_at: has_link.then(|| "2026-12-24 18:00 UTC".into()),
            device: has_device.then(Device::default),
            until: [Template::AccountDeleted, Template::OwnershipOffered]
                .contains(&template)
                .then(|| "2026-12-24 18:00 UTC".into()),
            organization: has_organization.then(|| "Acme".into()),
            inviter: has_organization.then(|| "Ada Lovelace".into()),
            at: "2026-12-24 18:00 UTC".into(),
            ..Self::default()
        }
    }

    /// The most values that this template can have.
    fn complete(template: Template) -> Self {
        let minimal = Self::minimal(template);
        let (name, ip, at) = (Some("Laptop".into()), Some("192.0.2.1".into()), minimal.at.clone());
        let device = minimal.device.is_some().then_some(Device { name, ip, at });
        Self { name: Some("Ada Lovelace".into()), device, ..minimal }
    }

    fn values(&self, branding: &EmailBranding, subject: &str) -> Value {
        let device = self.device.as_ref().map(|device| {
            context! { name => device.name.clone(), ip => device.ip.clone(), at => device.at.clone() }
        });
        let lifetime = self.lifetime.map(|(count, unit)| context! { count => count, unit => unit });
        context! {
            product => branding.product.clone(),
            home => branding.home.clone(),
            abuse => branding.abuse.clone(),
            logo => branding.logo.clone(),
            accent => branding.accent.clone(),
            subject => subject,
            to => self.to.clone(),
            name => self.name.clone(),
            link => self.link.clone(),
            lifetime => lifetime,
            expires_at => self.expires_at.clone(),
            device => device,
            until => self.until.clone(),
            organization => self.organization.clone(),
            inviter => self.inviter.clone(),
            at => self.at.clone(),
        }
    }
}

/// Whole days if possible, else whole hours, else minutes.
fn in_units(seconds: u64) -> (u64, &'static str) {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;
    match seconds {
        seconds if seconds >= 2 * DAY && seconds % DAY == 0 => (seconds / DAY, "day"),
        seconds if seconds >= HOUR && seconds % HOUR == 0 => (seconds / HOUR, "hour"),
        seconds => (seconds.div_ceil(MINUTE), "minute"),
    }
}

#[cfg(test)]
mod tests;
