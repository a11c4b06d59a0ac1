//! A running lab: the program under test, in a folder and on ports of its own.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use contract::topology::{ORDER_PLACED_KEY, ORDERS_EXCHANGE};
use lapin::{BasicProperties, ConnectionProperties, options::BasicPublishOptions};
use rustix::process::{Pid, Signal, kill_process};
use testbed::{Postgres, RabbitMq, eventually, free_port};

use crate::{
    room::{Place, Room},
    shop::Shop,
};

/// Long enough for a slow day, short enough to notice.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The lab and, in the real world, the servers it uses.
pub(crate) struct World {
    pub(crate) lab: Lab,
    /// Where the broker is.
    queue: String,
    pub(crate) postgres: Option<Postgres>,
    pub(crate) rabbitmq: Option<RabbitMq>,
}

impl World {
    /// On SQLite and the embedded broker.
    pub(crate) async fn embedded() -> Self {
        Self::embedded_with(&[]).await
    }

    /// The same, with settings of the services and of the lab.
    pub(crate) async fn embedded_with(settings: &[(&str, &str)]) -> Self {
        let lab = Lab::start_with(&[], settings).await;
        lab.ready().await;
        let queue = format!("amqp://guest:guest@127.0.0.1:{}/%2f", lab.broker_port);
        Self { lab, queue, postgres: None, rabbitmq: None }
    }

    /// On a private Postgres and RabbitMQ; none if they are not installed.
    pub(crate) async fn real() -> Option<Self> {
        Self::real_set(&[]).await
    }

    /// The same, with settings of the services and of the lab.
    pub(crate) async fn real_set(settings: &[(&str, &str)]) -> Option<Self> {
        let (postgres, rabbitmq) = servers().await?;
        let (database, queue) = (postgres.url(), rabbitmq.url());
        let urls = ["--database-url", &database, "--amqp-url", &queue];
        let lab = Lab::start_with(&urls, settings).await;
        lab.ready().await;
        Some(Self { lab, queue, postgres: Some(postgres), rabbitmq: Some(rabbitmq) })
    }

    /// The same with more arguments for the lab, and with Prometheus to watch it.
    pub(crate) async fn real_watched(more: &[&str]) -> Option<Self> {
        if testbed::left_out(testbed::Prometheus::available()) {
            return None;
        }
        let (postgres, rabbitmq) = servers().await?;
        let (database, queue) = (postgres.url(), rabbitmq.url());
        let urls = ["--database-url", &database, "--amqp-url", &queue];
        let lab = Lab::start_watched(&[&urls, more].concat(), Room::Quiet).await;
        lab.ready().await;
        Some(Self { lab, queue, postgres: Some(postgres), rabbitmq: Some(rabbitmq) })
    }

    /// Puts a message into the queue of orders, as order-api would, in a trace.
    pub(crate) async fn publish(&self, event: &serde_json::Value, traceparent: &str) {
        let uri = self.queue.parse().expect("the address of a broker");
        let properties = ConnectionProperties::default();
        let connection = contract::broker::connect(uri, properties).await.expect("a connection");
        let channel = connection.create_channel().await.expect("a channel");
        let headers = contract::message::headers(Some(traceparent), None);
        let properties =
            BasicProperties::default().with_message_id("from-nobody".into()).with_headers(headers);
        let (exchange, key) = (ORDERS_EXCHANGE.into(), ORDER_PLACED_KEY.into());
        let (options, body) = (BasicPublishOptions::default(), event.to_string());
        let published =
            channel.basic_publish(exchange, key, options, body.as_bytes(), properties).await;
        published.expect("the broker takes it");
        connection.close(200, "done".into()).await.expect("the connection closes");
    }

    /// The front door.
    pub(crate) fn shop(&self) -> Shop {
        Shop::at(self.lab.gateway_port)
    }
}

