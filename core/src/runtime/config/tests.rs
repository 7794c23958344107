use super::*;

fn config(settings: &[(&str, &str)]) -> Result<Config, ConfigError> {
    Config::read(&Sources::only(settings))
}

#[test]
fn the_defaults_are_valid() {
    let config = config(&[]).unwrap();
    assert_eq!(config.database_url(), "sqlite://data/insula.db");
    assert!(config.migrates_on_start() && !config.requires_separate_database_login());
    assert!(config.refuse_insecure().is_ok());
}

#[test]
fn production_refuses_insecure_settings_with_one_line_each() {
    let good = "qTzv8Yp1mS4kXw7RbN0cEu3HdJ6LfGaV";
    let faults = |key: &str, url: &str| {
        let settings =
            [("INSULA_ENVIRONMENT", "production"), ("INSULA_SECRET_KEY", key), ("INSULA_PUBLIC_URL", url)];
        config(&settings).unwrap().refuse_insecure().map_or_else(|error| error.0.len(), |()| 0)
    };
    assert_eq!(faults(good, "https://insula.example"), 0);
    let previous = [
        ("INSULA_ENVIRONMENT", "production"),
        ("INSULA_SECRET_KEY", good),
        ("INSULA_SECRET_KEY_PREVIOUS", "short"),
        ("INSULA_PUBLIC_URL", "https://insula.example"),
    ];
    let error = config(&previous).unwrap().refuse_insecure().unwrap_err();
    assert!(error.0.len() == 1 && error.0[0].starts_with("INSULA_SECRET_KEY_PREVIOUS:"), "{error}");
    assert_eq!(faults("", ""), 2);
    let long_cache = [("INSULA_SESSION_CACHE_TTL", "1.5"), ("INSULA_ENVIRONMENT", "production")];
    let refused = config(&long_cache).unwrap().refuse_insecure().err().unwrap().to_string();
    assert!(refused.contains("INSULA_SESSION_CACHE_TTL"), "{refused}");
    assert_eq!(faults("short", "http://insula.example"), 2);
    assert_eq!(faults(&"a".repeat(40), "https://insula.example"), 1);
    assert_eq!(faults("change-me-change-me-change-me-0123456789", "https://insula.example"), 1);
}

#[test]
fn the_minimum_password_length_has_bounds() {
    let shortest =
        |text| config(&[("INSULA_PASSWORD_MIN_LENGTH", text)]).map(|config| config.password_min_length.0);
    assert_eq!((shortest("8").ok(), shortest("64").ok()), (Some(8), Some(64)));
    assert!(["7", "65", "0", "-8", "eight"].iter().all(|text| shortest(text).is_err()));
}

#[test]
fn production_refuses_cheap_password_hashes() {
    let memory = |text| config(&[("INSULA_PASSWORD_MEMORY", text)]).map(|config| config.password_memory.0);
    assert_eq!((memory("8").ok(), memory("65536").ok()), (Some(8), Some(65_536)));
    assert!(["7", "65537", "0", "-8", "much"].iter().all(|text| memory(text).is_err()));
    let refused = |environment, text| {
        let settings = [("INSULA_ENVIRONMENT", environment), ("INSULA_PASSWORD_MEMORY", text)];
        let faults = config(&settings).unwrap().refuse_insecure().err().map(|error| error.to_string());
        faults.unwrap_or_default().contains("INSULA_PASSWORD_MEMORY")
    };
    assert!(refused("production", "19455") && !refused("production", "19456"));
    assert!(!refused("development", "8"));
}

#[test]
fn existing_accounts_are_hidden_only_if_e_mail_is_sent() {
    let hides = |settings: &[(&str, &str)]| {
        let config = config(settings).unwrap();
        config.refuse_insecure().map(|()| config.hides_existing_accounts()).map_err(|error| error.0.len())
    };
    let smtp = ("INSULA_SMTP_URL", "smtps://user:pass@mail.example");
    let hide = |value| ("INSULA_HIDE_EXISTING_ACCOUNTS", value);
    assert_eq!(hides(&[]), Ok(false));
    assert_eq!(hides(&[smtp]), Ok(false));
    assert_eq!(hides(&[smtp, hide("true")]), Ok(true));
    assert_eq!(hides(&[hide("true")]), Err(1));
    assert_eq!(hides(&[("INSULA_MAIL_FOLDER", "mails"), hide("true")]), Ok(true));
    assert_eq!(hides(&[hide("false")]), Ok(false));
    let production = [
        ("INSULA_ENVIRONMENT", "production"),
        ("INSULA_SECRET_KEY", "qTzv8Yp1mS4kXw7RbN0cEu3HdJ6LfGaV"),
        ("INSULA_PUBLIC_URL", "https://insula.example"),
    ];
    assert_eq!(hides(&production), Ok(false));
    assert_eq!(hides(&[&production[..], &[smtp]].concat()), Ok(true));
    assert_eq!(hides(&[&production[..], &[smtp, hide("false")]].concat()), Ok(false));
}

#[test]
fn e_mail_goes_to_a_server_or_a_folder_and_is_captured_in_development_only() {
    let mail = |settings: &[(&str, &str)]| {
        let config = config(settings).unwrap();
        (config.sends_mail(), config.keeps_mail())
    };
    assert_eq!(mail(&[]), (false, true));
    assert_eq!(mail(&[("INSULA_SMTP_URL", "smtp://localhost")]), (true, false));
    assert_eq!(mail(&[("INSULA_MAIL_FOLDER", "mails")]), (true, false));
    assert_eq!(mail(&[("INSULA_ENVIRONMENT", "production")]), (false, false));
}

#[test]
fn the_error_about_a_mail_server_does_not_contain_its_password() {
    let fault = config(&[("INSULA_SMTP_URL", "smtp://user:hunter2@mail.example?tls=no")]);
    let fault = fault.err().unwrap().to_string();
    assert!(fault.starts_with("INSULA_SMTP_URL: expected ") && !fault.contains("hunter2"), "{fault}");
}

#[test]
fn every_error_names_its_setting() {
    let error = config(&[
        ("INSULA_BIND", "nowhere"),
        ("INSULA_ACCESS_TOKEN_TTL", "soon"),
        ("INSULA_BINT", "127.0.0.1:1"),
    ]);
    let text = error.err().unwrap().to_string();
    for part in
        ["INSULA_BIND:", "INSULA_ACCESS_TOKEN_TTL:", "INSULA_BINT: unknown; did you mean INSULA_BIND?"]
    {
        assert!(text.contains(part), "{text}");
    }
}
