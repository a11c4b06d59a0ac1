//! One of two replicas is slow to answer, and its health check is not.
//!
//! The way from the callers to one replica of order-api has become slow: the head of a call arrives,
//! and its message comes late. Whoever asks for the replica's health gets an answer at once, for
//! there is hardly a message to wait for; so it stays in use. The gateway and the workers call
//! whichever replica has less in hand, and so call the slow one less often: half of all requests are
//! as fast as ever, also most of the others, and some take most of a second. Averages over both
//! replicas hide it. By `instance`, `grpc_request_duration_seconds` falls apart into two that have
//! nothing in common; all slow traces went through the same one.

use std::time::Duration;

use super::{CANARY_VERSION, Family, Fault, Incident, Layer, share};
use crate::{
    action::Action,
    contract::{ANY, Contract, Slo, Traces, metrics, told, traces},
    effect::Effect,
    parameters::Parameter,
    seam::Seam,
};

pub(super) const FAULT: Fault = Fault {
    name: "gray-replica",
    source: include_str!("gray_replica.rs"),
    layer: Layer::Runtime,
    family: Family::SlowProcess,
    parameters: &[
        Parameter {
            name: "ms",
            meaning: "median delay of a call to that replica, in milliseconds",
            default: 400.0,
            min: 1.0,
            max: 30_000.0,
        },
        share("share of the calls to that replica", 1.0),
    ],
    mechanism: |settings| {
        let delay = Effect::Delay { median_ms: settings.get("ms"), share: settings.get("p") };
        vec![Action::StrikeCanary(Seam::ReceiveCall, delay)]
    },
    contract: Contract {
        witness: metrics(
            "callers, at the other end, wait for some calls and not for most",
            r#"histogram_quantile(0.99, sum by (le) (rate(grpc_client_attempt_duration_seconds_bucket[30s]))) > 0.3 and on () (histogram_quantile(0.5, sum by (le) (rate(grpc_client_attempt_duration_seconds_bucket[30s]))) < 0.1)"#,
        ),
        signature: &[
            metrics(
                "half of the calls to one replica are slow, and hardly one to the other is",
                r#"max(histogram_quantile(0.5, sum by (le, instance) (rate(grpc_request_duration_seconds_bucket{job="order-api", method!="other"}[30s])))) > 0.25 and on () (min(histogram_quantile(0.9, sum by (le, instance) (rate(grpc_request_duration_seconds_bucket{job="order-api", method!="other"}[30s])))) < 0.15)"#,
            ),
            traces(
                "slow reads of an order, in the process that reports the newer version",
                Traces {
                    like: &[
                        ("step", "shop.v1.Orders/GetOrder"),
                        ("lasting", "250ms"),
                        ("version", CANARY_VERSION),
                    ],
                    ..ANY
                },
            ),
        ],
        fires: &["ReplicaOutlier"],
        silent: &["RuntimeLagHigh", "DbPoolSaturated", "TargetDown", "RetryRatioHigh"],
        tells: &[
            told(
                "latency",
                "one replica is as fast as ever",
                r#"min(histogram_quantile(0.9, sum by (le, instance) (rate(grpc_request_duration_seconds_bucket{job="order-api", method="PlaceOrder"}[30s])))) < 0.3 and on () (max(histogram_quantile(0.5, sum by (le, instance) (rate(grpc_request_duration_seconds_bucket{job="order-api", method!="other"}[30s])))) > 0.25)"#,
            ),
            told(
                "blocked-runtime",
                "the timers of both are on time",
                r#"max(histogram_quantile(0.99, sum by (le, instance) (rate(runtime_lag_seconds_bucket{job="order-api"}[30s])))) < 0.15"#,
            ),
            told(
                "cpu-burn",
                "neither computes meanwhile",
                r#"max(rate(process_cpu_seconds_total{job="order-api"}[30s])) < 0.15"#,
            ),
        ],
        outlives: Duration::ZERO,
        gone: None,
        impact: Some(Slo::Latency),
        recovers_within: Duration::from_secs(240),
    },
    hints: [
        "Some requests are slow, whatever they ask for, and most are as fast as ever: p50 and p99 have \
         parted.",
        "What do the slow ones have in common? Draw durations of order-api by instance, not over all.",
        "One replica is slow with every call, though its timers are on time and it hardly computes: \
         the time is lost before its first step, on the way to it.",
    ],
    red_herring: "Its health: it is asked for every second, answers at once, and says nothing of the \
                  way that calls take.",
    fix: "Take that replica out; callers find the other one. Then heal the way to it.",
    repairs: &[],
    incident: Incident {
        what: "Slack, 2021: a link to one availability zone failed now and then, and servers behind \
               it were slow without being excluded at once.",
        url: "https://slack.engineering/slacks-migration-to-a-cellular-architecture/",
    },
};
