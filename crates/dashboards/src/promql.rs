//! The queries that are asked of many metrics, written once.
//!
//! Rates are over one minute: twelve scrapes, so that a panel is calm at a few requests per second,
//! follows a fault within seconds, and shows the same number as the rule beside it.

/// How often it happens per second, for each combination of the labels `by`.
pub(crate) fn rate(by: &str, counter: &str) -> String {
    let rate = format!("(rate({counter}[1m]))");
    if by.is_empty() { format!("sum{rate}") } else { format!("sum by ({by}) {rate}") }
}

/// How often it happens per minute.
pub(crate) fn per_minute(by: &str, counter: &str) -> String {
    format!("60 * {}", rate(by, counter))
}

/// Which share of the whole a part is, for each combination of the labels `by`; nothing where
/// there is no whole.
pub(crate) fn share(by: &str, part: &str, whole: &str) -> String {
    format!("{} / ({} > 0)", rate(by, part), rate(by, whole))
}

/// How often per second what should not happen does, by a label; one line at 0 where nothing does.
pub(crate) fn trouble(label: &str, counter: &str) -> String {
    let (by_label, all) = (rate(label, counter), rate("", counter));
    format!(r#"{by_label} > 0 or on() label_replace(0 * {all}, "{label}", "none", "", "")"#)
}

/// Below which number a share of the recorded ones lie, for each combination of the labels `by`.
pub(crate) fn quantile(share: f64, by: &str, histogram: &str, matchers: &str) -> String {
    let labels = if by.is_empty() { "le".to_owned() } else { format!("le, {by}") };
    format!("histogram_quantile({share}, {})", rate(&labels, &bucket(histogram, matchers)))
}

/// How many were recorded in each bucket per second.
pub(crate) fn buckets(histogram: &str, matchers: &str) -> String {
    rate("le", &bucket(histogram, matchers))
}

fn bucket(histogram: &str, matchers: &str) -> String {
    if matchers.is_empty() {
        format!("{histogram}_bucket")
    } else {
        format!("{histogram}_bucket{{{matchers}}}")
    }
}