/// A private Postgres and RabbitMQ; none if they are not installed.
async fn servers() -> Option<(Postgres, RabbitMq)> {
    if testbed::left_out(Postgres::available().and(RabbitMq::available())) {
        return None;
    }
    let postgres = Postgres::start().await.expect("a private Postgres starts");
    let rabbitmq = RabbitMq::start().await.expect("a private RabbitMQ starts");
    Some((postgres, rabbitmq))
}

/// The `lab up` process.
pub(crate) struct Lab {
    process: Child,
    _place: Place,
    /// Its TMPDIR: what it leaves behind would lie here.
    folder: tempfile::TempDir,
    pub(crate) gateway_port: u16,
    pub(crate) order_api_side_port: u16,
    pub(crate) worker_side_port: u16,
    pub(crate) desk_port: u16,
    broker_port: u16,
    pub(crate) provider_port: u16,
    pub(crate) prometheus_port: Option<u16>,
}

impl Lab {
    /// Starts it on free ports, without Prometheus and without customers.
    pub(crate) async fn start(more: &[&str]) -> Self {
        Self::start_with(more, &[]).await
    }

    /// The same, with settings of the services.
    pub(crate) async fn start_with(more: &[&str], settings: &[(&str, &str)]) -> Self {
        let flags = [&["--no-prometheus", "--rate", "0"], more].concat();
        Self::launch(&flags, settings, None, Room::Noisy).await
    }

    /// Starts it on free ports, with Prometheus.
    pub(crate) async fn start_watched(more: &[&str], room: Room) -> Self {
        let port = free_port();
        let flag = ["--prometheus-port".to_owned(), port.to_string()];
        Self::launch(&[&flag.each_ref().map(String::as_str), more].concat(), &[], Some(port), room)
            .await
    }

    async fn launch(
        more: &[&str],
        settings: &[(&str, &str)],
        prometheus_port: Option<u16>,
        room: Room,
    ) -> Self {
        let place = room.enter().await;
        let folder = tempfile::tempdir().expect("a folder for the lab");
        let [gateway_port, order_api_side_port, worker_side_port] =
            std::array::from_fn(|_| free_port());
        let [desk_port, broker_port, provider_port] = std::array::from_fn(|_| free_port());
        let ports = [
            ("--gateway-port", gateway_port),
            ("--gateway-side-port", free_port()),
            ("--order-api-port", free_port()),
            ("--order-api-side-port", order_api_side_port),
            ("--order-api-canary-port", free_port()),
            ("--order-api-canary-side-port", free_port()),
            ("--worker-side-port", worker_side_port),
            ("--desk-port", desk_port),
            ("--broker-port", broker_port),
            ("--provider-port", provider_port),
            ("--otlp-port", free_port()),
        ];
        let output = fs::File::create(folder.path().join("screen")).expect("a file");
        let process = Command::new(env!("CARGO_BIN_EXE_lab"))
            .arg("up")
            .args(ports.iter().flat_map(|(flag, port)| [(*flag).to_owned(), port.to_string()]))
            .args(more)
            .env("TMPDIR", folder.path())
            .env("LOG_FORMAT", "json")
            // Who declines nothing leaves nothing to chance.
            .env("LAB_PROVIDER_DECLINE_RATE", "0")
            .envs(settings.iter().copied())
            .stdin(Stdio::null())
            .stdout(output)
            .spawn()
            .expect("the lab starts");
        Self {
            process,
            _place: place,
            folder,
            gateway_port,
            order_api_side_port,
            worker_side_port,
            desk_port,
            broker_port,
            provider_port,
            prometheus_port,
        }
    }

    /// Waits until every service is ready.
    pub(crate) async fn ready(&self) {
        let urls = [
            format!("http://127.0.0.1:{}/ready", self.gateway_port),
            format!("http://127.0.0.1:{}/ready", self.order_api_side_port),
            format!("http://127.0.0.1:{}/ready", self.worker_side_port),
        ];
        for url in &urls {
            eventually(PATIENCE, &format!("{url} answers 200"), || async {
                reqwest::get(url).await.ok()?.status().is_success().then_some(())
            })
            .await;
        }
    }

