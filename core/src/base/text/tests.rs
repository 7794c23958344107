use proptest::prelude::*;

use super::*;

#[test]
fn slugs_have_their_documented_form() {
    for good in ["ab", "a-b", "acme-2", "0x", &"a".repeat(63)] {
        assert_eq!(Slug::parse(good).unwrap().as_str(), good);
    }
    for (bad, code) in [
        ("a", "TOO_SHORT"),
        (&*"a".repeat(64), "TOO_LONG"),
        ("-ab", "INVALID_FORMAT"),
        ("ab-", "INVALID_FORMAT"),
        ("a--b", "INVALID_FORMAT"),
        ("Acme", "INVALID_FORMAT"),
        ("äb", "INVALID_FORMAT"),
        ("ab\n", "INVALID_FORMAT"),
        ("admin", "RESERVED"),
        ("0190b3a0-0000-7000-8000-000000000001", "RESERVED"),
    ] {
        assert_eq!(Slug::parse(bad).unwrap_err().code, code, "{bad:?}");
    }
}

#[test]
fn a_generated_slug_is_valid() {
    for (name, slug) in [
        ("ada", "ada-abc234"),
        ("Ada.Love_lace", "ada-love-lace-abc234"),
        ("o'hara+x", "o-hara-x-abc234"),
        ("+++", "user-abc234"),
        (&"a-".repeat(40), &format!("{}-abc234", &"a-".repeat(28)[..55])),
    ] {
        let generated = Slug::from_display_name(name, "abc234");
        assert_eq!((generated.as_str(), Slug::parse(generated.as_str()).is_ok()), (slug, true));
    }
}

#[test]
fn email_addresses_have_one_canonical_form() {
    for (typed, canonical) in [
        (" Ada@Example.COM ", "ada@example.com"),
        ("o'hara+x@a.b-c.de", "o'hara+x@a.b-c.de"),
        ("x@Bücher.example", "x@xn--bcher-kva.example"),
        ("x@ｅxample.com", "x@example.com"),
        ("x@उदाहरण.परीक्षा", "x@xn--p1b6ci4b4b3a.xn--11b5bs3a9aj6g"),
        ("x@l·l.example", "x@xn--ll-0ea.example"),
    ] {
        assert_eq!(EmailAddress::parse(typed).unwrap().key(), canonical);
    }
    for bad in [
        "",
        "a",
        "a@",
        "@b.c",
        "a@b",
        "a b@c.de",
        "\"a\"@b.cd",
        "ä@b.cd",
        "a＠b.cd",
        "a@b..cd",
        "a@b_c.de",
        ".a@b.cd",
        "a..b@c.de",
        "a@b.cd\0",
        "a@b.cd, c@d.ef",
        "a@-b.cd",
        "a@[127.0.0.1]",
        "a@b.cd\u{2044}e",
        "a@☃.example",
        "a@xn--n3h.example",
        "a@😀.example",
    ] {
        assert_eq!(EmailAddress::parse(bad).unwrap_err().code, "INVALID_FORMAT", "{bad:?}");
    }
}

proptest! {
    #[test]
    fn a_canonical_address_is_its_own_canonical_form(text in "\\PC{0,20}@\\PC{0,20}") {
        if let Ok(address) = EmailAddress::parse(&text) {
            let reparsed = EmailAddress::parse(address.key()).unwrap();
            prop_assert_eq!(reparsed.key(), address.key());
            prop_assert_eq!(address.key().matches('@').count(), 1);
        }
    }

    #[test]
    fn keys_are_stable(text in "\\PC{0,30}") {
        prop_assert_eq!(key(&key(&text)), key(&text));
    }

    #[test]
    fn names_are_trimmed_and_bounded(text in any::<String>()) {
        if let Ok(name) = Name::parse(&text) {
            prop_assert_eq!(name.as_str().trim(), name.as_str());
            prop_assert!((1..=Name::MAX).contains(&name.as_str().chars().count()));
        }
    }
    #[test]
    fn texts_for_people_match_their_documented_pattern(text in prop_oneof![any::<String>(), "[\\pZ\\pCab]{0,4}"]) {
        static FORMS: LazyLock<[Regex; 2]> = LazyLock::new(|| [NO_CONTROLS_PATTERN, NOT_BLANK_PATTERN].map(|form| Regex::new(form).unwrap()));
        let [line, words] = &*FORMS;
        // A pattern cannot check the neighbours of a joiner, or the script of a letter.
        let (description, name) = (RoleDescription::parse(&text), Name::parse(&text));
        let is_beyond_the_pattern = |fault: &InvalidText| fault.code == "MIXED_SCRIPTS" || text.contains(['\u{200C}', '\u{200D}']) || text.chars().any(|c| ('\u{E0000}'..='\u{E007F}').contains(&c));
        prop_assert!(description.is_err() || line.is_match(&text));
        prop_assert!(name.is_err() || words.is_match(&text));
        prop_assert!(description.is_ok() || !line.is_match(&text) || description.is_err_and(|fault| is_beyond_the_pattern(&fault)), "{text:?}");
        prop_assert!(name.is_ok() || !words.is_match(&text) || name.is_err_and(|fault| is_beyond_the_pattern(&fault)), "{text:?}");
    }
    #[test]
    fn slugs_match_their_documented_pattern(text in prop_oneof![any::<String>(), "[a-z0-9-]{0,66}", "\\PC{0,5}-[A-Za-z_.]{1,3}"]) {
        static FORM: LazyLock<Regex> = LazyLock::new(|| Regex::new(Slug::PATTERN).unwrap());
        let fits = FORM.is_match(&text) && Slug::LENGTH.contains(&text.len());
        match Slug::parse(&text) {
            Ok(slug) => prop_assert!(fits && slug.as_str() == text),
            Err(fault) => prop_assert!(!fits || fault.code == "RESERVED", "{text:?} {fault:?}"),
        }
    }

    #[test]
    fn a_slug_can_be_generated_from_any_name(name in any::<String>(), suffix in "[a-z2-7]{6}") {
        let slug = Slug::from_display_name(&name, &suffix);
        prop_assert_eq!(Slug::parse(slug.as_str()), Ok(slug));
    }

    #[test]
    fn an_accepted_email_address_is_a_single_address(text in prop_oneof![any::<String>(), "[a-z@.,;<>\" \r\n]{0,12}@[a-z@.,;<> \r\n]{0,12}"]) {
        if let Ok(address) = EmailAddress::parse(&text) {
            prop_assert_eq!(address.as_str(), text.trim());
            prop_assert!(address.key().is_ascii() && address.key().len() <= EmailAddress::MAX);
            prop_assert!(!address.key().contains([',', ';', '<', '>', '"', ' ', '\r', '\n', '\0']));
        }
    }
}
