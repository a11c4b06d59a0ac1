//! A second replica of order-api: found by its callers, and struck alone or together with the first.

use std::{
    fs::File,
    process::{Child, Command, Stdio},
    time::Duration,
};

use faults::{Seam, Service};
use reqwest::{Client, Method, StatusCode};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use testbed::{eventually, free_port};

use crate::desk::{PATIENCE, Side, World};

/// How long a whole lab may take to come up.
const LONG_PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_fault_of_one_replica_spares_the_other_and_one_of_the_service_strikes_both() {
    let world = World { canary: Some(free_port()), ..World::empty() };
    let first = world.side(Service::OrderApi).await;
    let second = Side::start(world.canary.expect("a port")).await;
    let desk = world.desk().await;
    let seams =
        |side: &Side| -> Vec<_> { side.armings().into_iter().map(|arming| arming.seam).collect() };

    let (status, text) = desk.text(Method::POST, "/chaos/gray-replica", "").await;
    assert_eq!(status, StatusCode::OK, "{text}");
    assert_eq!((seams(&first), seams(&second)), (vec![], vec![Seam::ReceiveCall]));
    desk.text(Method::POST, "/chaos/latency", "").await;
    let both = vec![Seam::ReceiveCall, Seam::StoreOrder];
    assert_eq!((seams(&first), seams(&second)), (vec![Seam::StoreOrder], both));
    let (_, text) = desk.text(Method::GET, "/status", "").await;
    assert!(text.contains("order-api-canary    ready"), "{text}");

    desk.text(Method::DELETE, "/chaos", "").await;
    assert_eq!((seams(&first), seams(&second)), (vec![], vec![]));
}

#[tokio::test]
async fn a_second_replica_that_comes_back_gets_back_what_is_on() {
    let world = World { canary: Some(free_port()), ..World::empty() };
    let port = world.canary.expect("a port");
    let second = Side::start(port).await;
    let desk = world.desk().await;
    desk.text(Method::POST, "/chaos/bad-canary", "p=1").await;
    second.stop().await;
    let second = Side::start(port).await;
    let held = eventually(PATIENCE, "the fault is on again", async || second.armings().pop()).await;
    assert_eq!(held.seam, Seam::StoreOrder);
}

#[tokio::test]
async fn a_fault_of_a_replica_that_is_not_there_is_refused_and_nothing_is_said_of_it_otherwise() {
    for canary in [None, Some(free_port())] {
        let world = World { canary, ..World::empty() };
        let desk = world.desk().await;
        for name in ["gray-replica", "bad-canary"] {
            let (status, text) = desk.text(Method::POST, &format!("/chaos/{name}"), "").await;
            assert_eq!(status, StatusCode::CONFLICT, "{text}");
            let refused = format!("{name} needs a second replica of order-api, and there is none");
            assert!(text.starts_with(&refused), "{text}");
            assert!(text.contains("--canary") && text.contains("--profile canary"), "{text}");
        }
        let (_, text) = desk.text(Method::GET, "/chaos/status", "").await;
        assert_eq!(text, "on\n  none is on\n");
        let (_, text) = desk.text(Method::POST, "/chaos/latency", "").await;
        let (_, status) = desk.text(Method::GET, "/status", "").await;
        assert!(!text.contains("canary") && !status.contains("canary"), "{text}{status}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_replicas_of_a_lab_serve_and_only_one_is_struck() {
    let lab = Lab::start();
    let (first, second) = (&lab.sides[0], &lab.sides[1]);
    let placed = async |side: &str| {
        let metrics = lab.get(side, "/metrics").await?;
        let is_placed = |line: &&str| {
            line.starts_with("grpc_requests_total{")
                && line.contains(r#"method="PlaceOrder""#)
                && line.contains(r#"status="OK""#)
        };
        let count = metrics.lines().find(is_placed)?.rsplit_once(' ')?.1.parse::<f64>();
        count.ok().filter(|count| *count > 0.0)
    };
    for side in [first, second] {
        eventually(LONG_PATIENCE, "it has placed orders", async || placed(side).await).await;
    }
    let version =
        format!(r#"build_info{{service="order-api",version="{}""#, faults::CANARY_VERSION);
    assert!(!lab.get(first, "/metrics").await.expect("metrics").contains(&version));
    assert!(lab.get(second, "/metrics").await.expect("metrics").contains(&version));

    let url = format!("{}/chaos/bad-canary?p=1", lab.desk);
    let answer = lab.client.post(url).send().await.expect("the desk answers");
    assert_eq!(answer.status(), StatusCode::OK);
    let failed = async |side: &str| {
        let metrics = lab.get(side, "/metrics").await.expect("metrics");
        let failed = metrics.lines().filter(|line| line.contains(r#"status="INTERNAL""#));
        failed.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum::<f64>()
    };
    eventually(LONG_PATIENCE, "it fails orders", async || {
        (failed(second).await > 0.0).then_some(())
    })
    .await;
    assert_eq!(failed(first).await, 0.0);
    assert_eq!(lab.get(first, "/control/seams").await.as_deref(), Some("[]"));
}

/// `lab up --canary`, with customers.
struct Lab {
    process: Child,
    /// Its TMPDIR.
    _folder: TempDir,
    client: Client,
    desk: String,
    /// The sides of order-api's replicas.
    sides: [String; 2],
}

impl Lab {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let screen = File::create(folder.path().join("screen")).expect("a file");
        let flags = [
            "--desk-port",
            "--order-api-side-port",
            "--order-api-canary-side-port",
            "--order-api-port",
            "--order-api-canary-port",
            "--gateway-port",
            "--gateway-side-port",
            "--worker-side-port",
            "--provider-port",
            "--otlp-port",
        ];
        let ports = flags.map(|flag| (flag, free_port()));
        let process = Command::new(env!("CARGO_BIN_EXE_lab"))
            .args(["up", "--canary", "--no-prometheus", "--rate", "10"])
            .args(ports.iter().flat_map(|(flag, port)| [(*flag).to_owned(), port.to_string()]))
            .env("TMPDIR", folder.path())
            .stdin(Stdio::null())
            .stdout(screen.try_clone().expect("the same file"))
            .stderr(screen)
            .spawn()
            .expect("the lab's program runs");
        let at = |index: usize| format!("http://127.0.0.1:{}", ports[index].1);
        Self { process, _folder: folder, client: Client::new(), desk: at(0), sides: [at(1), at(2)] }
    }

    /// What is told there, if somebody is.
    async fn get(&self, side: &str, path: &str) -> Option<String> {
        let answer = self.client.get(format!("{side}{path}")).send().await.ok()?;
        answer.error_for_status().ok()?.text().await.ok()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        // What has ended already needs no signal.
        let _ = kill_process(Pid::from_child(&self.process), Signal::INT);
        let _ = self.process.wait();
    }
}
