//! Business: orders, revenue, stock.

use crate::{
    model::{Dashboard, Level, Panel, Unit},
    promql::{per_minute, quantile, rate, share},
};

pub(super) fn dashboard() -> Dashboard {
    Dashboard::new(
        "business",
        "Business",
        "Does the shop earn money? Orders, revenue and stock, and the customers they come from. An \
         incident that does not show here hurt nobody.",
    )
    .next(&["start-here", "slos"])
    .row("Today's trade", trade())
    .row("Orders and revenue", orders())
    .row("Money", money())
    .row("Stock of all products", stock())
    .row("Customers", customers())
}

fn trade() -> [Panel; 6] {
    let fulfilled = r#"fulfillments_total{outcome="fulfilled"}"#;
    [
        Panel::stat("Orders placed", Unit::PerMinute)
            .says("Good: about half of the journeys that customers begin.")
            .draws(per_minute("", "orders_created_total"), "placed"),
        Panel::stat("Revenue", Unit::Euro)
            .says("Price of what was fulfilled in the last minute. Good: steady.")
            .draws("sum(increase(revenue_minor_total[1m])) / 100", "last minute"),
        Panel::stat("Value of an order", Unit::Euro)
            .says("Mean over the last five minutes. Good: steady; a fall is a price gone wrong.")
            .draws(
                format!(
                    "sum(increase(revenue_minor_total[5m])) / 100 \
                     / (sum(increase({fulfilled}[5m])) > 0)"
                ),
                "mean",
            ),
        Panel::stat("Fulfilled", Unit::Ratio)
            .says("Share of the ended orders that were fulfilled, not failed. Good: 100%.")
            .draws(share("", fulfilled, "fulfillments_total"), "fulfilled")
            .too_low(0.99, 0.95),
        Panel::stat("Orders open", Unit::Count)
            .says("Placed and not ended. Good: a handful; they are paid for and nobody packs them.")
            .draws(r#"max(orders{status="placed"})"#, "open")
            .too_high(20.0, 100.0)
            .next("queue"),
        Panel::stat("Sold out", Unit::Count)
            .says("Good: 0; each turns customers away.")
            .draws("max(stock_sold_out_products)", "sold out")
            .too_high(1.0, 3.0),
    ]
}

fn orders() -> [Panel; 4] {
    [
        Panel::lines("Orders", Unit::PerMinute)
            .says("Placed and ended. Good: as many are fulfilled as are placed, a moment later.")
            .draws(per_minute("", "orders_created_total"), "placed")
            .draws(per_minute("outcome", "fulfillments_total"), "{{outcome}}")
            .tone("failed", Level::Bad)
            .next("order-api"),
        Panel::lines("Revenue per minute", Unit::Euro)
            .says("Good: moves with the orders fulfilled.")
            .draws("sum(increase(revenue_minor_total[1m])) / 100", "revenue"),
        Panel::areas("Orders turned away", Unit::PerMinute)
            .says(
                "Valid orders that were refused, by reason. Good: few; sold-out goods are lost \
                 revenue.",
            )
            .draws(per_minute("reason", "orders_refused_total"), "{{reason}}")
            .next("order-api"),
        Panel::areas("Orders by status", Unit::Count)
            .says("All there are. Good: placed stays thin while fulfilled grows.")
            .draws("max by (status) (orders)", "{{status}}")
            .tone("fulfilled", Level::Good)
            .tone("pending|placed", Level::Warn)
            .tone("failed|refunded|declined", Level::Bad),
    ]
    .map(|panel| panel.size(6, 8))
}

fn money() -> [Panel; 4] {
    [
        Panel::lines("Money taken and given back", Unit::Euro)
            .says("In the last minute. Good: taken moves with the orders, given back stays at 0.")
            .draws("sum(increase(captured_minor_total[1m])) / 100", "taken")
            .draws("sum(increase(refunds_minor_total[1m])) / 100", "given back"),
        Panel::areas("Payments, by what they came to", Unit::PerMinute)
            .says(
                "Good: as many captured as authorized, a moment later; a few declined. Voided and \
                 refunded: orders that could not be fulfilled.",
            )
            .draws(per_minute("status", "payments_total"), "{{status}}")
            .tone("captured", Level::Good)
            .tone("voided|refunded", Level::Bad)
            .next("order-api"),
        Panel::lines("Declined", Unit::Ratio)
            .says("Share of the payments that the provider declines. Good: steady, about 2%.")
            .draws(
                share(
                    "",
                    r#"payments_total{status="declined"}"#,
                    r#"payments_total{status=~"authorized|declined"}"#,
                ),
                "declined",
            ),
        Panel::lines("No word from the provider", Unit::PerMinute)
            .says(
                "Orders accepted before anybody knew whether they are paid, and orders refused \
                 because nobody can pay. Good: 0.",
            )
            .draws(per_minute("", "payments_undecided_total"), "not known yet")
            .draws(
                per_minute("", r#"orders_refused_total{reason="payment_unavailable"}"#),
                "refused",
            )
            .bad_from(1.0)
            .next("slos"),
    ]
    .map(|panel| panel.size(6, 8))
}

fn stock() -> [Panel; 3] {
    [
        Panel::lines("Units in stock", Unit::Count)
            .says(
                "Of all products together. Good: falls with the orders and rises with deliveries.",
            )
            .draws("max(stock_units)", "units"),
        Panel::lines("Units of the scarcest product", Unit::Count)
            .says("Good: above 20; at 0 customers are turned away.")
            .draws("max(stock_lowest_units)", "units")
            .too_low(20.0, 1.0),
        Panel::lines("Products sold out", Unit::Count)
            .says("Good: 0.")
            .draws("max(stock_sold_out_products)", "products")
            .bad_from(1.0),
    ]
}

fn customers() -> [Panel; 4] {
    let duration = "lab_customer_request_duration_seconds";
    [
        Panel::lines("Journeys", Unit::PerSecond)
            .says("Journeys that customers begin, as set at the desk (`lab load`). Good: not 0.")
            .draws("max(lab_load_rate)", "journeys"),
        Panel::areas("Requests by journey", Unit::RequestsPerSecond)
            .says("What customers came for. Good: the mix stays the same.")
            .draws(rate("journey", "lab_customer_requests_total"), "{{journey}}")
            .next("web-gateway"),
        Panel::areas("Requests by outcome", Unit::RequestsPerSecond)
            .says("Good: served. Refused: the shop says no; failed: it cannot; the rest is worse.")
            .draws(rate("outcome", "lab_customer_requests_total"), "{{outcome}}")
            .tone("served", Level::Good)
            .tone("declined|refused", Level::Warn)
            .tone("failed|timed_out|unreachable|dropped", Level::Bad)
            .next("web-gateway"),
        Panel::lines("Waiting, by journey", Unit::Seconds)
            .says("p95 of an answer as customers see it. Good: below 500 ms.")
            .draws(quantile(0.95, "journey", duration, ""), "{{journey}}")
            .exemplars()
            .bad_from(0.5)
            .next("web-gateway"),
    ]
    .map(|panel| panel.size(6, 8))
}
