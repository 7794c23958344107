//! The cookies of a logged-in browser (RFC 6265bis): the two tokens, which scripts cannot read, and the CSRF
//! token, which pages send back in `X-CSRF-Token`. A device cookie stays after logout and identifies the
//! browser at the next login.

use std::time::Duration;

use insula_core::identity::sessions::KNOWN_DEVICE_TTL;
use poem::{
    Request,
    http::{HeaderValue, header},
};

const ACCESS: &str = "at";
const REFRESH: &str = "rt";
const CSRF: &str = "csrf";
const DEVICE: &str = "dt";

/// Names and attributes of cookies. There is one per process.
#[derive(Clone, Debug)]
pub struct Cookies {
    /// `__Host-`, `__Secure-` or empty. Browsers enforce the restrictions of the first two (RFC 6265bis
    /// §4.1.3).
    prefix: &'static str,
    /// Attributes that all cookies have in common.
    suffix: String,
    /// Lifetime of the refresh token in seconds.
    idle: u64,
}

/// The tokens that a browser gets at login.
#[derive(Debug)]
pub struct LoginTokens<'a> {
    /// The access token.
    pub access: &'a str,
    /// Lifetime of the access token in seconds.
    pub expires_in: u64,
    /// The refresh token.
    pub refresh: &'a str,
    /// The CSRF token.
    pub csrf: &'a str,
}

impl Cookies {
    /// Cookies for an installation at `public_url`, shared with the hosts of `domain` if it is set. `idle` is
    /// the lifetime of a refresh token.
    pub fn new(public_url: &str, domain: Option<&str>, idle: Duration) -> Self {
        let is_https = public_url.starts_with("https://");
        let prefix = match (is_https, domain) {
            (true, None) => "__Host-",
            (true, Some(_)) => "__Secure-",
            (false, _) => "",
        };
        let domain = domain.map(|domain| format!("; Domain={domain}")).unwrap_or_default();
        let secure = if is_https { "; Secure" } else { "" };
        Self { prefix, suffix: format!("; Path=/{domain}{secure}"), idle: idle.as_secs() }
    }

