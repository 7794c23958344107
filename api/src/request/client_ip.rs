//! The IP address of the client of a request: that of the peer, or the one reported by a trusted proxy.

use std::net::IpAddr;

use insula_core::runtime::{config::Networks, rate_limit::network};
use poem::{Request, http::header::HeaderName};

/// The header in which each proxy appends the IP address of its client.
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The IP address of the client. If the peer is not in `trusted`, it is that of the peer. Otherwise it is the rightmost
/// one of `X-Forwarded-For` that is not in `trusted`. Any client can forge the entries left of it. `None`: there is no
/// peer.
pub(crate) fn address(request: &Request, trusted: Option<&Networks>) -> Option<IpAddr> {
    let peer = request.remote_addr().as_socket_addr()?.ip().to_canonical();
    let values = request.headers().get_all(X_FORWARDED_FOR);
    // An entry that is not text invalidates only itself. A client must not be able to hide the entries after
    // it.
    let hops: Vec<_> = values.iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
    Some(behind(peer, &hops.join(","), trusted))
}

fn behind(peer: IpAddr, forwarded_for: &str, trusted: Option<&Networks>) -> IpAddr {
    let is_trusted = |address: &IpAddr| trusted.is_some_and(|networks| networks.contain(*address));
    let mut client = peer;
    for hop in forwarded_for.rsplit(',').filter(|hop| !hop.trim().is_empty()) {
        if !is_trusted(&client) {
            break;
        }
        match parse(hop.trim()) {
            Some(address) => client = address,
            // The proxy that added this entry is the last known hop.
            None => break,
        }
    }
    client
}

/// `203.0.113.7`, `2001:db8::7`, and either with a port: `203.0.113.7:4711`, `[2001:db8::7]:4711`.
fn parse(hop: &str) -> Option<IpAddr> {
    let address = hop.parse().ok().or_else(|| {
        let with_port = hop.parse::<std::net::SocketAddr>().ok().map(|address| address.ip());
        with_port.or_else(|| hop.strip_prefix('[')?.strip_suffix(']')?.parse().ok())
    });
    address.map(|address: IpAddr| address.to_canonical())
}

/// The prefix by which clients are counted. Clients without a known IP address share one.
pub(crate) fn prefix(address: Option<IpAddr>) -> String {
    address.map_or_else(|| "unknown".to_owned(), |address| network(address).to_string())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn networks(text: &str) -> Networks {
        Networks(text.split(',').map(|network| network.parse().unwrap()).collect())
    }

    fn client(peer: &str, forwarded_for: &str) -> String {
        let trusted = networks("10.0.0.0/8,2001:db8:1::/48");
        behind(peer.parse().unwrap(), forwarded_for, Some(&trusted)).to_string()
    }

    #[test]
    fn the_client_is_the_one_reported_by_the_last_trusted_proxy() {
        for (peer, forwarded_for, expected) in [
            ("203.0.113.7", "", "203.0.113.7"),
            // Any client can send the header.
            ("203.0.113.7", "198.51.100.1", "203.0.113.7"),
            ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
            ("10.0.0.1", "6.6.6.6, 198.51.100.1", "198.51.100.1"),
            ("10.0.0.1", "6.6.6.6, 198.51.100.1, 10.2.3.4", "198.51.100.1"),
            ("10.0.0.1", "198.51.100.1:4711", "198.51.100.1"),
            ("10.0.0.1", "[2001:db8::7]:4711, 2001:db8:1::1", "2001:db8::7"),
            ("10.0.0.1", "::ffff:198.51.100.1", "198.51.100.1"),
            ("10.0.0.1", "198.51.100.1, unknown", "10.0.0.1"),
            ("10.0.0.1", ",,198.51.100.1,,", "198.51.100.1"),
            ("10.0.0.1", "10.0.0.2", "10.0.0.2"),
            ("10.0.0.1", "", "10.0.0.1"),
        ] {
            assert_eq!(client(peer, forwarded_for), expected, "{peer} {forwarded_for}");
        }
        let peer = "10.0.0.1".parse().unwrap();
        assert_eq!(behind(peer, "198.51.100.1", None), peer, "no peer is trusted by default");
    }

    #[test]
    fn addresses_of_one_customer_count_together() {
        let of = |address: &str| prefix(Some(address.parse().unwrap()));
        assert_eq!(of("2001:db8::1"), of("2001:db8:0:0:ffff::2"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_ne!(of("203.0.113.7"), of("203.0.113.8"));
    }

    proptest! {
        #[test]
        fn no_header_changes_the_address_of_an_untrusted_peer(header in "\\PC{0,80}") {
            prop_assert_eq!(client("203.0.113.7", &header), "203.0.113.7");
        }

        #[test]
        fn no_header_crashes_the_parser(header in "[0-9a-f.:,\\[\\] x]{0,80}") {
            client("10.0.0.1", &header);
        }
    }
}
