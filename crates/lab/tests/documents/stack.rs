//! The stack in Docker: what every container has, what it may take, and who reaches it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_yaml_ng::Value;

use crate::{repository, runbooks};

/// docker-compose.yml, with its anchors put in place.
#[derive(Deserialize)]
pub(crate) struct Compose {
    pub(crate) services: BTreeMap<String, Service>,
    volumes: BTreeMap<String, Value>,
}

/// One service of it.
#[derive(Deserialize)]
pub(crate) struct Service {
    pub(crate) image: String,
    build: Option<Value>,
    #[serde(default)]
    pub(crate) environment: BTreeMap<String, Value>,
    #[serde(default)]
    pub(crate) profiles: Vec<String>,
    #[serde(default)]
    pub(crate) volumes: Vec<String>,
    #[serde(default)]
    pub(crate) ports: Vec<String>,
    #[serde(default)]
    depends_on: BTreeMap<String, Value>,
    healthcheck: Option<Value>,
    #[serde(default)]
    read_only: bool,
    #[serde(default)]
    cap_drop: Vec<String>,
    mem_limit: String,
}

impl Service {
    fn mebibytes(&self) -> u32 {
        let limit = self.mem_limit.strip_suffix('m').and_then(|limit| limit.parse().ok());
        limit.unwrap_or_else(|| panic!("{} is no number of MiB", self.mem_limit))
    }

    fn by_default(&self) -> bool {
        self.profiles.is_empty()
    }

    /// The tag of its image.
    pub(crate) fn version(&self) -> &str {
        self.image.rsplit_once(':').map_or("", |(_, tag)| tag)
    }
}

/// The stack.
pub(crate) fn compose() -> Compose {
    repository::yaml_file("docker-compose.yml")
}

/// The host of an address, with or without a scheme.
pub(crate) fn host(address: &str) -> &str {
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    rest.split(':').next().unwrap_or_default()
}

/// What all of these may take together, in MiB.
fn together<'a>(services: impl Iterator<Item = &'a Service>) -> u32 {
    services.map(Service::mebibytes).sum()
}

#[test]
fn the_default_stack_may_take_less_than_four_gigabytes() {
    let stack = compose();
    let limit = together(stack.services.values().filter(|service| service.by_default()));
    assert!(limit < 4096, "{limit} MiB");
}

#[test]
fn the_table_of_memory_says_every_limit_and_their_sums() {
    let stack = compose();
    let text = repository::read("docker-compose.yml");
    let says = |first: &str, limit: u32| {
        let mut rows = text.lines().filter_map(|line| line.strip_prefix("#   "));
        let row = rows.any(|row| row.starts_with(first) && row.ends_with(&format!(" {limit}")));
        assert!(row, "no row of the table says {first} … {limit}");
    };
    for (name, service) in &stack.services {
        says(&format!("{name} "), service.mebibytes());
    }
    says("together ", together(stack.services.values().filter(|service| service.by_default())));
    let profiles: BTreeSet<_> =
        stack.services.values().flat_map(|service| &service.profiles).collect();
    for profile in profiles {
        let of_it = |service: &&Service| service.profiles.contains(profile);
        says("together also ", together(stack.services.values().filter(of_it)));
    }
}

#[test]
fn every_container_is_read_only_without_capabilities_and_says_how_it_is() {
    // The image of one has nothing to ask with, the others end.
    let unasked = ["otel-collector", "kibana-setup", "k6"];
    for (name, service) in &compose().services {
        assert!(service.read_only, "{name} can be written to");
        assert_eq!(service.cap_drop, ["ALL"], "{name}");
        let asked = service.healthcheck.as_ref().is_some_and(|check| check.get("test").is_some());
        assert_ne!(asked, unasked.contains(&name.as_str()), "{name}: healthcheck");
    }
}

#[test]
fn every_image_that_is_not_built_here_has_a_version() {
    for (name, service) in &compose().services {
        let fixed = service.version().bytes().any(|byte| byte.is_ascii_digit());
        assert!(fixed || service.build.is_some(), "{name} runs any {}", service.image);
    }
}

#[test]
fn every_port_is_of_the_loopback_and_stands_in_the_example_of_env() {
    let example = repository::read(".env.example");
    let stack = compose();
    let ports = stack.services.iter().flat_map(|(name, service)| {
        service.ports.iter().map(move |port| (name.as_str(), port.as_str()))
    });
    for (name, port) in ports {
        let setting = port.strip_prefix("127.0.0.1:${").and_then(|rest| rest.split_once('}'));
        let (setting, _) = setting.unwrap_or_else(|| panic!("{name} publishes {port}"));
        let line = setting.replace(":-", "=");
        assert!(example.lines().any(|each| each == line), ".env.example has no {line}");
    }
}

