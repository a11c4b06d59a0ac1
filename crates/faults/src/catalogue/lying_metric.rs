//! Orders fail, and the gateway counts them as placed.
//!
//! A release of the gateway counts an answer before it knows which it is. Orders fail as with `errors`,
//! customers get a 503, and `http_requests_total` says 201. The dashboard is green and so is the SLO that
//! is made of it. The traces tell the truth, the log does, and the customers do.

use std::time::Duration;

use super::{Family, Fault, Incident, Layer, detour, share};
use crate::{
    action::Action,
    contract::{ANY, Contract, Traces, metrics, told, traces},
    effect::Effect,
    parameters::Parameter,
    repair::Repair,
    seam::{Seam, Service},
};

pub(super) const FAULT: Fault = Fault {
    name: "lying-metric",
    source: include_str!("lying_metric.rs"),
    layer: Layer::Telemetry,
    family: Family::Telemetry,
    parameters: &[
        share("share of failed orders that are counted as placed", 1.0),
        Parameter {
            name: "fail",
            meaning: "share of orders that fail",
            default: 0.7,
            min: 0.0,
            max: 1.0,
        },
    ],
    mechanism: |settings| {
        vec![
            detour(Seam::CountAnswer, settings),
            Action::Strike(Seam::StoreOrder, Effect::Fail { share: settings.get("fail") }),
        ]
    },
    contract: Contract {
        witness: metrics(
            "the customers get errors, by their own count",
            r#"sum(rate(lab_customer_requests_total{journey="order", outcome="failed"}[30s])) > 0.1"#,
        ),
        signature: &[
            metrics(
                "the gateway counts no failed order",
                r#"sum(rate(http_requests_total{job="web-gateway", method="POST", route="/orders", status_code=~"5.."}[30s])) == 0 and on () (sum(rate(lab_customer_requests_total{journey="order", outcome="failed"}[30s])) > 0.1)"#,
            ),
            metrics(
                "the gateway counts more orders than order-api has",
                r#"sum(rate(http_requests_total{job="web-gateway", method="POST", route="/orders", status_code="201"}[1m])) > 1.2 * sum(rate(orders_created_total[1m]))"#,
            ),
            traces(
                "traces of orders that failed",
                Traces { like: &[("step", "POST /orders"), ("error", "true")], ..ANY },
            ),
        ],
        fires: &[],
        silent: &["GatewayAvailabilityBurn"],
        tells: &[
            told(
                "errors",
                "the gateway counts no failed order",
                r#"sum(rate(http_requests_total{job="web-gateway", method="POST", route="/orders", status_code=~"5.."}[30s])) == 0"#,
            ),
            told(
                "broken-trace",
                "the customers get errors",
                r#"sum(rate(lab_customer_requests_total{journey="order", outcome="failed"}[30s])) > 0.1"#,
            ),
            told(
                "cardinality",
                "the series are as many as ever",
                r#"delta(scrape_samples_scraped{job="order-api"}[1m]) < 60"#,
            ),
            told(
                "log-flood",
                "the customers get errors",
                r#"sum(rate(lab_customer_requests_total{journey="order", outcome="failed"}[30s])) > 0.1"#,
            ),
        ],
        outlives: Duration::ZERO,
        gone: Some(metrics(
            "the customers get errors that the gateway does not count",
            r#"sum(rate(lab_customer_requests_total{journey="order", outcome="failed"}[1m])) > 2 * sum(rate(http_requests_total{job="web-gateway", method="POST", route="/orders", status_code=~"5.."}[1m])) + 0.05"#,
        )),
        impact: None,
        recovers_within: Duration::from_secs(240),
    },
    hints: [
        "Customers complain, and the dashboard is green. Whom do you believe?",
        "Count the same thing twice: orders placed, by the gateway and by order-api; errors, in \
         traces and in metrics.",
        "The gateway counts what fails as placed; what fails is in order-api.",
    ],
    red_herring: "The green dashboard.",
    fix: "Roll back the gateway, then treat what it had hidden.",
    repairs: &[Repair::RollBack(Service::WebGateway)],
    incident: Incident {
        what: "GitLab, 2017: backups had not worked for long, and the mails that said so were \
               refused; nobody knew until they were needed.",
        url: "https://about.gitlab.com/blog/2017/02/10/postmortem-of-database-outage-of-january-31/",
    },
};
