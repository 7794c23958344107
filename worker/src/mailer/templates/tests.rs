use std::{fs, time::Duration};

use insula_core::{
    base::{clock::Clock, crypto::Secret},
    lifecycle::email_content::{self, InvitationNames, Link},
};

use super::*;

fn branding() -> EmailBranding {
    EmailBranding {
        product: "Insula".into(),
        home: "https://insula.example".into(),
        abuse: "abuse@insula.example".into(),
        logo: Some("https://insula.example/brand/logo-0a1b.png".into()),
        accent: "#7a1f5c".into(),
    }
}

fn content(template: Template) -> EmailContent {
    let now = Clock::System.now();
    let url = Secret::new("https://insula.example/reset#token=abc".to_owned());
    let device = email_content::EmailDevice {
        name: Some("<b>Laptop</b>\r\nX: y".into()),
        ip: Some("192.0.2.1".into()),
        at: now,
    };
    EmailContent {
        to: "ada@example.com".into(),
        template,
        locale: "en".into(),
        name: Some("<script>alert(1)</script>\r\nBcc: eve@example.com".into()),
        link: Some(Link { url, lifetime: Duration::from_secs(1800), expires_at: now }),
        device: Some(device),
        until: Some(now),
        invitation: Some(Box::new(InvitationNames::new("<b>Acme</b>\r\nX: y", "<script>alert(1)</script>"))),
    }
}

/// A folder of the operator with these files.
fn template_folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let file = folder.path().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
    folder
}

fn open_errors(files: &[(&str, &str)]) -> Vec<String> {
    let folder = template_folder(files);
    Templates::open(Some(folder.path()), branding()).err().expect("an error")
}

#[test]
fn every_email_has_text_and_html_and_escapes_user_input() {
    let templates = Templates::open(None, branding()).unwrap();
    for template in Template::ALL {
        let mail = templates.text(&content(*template), Clock::System.now()).unwrap();
        let RenderedEmail { subject, text, html } = &mail;
        assert!(!subject.is_empty() && !subject.contains(['\r', '\n']), "{subject:?}");
        assert!(text.starts_with("Hello <script>alert(1)</script> Bcc: eve@example.com,\n"), "{text}");
        assert!(!html.contains("<script") && html.contains("&lt;script&gt;alert(1)"), "{html}");
        assert!(!html.contains("<b>") && !html.contains("http-equiv"), "{html}");
        // The only image is the logo of the operator.
        assert_eq!(html.matches("<img").count(), 1, "{html}");
        assert!(html.contains("<img src=\"https://insula.example/brand/"), "{html}");
        assert!(html.contains(&format!("<title>{}</title>", escaped(subject))), "{html}");
        for part in [text, html] {
            assert!(part.contains("ada@example.com"), "{template:?} does not name its recipient: {part}");
            assert!(!part.contains("{{") && !part.contains("{%") && !part.contains(" none"), "{part}");
        }
        assert!(!text.contains("\n\n\n") && text.lines().all(|line| line.len() < 200), "{text}");
    }
}

#[test]
fn a_link_is_complete_in_both_parts_with_its_lifetime() {
    let templates = Templates::open(None, branding()).unwrap();
    for template in [
        Template::Verify,
        Template::Reset,
        Template::EmailChange,
        Template::EmailChangeNotice,
        Template::Invitation,
    ] {
        let mail = templates.text(&content(template), Clock::System.now()).unwrap();
        assert!(mail.text.contains("\n\nhttps://insula.example/reset#token=abc\n\n"), "{}", mail.text);
        assert_eq!(
            mail.html.matches("href=\"https://insula.example/reset#token=abc\"").count(),
            2,
            "{}",
            mail.html
        );
        assert!(mail.html.contains(">https://insula.example/reset#token=abc</a>"), "{}", mail.html);
        for part in [mail.text, mail.html] {
            assert!(part.contains("within 30 minutes"), "{part}");
        }
    }
}

#[test]
fn a_duration_uses_the_largest_whole_unit() {
    for (seconds, expected) in [
        (1800, (30, "minute")),
        (3600, (1, "hour")),
        (86400, (24, "hour")),
        (604_800, (7, "day")),
        (90, (2, "minute")),
    ] {
        assert_eq!(in_units(seconds), expected);
    }
}

#[test]
fn a_file_of_the_operator_replaces_a_template_or_adds_a_language() {
    let text = "{% extends \"base.txt\" %}{% block subject %}Hallo {{ name }}{% endblock %}{% block body %}Los{% endblock %}";
    let folder = template_folder(&[
        ("en/verify.txt", "Subject: Ours {{ name }}\n\nGo to {{ link }}"),
        ("de/test.txt", text),
    ]);
    let templates = Templates::open(Some(folder.path()), branding()).unwrap();
    let ours = templates.text(&content(Template::Verify), Clock::System.now()).unwrap();
    assert_eq!(ours.subject, "Ours <script>alert(1)</script> Bcc: eve@example.com");
    assert_eq!(ours.text, "Go to https://insula.example/reset#token=abc\n");
    for (locale, subject) in
        [("de", "Hallo"), ("de-CH", "Hallo"), ("fr", "Test e-mail"), ("../en", "Test e-mail")]
    {
        let content = EmailContent { locale: locale.into(), ..content(Template::Test) };
        let mail = templates.text(&content, Clock::System.now()).unwrap();
        assert!(mail.subject.starts_with(subject), "{locale}: {}", mail.subject);
        assert!(
            mail.html.contains(&format!(
                "<h1 style=\"margin:0 0 16px; font-size:22px; line-height:1.3;\">{subject}"
            ))
        );
    }
}

#[test]
fn a_broken_file_is_rejected_with_its_name_and_line() {
    let good = "Subject: x\n\nx\n";
    for (name, text, line, what) in [
        ("en/verify.txt", "Subject: x\n\n{{ nmae }}\n", 3, ""),
        ("en/verify.html", "<p>\n{{ device.nmae }}\n", 2, ""),
        ("en/reset.html", "<p>\n\n{% if link %}\n", 0, ""),
        ("en/reset.txt", "Subject: x\n{% block %}\n", 2, ""),
        ("en/reset.txt", "{% extends \"bse.txt\" %}\n", 1, "bse.txt"),
        ("en/base.txt", "Subject: x\n{{ product | upperr }}\n", 2, "upperr"),
        ("de/test.txt", "Betreff: x\n\nx\n", 1, "must start with `Subject: …`"),
    ] {
        let errors = open_errors(&[(name, text), ("en/welcome.txt", good)]);
        let line = format!(", line {}", if line == 0 { String::new() } else { format!("{line}: ") });
        let is_expected =
            |error: &String| error.starts_with("INSULA_MAIL_TEMPLATES: /") && error.contains(name);
        let matching =
            errors.iter().find(|error| is_expected(error)).unwrap_or_else(|| panic!("{name}: {errors:?}"));
        assert!(matching.contains(&line) && matching.contains(what), "{matching}");
    }
    let unknown = open_errors(&[("en/verfy.html", "<p>")]);
    assert!(
        unknown.len() == 1 && unknown[0].contains("verfy.html: there is no template with this name"),
        "{unknown:?}"
    );
    let missing = Templates::open(Some(Path::new("/nowhere/at/all")), branding()).err().unwrap();
    assert!(missing[0].contains("/nowhere/at/all"), "{missing:?}");
}
