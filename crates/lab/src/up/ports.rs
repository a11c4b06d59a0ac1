//! The ports of the lab: which there are, who has a taken one, and the flag that changes it.

use std::{
    fmt,
    io::ErrorKind,
    net::{Ipv4Addr, SocketAddr, TcpListener},
};

/// The ports of the lab, all on 127.0.0.1.
#[derive(Clone, Debug, clap::Args)]
pub struct Ports {
    /// Port of web-gateway, the shop's front door.
    #[arg(long, env = "GATEWAY_PORT", default_value_t = 3000, value_name = "PORT")]
    pub gateway_port: u16,

    /// Port of web-gateway's side: health and control.
    #[arg(long, env = "GATEWAY_SIDE_PORT", default_value_t = 3100, value_name = "PORT")]
    pub gateway_side_port: u16,

    /// Port of order-api (gRPC).
    #[arg(long, env = "ORDER_API_PORT", default_value_t = 50051, value_name = "PORT")]
    pub order_api_port: u16,

    /// Port of order-api's side: metrics, health and control.
    #[arg(long, env = "ORDER_API_SIDE_PORT", default_value_t = 8000, value_name = "PORT")]
    pub order_api_side_port: u16,

    /// Port of order-api's second replica (gRPC), if there is one.
    #[arg(long, env = "ORDER_API_CANARY_PORT", default_value_t = 50052, value_name = "PORT")]
    pub order_api_canary_port: u16,

    /// Port of the side of order-api's second replica, if there is one.
    #[arg(long, env = "ORDER_API_CANARY_SIDE_PORT", default_value_t = 8001, value_name = "PORT")]
    pub order_api_canary_side_port: u16,

    /// Port of fulfillment-worker's side: metrics, health and control.
    #[arg(long, env = "WORKER_SIDE_PORT", default_value_t = 2112, value_name = "PORT")]
    pub worker_side_port: u16,

    /// Port of the control desk.
    #[arg(long, env = "DESK_PORT", default_value_t = 4000, value_name = "PORT")]
    pub desk_port: u16,

    /// Port of the payment provider.
    #[arg(long, env = "PROVIDER_PORT", default_value_t = 4100, value_name = "PORT")]
    pub provider_port: u16,

    /// Port where traces and logs come in (OTLP, gRPC).
    #[arg(long, env = "OTLP_PORT", default_value_t = 4317, value_name = "PORT")]
    pub otlp_port: u16,

    /// Port of the embedded broker; 0 takes any free one.
    #[arg(long, env = "BROKER_PORT", default_value_t = 0, value_name = "PORT")]
    pub broker_port: u16,

    /// Port of the proxy before Postgres, if there is one; 0 takes any free one.
    #[arg(long, env = "DATABASE_PROXY_PORT", default_value_t = 0, value_name = "PORT")]
    pub database_proxy_port: u16,

    /// Port of Prometheus, if it is started.
    #[arg(long, env = "PROMETHEUS_PORT", default_value_t = 9090, value_name = "PORT")]
    pub prometheus_port: u16,
}

/// One port, with what it is for and how to change it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Use {
    /// Who listens there.
    pub name: &'static str,
    /// The port.
    pub port: u16,
    /// The flag that chooses another.
    pub flag: &'static str,
}

/// A port that is taken.
#[derive(Debug)]
pub struct Taken {
    wanted: Use,
    holder: Option<String>,
}

impl Ports {
    /// Every port that `lab up` will listen on.
    pub fn uses(&self, otlp: bool, broker: bool, prometheus: bool, canary: bool) -> Vec<Use> {
        let always = [
            ("web-gateway", self.gateway_port, "--gateway-port"),
            ("web-gateway's side", self.gateway_side_port, "--gateway-side-port"),
            ("order-api", self.order_api_port, "--order-api-port"),
            ("order-api's side", self.order_api_side_port, "--order-api-side-port"),
            ("fulfillment-worker's side", self.worker_side_port, "--worker-side-port"),
            ("the control desk", self.desk_port, "--desk-port"),
            ("the payment provider", self.provider_port, "--provider-port"),
        ];
        let canary = canary.then_some([
            ("order-api's second replica", self.order_api_canary_port, "--order-api-canary-port"),
            (
                "the side of order-api's second replica",
                self.order_api_canary_side_port,
                "--order-api-canary-side-port",
            ),
        ]);
        let otlp = otlp.then_some(("traces and logs", self.otlp_port, "--otlp-port"));
        let broker = broker.then_some(("the broker", self.broker_port, "--broker-port"));
        let prometheus =
            prometheus.then_some(("prometheus", self.prometheus_port, "--prometheus-port"));
        let some = otlp.into_iter().chain(broker).chain(prometheus);
        let all = always.into_iter().chain(canary.into_iter().flatten()).chain(some);
        all.map(|(name, port, flag)| Use { name, port, flag }).collect()
    }
}

