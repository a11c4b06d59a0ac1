//! Where the series of one process live, and how they are shown.

use std::{
    fmt,
    sync::{Arc, Mutex, OnceLock},
};

use metrics::{Key, Label, Metadata, Recorder as _};
use metrics_exporter_prometheus::{
    Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder,
};

use super::{
    declaration::{Declaration, Kind},
    exemplar::Exemplars,
    family::Traced,
    unlisted,
};
use crate::{export, process};

/// The series of one service; a value, not a global, so that every test has its own.
pub struct Registry {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
    process: metrics_process::Collector,
    exemplars: Exemplars,
    /// Made once the rest is there.
    export: OnceLock<export::Metrics>,
    unlisted: Mutex<Vec<Arc<unlisted::Family>>>,
    recording: bool,
}

impl Registry {
    /// A registry for the metrics of `service`: those declared in `catalogues` and those that
    /// every process has.
    pub fn new(service: &'static str, catalogues: &[&'static [Declaration]]) -> Self {
        Self::versioned(service, crate::VERSION, catalogues)
    }

    /// The same for a service that reports this version.
    pub fn versioned(
        service: &'static str,
        version: &str,
        catalogues: &[&'static [Declaration]],
    ) -> Self {
        let registry = Self::build(catalogues, true);
        process::identify(&registry, service, version);
        registry
    }

    /// A registry that records nothing and shows nothing but which build of `service` it is, to
    /// measure what recording costs.
    pub fn mute(service: &'static str, version: &str) -> Self {
        let registry = Self::build(&[], false);
        process::identify(&registry, service, version);
        registry
    }

    fn build(catalogues: &[&'static [Declaration]], recording: bool) -> Self {
        let of_all = [process::Metrics::CATALOGUE, export::Metrics::CATALOGUE];
        let declared = || catalogues.iter().chain(&of_all).copied().flatten();
        let histograms = declared().filter(|metric| metric.kind == Kind::Histogram);
        let builder = histograms.fold(PrometheusBuilder::new(), |builder, metric| {
            let name = Matcher::Full(metric.name.to_owned());
            let buckets = metric.unit.buckets();
            builder.set_buckets_for_metric(name, buckets).expect("no set of buckets is empty")
        });
        let recorder = builder.build_recorder();
        let handle = recorder.handle();
        let process = metrics_process::Collector::default();
        let (exemplars, export) = (Exemplars::default(), OnceLock::new());
        let unlisted = Mutex::default();
        let registry = Self { recorder, handle, process, exemplars, export, unlisted, recording };
        declared().for_each(|metric| registry.describe(metric));
        metrics::with_local_recorder(&registry.recorder, || registry.process.describe());
        registry.export.get_or_init(|| export::Metrics::register(&registry));
        registry
    }

    /// Every series in the Prometheus text format.
    pub fn render(&self) -> String {
        if self.recording {
            metrics::with_local_recorder(&self.recorder, || self.process.collect());
            if let Some(export) = self.export.get() {
                export.show();
            }
        }
        let mut text = self.handle.render();
        if self.recording {
            let unlisted = self.unlisted.lock().expect("no holder of the lock panics");
            unlisted.iter().for_each(|family| family.show(&mut text));
        }
        text
    }

    /// Every series in the OpenMetrics text format, with exemplars.
    pub fn render_open_metrics(&self) -> String {
        self.exemplars.decorate(&self.render())
    }

    /// Folds what was recorded since the last time into buckets, and lets each bucket have another
    /// exemplar; without it, memory grows for as long as nobody scrapes.
    pub fn upkeep(&self) {
        self.handle.run_upkeep();
        self.exemplars.renew();
    }

    pub(super) fn counter(
        &self,
        metric: &Declaration,
        values: &[&'static str],
    ) -> metrics::Counter {
        if !self.recording {
            return metrics::Counter::noop();
        }
        let counter = self.recorder.register_counter(&key(metric, values), &METADATA);
        counter.increment(0);
        counter
    }

    pub(super) fn gauge(&self, metric: &Declaration, values: &[&'static str]) -> metrics::Gauge {
        if !self.recording {
            return metrics::Gauge::noop();
        }
        let gauge = self.recorder.register_gauge(&key(metric, values), &METADATA);
        gauge.set(0.0);
        gauge
    }

    pub(super) fn histogram(
        &self,
        metric: &Declaration,
        values: &[&'static str],
    ) -> metrics::Histogram {
        if !self.recording {
            return metrics::Histogram::noop();
        }
        self.recorder.register_histogram(&key(metric, values), &METADATA)
    }

    pub(super) fn traced_histogram(&self, metric: &Declaration, values: &[&'static str]) -> Traced {
        let labels: Vec<_> = (metric.labels)().into_iter().zip(values.iter().copied()).collect();
        let slots = self
            .recording
            .then(|| self.exemplars.register(metric.name, &labels, metric.unit.buckets()));
        Traced { histogram: self.histogram(metric, values), slots }
    }

    pub(super) fn show_unlisted(&self, family: Arc<unlisted::Family>) {
        self.unlisted.lock().expect("no holder of the lock panics").push(family);
    }

    pub(crate) fn recorder(&self) -> &PrometheusRecorder {
        &self.recorder
    }

    fn describe(&self, metric: &'static Declaration) {
        let (name, help) = (metric.name.into(), metric.help.into());
        match metric.kind {
            Kind::Counter => self.recorder.describe_counter(name, None, help),
            Kind::Gauge => self.recorder.describe_gauge(name, None, help),
            Kind::Histogram => self.recorder.describe_histogram(name, None, help),
        }
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").finish_non_exhaustive()
    }
}

const METADATA: Metadata<'static> =
    Metadata::new(module_path!(), metrics::Level::INFO, Some(module_path!()));

fn key(metric: &Declaration, values: &[&'static str]) -> Key {
    let names = (metric.labels)();
    assert_eq!(names.len(), values.len(), "{} has a value for each label", metric.name);
    let labels: Vec<_> =
        names.into_iter().zip(values).map(|(name, value)| Label::new(name, *value)).collect();
    Key::from_parts(metric.name, labels)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::trace;

    crate::metrics! {
        /// What the test measures.
        struct Work {
            /// Things done.
            work_total: Counter<()>, Count;
            /// Things in hand.
            work_active: Gauge<()>, Count;
            /// Time that they take.
            work_duration_seconds: Timer<()>, Seconds;
            /// How large they are.
            work_size_bytes: Histogram<()>, Bytes;
        }
    }

    /// What is shown of work that was done in a trace.
    async fn shown(registry: Registry) -> String {
        let work = Work::register(&registry);
        let _active = work.work_active.hold(());
        work.work_total.increment(1);
        work.work_size_bytes.record((), 100.0);
        let timing = async { work.work_duration_seconds.record((), Duration::from_millis(5)) };
        trace::recorded_elsewhere("0af7651916cd43dd8448eb211c80319c").scope(timing).await;
        registry.render_open_metrics()
    }

    #[tokio::test]
    async fn what_is_recorded_is_shown() {
        let text = shown(Registry::new("test", &[Work::CATALOGUE])).await;
        for line in
            ["work_total 1", "work_active 1", "work_size_bytes_count 1", "trace_id=", "process_"]
        {
            assert!(text.contains(line), "{line} is missing in {text}");
        }
    }

    #[tokio::test]
    async fn a_mute_registry_shows_only_which_build_it_is() {
        let text = shown(Registry::mute("test", "1.2.3")).await;
        let series: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(series.len(), 1, "{text}");
        let build = r#"build_info{service="test",version="1.2.3","#;
        assert!(series[0].starts_with(build), "{text}");
    }
}
