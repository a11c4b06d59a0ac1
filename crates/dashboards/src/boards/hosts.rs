//! Hosts and containers: for each resource its use, what waits for it, and its errors.

use crate::{
    model::{Dashboard, Level, Panel, Unit},
    promql::{rate, share},
};

/// The containers, without the groups above them.
const CONTAINERS: &str = r#"name!="""#;
/// Disks, without those that are only views of others.
const DISKS: &str = r#"device!~"loop.*|ram.*|sr.*|dm-.*""#;
/// Network devices that reach outside.
const DEVICES: &str = r#"device!~"lo|veth.*|br-.*|docker.*""#;

pub(super) fn dashboard() -> Dashboard {
    Dashboard::new(
        "hosts",
        "Hosts and containers",
        "For each resource: how much of it is used, what waits for it, and its errors. Processes \
         are there always; host and containers in compose.",
    )
    .next(&["start-here", "alerts"])
    .row("Processes", processes())
    .row("Replicas: each beside its siblings", replicas())
    .row("Host: CPU and memory (in compose)", cpu_and_memory())
    .row("Host: disk and network (in compose)", disk_and_network())
    .row("Containers (in compose)", containers())
}

fn processes() -> [Panel; 4] {
    [
        Panel::areas("CPU by process", Unit::Ratio)
            .says("100% is one core. Good: together well below the number of cores.")
            .draws("sum by (job) (rate(process_cpu_seconds_total[1m]))", "{{job}}"),
        Panel::areas("Memory by process", Unit::Bytes)
            .says("Good: each flat. A slope is a leak (alert MemoryGrowth).")
            .draws("sum by (job) (process_resident_memory_bytes)", "{{job}}"),
        Panel::lines("File descriptors by process", Unit::Ratio)
            .says("Share of the limit. Good: below 80% (alert FdNearLimit).")
            .draws("max by (job) (process_open_fds / process_max_fds)", "{{job}}")
            .too_high(0.6, 0.8),
        Panel::lines("Up for", Unit::Seconds)
            .says(
                "Time since each process started. Good: a slope; each fall is a restart (alert \
                 ContainerRestarting).",
            )
            .draws("time() - max by (job) (process_start_time_seconds)", "{{job}}"),
    ]
    .map(|panel| panel.size(6, 8))
}

fn replicas() -> [Panel; 2] {
    [
        Panel::lines("Duration by replica", Unit::Seconds)
            .says(
                "Mean of what each replica of a service handles. Good: the lines of one service \
                 lie upon each other. One far above the others is a replica to take out (alert \
                 ReplicaOutlier).",
            )
            .draws("instance:request_duration_seconds:mean1m", "{{job}} {{instance}}"),
        Panel::lines("Failed by replica", Unit::Ratio)
            .says(
                "Share of what each replica handles that fails. Good: 0, and if not, the same for \
                 all replicas of a service.",
            )
            .draws("instance:request_errors:ratio_rate1m", "{{job}} {{instance}}")
            .too_high(0.005, 0.05),
    ]
    .map(|panel| panel.size(12, 8))
}

fn cpu_and_memory() -> [Panel; 6] {
    let used = r#"sum by (mode) (rate(node_cpu_seconds_total{mode!="idle"}[1m]))"#;
    let all = "ignoring (mode) group_left sum(rate(node_cpu_seconds_total[1m]))";
    let cores = r#"count without (cpu, mode) (node_cpu_seconds_total{mode="idle"})"#;
    [
        Panel::areas("CPU used", Unit::Ratio)
            .says(
                "By what it is used for, of all cores. Good: below 80%. Steal: another guest has \
                 it; iowait: waiting for the disk.",
            )
            .draws(format!("{used} / {all}"), "{{mode}}")
            .tone("steal|iowait", Level::Warn),
        waited_for("CPU waited for", "node_pressure_cpu_waiting_seconds_total")
            .says(
                "Share of the time in which something that could run had no core. Good: below 20%.",
            )
            .too_high(0.2, 0.6),
        Panel::lines("Load per core", Unit::Times)
            .says("Good: below 1. Above it more wants to run than there are cores.")
            .draws(format!("node_load1 / {cores}"), "1 minute")
            .too_high(1.0, 2.0),
        Panel::lines("Memory used", Unit::Ratio)
            .says("Share that programs could not get any more. Good: below 85%.")
            .draws("1 - node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes", "used")
            .too_high(0.85, 0.95),
        waited_for("Memory waited for", "node_pressure_memory_waiting_seconds_total")
            .says("Share of the time in which something waited for memory to be freed. Good: 0.")
            .too_high(0.05, 0.2),
        Panel::lines("Killed for memory", Unit::PerSecond)
            .says("Processes that the kernel killed because memory ran out. Good: 0.")
            .draws("rate(node_vmstat_oom_kill[1m])", "killed")
            .bad_from(0.001),
    ]
}

