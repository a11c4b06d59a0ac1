//! Where a service is: at one address, or at several.

use std::{fmt, str::FromStr};

use http::{Uri, uri::Scheme};

/// The URLs of a service, with commas between: never none, and each may lead to any number of
/// replicas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Urls(Vec<Uri>);

impl Urls {
    /// By which the service is named to whoever answers, at whichever of its addresses.
    pub(crate) fn first(&self) -> &Uri {
        self.0.first().expect("it was made of at least one")
    }

    /// Host and port of each.
    pub(crate) fn hosts(&self) -> Vec<(String, u16)> {
        let host = |url: &Uri| url.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        self.0.iter().map(|url| (host(url), url.port_u16().unwrap_or(80))).collect()
    }
}

impl FromStr for Urls {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.split(',').map(|url| plain_http(url.trim())).collect::<Result<_, _>>().map(Self)
    }
}

impl fmt::Display for Urls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let urls: Vec<_> = self.0.iter().map(Uri::to_string).collect();
        f.write_str(&urls.join(","))
    }
}

fn plain_http(text: &str) -> Result<Uri, String> {
    let url: Option<Uri> = text.parse().ok();
    let known = url.filter(|url| url.scheme() == Some(&Scheme::HTTP) && url.host().is_some());
    known.ok_or_else(|| {
        format!("{text:?} is no address; expected http://host:port, or several with commas between")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_have_commas_between() {
        let urls: Urls = "http://order-api:50051, http://[::1]:50052,http://shop".parse().unwrap();
        let hosts = urls.hosts();
        let hosts: Vec<_> = hosts.iter().map(|(host, port)| (host.as_str(), *port)).collect();
        assert_eq!(hosts, [("order-api", 50051), ("::1", 50052), ("shop", 80)]);
        assert_eq!(urls.first(), "http://order-api:50051");
        assert_eq!(urls.to_string().parse(), Ok(urls));
    }

    #[test]
    fn one_that_is_no_plain_http_is_named() {
        for bad in ["https://order-api:50051", "order-api:50051", "/orders", "http://", ""] {
            for text in [bad.to_owned(), format!("http://order-api:50051,{bad}")] {
                let problem = text.parse::<Urls>().unwrap_err();
                assert!(problem.starts_with(&format!("{bad:?} is no address")), "{problem}");
            }
        }
    }
}
