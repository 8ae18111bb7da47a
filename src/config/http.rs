//! `[http]`: where the service listens and under which address people reach it.
//!
//! Must hold: links are built from `public_url` alone. Deliberately absent: TLS of the listener, which belongs to the
//! proxy in front.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use url::Url;

use super::network::Network;
use super::reader::Section;

/// Where the service listens and how it is reached.
#[derive(Debug, Clone)]
pub struct Http {
    /// The socket to listen on.
    pub listen: SocketAddr,
    /// The address that people and senders use, without a path.
    pub public_url: Url,
    /// The proxies whose word is taken for whom they were asked by.
    pub trusted_proxies: Vec<Network>,
}

impl Http {
    /// Is this address that of a proxy of ours?
    pub fn trusts(&self, address: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|network| network.contains(address))
    }
}

/// Is the host of this address the machine itself?
pub fn is_loopback(url: &Url) -> bool {
    // The host of a scheme that the URL standard does not know, such as smtp, is kept as text.
    url.host_str().is_some_and(|host| {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        bare.eq_ignore_ascii_case("localhost")
            || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    })
}

/// Parses an address that may carry credentials or a query nowhere.
pub(super) fn plain_url(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let plain = url.host_str().is_some_and(|host| !host.is_empty())
        && url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    plain.then_some(url)
}

/// https anywhere, http on this machine alone.
pub(super) fn sheltered_url(text: &str) -> Option<Url> {
    plain_url(text).filter(|url| match url.scheme() {
        "https" => true,
        "http" => is_loopback(url),
        _ => false,
    })
}

/// Reads `[http]`.
pub(super) fn read_http(section: &Section<'_>) -> Option<Http> {
    let usual = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);
    let listen = section
        .read("listen", "an address and a port such as 127.0.0.1:8080", |text| text.parse().ok())
        .unwrap_or(usual);
    let wanted = "an address such as https://countersign.example.com, with a path if a proxy adds one; http only on loopback";
    let public_url = section.needed("public_url", wanted, sheltered_url);
    let wanted = "an address such as 10.0.0.1, or a network such as 10.0.0.0/8";
    let trusted_proxies = section.list("trusted_proxies", wanted, Network::parse);
    section.refuse_unknown();
    Some(Http { listen, public_url: public_url?, trusted_proxies })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_machine_itself_is_loopback() {
        for home in ["http://localhost:1", "http://127.8.0.1", "smtp://127.0.0.1:25", "http://[::1]:8"] {
            assert!(is_loopback(&Url::parse(home).unwrap()), "{home}");
        }
        for away in ["http://127.0.0.1.example.com", "http://localhost.example.com", "smtp://[::2]"] {
            assert!(!is_loopback(&Url::parse(away).unwrap()), "{away}");
        }
    }
}
