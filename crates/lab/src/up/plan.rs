//! Who runs where, and with which settings.

use std::path::PathBuf;

use anyhow::Context as _;
use instrumentation::export;

use super::{
    Args, World,
    child::Program,
    ports::{Ports, local},
    prometheus,
};
use crate::desk;

/// The lab as it will run.
pub(crate) struct Plan {
    pub(crate) ports: Ports,
    pub(crate) database: Source,
    pub(crate) queue: Source,
    pub(crate) prometheus: Option<PathBuf>,
    /// Where traces and logs go, if not to the desk.
    pub(crate) otlp_elsewhere: Option<String>,
    /// What all processes send, and where.
    pub(crate) export: export::Config,
    pub(crate) logs: PathBuf,
    prometheus_arguments: Vec<String>,
    rate: f64,
    seed: u64,
}

/// Where a service finds something: embedded, or a real server.
pub(crate) struct Source {
    pub(crate) url: String,
    pub(crate) embedded: bool,
}

impl Plan {
    /// Decides everything that is left to decide.
    pub(crate) fn new(
        args: &Args,
        world: &World,
        prometheus: Option<PathBuf>,
    ) -> anyhow::Result<Self> {
        let folder = world.folder.path();
        let file = format!("sqlite://{}", folder.join("shop.db").display());
        let database = match &args.database_url {
            Some(url) => Source { url: url.clone(), embedded: false },
            None => Source { url: file, embedded: true },
        };
        let queue = match (&args.amqp_url, &world.broker) {
            (Some(url), _) => Source { url: url.clone(), embedded: false },
            (None, Some(broker)) => Source { url: broker.url.clone(), embedded: true },
            (None, None) => anyhow::bail!("there is no broker"),
        };
        let broker_metrics = world.broker.as_ref().map(|broker| broker.metrics);
        let prometheus_arguments = match prometheus {
            Some(_) => {
                prometheus::prepare(&folder.join("prometheus"), &args.ports, broker_metrics)?
            }
            None => Vec::new(),
        };
        Ok(Self {
            ports: args.ports.clone(),
            database,
            queue,
            prometheus,
            otlp_elsewhere: args.export.otlp_endpoint.as_ref().map(ToString::to_string),
            export: exported(args)?,
            logs: folder.to_owned(),
            prometheus_arguments,
            rate: args.rate,
            seed: args.seed,
        })
    }

    /// The child processes.
    pub(crate) fn programs(&self) -> Vec<Program> {
        let services = [self.order_api(), self.web_gateway(), self.fulfillment_worker()];
        services.into_iter().chain(self.prometheus()).collect()
    }

    /// The settings of the control desk and of the customers.
    pub(crate) fn desk(&self) -> desk::Config {
        let side = |port: u16| format!("http://{}", local(port));
        desk::Config {
            listen: local(self.ports.desk_port),
            otlp_listen: local(self.ports.otlp_port),
            otlp_elsewhere: self.otlp_elsewhere.clone(),
            gateway_url: self.gateway_url(),
            web_gateway_side_url: side(self.ports.gateway_side_port),
            order_api_side_url: side(self.ports.order_api_side_port),
            fulfillment_worker_side_url: side(self.ports.worker_side_port),
            amqp_url: self.queue.url.clone(),
            rate: self.rate,
            seed: self.seed,
        }
    }

    pub(crate) fn gateway_url(&self) -> String {
        format!("http://{}", local(self.ports.gateway_port))
    }

    pub(crate) fn desk_url(&self) -> String {
        format!("http://{}", local(self.ports.desk_port))
    }

    fn order_api_url(&self) -> String {
        format!("http://{}", local(self.ports.order_api_port))
    }

    fn order_api(&self) -> Program {
        let settings = [
            ("--listen", local(self.ports.order_api_port).to_string()),
            ("--side-listen", local(self.ports.order_api_side_port).to_string()),
        ];
        let secrets = [("DATABASE_URL", &self.database), ("AMQP_URL", &self.queue)];
        self.service("order-api", settings, secrets)
    }

    fn web_gateway(&self) -> Program {
        let settings = [
            ("--listen", local(self.ports.gateway_port).to_string()),
            ("--side-listen", local(self.ports.gateway_side_port).to_string()),
            ("--order-api-url", self.order_api_url()),
            ("--trace-url", format!("{}/traces/{{trace_id}}", self.desk_url())),
        ];
        self.service("web-gateway", settings, [])
    }