impl Use {
    /// Whether it can be listened on; if not, who has it as far as that can be known.
    pub fn check(self) -> Result<(), Taken> {
        match TcpListener::bind(local(self.port)) {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == ErrorKind::AddrInUse => {
                Err(Taken { wanted: self, holder: holder(self.port) })
            }
            Err(error) => Err(Taken { wanted: self, holder: Some(error.to_string()) }),
        }
    }
}

impl fmt::Display for Taken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Use { name, port, flag } = self.wanted;
        write!(f, "port {port} for {name} is taken")?;
        if let Some(holder) = &self.holder {
            write!(f, " by {holder}")?;
        }
        write!(f, "; choose another with {flag}")
    }
}

/// `port` on this machine only.
pub fn local(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

/// Who listens on `port`, as `name (pid 42)`, where the operating system tells.
#[cfg(target_os = "linux")]
fn holder(port: u16) -> Option<String> {
    let sockets: Vec<_> = ["/proc/net/tcp", "/proc/net/tcp6"]
        .into_iter()
        .filter_map(|table| std::fs::read_to_string(table).ok())
        .flat_map(|table| listeners(&table, port))
        .collect();
    let processes = std::fs::read_dir("/proc").ok()?.flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.into_iter().find(|pid| holds(*pid, &sockets)).map(|pid| {
        let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        format!("{} (pid {pid})", name.trim())
    })
}

#[cfg(not(target_os = "linux"))]
fn holder(port: u16) -> Option<String> {
    let lsof = std::process::Command::new("lsof")
        .args(["-nP", &format!("-iTCP:{port}"), "-sTCP:LISTEN", "-Fpc"])
        .output()
        .ok()?;
    let text = String::from_utf8(lsof.stdout).ok()?;
    let field = |tag: char| text.lines().find_map(|line| line.strip_prefix(tag));
    Some(format!("{} (pid {})", field('c')?, field('p')?))
}

/// The links that file descriptors of sockets listening on `port` have.
#[cfg(target_os = "linux")]
fn listeners(table: &str, port: u16) -> Vec<String> {
    const LISTEN: &str = "0A";
    let port = format!(":{port:04X}");
    table
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .filter(|fields| fields.len() > 9 && fields[1].ends_with(&port) && fields[3] == LISTEN)
        .map(|fields| format!("socket:[{}]", fields[9]))
        .collect()
}

#[cfg(target_os = "linux")]
fn holds(pid: u32, sockets: &[String]) -> bool {
    let Ok(descriptors) = std::fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
    let links = descriptors.flatten().filter_map(|entry| std::fs::read_link(entry.path()).ok());
    links.into_iter().any(|link| sockets.iter().any(|socket| link.as_os_str() == socket.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_names_its_holder_and_the_flag() {
        let held = TcpListener::bind(local(0)).unwrap();
        let port = held.local_addr().unwrap().port();
        let taken = Use { name: "web-gateway", port, flag: "--gateway-port" }.check().unwrap_err();
        let text = taken.to_string();
        assert!(text.starts_with(&format!("port {port} for web-gateway is taken by ")), "{text}");
        assert!(text.contains(&format!("(pid {})", std::process::id())), "{text}");
        assert!(text.ends_with("choose another with --gateway-port"), "{text}");
    }

    #[test]
    fn a_free_port_is_free() {
        assert!(Use { name: "any", port: 0, flag: "--any" }.check().is_ok());
    }
}
