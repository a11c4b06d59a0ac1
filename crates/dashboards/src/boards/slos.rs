//! SLOs and error budgets: what was promised, and how fast the promise is used up.

use crate::model::{Dashboard, Level, Panel, Unit};

/// One objective, as `prometheus/rules/slo.yml` records it.
struct Objective {
    /// Its name in the label `slo`.
    slo: &'static str,
    heading: &'static str,
    promise: &'static str,
    /// The recorded share of what went wrong, up to its window.
    errors: &'static str,
    /// Which share may go wrong.
    budget: f64,
}

const OBJECTIVES: [Objective; 6] = [
    Objective {
        slo: "availability",
        heading: "Availability: 99.5% of the requests are not answered with a 5xx",
        promise: "at most 0.5% of the customers' requests are answered with a 5xx",
        errors: "gateway:availability_errors:ratio_rate",
        budget: 0.005,
    },
    Objective {
        slo: "latency",
        heading: "Latency: 95% of the requests of each route are answered within 500 ms",
        promise: "at most 5% of a route's requests take longer than 500 ms",
        errors: "gateway:latency_slow:ratio_rate",
        budget: 0.05,
    },
    Objective {
        slo: "browsing",
        heading: "Browsing: 90% of the looks at the products are answered within 5 ms, at a page of orders within 80 ms",
        promise: "at most 10% of the looks at the products take longer than 5 ms, or at a page of \
                  orders longer than 80 ms",
        errors: "gateway:browsing_slow:ratio_rate",
        budget: 0.1,
    },
    Objective {
        slo: "fulfillment",
        heading: "Fulfillment: 99% of the time no order has waited longer than 30 s",
        promise: "at most 1% of the time an order has waited longer than 30 s",
        errors: "orders:fulfillment_late:ratio",
        budget: 0.01,
    },
    Objective {
        slo: "correctness",
        heading: "Correctness: 99% of the fulfillments are the first of their order",
        promise: "at most 1% of the fulfillments are of orders that were fulfilled already",
        errors: "orders:fulfilled_twice:ratio_rate",
        budget: 0.01,
    },
    Objective {
        slo: "payment",
        heading: "Payment: the provider decides 99% of the orders, in favor or not",
        promise: "at most 1% of the orders get no word from the payment provider",
        errors: "payments:undecided:ratio_rate",
        budget: 0.01,
    },
];

/// The windows that alerts look through: a long one says that it matters, a short one that it
/// still goes on.
const WINDOWS: [&str; 5] = ["20s", "30s", "1m", "2m", "15m"];

pub(super) fn dashboard() -> Dashboard {
    let dashboard = Dashboard::new(
        "slos",
        "SLOs and error budgets",
        "What was promised to customers, how much of what may go wrong has gone wrong, and how \
         fast: a burn rate of 1 uses up exactly the budget. Windows are a lab's; the production \
         ones stand in prometheus/rules/slo.yml.",
    )
    .next(&["start-here", "alerts", "web-gateway"])
    .row("Budgets", budgets());
    OBJECTIVES.into_iter().fold(dashboard, |dashboard, objective| {
        dashboard.row(objective.heading, objective.panels())
    })
}

fn budgets() -> [Panel; 2] {
    [
        Panel::bars("Budget left", Unit::Ratio)
            .says("What may still go wrong within the hour. Good: above half. Below zero: broken.")
            .draws("slo:error_budget_remaining:ratio", "{{slo}}")
            .too_low(0.5, 0.0)
            .size(8, 8),
        Panel::lines("Budget left, over time", Unit::Ratio)
            .says(
                "A cliff is an incident; a slope is a leak nobody was woken for. Good: flat at \
                 100%.",
            )
            .draws("slo:error_budget_remaining:ratio", "{{slo}}")
            .too_low(0.5, 0.0)
            .size(16, 8),
    ]
}

impl Objective {
    fn panels(&self) -> [Panel; 3] {
        let Self { slo, promise, errors, budget, .. } = self;
        // A larger budget cannot be used up as fast.
        let can_be_fast = 14.4 * budget < 1.0;
        let fastest = if can_be_fast { "20s and 1m are above 14.4, or " } else { "" };
        let burn_rates = WINDOWS.into_iter().fold(
            Panel::lines(format!("Burn rate: {slo}"), Unit::Times)
                .says(format!(
                    "How many times faster than allowed the budget is used, by window; allowed is \
                     that {promise}. Good: below 1. Someone is woken when {fastest}30s and 2m are \
                     above 6; a ticket is written when 2m and 15m are above 1."
                ))
                .limits([(1.0, Level::Warn), (6.0, Level::Bad)])
                .size(12, 8)
                .next("alerts"),
            |panel, window| panel.draws(format!("max({errors}{window}) / {budget}"), window),
        );
        [
            Panel::stat(format!("Burning now: {slo}"), Unit::Times)
                .says("Over the last minute, how many times faster than allowed. Good: below 1.")
                .draws(format!(r#"slo:burn_rate:ratio1m{{slo="{slo}"}}"#), "burn rate")
                .too_high(1.0, 6.0)
                .size(4, 8),
            Panel::lines(format!("Went wrong: {slo}"), Unit::Ratio)
                .says(format!("Over the last minute. Good: {promise}."))
                .draws(format!("{errors}1m"), self.legend())
                .bad_from(*budget)
                .size(8, 8)
                .next("start-here"),
            burn_rates,
        ]
    }

    fn legend(&self) -> &'static str {
        match self.slo {
            "latency" => "{{method}} {{route}}",
            "browsing" => "{{route}}",
            _ => "went wrong",
        }
    }
}
