//! Where a request comes from: the peer of the connection, or whom our own proxies say it stands for.
//!
//! Must hold: only what a trusted proxy has said counts, read from the nearest hop outwards; whatever a stranger has
//! written into the header stands further out and is never reached. Deliberately absent: letting anybody in by it.

use std::net::{IpAddr, SocketAddr};

use actix_web::HttpRequest;
use actix_web::http::header::HeaderMap;

use crate::config::Http;
use crate::domain::sign_in::Client;

/// The header in which proxies write down, each behind the one before, whom they were asked by.
const FORWARDED_FOR: &str = "x-forwarded-for";

/// Who sends this request, for counting.
pub fn of(http: &Http, request: &HttpRequest) -> Client {
    Client::of(address(http, request.peer_addr(), request.headers()))
}

fn address(http: &Http, peer: Option<SocketAddr>, headers: &HeaderMap) -> Option<IpAddr> {
    let mut seen = peer?.ip();
    let lines: Vec<&str> =
        headers.get_all(FORWARDED_FOR).map(|line| line.to_str().unwrap_or_default()).collect();
    let mut hops = lines.iter().flat_map(|line| line.split(',')).rev();
    while http.trusts(seen) {
        // What cannot be read, or is missing, is as far as anybody trustworthy has told.
        let Some(told) = hops.next().and_then(read) else { break };
        seen = told;
    }
    Some(seen)
}

/// One hop; some proxies add the port.
fn read(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    text.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|socket| socket.ip()))
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};
    use url::Url;

    use super::*;
    use crate::config::Network;

    fn seen(peer: &str, lines: &[&'static str]) -> String {
        let http = Http {
            listen: "127.0.0.1:8080".parse().unwrap(),
            public_url: Url::parse("https://countersign.example.com").unwrap(),
            trusted_proxies: ["10.0.0.1", "10.9.0.0/16"].map(|text| Network::parse(text).unwrap()).to_vec(),
        };
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(HeaderName::from_static(FORWARDED_FOR), HeaderValue::from_static(line));
        }
        address(&http, format!("{peer}:5000").parse().ok(), &headers).unwrap().to_string()
    }

    #[test]
    fn only_what_our_own_proxies_say_counts() {
        assert_eq!(seen("192.0.2.7", &[]), "192.0.2.7");
        assert_eq!(seen("192.0.2.7", &["198.51.100.1"]), "192.0.2.7", "anybody may write that");
        assert_eq!(seen("10.0.0.1", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(seen("10.0.0.1", &["203.0.113.9, 198.51.100.1"]), "198.51.100.1", "the nearest stranger");
        assert_eq!(seen("10.0.0.1", &["203.0.113.9", "198.51.100.1, 10.9.3.4"]), "198.51.100.1");
        assert_eq!(seen("10.0.0.1", &["198.51.100.1:4711"]), "198.51.100.1");
        assert_eq!(seen("10.0.0.1", &["[2001:db8::1]:4711"]), "2001:db8::1");
        for nothing in [&[][..], &["unknown"], &["198.51.100.1, _hidden"], &[""]] {
            assert_eq!(seen("10.0.0.1", nothing), "10.0.0.1", "{nothing:?}");
        }
    }
}
