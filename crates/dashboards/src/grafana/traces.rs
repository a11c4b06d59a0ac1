//! The way from a panel to traces: Grafana's Explore, with what it is to show in the address.

use serde_json::{Value, json};

use super::{TRACES, sorted};

/// What is clicked on a panel's number to see the traces of this service at that time.
pub(super) fn link(service: &str) -> Value {
    json!({
        "targetBlank": false,
        "title": format!("Traces of {service}"),
        "url": format!("/explore?schemaVersion=1&panes={}", panes(service)),
    })
}

/// What Explore is to show. Grafana fills in the time that the panel shows, so `${__from}` and
/// `${__to}` stand as they are in what is encoded otherwise.
fn panes(service: &str) -> String {
    let panes = sorted(json!({
        "traces": {
            "datasource": TRACES,
            "queries": [{
                "datasource": { "type": "jaeger", "uid": TRACES },
                "queryType": "search",
                "refId": "A",
                "service": service,
            }],
            "range": { "from": "FROM", "to": "TO" },
        },
    }));
    encoded(&panes.to_string()).replace("FROM", "${__from}").replace("TO", "${__to}")
}

/// The text as it may stand in the query of an address.
fn encoded(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => char::from(byte).into(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_nothing_that_it_may_not_but_what_grafana_fills_in() {
        let url = link("order-api")["url"].to_string();
        assert!(url.contains("%22service%22%3A%22order-api%22"), "{url}");
        assert!(url.contains("%22from%22%3A%22${__from}%22"), "{url}");
        assert!(!url.replace("${__from}", "").replace("${__to}", "").contains(['{', '$']), "{url}");
    }
}
