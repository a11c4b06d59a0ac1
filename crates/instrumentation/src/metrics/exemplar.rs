//! Exemplars: for each bucket of a histogram the trace of a request that fell into it, and the
//! OpenMetrics text that shows them, since metrics-exporter-prometheus renders neither.

use std::{
    collections::HashMap,
    fmt::Write as _,
    sync::{Arc, Mutex, RwLock},
    time::{SystemTime, UNIX_EPOCH},
};

use crate::trace::{self, SpanContext};

/// The latest exemplar of each bucket of one series.
#[derive(Debug)]
pub(crate) struct Slots {
    bounds: &'static [f64],
    /// One for each bound, and one for what lies above the last.
    slots: Vec<Mutex<Option<Exemplar>>>,
}

#[derive(Clone, Debug)]
struct Exemplar {
    span: SpanContext,
    value: f64,
    at: SystemTime,
}

/// The slots of every series, by how the series' bucket lines begin, up to the bound.
#[derive(Debug, Default)]
pub(crate) struct Exemplars(RwLock<HashMap<String, Arc<Slots>>>);

impl Slots {
    /// Remembers the trace in hand, if it is recorded. Never waits: of two at once, one is kept.
    pub(crate) fn record(&self, value: f64) {
        let Some(span) = trace::current().filter(SpanContext::is_sampled) else { return };
        let slot = &self.slots[self.bounds.partition_point(|bound| *bound < value)];
        if let Ok(mut slot) = slot.try_lock() {
            *slot = Some(Exemplar { span, value, at: SystemTime::now() });
        }
    }

    fn show(&self, bound: &str, line: &mut String) {
        let index = match bound {
            "+Inf" => Some(self.bounds.len()),
            _ => bound
                .parse()
                .ok()
                .and_then(|bound: f64| self.bounds.iter().position(|known| *known == bound)),
        };
        let slot = index.and_then(|index| self.slots.get(index)).and_then(|slot| slot.lock().ok());
        if let Some(Exemplar { span, value, at }) = slot.as_deref().and_then(Option::as_ref) {
            let at = at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
            let (trace_id, span_id) = (span.trace_id(), span.span_id());
            let _ = write!(
                line,
                " # {{trace_id=\"{trace_id}\",span_id=\"{span_id}\"}} {value} {at:.3}"
            );
        }
    }
}

impl Exemplars {
    /// Slots for one series of a histogram.
    pub(crate) fn register(
        &self,
        name: &str,
        labels: &[(&str, &str)],
        bounds: &'static [f64],
    ) -> Arc<Slots> {
        let slots = (0..=bounds.len()).map(|_| Mutex::new(None)).collect();
        let slots = Arc::new(Slots { bounds, slots });
        let labels: String =
            labels.iter().map(|(name, value)| format!("{name}=\"{value}\",")).collect();
        let beginning = format!("{name}_bucket{{{labels}le=\"");
        let mut series = self.0.write().expect("no holder of the lock panics");
        series.insert(beginning, Arc::clone(&slots));
        slots
    }

    /// The Prometheus text as OpenMetrics 1.0, with the exemplars.
    pub(crate) fn decorate(&self, text: &str) -> String {
        let series = self.0.read().expect("no holder of the lock panics");
        let mut whole = String::with_capacity(text.len() * 5 / 4);
        // OpenMetrics has no empty lines.
        for line in text.lines().filter(|line| !line.is_empty()) {
            match line.strip_prefix("# ") {
                Some(comment) => push_comment(&mut whole, comment),
                None => push_sample(&mut whole, line, &series),
            }
            whole.push('\n');
        }
        whole.push_str("# EOF\n");
        whole
    }
}

/// A counter's family has no `_total` in OpenMetrics; its sample has.
fn push_comment(whole: &mut String, comment: &str) {
    let mut words = comment.splitn(3, ' ');
    let (keyword, name) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let rest = words.next().unwrap_or_default();
    let family = name.strip_suffix("_total").unwrap_or(name);
    let _ = write!(whole, "# {keyword} {family} {rest}");
}

fn push_sample(whole: &mut String, line: &str, series: &HashMap<String, Arc<Slots>>) {
    whole.push_str(line);
    let Some(at) = line.find("le=\"") else { return };
    let (beginning, rest) = line.split_at(at + "le=\"".len());
    if let (Some(slots), Some((bound, _))) = (series.get(beginning), rest.split_once('"')) {
        slots.show(bound, whole);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::{Span, SpanKind};

    const TEXT: &str = "# HELP x_total X.\n# TYPE x_total counter\nx_total{a=\"b\"} 1\n\n\
        # HELP t_seconds T.\n# TYPE t_seconds histogram\nt_seconds_bucket{a=\"b\",le=\"0.5\"} 1\n\
        t_seconds_bucket{a=\"b\",le=\"+Inf\"} 2\nt_seconds_sum{a=\"b\"} 3\n";

    #[tokio::test]
    async fn a_bucket_shows_the_trace_of_what_fell_into_it() {
        let exemplars = Exemplars::default();
        let slots = exemplars.register("t_seconds", &[("a", "b")], &[0.5]);
        let trace_id = "0af7651916cd43dd8448eb211c80319c";
        let parent = trace::Carried {
            traceparent: Some(format!("00-{trace_id}-b7ad6b7169203331-01")),
            tracestate: None,
        };
        let span = Span::begin(SpanKind::Server, "work", &parent.context(), Vec::new());
        span.scope(async { slots.record(0.4) }).await;

        let text = exemplars.decorate(TEXT);
        let line = |beginning: &str| text.lines().find(|line| line.starts_with(beginning)).unwrap();
        let exemplar = format!("trace_id=\"{trace_id}\"");
        assert!(line("t_seconds_bucket{a=\"b\",le=\"0.5\"}").contains(&exemplar), "{text}");
        assert!(!line("t_seconds_bucket{a=\"b\",le=\"+Inf\"}").contains('#'), "{text}");
    }

    #[test]
    fn the_text_is_open_metrics() {
        let text = Exemplars::default().decorate(TEXT);
        assert!(text.starts_with("# HELP x X.\n# TYPE x counter\nx_total{a=\"b\"} 1\n# HELP t_"));
        assert!(text.ends_with("\n# EOF\n"));
        assert!(!text.contains("\n\n"));
    }

    #[test]
    fn work_without_a_trace_leaves_no_exemplar() {
        let exemplars = Exemplars::default();
        exemplars.register("t_seconds", &[("a", "b")], &[0.5]).record(0.4);
        assert!(!exemplars.decorate(TEXT).contains("trace_id"));
    }
}