    /// Runs a client subcommand of the lab: exit code and what it printed.
    pub(crate) fn command(&self, arguments: &[&str]) -> (i32, String) {
        let desk = format!("http://127.0.0.1:{}", self.desk_port);
        let output = Command::new(env!("CARGO_BIN_EXE_lab"))
            .args(arguments)
            .env("LAB_DESK_URL", desk)
            .env("LAB_GATEWAY_URL", format!("http://127.0.0.1:{}", self.gateway_port))
            .output()
            .expect("the lab's program runs");
        let text = [output.stdout, output.stderr].concat();
        (output.status.code().expect("no signal"), String::from_utf8(text).expect("text"))
    }

    /// The process id of a service.
    pub(crate) fn pid(&self, service: &str) -> Option<Pid> {
        children(self.process.id())
            .into_iter()
            .find(|pid| {
                let arguments = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
                arguments.split(|byte| *byte == 0).any(|argument| argument == service.as_bytes())
            })
            .and_then(|pid| Pid::from_raw(pid.cast_signed()))
    }

    /// Kills a service as the kernel would, and waits until there is a new one.
    pub(crate) async fn kill(&self, service: &str) {
        let old =
            eventually(PATIENCE, &format!("{service} runs"), || async { self.pid(service) }).await;
        kill_process(old, Signal::KILL).expect("the service was there to be killed");
        eventually(PATIENCE, &format!("{service} runs again"), || async {
            self.pid(service).filter(|new| *new != old)
        })
        .await;
    }

    /// The processes that belong to this lab.
    pub(crate) fn processes(&self) -> Vec<u32> {
        children(self.process.id())
    }

    /// Sends the lab a signal and waits for its end.
    pub(crate) fn signal(&mut self, signal: Signal) -> ExitStatus {
        kill_process(Pid::from_child(&self.process), signal).expect("the lab runs");
        self.process.wait().expect("the lab ends")
    }

    /// The folder in which the lab keeps the store and the logs, while it runs.
    pub(crate) fn folder(&self) -> Option<PathBuf> {
        let entries = fs::read_dir(self.folder.path()).expect("the folder is there").flatten();
        entries.map(|entry| entry.path()).find(|path| path.is_dir())
    }

    /// What it has printed so far.
    pub(crate) fn screen(&self) -> String {
        read(&self.folder.path().join("screen"))
    }

    /// What a service has logged, with what was set aside because its file was full.
    pub(crate) fn whole_log(&self, service: &str) -> String {
        let folder = self.folder().expect("the lab runs");
        ["log.1", "log"].map(|end| read(&folder.join(format!("{service}.{end}")))).concat()
    }

    /// Everything that a service has logged so far.
    pub(crate) fn log(&self, service: &str) -> String {
        read(&self.folder().expect("the lab runs").join(format!("{service}.log")))
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.screen());
            for service in ["web-gateway", "order-api", "fulfillment-worker"] {
                let log = self.folder().map(|folder| read(&folder.join(format!("{service}.log"))));
                let lines: Vec<_> = log.iter().flat_map(|log| log.lines().rev()).take(15).collect();
                eprintln!("{service}, last line first:\n{}", lines.join("\n"));
            }
        }
        let _ = kill_process(Pid::from_child(&self.process), Signal::TERM);
        let _ = self.process.wait();
    }
}

fn read(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
}

fn children(parent: u32) -> Vec<u32> {
    let tasks = fs::read_dir(format!("/proc/{parent}/task")).into_iter().flatten().flatten();
    tasks
        .filter_map(|task| fs::read_to_string(task.path().join("children")).ok())
        .flat_map(|pids| pids.split_whitespace().flat_map(str::parse).collect::<Vec<_>>())
        .collect()
}
