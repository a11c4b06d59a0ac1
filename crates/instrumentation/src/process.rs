//! What a process and its runtime cost, and which build it is.

use std::{sync::Arc, time::Duration};

use metrics::{Key, Label, Recorder as _};
use tokio::{
    runtime::Handle,
    time::{Instant, MissedTickBehavior},
};
use tokio_metrics::RuntimeMonitor;

use crate::metrics::Registry;

/// How often the timer ticks whose lateness is `runtime_lag_seconds`.
const LAG_TICK: Duration = Duration::from_millis(100);

crate::metrics! {
    /// What every process measures of itself, beside `process_*`.
    pub struct Metrics {
        /// Tasks of the async runtime that have started and not ended.
        runtime_tasks_alive: Gauge<()>, Count;
        /// Tasks that wait in the runtime's global queue for a thread.
        runtime_global_queue_depth: Gauge<()>, Count;
        /// Share of the last second that the runtime's threads were busy.
        runtime_workers_busy_ratio: Gauge<()>, Ratio;
        /// How late a timer of 100 ms comes: what every task of this process waits in vain.
        runtime_lag_seconds: Timer<()>, Seconds;
    }
}

/// Watches the runtime that this is called on, for as long as it runs.
///
/// The lag is measured by a task on it; the rest is read from outside by [`Sampler::sample`].
pub(crate) fn watch(metrics: &Metrics) -> Sampler {
    tokio::spawn(measure_lag(metrics.clone()));
    let monitor = RuntimeMonitor::new(&Handle::current());
    Sampler { metrics: metrics.clone(), intervals: Box::new(monitor.intervals()) }
}

/// Reads a runtime's own counters, from whichever runtime asks.
pub(crate) struct Sampler {
    metrics: Metrics,
    intervals: Box<dyn Iterator<Item = tokio_metrics::RuntimeMetrics> + Send>,
}

impl Sampler {
    /// Shows what happened since the last sample.
    pub(crate) fn sample(&mut self) {
        let Some(interval) = self.intervals.next() else { return };
        self.metrics.runtime_tasks_alive.set(interval.live_tasks_count as f64);
        self.metrics.runtime_global_queue_depth.set(interval.global_queue_depth as f64);
        // Summed over the threads; and a thread tells of its busy time only when it pauses, so
        // that one interval may hear of more than itself.
        let busy = interval.busy_ratio() / interval.workers_count as f64;
        self.metrics.runtime_workers_busy_ratio.set(busy.min(1.0));
    }
}

async fn measure_lag(metrics: Metrics) {
    let mut ticks = tokio::time::interval(LAG_TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.tick().await;
    loop {
        let due = Instant::now() + LAG_TICK;
        ticks.tick().await;
        metrics.runtime_lag_seconds.record((), due.elapsed());
    }
}

/// `build_info`: which version and revision of which service this is.
pub(crate) fn identify(registry: &Registry, service: &'static str, version: &str) {
    let labels = vec![
        Label::new("service", service),
        Label::new("version", version.to_owned()),
        Label::new("revision", crate::REVISION),
    ];
    let recorder = registry.recorder();
    let help = "Which build this is; always 1.";
    recorder.describe_gauge("build_info".into(), None, help.into());
    let metadata = metrics::Metadata::new(module_path!(), metrics::Level::INFO, None);
    recorder.register_gauge(&Key::from_parts("build_info", labels), &metadata).set(1.0);
}

/// Keeps the kernel from giving this process, and those that it starts, huge pages.
///
/// Of 2 MiB that an allocator touches here and there all would be resident: a service would have twice
/// the memory. Where this cannot be said, it has.
pub fn refuse_huge_pages() {
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::disable_transparent_huge_pages(true);
}

/// Folds and samples, once a second, until the process ends.
pub(crate) async fn keep(registry: Arc<Registry>, mut sampler: Sampler) {
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    loop {
        ticks.tick().await;
        sampler.sample();
        registry.upkeep();
    }
}