/// Else it could be written into `.env`, and nothing would change.
#[test]
fn every_setting_that_a_runbook_names_reaches_its_service() {
    const SETTINGS: [&str; 7] = [
        "WEB_GATEWAY_",
        "ORDER_API_",
        "FULFILLMENT_WORKER_",
        "PAYMENT_PROVIDER_",
        "BREAKER_",
        "OTEL_",
        "LOG_",
    ];
    let (stack, mut found) = (repository::read("docker-compose.yml"), 0);
    for runbook in runbooks::all() {
        for word in runbook.code_words() {
            let shouted = word.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
            if shouted && SETTINGS.iter().any(|setting| word.starts_with(setting)) {
                let passed_on = format!("{word}:");
                let reaches = stack.lines().any(|line| line.trim_start().starts_with(&passed_on));
                assert!(reaches, "{}: {word} is not in docker-compose.yml", runbook.name);
                found += 1;
            }
        }
    }
    assert!(found > 5, "the runbooks name {found} settings");
}

#[test]
fn whatever_is_mounted_is_there() {
    let stack = compose();
    for (name, service) in &stack.services {
        for volume in &service.volumes {
            let source = volume.split(':').next().unwrap_or_default();
            let there = match source.strip_prefix("./") {
                Some(file) => repository::path(file).exists(),
                None => source.starts_with('/') || stack.volumes.contains_key(source),
            };
            assert!(there, "{name} mounts {source}");
        }
    }
}

#[test]
fn who_has_telemetry_sends_it_and_waits_for_nobody_who_takes_it() {
    let stack = compose();
    let keepers = ["otel-collector", "jaeger", "loki"];
    for name in ["web-gateway", "order-api", "fulfillment-worker", "lab"] {
        let service = &stack.services[name];
        let to = service.environment.get("OTEL_EXPORTER_OTLP_ENDPOINT").and_then(Value::as_str);
        let usual = "${OTEL_EXPORTER_OTLP_ENDPOINT:-http://otel-collector:4317}";
        assert_eq!(to, Some(usual), "{name}");
        let waits = service.depends_on.keys().find(|other| keepers.contains(&other.as_str()));
        assert_eq!(waits, None, "{name}");
    }
}

#[test]
fn what_just_starts_as_core_is_in_the_stack_and_so_is_what_it_needs() {
    let stack = compose();
    let recipes = repository::read("justfile");
    let line = recipes.lines().find_map(|line| line.strip_prefix("core := "));
    let core: Vec<_> = line.expect("there is a core").trim_matches('"').split(' ').collect();
    for name in core {
        let service = stack.services.get(name).unwrap_or_else(|| panic!("there is no {name}"));
        for other in service.depends_on.keys() {
            assert!(stack.services[other].by_default(), "{name} needs {other}");
        }
    }
}

#[test]
fn whoever_is_scraped_is_in_the_stack() {
    let stack = compose();
    let config: Value = repository::yaml_file("prometheus/prometheus.yml");
    let jobs = config["scrape_configs"].as_sequence().unwrap();
    for job in jobs {
        let listed = job["static_configs"][0]["targets"][0].as_str();
        let target = listed.or_else(|| job["dns_sd_configs"][0]["names"][0].as_str()).unwrap();
        let host = host(target);
        assert!(host == "localhost" || stack.services.contains_key(host), "nobody is {target}");
    }
}

/// `docker compose --profile canary up`
#[test]
fn a_second_replica_of_order_api_is_found_at_its_name_and_told_from_the_first() {
    let stack: Value = repository::yaml_file("docker-compose.yml");
    let services = &stack["services"];
    let aliases = |name: &str| services[name]["networks"]["default"]["aliases"].clone();
    assert_eq!(aliases("order-api-canary"), Value::Sequence(vec!["order-api".into()]));
    let (first, second) = (&services["order-api"], &services["order-api-canary"]);
    assert_eq!(second["environment"]["SERVICE_VERSION"], faults::CANARY_VERSION);
    for name in ["image", "build", "mem_limit", "cpus", "healthcheck"] {
        assert_eq!(first[name], second[name], "{name}");
    }
    for (name, value) in first["environment"].as_mapping().unwrap() {
        assert_eq!(value, &second["environment"][name], "{name:?}");
    }
    let lab = &services["lab"]["environment"];
    let side = |setting: &str| host(lab[setting].as_str().unwrap()).to_owned();
    assert_eq!(side("LAB_ORDER_API_CANARY_SIDE_URL"), "order-api-canary");
    let first = side("LAB_ORDER_API_SIDE_URL");
    assert_eq!(aliases("order-api"), Value::Sequence(vec![first.into()]), "the first alone");
}

/// `docker compose up --scale order-api=2 --scale fulfillment-worker=3`
#[test]
fn what_may_run_more_than_once_has_no_port_or_name_of_its_own_and_each_one_is_scraped() {
    let stack: Value = repository::yaml_file("docker-compose.yml");
    let config: Value = repository::yaml_file("prometheus/prometheus.yml");
    for name in ["order-api", "fulfillment-worker"] {
        let service = &stack["services"][name];
        for own in ["ports", "container_name", "hostname"] {
            assert_eq!(service.get(own), None, "{name} can have only one {own}");
        }
        let mut jobs = config["scrape_configs"].as_sequence().unwrap().iter();
        let found = jobs.find(|job| job["job_name"].as_str() == Some(name)).unwrap();
        assert_eq!(found["dns_sd_configs"][0]["names"][0].as_str(), Some(name));
    }
}
