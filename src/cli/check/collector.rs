//! Whether the collectors that the standard OpenTelemetry variables name accept connections.

use std::{collections::BTreeMap, path::Path, time::Duration};

use axum::http::Uri;
use tokio::{net::TcpStream, time::timeout};

use super::finding::Finding;
use crate::{notification::masked_text, text::format_duration, trust};

const CHECK: &str = "telemetry";
/// How long a collector may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// One finding for each endpoint, or one that says why there is none.
pub(super) async fn check_collectors(
    variables: impl Iterator<Item = (String, String)>,
) -> Vec<Finding> {
    let variables: BTreeMap<_, _> = variables.collect();
    let disabled = variables.get("OTEL_SDK_DISABLED");
    if disabled.is_some_and(|value| value.trim().eq_ignore_ascii_case("true")) {
        return vec![Finding::ok(CHECK, "off by OTEL_SDK_DISABLED")];
    }
    let mut findings = Vec::new();
    for (name, endpoint) in &variables {
        let is_endpoint = name.starts_with("OTEL_EXPORTER_OTLP_") && name.ends_with("ENDPOINT");
        if is_endpoint && !endpoint.is_empty() {
            findings.push(check_collector(name, endpoint).await);
        }
    }
    for (name, file) in &variables {
        let is_bundle = name.starts_with("OTEL_EXPORTER_OTLP_") && name.ends_with("_CERTIFICATE");
        if is_bundle
            && !name.contains("CLIENT")
            && !file.is_empty()
            && !findings.is_empty()
            && let Err(fault) = trust::bundle(Path::new(file))
        {
            let found = format!("{name} is `{}`, which {fault}", file.escape_debug());
            let advice =
                "name a file of the CA's certificates in PEM: the daemon does not start with this";
            findings.push(Finding::failed(CHECK, found).advising(advice));
        }
    }
    if findings.is_empty() {
        findings.push(Finding::ok(CHECK, "off: no OTLP endpoint is set"));
    }
    findings
}

async fn check_collector(name: &str, endpoint: &str) -> Finding {
    let Some(authority) = authority_of(endpoint) else {
        return Finding::warning(CHECK, format!("{name} is not a URL"))
            .advising("set it to one, such as http://localhost:4318");
    };
    let why = match timeout(CONNECT_TIMEOUT, TcpStream::connect(&authority)).await {
        Ok(Ok(_stream)) => {
            let found = format!("the collector at {authority} accepts connections");
            return Finding::ok(CHECK, found);
        }
        Ok(Err(error)) => masked_text(&error.to_string()),
        Err(_elapsed) => format!("no answer within {}", format_duration(CONNECT_TIMEOUT)),
    };
    let found = format!("the collector at {authority} cannot be reached: {why}");
    Finding::warning(CHECK, found).advising(format!(
        "start it, or correct {name}; mails go out without it"
    ))
}

/// Host and port of an endpoint, or its scheme's port.
fn authority_of(endpoint: &str) -> Option<String> {
    let uri: Uri = endpoint.trim().parse().ok()?;
    let port = match uri.scheme_str()? {
        "http" => 80,
        "https" => 443,
        _ => return None,
    };
    Some(format!(
        "{}:{}",
        uri.host()?,
        uri.port_u16().unwrap_or(port)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_tells_where_to_connect() {
        for (endpoint, authority) in [
            ("http://localhost:4318", Some("localhost:4318")),
            (
                "https://otel.example.com/v1/traces",
                Some("otel.example.com:443"),
            ),
            ("http://[::1]:4317/", Some("[::1]:4317")),
            ("http://[::1]", Some("[::1]:80")),
            ("http://user:secret@otel:4318", Some("otel:4318")),
            ("localhost:4317", None),
            ("ftp://x", None),
            ("http://", None),
        ] {
            assert_eq!(authority_of(endpoint).as_deref(), authority, "{endpoint}");
        }
    }
}
