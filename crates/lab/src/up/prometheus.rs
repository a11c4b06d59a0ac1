//! Prometheus beside the lab: the project's own configuration, with the lab's addresses in it.

use std::{fs, net::SocketAddr, path::Path};

use anyhow::Context as _;
use serde_yaml_ng::Value;

use super::ports::{Ports, local};

/// Where order-api is scraped in compose.
const ORDER_API: &str = "order-api:8000";
/// What its second replica is called.
const CANARY: &str = "order-api-canary:8000";

const CONFIG: &str = include_str!("../../../../prometheus/prometheus.yml");

/// The rule files, by name.
const RULES: &[(&str, &str)] = &[
    ("recording.yml", include_str!("../../../../prometheus/rules/recording.yml")),
    ("slo.yml", include_str!("../../../../prometheus/rules/slo.yml")),
    ("tickets.yml", include_str!("../../../../prometheus/rules/tickets.yml")),
];

/// Writes configuration and rules into `folder`; returns Prometheus's arguments.
pub(crate) fn prepare(
    folder: &Path,
    ports: &Ports,
    canary: Option<u16>,
    broker_metrics: Option<SocketAddr>,
) -> anyhow::Result<Vec<String>> {
    let rules = folder.join("rules");
    fs::create_dir_all(&rules).context("cannot create a folder for prometheus")?;
    for (name, text) in RULES {
        fs::write(rules.join(name), text).context("cannot write a rule file")?;
    }
    let config = folder.join("prometheus.yml");
    fs::write(&config, config_for(ports, canary, broker_metrics)?)
        .context("cannot write prometheus.yml")?;
    Ok(vec![
        format!("--config.file={}", config.display()),
        format!("--storage.tsdb.path={}", folder.join("data").display()),
        format!("--web.listen-address=127.0.0.1:{}", ports.prometheus_port),
        "--enable-feature=exemplar-storage".to_owned(),
        "--log.level=warn".to_owned(),
    ])
}

/// The project's configuration for the addresses of this lab: the jobs of what only compose runs
/// are left out, and alerts go straight to the control desk. `canary` is the side port of order-api's
/// second replica.
fn config_for(
    ports: &Ports,
    canary: Option<u16>,
    broker_metrics: Option<SocketAddr>,
) -> anyhow::Result<String> {
    let mut config: Value = serde_yaml_ng::from_str(CONFIG).context("prometheus.yml")?;
    let here = [
        ("localhost:9090", Some(local(ports.prometheus_port))),
        ("web-gateway:3000", Some(local(ports.gateway_port))),
        (ORDER_API, Some(local(ports.order_api_side_port))),
        ("fulfillment-worker:2112", Some(local(ports.worker_side_port))),
        ("lab:4000", Some(local(ports.desk_port))),
        ("rabbitmq:15692", broker_metrics),
    ];
    let jobs = config["scrape_configs"].as_sequence_mut().context("there are no scrape_configs")?;
    jobs.retain_mut(|job| {
        let target = target(job);
        let found = here.iter().find(|(name, _)| target.as_deref() == Some(*name));
        let Some((_, Some(address))) = found else { return false };
        set_target(job, *address);
        if let Some(port) = canary.filter(|_| target.as_deref() == Some(ORDER_API)) {
            add_target(job, local(port), CANARY);
        }
        true
    });
    let inbox = &mut config["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"][0];
    *inbox = Value::String(local(ports.desk_port).to_string());
    config["rule_files"] = Value::Sequence(vec!["rules/*.yml".into()]);
    serde_yaml_ng::to_string(&config).context("cannot write prometheus.yml")
}

/// Where a job finds what it scrapes: an address, or a name that may have many.
fn target(job: &Value) -> Option<String> {
    let found = &job["dns_sd_configs"][0];
    match (found["names"][0].as_str(), found["port"].as_u64()) {
        (Some(name), Some(port)) => Some(format!("{name}:{port}")),
        _ => job["static_configs"][0]["targets"][0].as_str().map(str::to_owned),
    }
}

/// Lets a job scrape this address and nothing else.
fn set_target(job: &mut Value, address: SocketAddr) {
    let Some(job) = job.as_mapping_mut() else { return };
    job.remove("dns_sd_configs");
    let targets = Value::Sequence(vec![address.to_string().into()]);
    let only = Value::Mapping([("targets".into(), targets)].into_iter().collect());
    job.insert("static_configs".into(), Value::Sequence(vec![only]));
}

/// Lets a job scrape this address as well, under this name.
fn add_target(job: &mut Value, address: SocketAddr, name: &str) {
    let Some(groups) = job["static_configs"].as_sequence_mut() else { return };
    let mapping = |name: &str, value: Value| -> Value {
        Value::Mapping([(name.into(), value)].into_iter().collect())
    };
    let mut group = mapping("targets", Value::Sequence(vec![address.to_string().into()]));
    group["labels"] = mapping("instance", name.into());
    groups.push(group);
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Cli {
        #[command(flatten)]
        ports: Ports,
    }

    #[test]
    fn every_rule_file_of_the_project_is_taken_along() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../prometheus/rules");
        let mut files: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .collect();
        files.sort();
        let mut taken: Vec<_> = RULES.iter().map(|(name, _)| *name).collect();
        taken.sort_unstable();
        assert_eq!(files, taken);
    }

    #[test]
    fn the_lab_and_its_services_are_scraped_where_they_are() {
        let ports = Cli::parse_from(["lab", "--gateway-port", "13000"]).ports;
        let config: Value =
            serde_yaml_ng::from_str(&config_for(&ports, None, Some(local(40000))).unwrap())
                .unwrap();
        let jobs = config["scrape_configs"].as_sequence().unwrap();
        let target = |name: &str| {
            let job = jobs.iter().find(|job| job["job_name"].as_str() == Some(name));
            job.map(|job| job["static_configs"][0]["targets"][0].as_str().unwrap().to_owned())
        };
        assert_eq!(target("web-gateway").as_deref(), Some("127.0.0.1:13000"));
        assert_eq!(target("order-api").as_deref(), Some("127.0.0.1:8000"));
        assert_eq!(target("fulfillment-worker").as_deref(), Some("127.0.0.1:2112"));
        assert_eq!(target("lab").as_deref(), Some("127.0.0.1:4000"));
        assert_eq!(target("rabbitmq").as_deref(), Some("127.0.0.1:40000"));
        assert_eq!(target("node-exporter"), None);
    }

    #[test]
    fn a_second_replica_of_order_api_is_scraped_in_the_same_job() {
        let ports = Cli::parse_from(["lab"]).ports;
        let config: Value =
            serde_yaml_ng::from_str(&config_for(&ports, Some(8001), None).unwrap()).unwrap();
        let jobs = config["scrape_configs"].as_sequence().unwrap();
        for job in jobs {
            let groups = job["static_configs"].as_sequence().unwrap();
            let twice = job["job_name"] == "order-api";
            assert_eq!(groups.len(), 1 + usize::from(twice), "{job:?}");
            if twice {
                assert_eq!(groups[0]["targets"][0], "127.0.0.1:8000");
                assert_eq!(groups[1]["targets"][0], "127.0.0.1:8001");
                assert_eq!(groups[1]["labels"]["instance"], "order-api-canary:8000");
            }
        }
    }
}
