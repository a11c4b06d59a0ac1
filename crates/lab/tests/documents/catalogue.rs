//! Who declares which metrics.

use instrumentation::{
    export,
    metrics::{Declaration, Registry},
    process,
};

/// A process that exposes metrics.
pub(crate) struct Process {
    /// Its name, and that of its scrape job.
    pub(crate) name: &'static str,
    /// Where it exposes them.
    pub(crate) place: &'static str,
    /// What it declares, beside what every service does.
    pub(crate) catalogues: &'static [&'static [Declaration]],
}

/// The services, in the direction an order flows.
pub(crate) const SERVICES: &[Process] = &[
    Process {
        name: "web-gateway",
        place: "`:3000/metrics`, and on its side port",
        catalogues: web_gateway::metrics::CATALOGUES,
    },
    Process {
        name: "order-api",
        place: "`:8000/metrics`",
        catalogues: order_api::metrics::CATALOGUES,
    },
    Process {
        name: "fulfillment-worker",
        place: "`:2112/metrics`",
        catalogues: fulfillment_worker::metrics::CATALOGUES,
    },
];

/// The outside world.
pub(crate) const LAB: Process = Process {
    name: "lab",
    place: "`:4000/metrics`: the customers, the truth about faults, and the payment provider",
    catalogues: lab::metrics::CATALOGUES,
};

/// What every service declares.
pub(crate) const SHARED: &[Declaration] = process::Metrics::CATALOGUE;

/// What every service and the lab declare.
pub(crate) const OF_ALL: &[Declaration] = export::Metrics::CATALOGUE;

/// A metric that no catalogue of ours declares, but that every process exposes.
pub(crate) struct Foreign {
    pub(crate) name: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) labels: &'static [&'static str],
    pub(crate) help: &'static str,
}

/// Those of the crate metrics-process, and `build_info` of instrumentation's `process.rs`.
pub(crate) const FOREIGN: &[Foreign] = &[
    foreign("process_cpu_seconds_total", "counter", "seconds", "CPU time spent, user and system"),
    foreign("process_max_fds", "gauge", "count", "File descriptors that may be open"),
    foreign("process_open_fds", "gauge", "count", "File descriptors that are open"),
    foreign("process_resident_memory_bytes", "gauge", "bytes", "Memory in use"),
    foreign("process_start_time_seconds", "gauge", "seconds", "When it started, since the epoch"),
    foreign("process_threads", "gauge", "count", "Threads of the operating system"),
    foreign("process_virtual_memory_bytes", "gauge", "bytes", "Address space in use"),
    foreign("process_virtual_memory_max_bytes", "gauge", "bytes", "Address space that it may use"),
    Foreign {
        name: "build_info",
        kind: "gauge",
        unit: "count",
        labels: &["service", "version", "revision"],
        help: "Which build this is; always 1",
    },
];

const fn foreign(
    name: &'static str,
    kind: &'static str,
    unit: &'static str,
    help: &'static str,
) -> Foreign {
    Foreign { name, kind, unit, labels: &[], help }
}

#[test]
#[cfg(target_os = "linux")]
fn what_no_catalogue_declares_is_listed_as_it_is_exposed() {
    let exposed = Registry::new("documents", &[]).render();
    let mut exposed: Vec<_> = exposed
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "))
        .filter(|line| !SHARED.iter().chain(OF_ALL).any(|of| line.starts_with(of.name)))
        .collect();
    let listed = FOREIGN.iter().map(|metric| format!("{} {}", metric.name, metric.kind));
    let mut listed: Vec<_> = listed.collect();
    exposed.sort_unstable();
    listed.sort_unstable();
    assert_eq!(exposed, listed);
}
