//! The lab that a guide is followed in: the program itself, with customers, on ports of its own.

use std::{
    fs,
    process::{Child, Command, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use testbed::{eventually, free_port};

/// Long enough for a slow day, short enough to notice.
const PATIENCE: Duration = Duration::from_secs(60);

/// The ports that the guides name, and the flags of `lab up` that choose others.
const PORTS: &[(u16, &str)] = &[
    (3000, "--gateway-port"),
    (3100, "--gateway-side-port"),
    (50051, "--order-api-port"),
    (SIDE, "--order-api-side-port"),
    (2112, "--worker-side-port"),
    (4000, "--desk-port"),
    (4100, "--provider-port"),
    (4317, "--otlp-port"),
    (9090, "--prometheus-port"),
];
/// The side port of order-api.
const SIDE: u16 = 8000;
/// How a container of compose asks for it without curl, in bash.
const FROM_A_CONTAINER: &str = "/dev/tcp/order-api/8000";

/// The `lab up` process.
pub(crate) struct Lab {
    process: Child,
    /// Its TMPDIR.
    folder: tempfile::TempDir,
    /// What is where: the port that a guide names, and the one of this lab.
    ports: Vec<(u16, u16)>,
}

impl Lab {
    /// Starts it and waits until the first customers have been served.
    pub(crate) async fn start(watched: bool) -> Self {
        let folder = tempfile::tempdir().expect("a folder for the lab");
        let screen = fs::File::create(folder.path().join("screen")).expect("a file");
        let ports: Vec<_> = PORTS.iter().map(|(named, _)| (*named, free_port())).collect();
        let flags = PORTS
            .iter()
            .zip(&ports)
            .flat_map(|((_, flag), (_, port))| [(*flag).to_owned(), port.to_string()]);
        let process = Command::new(env!("CARGO_BIN_EXE_lab"))
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
        let lab = Self { process, folder, ports };
        let products = lab.here("http://localhost:3000/products");
        eventually(PATIENCE, "the shop is open", || async {
            reqwest::get(&products).await.ok()?.status().is_success().then_some(())
        })
        .await;
        lab
    }

    /// A text of a guide, with the addresses of this lab in it.
    pub(crate) fn here(&self, text: &str) -> String {
        self.ports.iter().fold(text.to_owned(), |text, (named, port)| {
            let text = text.replace(&format!("localhost:{named}"), &format!("localhost:{port}"));
            match *named {
                SIDE => text.replace(FROM_A_CONTAINER, &format!("/dev/tcp/localhost/{port}")),
                _ => text,
            }
        })
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let screen = fs::read(self.folder.path().join("screen")).unwrap_or_default();
            eprintln!("{}", String::from_utf8_lossy(&screen));
        }
        let _ = kill_process(Pid::from_child(&self.process), Signal::TERM);
        let _ = self.process.wait();
    }
}