/// For which share of the time something had to wait for a resource.
fn waited_for(title: &str, pressure: &str) -> Panel {
    Panel::lines(title, Unit::Ratio).draws(format!("rate({pressure}[1m])"), "waiting")
}

fn disk_and_network() -> [Panel; 6] {
    let root = r#"{mountpoint="/", fstype!~"tmpfs|overlay"}"#;
    let passed = |what: &str| rate("", &format!("node_network_{what}_total{{{DEVICES}}}"));
    [
        Panel::lines("Disk busy", Unit::Ratio)
            .says("Share of the time in which the disk had something to do. Good: below 70%.")
            .draws(format!("rate(node_disk_io_time_seconds_total{{{DISKS}}}[1m])"), "{{device}}")
            .too_high(0.7, 0.9),
        waited_for("Disk waited for", "node_pressure_io_waiting_seconds_total")
            .says("Share of the time in which something waited for a disk. Good: below 10%.")
            .too_high(0.1, 0.4),
        Panel::lines("Disk space left", Unit::Ratio)
            .says("Good: above 15%; below 5% the alert DbDiskLow fires.")
            .draws(
                format!("node_filesystem_avail_bytes{root} / node_filesystem_size_bytes{root}"),
                "{{mountpoint}}",
            )
            .too_low(0.15, 0.05),
        Panel::lines("Network", Unit::BytesPerSecond)
            .says(
                "Of the network that node-exporter is in: in compose that of its container, which \
                 carries what is scraped; what the containers carry is below. Good: steady.",
            )
            .draws(passed("receive_bytes"), "in")
            .draws(passed("transmit_bytes"), "out"),
        Panel::lines("Packets sent again", Unit::Ratio)
            .says(
                "Share of the TCP segments in that network. Good: below 1%; else packets are lost on \
                 the way.",
            )
            .draws(share("", "node_netstat_Tcp_RetransSegs", "node_netstat_Tcp_OutSegs"), "again")
            .too_high(0.01, 0.05),
        Panel::lines("Network errors", Unit::PerSecond)
            .says("Packets damaged or dropped by a device of that network. Good: 0.")
            .draws(passed("receive_errs"), "damaged, in")
            .draws(passed("transmit_errs"), "damaged, out")
            .draws(passed("receive_drop"), "dropped, in")
            .draws(passed("transmit_drop"), "dropped, out")
            .bad_from(1.0),
    ]
}

fn containers() -> [Panel; 6] {
    [
        Panel::areas("Container CPU", Unit::Ratio)
            .says("100% is one core. Good: below each container's limit.")
            .draws(
                rate("name", &format!("container_cpu_usage_seconds_total{{{CONTAINERS}}}")),
                "{{name}}",
            ),
        Panel::lines("Container CPU held back", Unit::Ratio)
            .says(
                "Share of the periods in which a container had used up its CPU limit. Good: below \
                 25% (alert CpuThrottled).",
            )
            .draws(
                share(
                    "name",
                    &format!("container_cpu_cfs_throttled_periods_total{{{CONTAINERS}}}"),
                    &format!("container_cpu_cfs_periods_total{{{CONTAINERS}}}"),
                ),
                "{{name}}",
            )
            .too_high(0.1, 0.25),
        Panel::areas("Container memory", Unit::Bytes)
            .says("What cannot be given back at once. Good: flat.")
            .draws(
                format!("sum by (name) (container_memory_working_set_bytes{{{CONTAINERS}}})"),
                "{{name}}",
            ),
        Panel::lines("Container memory, of its limit", Unit::Ratio)
            .says("Good: below 80%. At 100% the kernel kills it.")
            .draws(
                format!(
                    "sum by (name) (container_memory_working_set_bytes{{{CONTAINERS}}}) \
                     / (sum by (name) (container_spec_memory_limit_bytes{{{CONTAINERS}}}) > 0)"
                ),
                "{{name}}",
            )
            .too_high(0.8, 0.95),
        Panel::areas("Container network", Unit::BytesPerSecond)
            .says("In and out. Good: moves with the requests.")
            .draws(
                format!(
                    "{} + {}",
                    rate("name", &format!("container_network_receive_bytes_total{{{CONTAINERS}}}")),
                    rate(
                        "name",
                        &format!("container_network_transmit_bytes_total{{{CONTAINERS}}}")
                    ),
                ),
                "{{name}}",
            ),
        Panel::lines("Container up for", Unit::Seconds)
            .says("Good: a slope; each fall is a restart.")
            .draws(
                format!("time() - max by (name) (container_start_time_seconds{{{CONTAINERS}}})"),
                "{{name}}",
            ),
    ]
}
