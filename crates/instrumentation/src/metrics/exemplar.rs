//! Exemplars: for each bucket of a histogram the trace of a request that fell into it, and the
//! OpenMetrics text that shows them, since metrics-exporter-prometheus renders neither.

use std::{
    collections::HashMap,
    fmt::Write as _,
    sync::{
        Arc, Mutex, RwLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use crate::trace::{self, SpanContext};

/// An exemplar for each bucket of one series: of what falls into it, the first in each round.
#[derive(Debug)]
pub(crate) struct Slots {
    bounds: &'static [f64],
    /// One for each bound, and one for what lies above the last.
    slots: Vec<Slot>,
    round: Arc<AtomicU64>,
}

#[derive(Debug, Default)]
struct Slot {
    exemplar: Mutex<Option<Exemplar>>,
    /// The round of the exemplar; 0 if there is none.
    round: AtomicU64,
}

#[derive(Clone, Debug)]
struct Exemplar {
    span: SpanContext,
    value: f64,
    at: SystemTime,
    /// What stands behind the line of its bucket, once it was shown: most are shown again and again.
    text: String,
}

/// The slots of every series, and which round it is: all of them are taken anew in the next.
#[derive(Debug)]
pub(crate) struct Exemplars {
    /// By how the series' bucket lines begin, up to the bound.
    series: RwLock<HashMap<String, Arc<Slots>>>,
    round: Arc<AtomicU64>,
}

impl Default for Exemplars {
    fn default() -> Self {
        Self { series: RwLock::default(), round: Arc::new(AtomicU64::new(1)) }
    }
}

impl Slots {
    /// Remembers the trace in hand, if it is recorded and the first in this round. Never waits: of two
    /// at once, one is kept.
    pub(crate) fn record(&self, value: f64) {
        let slot = &self.slots[self.bounds.partition_point(|bound| *bound < value)];
        let round = self.round.load(Relaxed);
        if slot.round.load(Relaxed) == round {
            return;
        }
        let Some(span) = trace::current().filter(SpanContext::is_sampled) else { return };
        if let Ok(mut exemplar) = slot.exemplar.try_lock() {
            *exemplar = Some(Exemplar { span, value, at: SystemTime::now(), text: String::new() });
            slot.round.store(round, Relaxed);
        }
    }

    fn show(&self, bucket: usize, line: &mut String) {
        let mut slot = self.slots.get(bucket).and_then(|slot| slot.exemplar.lock().ok());
        if let Some(exemplar) = slot.as_deref_mut().and_then(Option::as_mut) {
            line.push_str(exemplar.text());
        }
    }
}

impl Exemplar {
    fn text(&mut self) -> &str {
        let Self { span, value, at, text } = self;
        if text.is_empty() {
            let at = at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
            let (trace_id, span_id) = (span.trace_id(), span.span_id());
            let _ = write!(
                text,
                " # {{trace_id=\"{trace_id}\",span_id=\"{span_id}\"}} {value} {at:.3}"
            );
        }
        text
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
        let slots = (0..=bounds.len()).map(|_| Slot::default()).collect();
        let slots = Arc::new(Slots { bounds, slots, round: Arc::clone(&self.round) });
        let labels: String =
            labels.iter().map(|(name, value)| format!("{name}=\"{value}\",")).collect();
        let beginning = format!("{name}_bucket{{{labels}le=\"");
        let mut series = self.series.write().expect("no holder of the lock panics");
        series.insert(beginning, Arc::clone(&slots));
        slots
    }

    /// Begins another round.
    pub(crate) fn renew(&self) {
        self.round.fetch_add(1, Relaxed);
    }

    /// The Prometheus text as OpenMetrics 1.0, with the exemplars.
    pub(crate) fn decorate(&self, text: &str) -> String {
        let series = self.series.read().expect("no holder of the lock panics");
        let mut whole = String::with_capacity(text.len() * 5 / 4);
        let mut buckets = Buckets { series: &series, beginning: "", slots: None, next: 0 };
        // OpenMetrics has no empty lines.
        for line in text.lines().filter(|line| !line.is_empty()) {
            match line.strip_prefix("# ") {
                Some(comment) => push_comment(&mut whole, comment),
                None => {
                    whole.push_str(line);
                    buckets.show(line, &mut whole);
                }
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

/// The series whose bucket lines are being read.
///
/// They follow one another, lowest bound first, so that each series is looked up once, and not
/// each of its lines: there are thousands.
struct Buckets<'a> {
    series: &'a HashMap<String, Arc<Slots>>,
    /// How its lines begin, up to the bound.
    beginning: &'a str,
    slots: Option<&'a Slots>,
    /// The place of the next bucket.
    next: usize,
}

impl<'a> Buckets<'a> {
    /// Adds the exemplar of a line, if it is a bucket and has one.
    fn show(&mut self, line: &'a str, whole: &mut String) {
        if self.beginning.is_empty() || !line.starts_with(self.beginning) {
            const BOUND: &str = "le=\"";
            let Some(at) = line.find(BOUND) else { return };
            self.beginning = &line[..at + BOUND.len()];
            self.slots = self.series.get(self.beginning).map(Arc::as_ref);
            self.next = 0;
        }
        if let Some(slots) = self.slots {
            slots.show(self.next, whole);
        }
        self.next += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# HELP x_total X.\n# TYPE x_total counter\nx_total{a=\"b\"} 1\n\n\
        # HELP t_seconds T.\n# TYPE t_seconds histogram\nt_seconds_bucket{a=\"b\",le=\"0.5\"} 1\n\
        t_seconds_bucket{a=\"b\",le=\"+Inf\"} 2\nt_seconds_sum{a=\"b\"} 3\n";

    #[tokio::test]
    async fn a_bucket_shows_the_trace_of_what_fell_into_it() {
        let exemplars = Exemplars::default();
        let slots = exemplars.register("t_seconds", &[("a", "b")], &[0.5]);
        let trace_id = "0af7651916cd43dd8448eb211c80319c";
        trace::recorded_elsewhere(trace_id).scope(async { slots.record(0.4) }).await;

        let text = exemplars.decorate(TEXT);
        let line = |beginning: &str| text.lines().find(|line| line.starts_with(beginning)).unwrap();
        let exemplar = format!("trace_id=\"{trace_id}\"");
        assert!(line("t_seconds_bucket{a=\"b\",le=\"0.5\"}").contains(&exemplar), "{text}");
        assert!(!line("t_seconds_bucket{a=\"b\",le=\"+Inf\"}").contains('#'), "{text}");
    }

    #[tokio::test]
    async fn each_bucket_of_each_series_shows_its_own() {
        crate::label! {
            /// Which of two.
            enum Which as "which" {
                One = "one",
                Two = "two",
            }
        }
        crate::metrics! {
            /// What the test measures.
            struct Work {
                /// Time that it takes.
                work_seconds: Timer<Which>, Seconds;
            }
        }
        let registry = crate::metrics::Registry::new("test", &[Work::CATALOGUE]);
        let work = Work::register(&registry);
        let times = [(Which::One, 3), (Which::One, 90), (Which::Two, 90), (Which::Two, 1_000_000)];
        for (which, milliseconds) in times {
            let elapsed = std::time::Duration::from_millis(milliseconds);
            let span = trace::recorded_elsewhere("0af7651916cd43dd8448eb211c80319c");
            span.scope(async { work.work_seconds.record(which, elapsed) }).await;
        }

        let text = registry.render_open_metrics();
        let lines = text.lines().filter(|line| line.contains("trace_id"));
        let mut shown: Vec<_> = lines
            .map(|line| {
                let (series, exemplar) = line.split_once(" # ").unwrap();
                let value = exemplar.split(' ').nth(1).unwrap();
                format!("{} {value}", series.split(' ').next().unwrap())
            })
            .collect();
        shown.sort();
        let expected = [
            r#"work_seconds_bucket{which="one",le="0.0032"} 0.003"#,
            r#"work_seconds_bucket{which="one",le="0.1"} 0.09"#,
            r#"work_seconds_bucket{which="two",le="+Inf"} 1000"#,
            r#"work_seconds_bucket{which="two",le="0.1"} 0.09"#,
        ];
        assert_eq!(shown, expected);
    }

    #[tokio::test]
    async fn a_bucket_shows_the_first_of_each_round() {
        let exemplars = Exemplars::default();
        let slots = exemplars.register("t_seconds", &[("a", "b")], &[0.5]);
        let record = async |trace_id| {
            trace::recorded_elsewhere(trace_id).scope(async { slots.record(0.4) }).await;
        };
        let ids = ["1", "2", "3"].map(|digit| digit.repeat(32));
        record(&ids[0]).await;
        record(&ids[1]).await;
        assert!(exemplars.decorate(TEXT).contains(&ids[0]));
        exemplars.renew();
        assert!(exemplars.decorate(TEXT).contains(&ids[0]), "it is kept until there is another");
        record(&ids[2]).await;
        assert!(exemplars.decorate(TEXT).contains(&ids[2]));
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
