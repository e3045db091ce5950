//! Checks the addresses of a webhook: only public ones are allowed, unless the configuration says otherwise.
//!
//! A host with any private address is rejected as a whole, because whoever controls the name chooses which of
//! its addresses is used.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Maximum number of addresses of one host that are checked; a real host has a handful.
const ADDRESSES: usize = 64;

/// Why an endpoint is not called.
#[derive(Debug, thiserror::Error)]
pub(super) enum HostCheckError {
    /// The host name cannot be resolved.
    #[error("cannot resolve {host}: {source}")]
    Lookup {
        /// The host name.
        host: String,
        /// Why.
        source: std::io::Error,
    },
    /// The host has no address.
    #[error("{0} has no address")]
    Nowhere(String),
    /// The host has a private address.
    #[error("{host} has the address {address}, which is not public; set `allow_private` to allow it")]
    Private {
        /// The host name.
        host: String,
        /// The address.
        address: IpAddr,
    },
}

/// Resolves a host and checks every address.
pub(super) async fn resolve(
    host: &str,
    port: u16,
    allow_private: bool,
) -> Result<Vec<SocketAddr>, HostCheckError> {
    let bare = host.trim_matches(['[', ']']);
    let found = tokio::net::lookup_host((bare, port))
        .await
        .map_err(|source| HostCheckError::Lookup {
            host: host.to_owned(),
            source,
        })?;
    let addresses: Vec<_> = found.take(ADDRESSES).collect();
    if addresses.is_empty() {
        return Err(HostCheckError::Nowhere(host.to_owned()));
    }
    match addresses.iter().find(|address| !is_public(address.ip())) {
        Some(private) if !allow_private => Err(HostCheckError::Private {
            host: host.to_owned(),
            address: private.ip(),
        }),
        _ => Ok(addresses),
    }
}

/// Whether an address is on the public internet.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let reserved = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || a == 0
        || (a == 100 && (64..128).contains(&b)) // carrier-grade NAT
        || (a == 192 && b == 0 && c == 0) // protocol assignments
        || (a == 198 && (b == 18 || b == 19)) // benchmarking
        || a >= 224; // multicast, reserved, broadcast
    !reserved
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let v4 = |high: u16, low: u16| {
        let [w, x] = high.to_be_bytes();
        let [y, z] = low.to_be_bytes();
        is_public_v4(Ipv4Addr::new(w, x, y, z))
    };
    match (a, b) {
        // Addresses that contain an IPv4 address: mapped, NAT64 and 6to4.
        (0, 0) if c == 0 && d == 0 && e == 0 && f == 0xffff => v4(g, h),
        (0x64, 0xff9b) if c == 0 && d == 0 && e == 0 && f == 0 => v4(g, h),
        (0x2002, _) => v4(b, c),
        // Teredo, documentation, protocol assignments.
        (0x2001, 0x0db8) => false,
        (0x2001, b) if b < 0x0200 => false,
        (0x3fff, b) if b < 0x1000 => false,
        // All global unicast addresses begin with the bits 001.
        _ => a & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_and_public_addresses_are_distinguished() {
        let private = [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "198.18.0.1",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "64:ff9b::a00:1",
            "2002:a00:1::",
            "2001:db8::1",
        ];
        for text in private {
            assert!(
                !is_public(text.parse().expect("an address")),
                "{text} counts as public"
            );
        }
        for text in [
            "1.1.1.1",
            "93.184.216.34",
            "2606:4700::1111",
            "::ffff:1.1.1.1",
            "64:ff9b::101:101",
        ] {
            assert!(
                is_public(text.parse().expect("an address")),
                "{text} counts as private"
            );
        }
    }

    #[tokio::test]
    async fn a_host_with_a_private_address_is_rejected_unless_allowed() {
        for host in ["127.0.0.1", "[::1]", "localhost"] {
            assert!(
                matches!(
                    resolve(host, 80, false).await,
                    Err(HostCheckError::Private { .. })
                ),
                "{host}"
            );
        }
        assert_eq!(resolve("127.0.0.1", 80, true).await.expect("allowed").len(), 1);
    }
}
