//! The proxy in the path to the database: it loses nothing, and is as long as it is told.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use lab::proxy::{self, Control, Proxy, Wanted};
use reqwest::{Client, Method, StatusCode};
use sqlx::{Connection as _, PgConnection};
use testbed::{Postgres, eventually};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tokio_util::sync::CancellationToken;

use crate::desk::{PATIENCE, World};

/// A proxy on free ports before this server.
async fn before(server: impl Into<String>) -> (Proxy, Control, CancellationToken) {
    let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
    let config = proxy::Config { listen: anywhere, to: server.into(), control_listen: anywhere };
    let stop = CancellationToken::new();
    let proxy = Proxy::start(config, stop.clone()).await.expect("a proxy");
    let control = Control::new(Some(proxy.control_url())).expect("a client");
    (proxy, control, stop)
}

/// A server that says back what it hears, and then that it has heard all.
async fn echo() -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut from, mut to) = stream.into_split();
                tokio::io::copy(&mut from, &mut to).await.expect("it is said back");
                to.write_all(b"all").await.expect("it is said");
            });
        }
    });
    address.to_string()
}

/// How long one byte takes, there and back.
async fn round_trip(stream: &mut TcpStream) -> Duration {
    let started = Instant::now();
    stream.write_all(b"x").await.expect("it is sent");
    stream.read_u8().await.expect("it comes back");
    started.elapsed()
}

#[tokio::test]
async fn all_arrives_in_order_on_a_way_that_changes_and_each_end_hears_of_the_other() {
    let (proxy, control, stop) = before(echo().await).await;
    let stream = TcpStream::connect(proxy.address()).await.expect("a connection");
    let sent: Vec<u8> = (0..3_000_000_u32).flat_map(|n| (n % 251).to_le_bytes()).collect();
    let (mut from, mut to) = stream.into_split();
    let expected = sent.clone();
    let sending = tokio::spawn(async move {
        for (number, part) in sent.chunks(sent.len() / 6 + 1).enumerate() {
            let wanted = match number % 2 {
                0 => Wanted::NOTHING,
                _ => Wanted { latency_ms: 3.0, jitter_ms: 9.0, for_ms: 60_000 },
            };
            control.set(wanted).await.expect("it is told");
            to.write_all(part).await.expect("it is sent");
        }
        to.shutdown().await.expect("it is ended");
        to
    });
    let mut heard = Vec::new();
    from.read_to_end(&mut heard).await.expect("it comes back");
    sending.await.expect("no panic");
    assert!(heard.ends_with(b"all"), "the server heard the end");
    assert!(heard[..heard.len() - 3] == expected, "something is lost or out of order");
    stop.cancel();
    proxy.ended().await.expect("a clean end");
}

#[tokio::test]
async fn a_way_is_as_long_as_it_is_told_for_as_long_as_it_is_told_and_no_narrower() {
    let (proxy, control, _stop) = before(echo().await).await;
    let mut stream = TcpStream::connect(proxy.address()).await.expect("a connection");
    stream.set_nodelay(true).expect("a socket");
    let wanted = Wanted { latency_ms: 100.0, jitter_ms: 0.0, for_ms: 600_000 };
    control.set(wanted).await.expect("it is told");
    let now = control.now().await.expect("it says");
    assert_eq!((now.latency_ms, now.jitter_ms), (100.0, 0.0));
    assert!((1..=600_000).contains(&now.for_ms), "{now:?}");
    let one = round_trip(&mut stream).await;
    assert!(one >= Duration::from_millis(200), "{one:?}");

    // Many on their way at once take about as long as one, and not as long as one after the other.
    let started = Instant::now();
    for _ in 0..50 {
        stream.write_all(b"x").await.expect("it is sent");
        tokio::task::yield_now().await;
    }
    let mut heard = [0; 50];
    stream.read_exact(&mut heard).await.expect("they come back");
    let many = started.elapsed();
    assert!(many < one * 10, "one takes {one:?}, fifty together {many:?}");

    control.set(Wanted { for_ms: 300, ..wanted }).await.expect("it is told");
    eventually(PATIENCE, "it is as short as ever by itself", async || {
        (round_trip(&mut stream).await < Duration::from_millis(200)).then_some(())
    })
    .await;
    assert_eq!(control.now().await.expect("it says"), Wanted::NOTHING);
}

