//! Which hosts are never asked through a proxy, whatever the variables say.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Where a task finds its credentials and its metadata. They answer only the task itself, and a proxy would
/// see the credentials.
const LINK_LOCAL: [IpAddr; 5] = [
    IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 2)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 23)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
];

/// Whether a host is always asked directly: this machine, and AWS's addresses that give a task its
/// credentials. An IPv6 address may stand in brackets, as in a URL.
pub(crate) fn is_bypassed(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    match host.parse::<IpAddr>() {
        Ok(address) => {
            let address = address.to_canonical();
            address.is_loopback() || LINK_LOCAL.contains(&address)
        }
        Err(_) => host.trim_end_matches('.').eq_ignore_ascii_case("localhost"),
    }
}

/// Whether a variable names a proxy at all.
pub(crate) fn is_set() -> bool {
    let names = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"];
    let lower = ["http_proxy", "https_proxy", "all_proxy"];
    let mut names = names.into_iter().chain(lower);
    names.any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_and_the_endpoints_of_credentials_are_asked_directly() {
        for host in [
            "localhost",
            "LOCALHOST",
            "localhost.",
            "127.0.0.1",
            "127.8.9.10",
            "::1",
            "[::1]",
            "::ffff:127.0.0.1",
            "169.254.169.254",
            "169.254.170.2",
            "169.254.170.23",
            "[fd00:ec2::23]",
            "fd00:ec2::254",
        ] {
            assert!(is_bypassed(host), "{host}");
        }
        for host in [
            "sqs.us-east-1.amazonaws.com",
            "localhost.example.com",
            "notlocalhost",
            "10.0.0.1",
            "169.254.1.1",
            "[2001:db8::1]",
            "",
        ] {
            assert!(!is_bypassed(host), "{host}");
        }
    }
}
