//! A browser with a page of the server: it keeps cookies and sends `Origin` and the CSRF token.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{Client, PASSWORD, Reply, Request};

/// A client that is logged in with cookies.
#[derive(Clone)]
pub struct Browser {
    client: Client,
    cookies: BTreeMap<String, String>,
}

impl Browser {
    /// Logs in at the server of `client` on a page of `origin`; returns the answer too.
    pub async fn log_in(client: &Client, origin: &str, email: &str) -> (Self, Reply) {
        let client = client.with("origin", origin);
        let person = json!({ "email": email, "password": PASSWORD, "transport": "cookie" });
        let reply = client.post("/api/v1/auth/login", person).await;
        reply.expect(200);
        let mut browser = Self { client, cookies: BTreeMap::new() };
        browser.keep(&reply);
        (browser, reply)
    }

    /// Applies names and values of `Set-Cookie`.
    pub fn keep(&mut self, reply: &Reply) {
        for line in set_cookies(reply) {
            let (pair, attributes) = line.split_once(';').unwrap_or((&line, ""));
            let (name, value) = pair.split_once('=').expect("a cookie has a name and a value");
            match attributes.contains("Max-Age=0") {
                true => self.cookies.remove(name),
                false => self.cookies.insert(name.to_owned(), value.to_owned()),
            };
        }
    }

    /// The value of a cookie; its name may have a prefix.
    pub fn cookie(&self, name: &str) -> &str {
        let of = |(key, _): &(&String, &String)| key.rsplit('-').next() == Some(name);
        self.cookies.iter().find(of).map(|(_, value)| &**value).unwrap_or_else(|| panic!("no cookie {name}"))
    }

    /// The number of cookies.
    pub fn cookies(&self) -> usize {
        self.cookies.len()
    }

    /// The same browser on a page of another origin.
    pub fn on_page_of(&self, origin: &str) -> Self {
        Self { client: self.client.with("origin", origin), cookies: self.cookies.clone() }
    }

    /// A request with cookies but without a CSRF token, as another page could forge it.
    pub fn forged(&self, method: &str, path: &str) -> Request {
        let pairs: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        self.client.request(method, path).header("cookie", &pairs.join("; "))
    }

    /// A request with cookies and CSRF token.
    pub fn request(&self, method: &str, path: &str) -> Request {
        self.forged(method, path).header("x-csrf-token", self.cookie("csrf"))
    }

    /// POST with a JSON body.
    pub fn post(&self, path: &str, body: impl Into<Value>) -> Request {
        self.request("POST", path).json(body)
    }
}

/// Every `Set-Cookie` of an answer.
pub fn set_cookies(reply: &Reply) -> Vec<String> {
    let lines = reply.headers.get_all("set-cookie").iter();
    lines.map(|line| line.to_str().expect("a cookie is text").to_owned()).collect()
}
