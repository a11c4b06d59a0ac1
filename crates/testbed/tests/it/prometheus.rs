//! A private Prometheus.

use testbed::{Prometheus, left_out};

#[tokio::test]
async fn a_server_answers_on_its_url_until_it_is_dropped() -> anyhow::Result<()> {
    if left_out(Prometheus::available()) {
        return Ok(());
    }
    let prometheus = Prometheus::start("global: { scrape_interval: 1s }\n").await?;
    let address = prometheus.url().trim_start_matches("http://").to_owned();
    assert!(std::net::TcpStream::connect(&address).is_ok());
    drop(prometheus);
    assert!(std::net::TcpStream::connect(&address).is_err());
    Ok(())
}

#[tokio::test]
async fn a_bad_configuration_is_reported_with_the_servers_own_words() {
    if left_out(Prometheus::available()) {
        return;
    }
    let error = Prometheus::start("no_such_setting: 1\n").await.unwrap_err();
    assert!(format!("{error:#}").contains("no_such_setting"), "{error:#}");
}
