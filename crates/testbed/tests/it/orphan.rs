//! A server whose test process is killed.

use std::io::{BufRead as _, BufReader};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Duration;

use testbed::{Prometheus, eventually, left_out};

const MARK: &str = "listening on ";

#[tokio::test]
#[ignore = "the process that the next test starts and kills"]
async fn start_a_server_and_never_end() {
    let prometheus = Prometheus::start("global: {}\n").await.expect("Prometheus starts");
    println!("\n{MARK}{}", prometheus.url().trim_start_matches("http://"));
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn a_server_ends_when_its_test_process_is_killed() -> anyhow::Result<()> {
    if left_out(Prometheus::available()) {
        return Ok(());
    }
    let mut process = Command::new(std::env::current_exe()?)
        .args(["--exact", "orphan::start_a_server_and_never_end", "--ignored", "--nocapture"])
        .stdout(Stdio::piped())
        .spawn()?;
    let output = BufReader::new(process.stdout.take().expect("stdout is piped"));
    let address = output
        .lines()
        .map_while(Result::ok)
        .find_map(|line| line.strip_prefix(MARK).map(ToOwned::to_owned))
        .expect("the process says where its server listens");
    assert!(TcpStream::connect(&address).is_ok());

    process.kill()?;
    process.wait()?;
    eventually(Duration::from_secs(10), "the server's end", async || {
        TcpStream::connect(&address).is_err().then_some(())
    })
    .await;
    Ok(())
}