    /// The access token of a request.
    pub fn access<'a>(&self, request: &'a Request) -> Option<&'a str> {
        self.read(request, ACCESS)
    }

    /// The refresh token of a request.
    pub fn refresh<'a>(&self, request: &'a Request) -> Option<&'a str> {
        self.read(request, REFRESH)
    }

    /// The device cookie of a request, set at an earlier login.
    pub fn device<'a>(&self, request: &'a Request) -> Option<&'a str> {
        self.read(request, DEVICE)
    }

    /// The value of the cookie `name`. `None` if there are two, in any order: another host of the domain set
    /// one of them, and the browser does not say which.
    ///
    /// Parses bytes, not text: other cookies can contain anything, and a cookie of this name with an invalid
    /// value (RFC 6265 §4.1.1) was not set by this program. Neither invalidates the other cookies.
    fn read<'a>(&self, request: &'a Request, name: &str) -> Option<&'a str> {
        let lines = request.headers().get_all(header::COOKIE).into_iter();
        let pairs = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
        let mut values = pairs.filter_map(|pair| {
            let pair = pair.trim_ascii();
            let value = pair.strip_prefix(self.prefix.as_bytes())?.strip_prefix(name.as_bytes())?;
            let value = value.strip_prefix(b"=")?;
            std::str::from_utf8(value).ok().filter(|value| value.bytes().all(is_octet))
        });
        values.next().filter(|_| values.next().is_none())
    }

    /// `Set-Cookie` values for a login or a token refresh.
    pub fn signed_in(&self, tokens: &LoginTokens<'_>) -> Vec<HeaderValue> {
        [
            self.write(ACCESS, tokens.access, tokens.expires_in, "; HttpOnly; SameSite=Lax"),
            self.write(REFRESH, tokens.refresh, self.idle, "; HttpOnly; SameSite=Strict"),
            self.csrf(tokens.csrf),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// `Set-Cookie` value for a new CSRF token.
    pub fn csrf(&self, token: &str) -> Option<HeaderValue> {
        self.write(CSRF, token, self.idle, "; SameSite=Strict")
    }

    /// `Set-Cookie` value of the device cookie.
    pub fn known(&self, token: &str) -> Option<HeaderValue> {
        self.write(
            DEVICE,
            token,
            KNOWN_DEVICE_TTL.num_seconds().unsigned_abs(),
            "; HttpOnly; SameSite=Strict",
        )
    }

    /// `Set-Cookie` values for a logout, which delete the cookies of the session.
    pub fn signed_out(&self) -> Vec<HeaderValue> {
        let gone = |name| self.write(name, "", 0, "; HttpOnly; SameSite=Strict");
        [ACCESS, REFRESH, CSRF].into_iter().filter_map(gone).collect()
    }

    fn write(&self, name: &str, value: &str, age: u64, attributes: &str) -> Option<HeaderValue> {
        let (prefix, suffix) = (self.prefix, &self.suffix);
        let mut line =
            HeaderValue::from_str(&format!("{prefix}{name}={value}; Max-Age={age}{attributes}{suffix}"))
                .ok()?;
        line.set_sensitive(true);
        Some(line)
    }
}

/// Returns whether the value of a cookie can contain this byte (RFC 6265 §4.1.1).
fn is_octet(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b"\",;\\".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cookies(public_url: &str, domain: Option<&str>) -> Cookies {
        Cookies::new(public_url, domain, Duration::from_secs(604_800))
    }

    fn with(cookie: impl AsRef<[u8]>) -> Request {
        Request::builder().header(header::COOKIE, HeaderValue::from_bytes(cookie.as_ref()).unwrap()).finish()
    }

    #[test]
    fn names_and_attributes_follow_the_scheme_and_the_domain() {
        let tokens = LoginTokens { access: "a", expires_in: 900, refresh: "r", csrf: "c" };
        for (url, domain, expected) in [
            (
                "https://insula.example",
                None,
                [
                    "__Host-at=a; Max-Age=900; HttpOnly; SameSite=Lax; Path=/; Secure",
                    "__Host-rt=r; Max-Age=604800; HttpOnly; SameSite=Strict; Path=/; Secure",
                    "__Host-csrf=c; Max-Age=604800; SameSite=Strict; Path=/; Secure",
                ],
            ),
            (
                "https://app.insula.example",
                Some("insula.example"),
                [
                    "__Secure-at=a; Max-Age=900; HttpOnly; SameSite=Lax; Path=/; Domain=insula.example; Secure",
                    "__Secure-rt=r; Max-Age=604800; HttpOnly; SameSite=Strict; Path=/; Domain=insula.example; Secure",
                    "__Secure-csrf=c; Max-Age=604800; SameSite=Strict; Path=/; Domain=insula.example; Secure",
                ],
            ),
            (
                "http://127.0.0.1:8080",
                None,
                [
                    "at=a; Max-Age=900; HttpOnly; SameSite=Lax; Path=/",
                    "rt=r; Max-Age=604800; HttpOnly; SameSite=Strict; Path=/",
                    "csrf=c; Max-Age=604800; SameSite=Strict; Path=/",
                ],
            ),
        ] {
            assert_eq!(cookies(url, domain).signed_in(&tokens), expected);
        }
    }

    #[test]
    fn only_a_single_cookie_of_the_right_name_is_read() {
        let https = cookies("https://insula.example", None);
        assert_eq!(https.access(&with("x=1; __Host-at=token; __Host-rt=other")), Some("token"));
        for foreign in
            ["at=token", "__Secure-at=token", "__host-at=token", "__Host-at", "__Host-at=1; __Host-at=2"]
        {
            assert_eq!(https.access(&with(foreign)), None, "{foreign}");
        }
        assert_eq!(cookies("http://localhost", None).refresh(&with("at=1;rt=2")), Some("2"));
    }

    #[test]
    fn an_invalid_cookie_affects_no_other() {
        let plain = cookies("http://localhost", None);
        for before in [
            &b"name=J\xfcrgen"[..],
            "name=Jürgen".as_bytes(),
            b"J\xfcrgen",
            b"\xff=\xff",
            b"=",
            b"",
            b"at",
            b"at=J\xfcrgen",
            "at=Jürgen".as_bytes(),
            b"at=\"quoted\"",
            b"at=a b",
            b"at=a\tb",
            b"at =x",
            b"a t=x",
        ] {
            for line in
                [[before, b"; at=token; rt=other"].concat(), [&b"rt=other; at=token;"[..], before].concat()]
            {
                let request = with(&line);
                let read = (plain.access(&request), plain.refresh(&request));
                assert_eq!(read, (Some("token"), Some("other")), "{}", line.escape_ascii());
            }
        }
    }

    #[test]
    fn two_cookies_of_one_name_are_ignored_in_any_order() {
        let plain = cookies("http://localhost", None);
        for two in
            ["at=1; at=2", "at=2; at=1", "at=1; at=1", "at=; at=1", "at=1; at=", "at=1; x=J\u{fc}; at=2"]
        {
            assert_eq!(plain.access(&with(format!("{two}; rt=3"))), None, "{two}");
            assert_eq!(plain.refresh(&with(format!("{two}; rt=3"))), Some("3"), "{two}");
        }
    }

    #[test]
    fn logout_expires_all_three_cookies() {
        let gone = cookies("https://insula.example", None).signed_out();
        assert_eq!(gone.len(), 3);
        assert!(gone.iter().all(|line| line.to_str().unwrap().contains("=; Max-Age=0")));
    }
}