    fn fulfillment_worker(&self) -> Program {
        let settings = [
            ("--side-listen", local(self.ports.worker_side_port).to_string()),
            ("--order-api-url", self.order_api_url()),
        ];
        self.service("fulfillment-worker", settings, [("AMQP_URL", &self.queue)])
    }

    /// A service; addresses with passwords go by the environment, which only its owner can read.
    fn service<const N: usize, const M: usize>(
        &self,
        name: &'static str,
        settings: [(&str, String); N],
        secrets: [(&'static str, &Source); M],
    ) -> Program {
        let arguments = ["service", "--with-parent", name].map(str::to_owned).into_iter();
        let settings = settings.into_iter().chain(self.export.flags());
        let settings = settings.flat_map(|(flag, value)| [flag.to_owned(), value]);
        let secrets = secrets.map(|(name, source)| (name, source.url.clone()));
        self.program(name, arguments.chain(settings).collect(), secrets.into())
    }

    fn prometheus(&self) -> Option<Program> {
        let program = self.prometheus.as_ref()?;
        let arguments = ["guard".to_owned(), program.display().to_string()].into_iter();
        let arguments = arguments.chain(self.prometheus_arguments.clone()).collect();
        Some(self.program("prometheus", arguments, Vec::new()))
    }

    fn program(
        &self,
        name: &'static str,
        arguments: Vec<String>,
        secrets: Vec<(&'static str, String)>,
    ) -> Program {
        Program { name, arguments, secrets, log: self.logs.join(format!("{name}.log")) }
    }
}

/// What was asked for, sent to the desk unless it is to go elsewhere.
fn exported(args: &Args) -> anyhow::Result<export::Config> {
    let here = format!("http://{}", local(args.ports.otlp_port));
    let endpoint = match &args.export.otlp_endpoint {
        Some(elsewhere) => elsewhere.clone(),
        None => here.parse().context("the lab's own address")?,
    };
    Ok(export::Config { otlp_endpoint: Some(endpoint), ..args.export.clone() })
}

impl Source {
    /// The address without user and password.
    pub(crate) fn shown(&self) -> String {
        match (self.url.split_once("://"), self.url.rsplit_once('@')) {
            (Some((scheme, _)), Some((_, host))) => format!("{scheme}://{host}"),
            _ => self.url.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Cli {
        #[command(flatten)]
        args: Args,
    }

    fn plan(otlp_elsewhere: Option<&str>) -> Plan {
        let source = || Source { url: String::new(), embedded: true };
        let told = otlp_elsewhere.iter().flat_map(|url| ["--otlp-endpoint", url]);
        let args = Cli::parse_from(["lab", "--otlp-port", "14317"].into_iter().chain(told)).args;
        Plan {
            ports: args.ports.clone(),
            database: source(),
            queue: source(),
            prometheus: None,
            otlp_elsewhere: otlp_elsewhere.map(str::to_owned),
            export: exported(&args).unwrap(),
            logs: PathBuf::new(),
            prometheus_arguments: Vec::new(),
            rate: 0.0,
            seed: 1,
        }
    }

    #[test]
    fn every_service_sends_traces_and_logs_to_the_lab_unless_told_where() {
        let elsewhere = "http://tempo:4317";
        for (told, url) in [(None, "http://127.0.0.1:14317"), (Some(elsewhere), elsewhere)] {
            for program in plan(told).programs() {
                let mut arguments = program.arguments.iter();
                let flag = arguments.find(|argument| *argument == "--otlp-endpoint");
                assert!(flag.is_some(), "{program:?}");
                let sent_to = arguments.next().map(|url| url.trim_end_matches('/'));
                assert_eq!(sent_to, Some(url), "{program:?}");
            }
            assert_eq!(plan(told).desk().otlp_elsewhere.as_deref(), told);
        }
        assert_eq!(plan(None).programs().len(), 3);
    }

    #[test]
    fn what_is_shown_has_no_password() {
        let shown = |url: &str| Source { url: url.to_owned(), embedded: false }.shown();
        assert_eq!(shown("postgres://shop:secret@db:5432/shop"), "postgres://db:5432/shop");
        assert_eq!(shown("postgres://shop:p@ss@db/shop"), "postgres://db/shop");
        assert_eq!(shown("sqlite:///tmp/shop.db"), "sqlite:///tmp/shop.db");
    }
}
