//! The lab that a guide is followed in: the program itself, with customers, on ports of its own, or one
//! that runs in compose.

use std::{
    fs,
    process::{Child, Command, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use testbed::{eventually, free_port};

use crate::guide::Kind;

/// Long enough for a slow day, short enough to notice.
const PATIENCE: Duration = Duration::from_secs(60);

/// The ports that the guides name, and the flags of `lab up` that choose others.
const PORTS: &[(u16, &str)] = &[
    (3000, "--gateway-port"),
    (3100, "--gateway-side-port"),
    (50051, "--order-api-port"),
    (8000, "--order-api-side-port"),
    (2112, "--worker-side-port"),
    (4000, "--desk-port"),
    (4100, "--provider-port"),
    (4317, "--otlp-port"),
    (9090, "--prometheus-port"),
];
/// Where the lab of compose is, if guides are to be followed there: the addresses of its gateway, its
/// control desk and its Prometheus, in the settings that docker-compose.yml has for them.
const IN_COMPOSE: [(u16, &str); 3] =
    [(3000, "GATEWAY_PORT"), (4000, "DESK_PORT"), (9090, "PROMETHEUS_PORT")];

/// A lab that runs.
pub(crate) struct Lab {
    pub(crate) kind: Kind,
    /// What is where: the port that a guide names, and the one of this lab.
    ports: Vec<(u16, u16)>,
    _process: Option<Process>,
}

/// The `lab up` process.
struct Process {
    child: Child,
    /// Its TMPDIR.
    folder: tempfile::TempDir,
}

impl Lab {
    /// Starts it, if there is none yet, and waits until the first customers have been served.
    pub(crate) async fn start(watched: bool) -> Self {
        let lab = match Self::is_in_compose() {
            true => Self::in_compose(),
            false => Self::with_cargo(watched),
        };
        let products = lab.here("http://localhost:3000/products");
        eventually(PATIENCE, "the shop is open", || async {
            reqwest::get(&products).await.ok()?.status().is_success().then_some(())
        })
        .await;
        lab
    }

    /// Whether guides are followed in compose.
    pub(crate) fn is_in_compose() -> bool {
        asked("MISHAP_GUIDES_IN_COMPOSE").is_some()
    }

    fn in_compose() -> Self {
        let port = |(named, setting)| match asked(setting) {
            Some(port) => (named, port.parse().expect("a port")),
            None => (named, named),
        };
        let ports = IN_COMPOSE.map(port).into();
        Self { kind: Kind::Compose, ports, _process: None }
    }

    fn with_cargo(watched: bool) -> Self {
        let folder = tempfile::tempdir().expect("a folder for the lab");
        let screen = fs::File::create(folder.path().join("screen")).expect("a file");
        let ports: Vec<_> = PORTS.iter().map(|(named, _)| (*named, free_port())).collect();
        let flags = PORTS
            .iter()
            .zip(&ports)
            .flat_map(|((_, flag), (_, port))| [(*flag).to_owned(), port.to_string()]);
        let child = Command::new(env!("CARGO_BIN_EXE_lab"))
            .arg("up")
            .args(flags)
            .args((!watched).then_some("--no-prometheus"))
            .env("TMPDIR", folder.path())
            // Who declines nothing leaves nothing to chance.
            .env("LAB_PROVIDER_DECLINE_RATE", "0")
            .stdin(Stdio::null())
            .stdout(screen)
            .spawn()
            .expect("the lab starts");
        Self { kind: Kind::Cargo, ports, _process: Some(Process { child, folder }) }
    }

    /// A text of a guide, with the addresses of this lab in it.
    pub(crate) fn here(&self, text: &str) -> String {
        let mut parts = text.split("localhost:");
        let mut here = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let digits = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
            let (named, rest) = part.split_at(digits);
            let port = self.ports.iter().find(|(known, _)| known.to_string() == named);
            let port = port.map_or(named.to_owned(), |(_, port)| port.to_string());
            here += &format!("localhost:{port}{rest}");
        }
        here
    }
}

/// What the environment says.
#[expect(clippy::disallowed_methods, reason = "a test has no command line of its own")]
fn asked(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

impl Drop for Process {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let screen = fs::read(self.folder.path().join("screen")).unwrap_or_default();
            eprintln!("{}", String::from_utf8_lossy(&screen));
        }
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let _ = self.child.wait();
    }
}
