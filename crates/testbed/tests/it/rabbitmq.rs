//! A private RabbitMQ.

use std::net::TcpStream;

use testbed::{RabbitMq, left_out};

fn accepts_connections(url: &str) -> bool {
    let address = url.trim_start_matches("amqp://guest:guest@").trim_end_matches("/%2f");
    TcpStream::connect(address).is_ok()
}

#[tokio::test]
async fn a_node_comes_back_on_its_port_and_leaves_nothing_behind() -> anyhow::Result<()> {
    if left_out(RabbitMq::available()) {
        return Ok(());
    }
    let mut rabbitmq = RabbitMq::start().await?;
    let url = rabbitmq.url();
    let directory = rabbitmq.directory().to_owned();
    let mark = directory.to_str().expect("a plain path").to_owned();
    assert!(accepts_connections(&url));
    assert!(super::a_process_mentions(&mark));

    rabbitmq.kill();
    assert!(!accepts_connections(&url), "a killed node listens no more");
    rabbitmq.restart().await?;
    assert!(accepts_connections(&url));

    rabbitmq.stop().await;
    assert!(!accepts_connections(&url), "a stopped node listens no more");

    rabbitmq.restart().await?;
    drop(rabbitmq);
    assert!(!super::a_process_mentions(&mark));
    assert!(!directory.exists());
    Ok(())
}
