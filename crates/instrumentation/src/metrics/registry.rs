//! Where the series of one process live, and how they are shown.

use std::{fmt, sync::OnceLock};

use metrics::{Key, Label, Metadata, Recorder as _};
use metrics_exporter_prometheus::{
    Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder,
};

use super::{
    declaration::{Declaration, Kind},
    exemplar::Exemplars,
    family::Traced,
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
}

impl Registry {
    /// A registry for the metrics of `service`: those declared in `catalogues` and those that
    /// every process has.
    pub fn new(service: &'static str, catalogues: &[&'static [Declaration]]) -> Self {
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
        let registry = Self { recorder, handle, process, exemplars, export };
        declared().for_each(|metric| registry.describe(metric));
        metrics::with_local_recorder(&registry.recorder, || registry.process.describe());
        process::identify(&registry, service);
        registry.export.get_or_init(|| export::Metrics::register(&registry));
        registry
    }

    /// Every series in the Prometheus text format.
    pub fn render(&self) -> String {
        metrics::with_local_recorder(&self.recorder, || self.process.collect());
        if let Some(export) = self.export.get() {
            export.show();
        }
        self.handle.render()
    }

    /// Every series in the OpenMetrics text format, with exemplars.
    pub fn render_open_metrics(&self) -> String {
        self.exemplars.decorate(&self.render())
    }

    /// Folds what was recorded since the last time into buckets; without it, memory grows
    /// for as long as nobody scrapes.
    pub fn upkeep(&self) {
        self.handle.run_upkeep();
    }

    pub(super) fn counter(
        &self,
        metric: &Declaration,
        values: &[&'static str],
    ) -> metrics::Counter {
        let counter = self.recorder.register_counter(&key(metric, values), &METADATA);
        counter.increment(0);
        counter
    }

    pub(super) fn gauge(&self, metric: &Declaration, values: &[&'static str]) -> metrics::Gauge {
        let gauge = self.recorder.register_gauge(&key(metric, values), &METADATA);
        gauge.set(0.0);
        gauge
    }

    pub(super) fn histogram(
        &self,
        metric: &Declaration,
        values: &[&'static str],
    ) -> metrics::Histogram {
        self.recorder.register_histogram(&key(metric, values), &METADATA)
    }

    pub(super) fn traced_histogram(&self, metric: &Declaration, values: &[&'static str]) -> Traced {
        let labels: Vec<_> = (metric.labels)().into_iter().zip(values.iter().copied()).collect();
        let slots = self.exemplars.register(metric.name, &labels, metric.unit.buckets());
        Traced { histogram: self.histogram(metric, values), slots }
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
