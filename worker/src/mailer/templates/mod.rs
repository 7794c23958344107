//! The words of mails: templates inside the program, each of which a file of the operator's may replace.

use std::{collections::BTreeMap, fs, path::Path, sync::Arc};

use chrono::{DateTime, Utc};
use insula_core::lifecycle::email_content::{EmailContent, Template};
use minijinja::{
    AutoEscape, Environment, Error, UndefinedBehavior, Value, context, escape_formatter, syntax::SyntaxConfig,
};

use crate::smtp::RenderedEmail;

/// The language that every mail is there in.
const FALLBACK: &str = "en";

macro_rules! built_in { ($($name:literal),+ $(,)?) => {
    /// Name and text of every built-in template.
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

/// What all mails of an installation have in common.
pub(super) struct Branding {
    /// What the product is called.
    pub(super) product: String,
    /// Where people reach it, without a slash at the end.
    pub(super) home: String,
    /// Whom to tell of mails that nobody wanted.
    pub(super) abuse: String,
}

/// Every template, compiled.
pub(super) struct Templates {
    known: Environment<'static>,
    house: Branding,
}

impl Templates {
    /// Compiles the built-in templates and those of the folder `own`, and tries each of them.
    ///
    /// # Errors
    /// What is wrong with them, one line each, with file and line.
    pub(super) fn open(own: Option<&Path>, house: Branding) -> Result<Self, Vec<String>> {
        let mut texts: BTreeMap<String, String> =
            BUILT_IN.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        if let Some(folder) = own {
            texts.extend(read(folder).map_err(|fault| vec![format!("INSULA_MAIL_TEMPLATES: {fault}")])?);
        }
        let names: Arc<[String]> = texts.keys().cloned().collect();
        let place = |name: &str| match own.map(|folder| folder.join(name)) {
            Some(file) if file.is_file() => file.display().to_string(),
            _ => format!("the built-in template {name}"),
        };
        let faulty = |fault: &Error, name: &str| {
            let (name, line) = (fault.name().unwrap_or(name), fault.line().unwrap_or_default());
            let what = fault.detail().map_or_else(|| fault.kind().to_string(), str::to_owned);
            format!("INSULA_MAIL_TEMPLATES: {}, line {line}: {}", place(name), clean(&what))
        };
        let (mut known, mut faults) = (Environment::new(), Vec::new());
        known.set_undefined_behavior(UndefinedBehavior::Strict);
        // A line that holds nothing but a tag leaves no empty line behind.
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
        known.set_syntax(syntax.map_err(|fault| vec![fault.to_string()])?);
        // Its own way of escaping would write every slash of a link as a number.
        known.set_formatter(|out, state, value| match (state.auto_escape(), value.as_str()) {
            (AutoEscape::Html, Some(text)) if !value.is_safe() => Ok(out.write_str(&escaped(text))?),
            _ => escape_formatter(out, state, value),
        });
        // `base.html` is that of the same language, where it has one.
        let there = Arc::clone(&names);
        known.set_path_join_callback(move |name, parent| {
            let language = parent.split('/').next().unwrap_or(FALLBACK);
            let own = format!("{language}/{name}");
            if there.contains(&own) { own.into() } else { format!("{FALLBACK}/{name}").into() }
        });
        for (name, text) in texts {
            if let Err(fault) = known.add_template_owned(name.clone(), text) {
                faults.push(faulty(&fault, &name));
            }
        }
        let templates = Self { known, house };
        if faults.is_empty() {
            for name in names.iter().filter(|name| !name.contains("/base.")) {
                let Some(template) = Template::ALL.iter().find(|template| is_of(name, **template)) else {
                    continue;
                };
                for sample in [Words::full(*template), Words::bare(*template)] {
                    let tried = templates.one(name, &sample.values(&templates.house, "Subject"));
                    let tried = tried.map_err(|fault| faulty(&fault, name)).and_then(|text| {
                        let is_sound = !name.ends_with(".txt") || split(&text).is_some();
                        let missing = || {
                            format!(
                                "INSULA_MAIL_TEMPLATES: {}, line 1: must start with `Subject: …`",
                                place(name)
                            )
                        };
                        is_sound.then_some(()).ok_or_else(missing)
                    });
                    faults.extend(tried.err().filter(|fault| !faults.contains(fault)));
                }
            }
        }
        if faults.is_empty() { Ok(templates) } else { Err(faults) }
    }

    /// Puts a letter into words: in its language, where there is one, otherwise in English. `asked_at`: when what it tells
    /// of took place.
    ///
    /// # Errors
    /// What a template trips over; every one was tried at start, so this is a surprise.
    pub(super) fn text(
        &self,
        letter: &EmailContent,
        asked_at: DateTime<Utc>,
    ) -> Result<RenderedEmail, String> {
        let words = Words::of(letter, asked_at);
        let render = |ending: &str, subject: &str| {
            let name = self.name(&letter.locale, letter.template, ending);
            self.one(&name, &words.values(&self.house, subject)).map_err(|fault| clean(&fault.to_string()))
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
        let there = candidates.into_iter().find(|name| self.known.get_template(name).is_ok());
        there.unwrap_or_else(|| format!("{FALLBACK}/{file}"))
    }

    fn one(&self, name: &str, values: &Value) -> Result<String, Error> {
        self.known.get_template(name)?.render(values.clone())
    }
}

fn is_of(name: &str, template: Template) -> bool {
    let file = name.rsplit('/').next().unwrap_or_default();
    file.rsplit_once('.').is_some_and(|(stem, _)| stem == template.as_str())
}

/// The templates of a folder, by the name that each has there: `en/verify.html`. What is no template's name is a slip.
fn read(folder: &Path) -> Result<Vec<(String, String)>, String> {
    let fault = |path: &Path, fault: std::io::Error| format!("{}: {fault}", path.display());
    let mut found = Vec::new();
    for language in fs::read_dir(folder).map_err(|error| fault(folder, error))? {
        let language = language.map_err(|error| fault(folder, error))?.path();
        let Some(tag) =
            language.file_name().and_then(|name| name.to_str()).filter(|name| !name.starts_with('.'))
        else {
            continue;
        };
        if !language.is_dir() {
            continue;
        }
        for file in fs::read_dir(&language).map_err(|error| fault(&language, error))? {
            let file = file.map_err(|error| fault(&language, error))?.path();
            let Some(name) = file.file_name().and_then(|name| name.to_str()) else { continue };
            if name.starts_with('.') || !(name.ends_with(".txt") || name.ends_with(".html")) {
                continue;
            }
            let is_known =
                BUILT_IN.iter().any(|(known, _)| known.split_once('/').is_some_and(|(_, file)| file == name));
            if !is_known {
                return Err(format!("{}: there is no template with this name", file.display()));
            }
            let text = fs::read_to_string(&file).map_err(|error| fault(&file, error))?;
            found.push((format!("{tag}/{name}"), text));
        }
    }
    Ok(found)
}

/// Subject and body of a text: its first line is `Subject: …`. More than one empty line is one.
fn split(text: &str) -> Option<(String, String)> {
    let (first, rest) = text.trim_start().split_once('\n')?;
    let subject = clean(first.strip_prefix("Subject:")?);
    let mut body = String::with_capacity(rest.len());
    for line in rest.trim().lines().map(str::trim_end) {
        if !(line.is_empty() && body.ends_with("\n\n")) {
            body.push_str(line);
            body.push('\n');
        }
    }
    (!subject.is_empty()).then_some((subject, body))
}

/// What somebody put in as text, which becomes no markup, neither between tags nor in a quoted attribute.
fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('"', "&quot;").replace('\'', "&#39;")
}

/// One line, whatever somebody put in.
fn clean(text: &str) -> String {
    let spaced: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    spaced.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The same form in every language.
fn instant(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M UTC").to_string()
}

/// What templates may name. All of it is always there; what a letter has not is `none`.
#[derive(Default)]
struct Words {
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

impl Words {
    fn of(letter: &EmailContent, asked_at: DateTime<Utc>) -> Self {
        let device = letter.device.as_ref().map(|device| Device {
            name: device.name.as_deref().map(clean),
            ip: device.ip.as_deref().map(clean),
            at: instant(device.at),
        });
        Self {
            to: clean(&letter.to),
            name: letter.name.as_deref().map(clean),
            link: letter.link.as_ref().map(|link| link.url.expose().clone()),
            lifetime: letter.link.as_ref().map(|link| in_units(link.lifetime.as_secs())),
            expires_at: letter.link.as_ref().map(|link| instant(link.expires_at)),
            device,
            until: letter.until.map(instant),
            organization: letter.invitation.as_ref().map(|told| clean(told.organization())),
            inviter: letter.invitation.as_ref().map(|told| clean(told.inviter())),
            at: instant(asked_at),
        }
    }

    /// As little as a letter with this template can have.
    fn bare(template: Template) -> Self {
        let links = [
            Template::Verify,
            Template::Reset,
            Template::EmailChange,
            Template::EmailChangeNotice,
            Template::Invitation,
        ]
        .contains(&template);
        let invites = [Template::Invitation, Template::OwnershipOffered].contains(&template);
        let tells_of_device = [Template::NewDevice, Template::RefreshReuse].contains(&template);
        Self {
            to: "ada@example.com".into(),
            link: links.then(|| "https://insula.example/verify#token=x".into()),
            lifetime: links.then_some((24, "hour")),
            expires_at: links.then(|| "2026-12-24 18:00 UTC".into()),
            device: tells_of_device.then(Device::default),
            until: [Template::AccountDeleted, Template::OwnershipOffered]
                .contains(&template)
                .then(|| "2026-12-24 18:00 UTC".into()),
            organization: invites.then(|| "Acme".into()),
            inviter: invites.then(|| "Ada Lovelace".into()),
            at: "2026-12-24 18:00 UTC".into(),
            ..Self::default()
        }
    }

    /// As much as it can have.
    fn full(template: Template) -> Self {
        let bare = Self::bare(template);
        let (name, ip, at) = (Some("Laptop".into()), Some("192.0.2.1".into()), bare.at.clone());
        let device = bare.device.is_some().then_some(Device { name, ip, at });
        Self { name: Some("Ada Lovelace".into()), device, ..bare }
    }

    fn values(&self, house: &Branding, subject: &str) -> Value {
        let device = self.device.as_ref().map(|device| {
            context! { name => device.name.clone(), ip => device.ip.clone(), at => device.at.clone() }
        });
        let lifetime = self.lifetime.map(|(count, unit)| context! { count => count, unit => unit });
        context! {
            product => house.product.clone(),
            home => house.home.clone(),
            abuse => house.abuse.clone(),
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

/// Days where they are whole, else hours, else minutes.
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
