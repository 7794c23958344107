use std::time::Duration;

use insula_core::{
    base::{clock::Clock, crypto::Secret},
    lifecycle::email_content::{self, InvitationNames, Link},
};

use super::*;

fn house() -> Branding {
    Branding {
        product: "Insula".into(),
        home: "https://insula.example".into(),
        abuse: "abuse@insula.example".into(),
    }
}

fn letter(template: Template) -> EmailContent {
    let now = Clock::System.now();
    let url = Secret::new("https://insula.example/reset#token=abc".to_owned());
    let device = email_content::Device {
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

/// A folder of the operator's with these files.
fn own(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let file = folder.path().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
    folder
}

fn faults(files: &[(&str, &str)]) -> Vec<String> {
    let folder = own(files);
    Templates::open(Some(folder.path()), house()).err().expect("a fault")
}

#[test]
fn every_mail_is_there_as_text_and_as_html_and_nothing_of_a_person_becomes_markup() {
    let templates = Templates::open(None, house()).unwrap();
    for template in Template::ALL {
        let mail = templates.text(&letter(*template), Clock::System.now()).unwrap();
        let RenderedEmail { subject, text, html } = &mail;
        assert!(!subject.is_empty() && !subject.contains(['\r', '\n']), "{subject:?}");
        assert!(text.starts_with("Hello <script>alert(1)</script> Bcc: eve@example.com,\n"), "{text}");
        assert!(!html.contains("<script") && html.contains("&lt;script&gt;alert(1)"), "{html}");
        assert!(!html.contains("<b>") && !html.contains("http-equiv") && !html.contains("<img"), "{html}");
        assert!(html.contains(&format!("<title>{}</title>", escaped(subject))), "{html}");
        for part in [text, html] {
            assert!(part.contains("ada@example.com"), "{template:?} does not say whom it is for: {part}");
            assert!(!part.contains("{{") && !part.contains("{%") && !part.contains(" none"), "{part}");
        }
        assert!(!text.contains("\n\n\n") && text.lines().all(|line| line.len() < 200), "{text}");
    }
}

#[test]
fn a_link_stands_in_full_in_both_parts_and_says_how_long_it_is_good() {
    let templates = Templates::open(None, house()).unwrap();
    for template in [
        Template::Verify,
        Template::Reset,
        Template::EmailChange,
        Template::EmailChangeNotice,
        Template::Invitation,
    ] {
        let mail = templates.text(&letter(template), Clock::System.now()).unwrap();
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
fn a_duration_is_told_in_the_largest_unit_that_is_whole() {
    for (seconds, told) in [
        (1800, (30, "minute")),
        (3600, (1, "hour")),
        (86400, (24, "hour")),
        (604_800, (7, "day")),
        (90, (2, "minute")),
    ] {
        assert_eq!(in_units(seconds), told);
    }
}

#[test]
fn an_operators_file_replaces_the_built_in_one_and_adds_a_language() {
    let text = "{% extends \"base.txt\" %}{% block subject %}Hallo {{ name }}{% endblock %}{% block body %}Los{% endblock %}";
    let folder =
        own(&[("en/verify.txt", "Subject: Ours {{ name }}\n\nGo to {{ link }}"), ("de/test.txt", text)]);
    let templates = Templates::open(Some(folder.path()), house()).unwrap();
    let ours = templates.text(&letter(Template::Verify), Clock::System.now()).unwrap();
    assert_eq!(ours.subject, "Ours <script>alert(1)</script> Bcc: eve@example.com");
    assert_eq!(ours.text, "Go to https://insula.example/reset#token=abc\n");
    for (locale, subject) in
        [("de", "Hallo"), ("de-CH", "Hallo"), ("fr", "Test e-mail"), ("../en", "Test e-mail")]
    {
        let letter = EmailContent { locale: locale.into(), ..letter(Template::Test) };
        let mail = templates.text(&letter, Clock::System.now()).unwrap();
        assert!(mail.subject.starts_with(subject), "{locale}: {}", mail.subject);
        assert!(
            mail.html.contains(&format!(
                "<h1 style=\"margin:0 0 16px; font-size:22px; line-height:1.3;\">{subject}"
            ))
        );
    }
}

#[test]
fn a_broken_file_is_refused_with_its_name_and_line() {
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
        let faults = faults(&[(name, text), ("en/welcome.txt", good)]);
        let line = format!(", line {}", if line == 0 { String::new() } else { format!("{line}: ") });
        let told = |fault: &String| fault.starts_with("INSULA_MAIL_TEMPLATES: /") && fault.contains(name);
        let faulty = faults.iter().find(|fault| told(fault)).unwrap_or_else(|| panic!("{name}: {faults:?}"));
        assert!(faulty.contains(&line) && faulty.contains(what), "{faulty}");
    }
    let slip = faults(&[("en/verfy.html", "<p>")]);
    assert!(
        slip.len() == 1 && slip[0].contains("verfy.html: there is no template with this name"),
        "{slip:?}"
    );
    let missing = Templates::open(Some(Path::new("/nowhere/at/all")), house()).err().unwrap();
    assert!(missing[0].contains("/nowhere/at/all"), "{missing:?}");
}
