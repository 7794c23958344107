//! The variables that Kubernetes sets for each service of a namespace. Those of a service whose name begins with
//! `insula` look like settings.

use std::net::IpAddr;

/// Is this such a variable? The service `insula-api` has `INSULA_API_SERVICE_HOST`, `INSULA_API_SERVICE_PORT` and, for
/// each named port, `…_SERVICE_PORT_HTTP`. It also has `INSULA_API_PORT` and, for each port, `INSULA_API_PORT_8080_TCP`
/// with `…_PROTO`, `…_PORT` and `…_ADDR`. Both name and value are checked, because users also write settings such as
/// `INSULA_PORT=8080`.
pub(super) fn is_service_variable(name: &str, value: &str) -> bool {
    let is_address = || value.parse::<IpAddr>().is_ok();
    let is_port = || value.parse::<u16>().is_ok();
    let is_url = || is_port_url(value);
    if name.ends_with("_SERVICE_HOST") {
        return is_address();
    }
    if name.ends_with("_SERVICE_PORT")
        || name.split_once("_SERVICE_PORT_").is_some_and(|(_, port)| !port.is_empty())
    {
        return is_port();
    }
    if name.ends_with("_PORT") && is_url() {
        return true;
    }
    let Some((_, rest)) = name.rsplit_once("_PORT_") else { return false };
    let words: Vec<_> = rest.split('_').collect();
    let [number, protocol, more @ ..] = &words[..] else { return false };
    if number.parse::<u16>().is_err() || !is_protocol(&protocol.to_lowercase()) {
        return false;
    }
    match more {
        [] => is_url(),
        ["PROTO"] => is_protocol(value),
        ["PORT"] => is_port(),
        ["ADDR"] => is_address(),
        _ => false,
    }
}

fn is_protocol(text: &str) -> bool {
    ["tcp", "udp", "sctp"].contains(&text)
}

/// Is it a URL such as `tcp://10.0.0.1:8080`?
fn is_port_url(value: &str) -> bool {
    let Some((protocol, host_and_port)) = value.split_once("://") else { return false };
    let host_and_port = host_and_port.rsplit_once(':');
    is_protocol(protocol)
        && host_and_port.is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn service_variables_are_recognized_by_name_and_value() {
        for (name, value) in [
            ("INSULA_SERVICE_HOST", "10.96.0.7"),
            ("INSULA_SERVICE_HOST", "fd00::7"),
            ("INSULA_SERVICE_PORT", "8080"),
            ("INSULA_SERVICE_PORT_HTTP_METRICS", "9090"),
            ("INSULA_PORT", "tcp://10.96.0.7:8080"),
            ("INSULA_PORT", "tcp://[fd00::7]:8080"),
            ("INSULA_PORT_8080_TCP", "tcp://10.96.0.7:8080"),
            ("INSULA_PORT_8080_TCP_PROTO", "tcp"),
            ("INSULA_PORT_8080_TCP_PORT", "8080"),
            ("INSULA_PORT_8080_TCP_ADDR", "10.96.0.7"),
            ("INSULA_API_SERVICE_HOST", "10.96.0.8"),
            ("INSULA_API_PORT_53_UDP_ADDR", "10.96.0.8"),
        ] {
            assert!(is_service_variable(name, value), "{name}={value}");
        }
        for (name, value) in [
            ("INSULA_PORT", "8080"),
            ("INSULA_SERVICE_HOST", "insula.example"),
            ("INSULA_SERVICE_PORT", "http"),
            ("INSULA_PORT_8080_TCP", "8080"),
            ("INSULA_PORT_HTTP_TCP_PORT", "8080"),
            ("INSULA_PORT_8080_TCP_NAME", "http"),
            ("INSULA_SERVICE", "10.96.0.7"),
            ("INSULA_BINT", "10.96.0.7:8080"),
        ] {
            assert!(!is_service_variable(name, value), "{name}={value}");
        }
    }
}
