//! Prometheus beside the lab: the project's own configuration, with the lab's addresses in it.

use std::{fs, net::SocketAddr, path::Path};

use anyhow::Context as _;
use serde_yaml_ng::Value;

use super::ports::{Ports, local};

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
    broker_metrics: Option<SocketAddr>,
) -> anyhow::Result<Vec<String>> {
    let rules = folder.join("rules");
    fs::create_dir_all(&rules).context("cannot create a folder for prometheus")?;
    for (name, text) in RULES {
        fs::write(rules.join(name), text).context("cannot write a rule file")?;
    }
    let config = folder.join("prometheus.yml");
    fs::write(&config, config_for(ports, broker_metrics)?)
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
/// are left out, and alerts go straight to the control desk.
fn config_for(ports: &Ports, broker_metrics: Option<SocketAddr>) -> anyhow::Result<String> {
    let mut config: Value = serde_yaml_ng::from_str(CONFIG).context("prometheus.yml")?;
    let here = [
        ("localhost:9090", Some(local(ports.prometheus_port))),
        ("web-gateway:3000", Some(local(ports.gateway_port))),
        ("order-api:8000", Some(local(ports.order_api_side_port))),
        ("fulfillment-worker:2112", Some(local(ports.worker_side_port))),
        ("lab:4000", Some(local(ports.desk_port))),
        ("rabbitmq:15692", broker_metrics),
    ];
    let jobs = config["scrape_configs"].as_sequence_mut().context("there are no scrape_configs")?;
    jobs.retain_mut(|job| {
        let target = &mut job["static_configs"][0]["targets"][0];
        let found = here.iter().find(|(name, _)| target.as_str() == Some(*name));
        let Some((_, Some(address))) = found else { return false };
        *target = Value::String(address.to_string());
        true
    });
    let inbox = &mut config["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"][0];
    *inbox = Value::String(local(ports.desk_port).to_string());
    config["rule_files"] = Value::Sequence(vec!["rules/*.yml".into()]);
    serde_yaml_ng::to_string(&config).context("cannot write prometheus.yml")
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
            serde_yaml_ng::from_str(&config_for(&ports, Some(local(40000))).unwrap()).unwrap();
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
}
