//! The embedded broker, and its metrics under the names that RabbitMQ gives them, so that panels
//! and alerts are the same in both worlds.

use std::{fmt::Write as _, net::SocketAddr};

use anyhow::Context as _;
use axum::{Router, extract::State, http::header, response::IntoResponse, routing::get};
use broker::{Broker, Config, Handle, QueueStats};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use super::ports::local;

/// A broker in this process, with its metrics.
pub(crate) struct Embedded {
    /// Where lapin connects.
    pub(crate) url: String,
    /// Where Prometheus scrapes `/metrics/per-object`.
    pub(crate) metrics: SocketAddr,
    broker: JoinHandle<()>,
}

impl Embedded {
    /// Starts it on a port of 127.0.0.1; it runs until `stop`.
    pub(crate) async fn start(port: u16, stop: CancellationToken) -> anyhow::Result<Self> {
        let config = Config { listen: local(port), ..Config::default() };
        let url = |address| format!("amqp://{}:{}@{address}/%2f", config.user, config.password);
        let broker = Broker::bind(config.clone()).await.context("cannot start the broker")?;
        let listener = TcpListener::bind(local(0)).await.context("cannot show broker metrics")?;
        let metrics = listener.local_addr().context("cannot show broker metrics")?;
        let router =
            Router::new().route("/metrics/per-object", get(show)).with_state(broker.handle());
        tokio::spawn(
            axum::serve(listener, router)
                .with_graceful_shutdown(stop.clone().cancelled_owned())
                .into_future(),
        );
        let url = url(broker.local_addr());
        Ok(Self { url, metrics, broker: tokio::spawn(broker.run(stop)) })
    }

    /// Waits until it has let its clients go.
    pub(crate) async fn ended(self) -> anyhow::Result<()> {
        self.broker.await.context("the broker has failed")
    }
}

/// A metric of RabbitMQ: name, kind, help, and where it is read.
type PerQueue = (&'static str, &'static str, &'static str, fn(&QueueStats) -> u64);

const PER_QUEUE: [PerQueue; 8] = [
    (
        "rabbitmq_queue_messages_ready",
        "gauge",
        "Messages ready to be delivered to consumers",
        |queue| queue.ready as u64,
    ),
    (
        "rabbitmq_queue_messages_unacked",
        "gauge",
        "Messages delivered to consumers but not yet acknowledged",
        |queue| queue.unacked as u64,
    ),
    ("rabbitmq_queue_messages", "gauge", "Sum of ready and unacknowledged messages", |queue| {
        (queue.ready + queue.unacked) as u64
    }),
    ("rabbitmq_queue_consumers", "gauge", "Consumers on a queue", |queue| queue.consumers as u64),
    (
        "rabbitmq_queue_messages_published_total",
        "counter",
        "Messages published to queues",
        |queue| queue.published,
    ),
    (
        "rabbitmq_queue_messages_delivered_ack_total",
        "counter",
        "Messages delivered from queues, again or for the first time",
        |queue| queue.delivered,
    ),
    (
        "rabbitmq_queue_messages_redelivered_total",
        "counter",
        "Messages delivered from queues that had been delivered before",
        |queue| queue.redelivered,
    ),
    (
        "rabbitmq_queue_messages_acked_total",
        "counter",
        "Messages of queues acknowledged by consumers",
        |queue| queue.acked,
    ),
];

async fn show(State(broker): State<Handle>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], render(&broker))
}

fn render(broker: &Handle) -> String {
    let stats = broker.stats();
    let mut text = String::new();
    for (name, kind, help, read) in PER_QUEUE {
        head(&mut text, name, kind, help);
        for queue in &stats.queues {
            let (queue_name, value) = (&queue.name, read(queue));
            let _ = writeln!(text, "{name}{{vhost=\"/\",queue=\"{queue_name}\"}} {value}");
        }
    }
    let whole: [(&str, &str, &str, u64); 6] = [
        ("rabbitmq_connections", "gauge", "Connections currently open", stats.connections as u64),
        (
            "rabbitmq_global_messages_unroutable_returned_total",
            "counter",
            "Messages that no queue took",
            stats.unroutable,
        ),
        (
            "rabbitmq_global_messages_unroutable_dropped_total",
            "counter",
            "Messages that no queue took and that were dropped",
            stats.dropped,
        ),
        ("rabbitmq_process_resident_memory_bytes", "gauge", "Memory used", stats.memory as u64),
        (
            "rabbitmq_alarms_memory_used_watermark",
            "gauge",
            "1 while the broker refuses messages for want of memory",
            stats.full.into(),
        ),
        (
            "rabbitmq_alarms_free_disk_space_watermark",
            "gauge",
            "1 while the broker blocks publishers for want of disk; this one needs none",
            0,
        ),
    ];
    for (name, kind, help, value) in whole {
        head(&mut text, name, kind, help);
        let _ = writeln!(text, "{name} {value}");
    }
    text
}

fn head(text: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(text, "# HELP {name} {help}.\n# TYPE {name} {kind}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_broker_that_refuses_for_want_of_memory_says_so() {
        for (memory_limit, alarm) in [(Config::default().memory_limit, 0), (0, 1)] {
            let config = Config { listen: local(0), memory_limit, ..Config::default() };
            let broker = Broker::bind(config).await.expect("a free port");
            let text = render(&broker.handle());
            let expected = format!("\nrabbitmq_alarms_memory_used_watermark {alarm}\n");
            assert!(text.contains(&expected), "{memory_limit}: {text}");
        }
    }
}
