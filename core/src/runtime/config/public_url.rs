//! Validates the public URL, and that cookies for a domain reach its host.

use url::{Host, Url};

/// The errors of `INSULA_PUBLIC_URL` and `INSULA_COOKIE_DOMAIN`, one line each.
pub(super) fn faults(public_url: Option<&str>, cookie_domain: Option<&str>) -> Vec<String> {
    let host = match public_url.map(host) {
        Some(Err(fault)) => return vec![fault],
        Some(Ok(host)) => Some(host),
        None => None,
    };
    cookie_domain.and_then(|domain| domain_fault(domain, host.as_ref())).into_iter().collect()
}

fn host(text: &str) -> Result<Host, String> {
    let fault = || {
        "INSULA_PUBLIC_URL: expected a URL such as https://insula.example, without user, `?` and `#`"
            .to_owned()
    };
    let url = Url::parse(text).map_err(|_| fault())?;
    let is_plain = matches!(url.scheme(), "https" | "http")
        && url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    url.host().map(|host| host.to_owned()).filter(|_| is_plain).ok_or_else(fault)
}

/// Browsers store a cookie only for the host that sets it and for its parent domains (RFC 6265 §5.3), never for an IP
/// address.
fn domain_fault(domain: &str, host: Option<&Host>) -> Option<String> {
    let expected = |what: &str| Some(format!("INSULA_COOKIE_DOMAIN: {what}"));
    let name = domain.strip_prefix('.').unwrap_or(domain).to_lowercase();
    let is_name =
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte));
    if !is_name || !matches!(Host::parse(&name), Ok(Host::Domain(_))) {
        return expected("expected a domain such as `insula.example`, without scheme, port and path");
    }
    match host {
        None => expected("needs INSULA_PUBLIC_URL, and its host must be in this domain"),
        Some(Host::Domain(host)) if *host == name || host.ends_with(&format!(".{name}")) => None,
        Some(host) => expected(&format!(
            "the host of INSULA_PUBLIC_URL, {host}, is not in this domain, so browsers would reject the cookies"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(public_url: Option<&str>, cookie_domain: Option<&str>) -> Vec<String> {
        let name = |fault: &String| fault.split(':').next().unwrap_or_default().to_owned();
        faults(public_url, cookie_domain).iter().map(name).collect()
    }

    #[test]
    fn an_invalid_public_url_is_reported() {
        for url in
            ["https://insula.example", "https://insula.example/app/", "http://[::1]:8080", "http://localhost"]
        {
            assert_eq!(faults(Some(url), None), Vec::<String>::new(), "{url}");
        }
        for url in [
            "insula.example",
            "ftp://insula.example",
            "https://",
            "https://a@b",
            "https://a/?b",
            "https://a#b",
        ] {
            assert_eq!(names(Some(url), None), ["INSULA_PUBLIC_URL"], "{url}");
        }
    }

    #[test]
    fn cookies_must_reach_the_public_host() {
        let url = Some("https://app.insula.example");
        for domain in ["insula.example", ".insula.example", "app.insula.example", "Insula.Example"] {
            assert_eq!(faults(url, Some(domain)), Vec::<String>::new(), "{domain}");
        }
        for domain in [
            "other.example",
            "sula.example",
            "www.app.insula.example",
            "https://insula.example",
            "a:80",
            "10.0.0.1",
            ".",
        ] {
            assert_eq!(names(url, Some(domain)), ["INSULA_COOKIE_DOMAIN"], "{domain}");
        }
        assert_eq!(names(None, Some("insula.example")), ["INSULA_COOKIE_DOMAIN"]);
        assert_eq!(names(Some("http://127.0.0.1"), Some("127.0.0.1")), ["INSULA_COOKIE_DOMAIN"]);
    }
}