#[tokio::test]
async fn a_server_that_is_away_is_one_that_hangs_up_and_what_cannot_be_is_refused() {
    let (proxy, control, _stop) = before(format!("127.0.0.1:{}", testbed::free_port())).await;
    let mut stream = TcpStream::connect(proxy.address()).await.expect("a connection");
    // However it is said: by an end, or by a reset.
    assert!(matches!(stream.read(&mut [0]).await, Ok(0) | Err(_)), "nobody answers");

    let client = Client::new();
    let url = format!("{}/conditions", proxy.control_url());
    for (body, says) in [
        (r#"{"latency_ms":-1,"jitter_ms":0,"for_ms":1}"#, "latency_ms must be a number from 0 to"),
        (r#"{"latency_ms":1,"jitter_ms":1e9,"for_ms":1}"#, "jitter_ms must be a number from 0 to"),
        (r#"{"latency_ms":1,"jitter_ms":1,"for_ms":600001}"#, "for_ms must be a number from 0 to"),
        (r#"{"latency_ms":1,"jitter_ms":1,"for_ms":1,"loss":1}"#, "unknown field `loss`"),
    ] {
        let request = client.put(&url).header("content-type", "application/json").body(body);
        let answer = request.send().await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY);
        let text = answer.text().await.expect("text");
        assert!(text.contains(says), "{text}");
    }
    assert_eq!(control.now().await.expect("it says"), Wanted::NOTHING);
}

/// What a statement that asks for nothing takes.
async fn asking(connection: &mut PgConnection) -> Duration {
    let started = Instant::now();
    sqlx::query("SELECT 1").execute(connection).await.expect("an answer");
    started.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_it_is_on_statements_are_late_and_the_desk_holds_it_on_a_proxy_that_forgets() {
    const LATE: Duration = Duration::from_millis(160);
    if testbed::left_out(Postgres::available()) {
        return;
    }
    let postgres = Postgres::start().await.expect("a private Postgres");
    let server = proxy::server_of(&postgres.url()).expect("it is reached over TCP");
    let (proxy, control, _stop) = before(server).await;
    let desk = World {
        database_url: Some(postgres.url()),
        database_proxy_url: Some(proxy.control_url()),
        ..World::empty()
    };
    let desk = desk.desk().await;
    let through = proxy::through(&postgres.url(), proxy.address()).expect("a URL");
    let mut connection = PgConnection::connect(&through).await.expect("a connection");

    let (status, text) = desk.text(Method::POST, "/chaos/slow-link", "ms=80&jitter_ms=0").await;
    assert_eq!(status, StatusCode::OK, "{text}");
    let late = asking(&mut connection).await;
    assert!(late >= LATE, "{late:?}");
    control.set(Wanted::NOTHING).await.expect("it forgets");
    eventually(PATIENCE, "it is told again", async || {
        (control.now().await.expect("it says").latency_ms > 0.0).then_some(())
    })
    .await;
    let late = asking(&mut connection).await;
    assert!(late >= LATE, "{late:?}");

    let (status, _) = desk.text(Method::DELETE, "/chaos", "").await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(control.now().await.expect("it says"), Wanted::NOTHING);
    eventually(PATIENCE, "statements are as fast as ever", async || {
        (asking(&mut connection).await < LATE).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_desk_without_a_proxy_says_what_is_missing() {
    let url = "postgres://shop@127.0.0.1:1/shop".to_owned();
    let desk = World { database_url: Some(url), ..World::empty() }.desk().await;
    let (status, text) = desk.text(Method::POST, "/chaos/slow-link", "").await;
    assert_eq!(status, StatusCode::CONFLICT, "{text}");
    assert!(text.contains("slow-link needs a proxy before Postgres"), "{text}");
    assert!(text.contains("--database-url") && text.contains("docker compose up"), "{text}");
}
