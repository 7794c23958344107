//! Types of the `OTEL_*` settings, with the names and values of the OpenTelemetry specification ("Environment Variable
//! Specification" and "OpenTelemetry Protocol Exporter").

use std::time::Duration;

use hyper::http::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::percent_decode_str;
use url::Url;

use super::value::Value;

/// Where a signal is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignalExporter {
    /// To the OTLP endpoint.
    Otlp,
    /// Nowhere.
    None,
}

impl Value for SignalExporter {
    fn parse(text: &str) -> Result<Self, &'static str> {
        match text {
            "otlp" => Ok(Self::Otlp),
            "none" => Ok(Self::None),
            _ => Err("`otlp` or `none`"),
        }
    }
}

/// The transport of OTLP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OtlpProtocol {
    /// gRPC over HTTP/2.
    Grpc,
    /// Protobuf over HTTP/1.1.
    HttpProtobuf,
}

impl Value for OtlpProtocol {
    fn parse(text: &str) -> Result<Self, &'static str> {
        match text {
            "grpc" => Ok(Self::Grpc),
            "http/protobuf" => Ok(Self::HttpProtobuf),
            _ => Err("`grpc` or `http/protobuf`"),
        }
    }
}

/// The URL of a collector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtlpEndpoint(pub Url);

impl Value for OtlpEndpoint {
    fn parse(text: &str) -> Result<Self, &'static str> {
        let expected = "a URL such as `http://localhost:4318`, without a user, a query or a fragment";
        let url = Url::parse(text).map_err(|_| expected)?;
        let is_plain = url.username().is_empty() && url.password().is_none();
        let is_valid = ["http", "https"].contains(&url.scheme())
            && url.has_host()
            && is_plain
            && url.query().is_none()
            && url.fragment().is_none();
        is_valid.then_some(Self(url)).ok_or(expected)
    }
}

/// HTTP headers of each export. They usually contain a token.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OtlpHeaders(pub HeaderMap);

impl Value for OtlpHeaders {
    const SECRET: bool = true;

    fn parse(text: &str) -> Result<Self, &'static str> {
        let header = |(name, value): (String, String)| {
            let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
            let mut value = HeaderValue::from_str(&value).ok()?;
            value.set_sensitive(true);
            Some((name, value))
        };
        let headers: Option<HeaderMap> =
            pairs(text).and_then(|pairs| pairs.into_iter().map(header).collect());
        headers.map(Self).ok_or("HTTP headers as `name=value`, separated by commas and percent-encoded")
    }
}

/// Attributes of this process in traces and metrics.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResourceAttributes(pub Vec<(String, String)>);

impl Value for ResourceAttributes {
    fn parse(text: &str) -> Result<Self, &'static str> {
        pairs(text).map(Self).ok_or("attributes as `name=value`, separated by commas and percent-encoded")
    }
}

/// `name=value` pairs with percent-encoded values (W3C Baggage §3.3.1); `None` if one is malformed.
fn pairs(text: &str) -> Option<Vec<(String, String)>> {
    let decoded = |text: &str| Some(percent_decode_str(text.trim()).decode_utf8().ok()?.into_owned());
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=')?;
        let name = decoded(name)?;
        (!name.is_empty()).then_some((name, decoded(value)?))
    };
    text.split(',').filter(|pair| !pair.trim().is_empty()).map(pair).collect()
}

/// A duration in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Milliseconds(pub Duration);

impl Value for Milliseconds {
    fn parse(text: &str) -> Result<Self, &'static str> {
        let number = text.parse().ok().filter(|number| (1..=3_600_000).contains(number));
        number
            .map(|number| Self(Duration::from_millis(number)))
            .ok_or("a whole number of milliseconds from 1 to 3600000")
    }
}

/// Which traces are exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceSampler {
    /// Does the decision of the client that sent `traceparent` apply?
    pub follows_parent: bool,
    /// Of the other traces, all, none, or the share of `OTEL_TRACES_SAMPLER_ARG`.
    pub root: RootSampler,
}

/// Which traces without a parent are exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RootSampler {
    /// All of them.
    All,
    /// None of them.
    None,
    /// The share of `OTEL_TRACES_SAMPLER_ARG`.
    Share,
}

impl Value for TraceSampler {
    fn parse(text: &str) -> Result<Self, &'static str> {
        let (follows_parent, root) = match text.strip_prefix("parentbased_") {
            Some(root) => (true, root),
            None => (false, text),
        };
        let root = match root {
            "always_on" => RootSampler::All,
            "always_off" => RootSampler::None,
            "traceidratio" => RootSampler::Share,
            _ => {
                return Err(
                    "`always_on`, `always_off` or `traceidratio`, each also with the prefix `parentbased_`",
                );
            }
        };
        Ok(Self { follows_parent, root })
    }
}

/// A share from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SamplingRatio(pub f64);

impl Value for SamplingRatio {
    fn parse(text: &str) -> Result<Self, &'static str> {
        let ratio = text.parse().ok().filter(|ratio| (0.0..=1.0).contains(ratio));
        ratio.map(Self).ok_or("a number from 0 to 1")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_percent_encoded_and_checked() {
        let attributes = |text| <ResourceAttributes as Value>::parse(text).map(|all| all.0).ok();
        let expected = [("a", "1"), ("b.c", "x, y=z"), ("d", "")].map(|(a, b)| (a.to_owned(), b.to_owned()));
        assert_eq!(attributes(" a = 1 ,b.c=x%2C%20y=z,d=,").unwrap(), expected);
        for bad in ["a", "=1", "a=%ff", "a=1,b"] {
            assert_eq!(attributes(bad), None, "{bad}");
        }
        let headers = <OtlpHeaders as Value>::parse("Authorization=Bearer%20hunter2").unwrap();
        assert_eq!(headers.0["authorization"], "Bearer hunter2");
        assert!(!format!("{headers:?}").contains("hunter2"));
        for bad in ["a b=1", "a=1%0a", "hunter2"] {
            assert!(<OtlpHeaders as Value>::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_endpoint_is_a_plain_http_url() {
        let is_valid = |text| <OtlpEndpoint as Value>::parse(text).is_ok();
        for good in ["http://localhost:4318", "https://collector.example/v1/traces", "http://[::1]:4317"] {
            assert!(is_valid(good), "{good}");
        }
        for bad in ["localhost:4318", "ftp://x", "http://", "http://u:p@x", "http://x?a", "http://x#a", "x"] {
            assert!(!is_valid(bad), "{bad}");
        }
    }

    #[test]
    fn samplers_have_their_standard_names() {
        let sampler = <TraceSampler as Value>::parse("parentbased_traceidratio").unwrap();
        assert_eq!(sampler, TraceSampler { follows_parent: true, root: RootSampler::Share });
        let sampler = <TraceSampler as Value>::parse("always_off").unwrap();
        assert_eq!(sampler, TraceSampler { follows_parent: false, root: RootSampler::None });
        for bad in ["jaeger_remote", "parentbased_", "parentbased_parentbased_always_on"] {
            assert!(<TraceSampler as Value>::parse(bad).is_err(), "{bad}");
        }
        assert!(<SamplingRatio as Value>::parse("0.01").is_ok());
        for bad in ["1.1", "-0.1", "NaN", "half"] {
            assert!(<SamplingRatio as Value>::parse(bad).is_err(), "{bad}");
        }
        for bad in ["0", "-1", "1.5", "10s"] {
            assert!(<Milliseconds as Value>::parse(bad).is_err(), "{bad}");
        }
    }
}
