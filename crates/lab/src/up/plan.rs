//! Who runs where, and with which settings.

use std::path::PathBuf;

use anyhow::Context as _;
use faults::CANARY_VERSION;
use identity::{demo::DemoUsers, secret::Secret};
use instrumentation::export;

use super::{
    Args, World,
    child::Program,
    ports::{Ports, local},
    prometheus,
};
use crate::{
    desk,
    proxy::{self, Proxy},
};

/// The lab as it will run.
pub(crate) struct Plan {
    pub(crate) ports: Ports,
    pub(crate) database: Source,
    /// What stands in the path of order-api to it, if something does.
    proxy: Option<Proxied>,
    pub(crate) queue: Source,
    /// Whether order-api runs twice.
    pub(crate) canary: bool,
    pub(crate) prometheus: Option<PathBuf>,
    /// Where traces and logs go, if not to the desk.
    pub(crate) otlp_elsewhere: Option<String>,
    /// What all processes send, and where.
    pub(crate) export: export::Config,
    pub(crate) logs: PathBuf,
    prometheus_arguments: Vec<String>,
    provider: desk::ProviderSettings,
    rate: f64,
    seed: u64,
    jwt_secret: Secret,
    demo_users: DemoUsers,
}

/// A proxy before the database.
struct Proxied {
    /// The database, through the proxy.
    url: String,
    /// Where the proxy is told how long the way is.
    control_url: String,
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
        let proxied = |proxy: &Proxy| {
            let url = proxy::through(&database.url, proxy.address())?;
            Some(Proxied { url, control_url: proxy.control_url() })
        };
        let proxy = world.proxy.as_ref().and_then(proxied);
        let embedded = world.broker.as_ref().map(|broker| broker.metrics);
        let broker_metrics = embedded.or(args.rabbitmq_metrics);
        let prometheus_arguments = match prometheus {
            Some(_) => {
                let canary = args.canary.then_some(args.ports.order_api_canary_side_port);
                let folder = folder.join("prometheus");
                prometheus::prepare(&folder, &args.ports, canary, broker_metrics)?
            }
            None => Vec::new(),
        };
        Ok(Self {
            ports: args.ports.clone(),
            database,
            proxy,
            queue,
            canary: args.canary,
            prometheus,
            otlp_elsewhere: args.export.otlp_endpoint.as_ref().map(ToString::to_string),
            export: exported(args)?,
            logs: folder.to_owned(),
            prometheus_arguments,
            provider: args.provider.clone(),
            rate: args.rate,
            seed: args.seed,
            jwt_secret: args.jwt_secret.clone().unwrap_or_else(Secret::random),
            demo_users: args.demo_users.clone(),
        })
    }

    /// The child processes.
    pub(crate) fn programs(&self) -> Vec<Program> {
        let services = [self.order_api(), self.web_gateway(), self.fulfillment_worker()];
        services.into_iter().chain(self.order_api_canary()).chain(self.prometheus()).collect()
    }

    /// The settings of the control desk and of the customers.
    pub(crate) fn desk(&self) -> desk::Config {
        let side = |port: u16| format!("http://{}", local(port));
        desk::Config {
            listen: local(self.ports.desk_port),
            otlp_listen: local(self.ports.otlp_port),
            otlp_elsewhere: self.otlp_elsewhere.clone(),
            provider_listen: local(self.ports.provider_port),
            provider: self.provider.clone(),
            gateway_url: self.gateway_url(),
            web_gateway_side_url: side(self.ports.gateway_side_port),
            order_api_side_url: side(self.ports.order_api_side_port),
            order_api_canary_side_url: self
                .canary
                .then(|| side(self.ports.order_api_canary_side_port)),
            fulfillment_worker_side_url: side(self.ports.worker_side_port),
            amqp_url: self.queue.url.clone(),
            prometheus_url: self
                .prometheus
                .as_ref()
                .map(|_| format!("http://{}", local(self.ports.prometheus_port))),
            database_url: self.database.url.parse().ok(),
            database_proxy_url: self.proxy.as_ref().map(|proxy| proxy.control_url.clone()),
            rate: self.rate,
            seed: self.seed,
            demo_users: self.demo_users.clone(),
            calm: desk::CALM,
        }
    }

    pub(crate) fn gateway_url(&self) -> String {
        format!("http://{}", local(self.ports.gateway_port))
    }

    pub(crate) fn desk_url(&self) -> String {
        format!("http://{}", local(self.ports.desk_port))
    }

    pub(crate) fn provider_url(&self) -> String {
        format!("http://{}", local(self.ports.provider_port))
    }

    /// Where order-api asks for the database.
    fn path_to_database(&self) -> &str {
        self.proxy.as_ref().map_or(&self.database.url, |proxy| &proxy.url)
    }

    /// Where order-api's replicas are.
    fn order_api_url(&self) -> String {
        let canary = self.canary.then_some(self.ports.order_api_canary_port);
        let ports = [self.ports.order_api_port].into_iter().chain(canary);
        let urls: Vec<_> = ports.map(|port| format!("http://{}", local(port))).collect();
        urls.join(",")
    }

    fn order_api(&self) -> Program {
        let Ports { order_api_port, order_api_side_port, .. } = self.ports;
        self.replica(order_api_port, order_api_side_port)
    }

    /// The second one, with a log file and a version of its own.
    fn order_api_canary(&self) -> Option<Program> {
        let Ports { order_api_canary_port, order_api_canary_side_port, .. } = self.ports;
        self.canary.then(|| {
            let mut program = self.replica(order_api_canary_port, order_api_canary_side_port);
            program.arguments.extend(["--service-version", CANARY_VERSION].map(str::to_owned));
            let name = "order-api-canary";
            Program { name, log: self.log_of(name), ..program }
        })
    }

    /// A replica of order-api.
    fn replica(&self, port: u16, side_port: u16) -> Program {
        let settings = [
            ("--listen", local(port).to_string()),
            ("--side-listen", local(side_port).to_string()),
        ];
        let desk::ProviderSettings { provider_client_id, provider_client_secret, .. } =
            self.provider.clone();
        let secrets = [
            ("DATABASE_URL", self.path_to_database().to_owned()),
            ("AMQP_URL", self.queue.url.clone()),
            ("PAYMENT_PROVIDER_URL", self.provider_url()),
            ("PAYMENT_PROVIDER_CLIENT_ID", provider_client_id),
            ("PAYMENT_PROVIDER_CLIENT_SECRET", provider_client_secret.0),
        ];
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
        self.service("fulfillment-worker", settings, [("AMQP_URL", self.queue.url.clone())])
    }

    /// A service; secrets, such as addresses with passwords, go by the environment, which only its
    /// owner can read.
    fn service<const N: usize, const M: usize>(
        &self,
        name: &'static str,
        settings: [(&str, String); N],
        secrets: [(&'static str, String); M],
    ) -> Program {
        let arguments = ["service", "--with-parent", name].map(str::to_owned).into_iter();
        let settings = settings.into_iter().chain(self.export.flags());
        let settings = settings.flat_map(|(flag, value)| [flag.to_owned(), value]);
        let secrets = secrets.into_iter().chain(self.identity(name)).chain(self.export.secrets());
        self.program(name, arguments.chain(settings).collect(), secrets.collect())
    }

    /// What a service needs to know who calls it.
    fn identity(&self, name: &str) -> impl Iterator<Item = (&'static str, String)> {
        let users = (name == "order-api").then(|| ("DEMO_USERS", self.demo_users.expose()));
        users.into_iter().chain([("JWT_SECRET", self.jwt_secret.expose().to_owned())])
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
        Program { name, arguments, secrets, log: self.log_of(name) }
    }

    fn log_of(&self, name: &str) -> PathBuf {
        self.logs.join(format!("{name}.log"))
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
        let told = otlp_elsewhere.iter().flat_map(|url| ["--otlp-endpoint", url]);
        let otlp_elsewhere = otlp_elsewhere.map(str::to_owned);
        Plan { otlp_elsewhere, ..plan_for(&told.collect::<Vec<_>>()) }
    }

    fn plan_for(told: &[&str]) -> Plan {
        let source = || Source { url: String::new(), embedded: true };
        let args = Cli::parse_from(["lab", "--otlp-port", "14317"].iter().chain(told)).args;
        Plan {
            ports: args.ports.clone(),
            database: source(),
            proxy: None,
            queue: source(),
            canary: args.canary,
            prometheus: None,
            otlp_elsewhere: None,
            export: exported(&args).unwrap(),
            logs: PathBuf::new(),
            prometheus_arguments: Vec::new(),
            provider: args.provider,
            rate: 0.0,
            seed: 1,
            jwt_secret: args.jwt_secret.unwrap_or_else(Secret::random),
            demo_users: args.demo_users,
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
    fn a_second_replica_of_order_api_is_like_the_first_but_for_its_places_and_its_version() {
        let plan = plan_for(&["--canary"]);
        let programs = plan.programs();
        let of = |name: &str| programs.iter().find(|program| program.name == name).unwrap();
        let (first, second) = (of("order-api"), of("order-api-canary"));
        assert_eq!(first.secrets, second.secrets);
        assert_ne!(first.log, second.log);
        let both = first.arguments.iter().zip(&second.arguments);
        let other: Vec<_> = both.filter(|(one, two)| one != two).map(|(_, two)| two).collect();
        assert_eq!(other, ["127.0.0.1:50052", "127.0.0.1:8001"]);
        let more = &second.arguments[first.arguments.len()..];
        assert_eq!(more, ["--service-version", CANARY_VERSION]);
        assert_ne!(CANARY_VERSION, instrumentation::VERSION);
        let urls = "http://127.0.0.1:50051,http://127.0.0.1:50052".to_owned();
        for caller in ["web-gateway", "fulfillment-worker"] {
            assert!(of(caller).arguments.contains(&urls), "{caller}");
        }
        let side = plan.desk().order_api_canary_side_url;
        assert_eq!(side.as_deref(), Some("http://127.0.0.1:8001"));
        assert_eq!(super::tests::plan(None).desk().order_api_canary_side_url, None);
    }

    /// Who reads a command line must not be able to sign tokens, and a child that is logged must
    /// not show its secrets.
    #[test]
    fn every_service_verifies_with_the_secret_of_this_lab_alone() {
        let plan = plan(None);
        for program in plan.programs() {
            let of = |program: &Program, name: &str| {
                let secret = program.secrets.iter().find(|(known, _)| *known == name);
                secret.map(|(_, secret)| secret.clone())
            };
            let secret = of(&program, "JWT_SECRET").unwrap();
            assert!(secret.parse::<Secret>().is_ok_and(|secret| !secret.is_demo()));
            assert!(!program.arguments.contains(&secret), "{:?}", program.arguments);
            let users = of(&program, "DEMO_USERS");
            assert_eq!(users.is_some(), program.name == "order-api", "{:?}", program.name);
        }
        let secret = |plan: &Plan| plan.jwt_secret.expose().to_owned();
        assert_ne!(secret(&plan), secret(&super::tests::plan(None)), "another each time");
    }

    #[test]
    fn order_api_is_told_where_the_provider_is_and_how_to_be_let_in() {
        let plan = plan(None);
        let order_api = plan.order_api();
        let told = |name: &str| {
            let found = order_api.secrets.iter().find(|(secret, _)| *secret == name);
            found.map(|(_, value)| value.as_str())
        };
        assert_eq!(told("PAYMENT_PROVIDER_URL"), Some("http://127.0.0.1:4100"));
        assert_eq!(told("PAYMENT_PROVIDER_CLIENT_ID"), Some("shop"));
        assert_eq!(told("PAYMENT_PROVIDER_CLIENT_SECRET"), Some("shop-secret"));
        assert_eq!(plan.desk().provider_listen, local(4100));
        assert!(!order_api.arguments.iter().any(|argument| argument.contains("shop-secret")));
    }

    /// The desk goes past the proxy: a learner's way to the database is as short as ever.
    #[test]
    fn order_api_alone_goes_through_the_proxy_before_the_database() {
        let url = "postgres://shop@127.0.0.1:15432/shop".to_owned();
        let control_url = "http://127.0.0.1:4200".to_owned();
        let database = Source { url: "postgres://shop@db/shop".to_owned(), embedded: false };
        let proxy = Some(Proxied { url: url.clone(), control_url: control_url.clone() });
        let plan = Plan { database, proxy, ..plan_for(&["--canary"]) };
        let going: Vec<_> =
            plan.programs().into_iter().flat_map(|program| program.secrets).collect();
        let going = going.iter().filter(|(name, _)| *name == "DATABASE_URL");
        assert_eq!(going.map(|(_, url)| url).collect::<Vec<_>>(), [&url, &url]);
        let desk = plan.desk();
        assert_eq!(desk.database_proxy_url, Some(control_url));
        assert_eq!(format!("{:?}", desk.database_url.unwrap()), "postgres://db:5432/shop");
    }

    #[test]
    fn what_is_shown_has_no_password() {
        let shown = |url: &str| Source { url: url.to_owned(), embedded: false }.shown();
        assert_eq!(shown("postgres://shop:secret@db:5432/shop"), "postgres://db:5432/shop");
        assert_eq!(shown("postgres://shop:p@ss@db/shop"), "postgres://db/shop");
        assert_eq!(shown("sqlite:///tmp/shop.db"), "sqlite:///tmp/shop.db");
    }
}
