//! How the lab starts, refuses to start, and stops.

use std::{net::TcpListener, path::Path, process::Command, time::Duration};

use rustix::process::Signal;
use testbed::eventually;

use crate::{
    lab::{Lab, PATIENCE, World},
    shop::cart,
};

#[tokio::test]
async fn ctrl_c_stops_everything_and_leaves_nothing() {
    for signal in [Signal::INT, Signal::TERM] {
        let mut world = World::embedded().await;
        let processes = world.lab.processes();
        assert_eq!(processes.len(), 3, "the services run as processes of their own");
        let folder = world.lab.folder().expect("the lab keeps a folder");

        assert!(world.lab.signal(signal).success());
        assert!(processes.iter().all(|pid| !alive(*pid)), "a service outlived the lab");
        assert!(!folder.exists(), "the lab left {}", folder.display());
    }
}

#[tokio::test]
async fn services_do_not_outlive_a_lab_that_is_killed() {
    let mut world = World::embedded().await;
    let processes = world.lab.processes();
    world.lab.signal(Signal::KILL);
    eventually(PATIENCE, "the services are gone", || async {
        processes.iter().all(|pid| !alive(*pid)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_service_that_dies_is_back_and_the_others_never_left() {
    let world = World::embedded().await;
    let gateway = world.lab.pid("web-gateway");
    world.lab.kill("fulfillment-worker").await;
    let order = world.shop().place(&cart("TEA-001", 1)).await;
    world.shop().wait_for(order["id"].as_str().expect("an id"), "fulfilled").await;
    assert_eq!(world.lab.pid("web-gateway"), gateway);
}

#[test]
fn a_taken_port_is_named_with_its_holder_and_the_flag() {
    let held = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = held.local_addr().expect("an address").port();
    let output = Command::new(env!("CARGO_BIN_EXE_lab"))
        .args(["up", "--no-prometheus", "--desk-port", &port.to_string()])
        .output()
        .expect("the lab's program runs");
    let text = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(1));
    assert!(text.contains(&format!("port {port} for the control desk is taken by")), "{text}");
    assert!(text.contains(&format!("(pid {})", std::process::id())), "{text}");
    assert!(text.contains("--desk-port"), "{text}");
}

#[tokio::test]
async fn bad_input_says_what_is_possible_and_exits_with_2() {
    let world = World::embedded().await;
    for bad in [
        &["chaos", "no-such-fault"][..],
        &["chaos", "latency", "ms=-1"],
        &["chaos", "latency", "speed=1"],
        &["chaos", "latency", "for=forever"],
        &["load", "rate", "many"],
        &["no-such-command"],
        &["up", "--gateway-port", "70000"],
    ] {
        let (code, text) = world.lab.command(bad);
        assert_eq!(code, 2, "{bad:?}: {text}");
        assert!(!text.is_empty());
    }
    let (_, text) = world.lab.command(&["chaos", "no-such-fault"]);
    assert!(text.contains("latency") && text.contains("errors"), "{text}");
}

#[tokio::test]
async fn the_screen_says_what_runs_where() {
    let lab = Lab::start(&[]).await;
    let port = lab.gateway_port;
    eventually(Duration::from_secs(10), "the lab has introduced itself", || async {
        let screen = lab.screen();
        (screen.contains(&format!("http://127.0.0.1:{port}")) && screen.contains("Ctrl-C"))
            .then_some(())
    })
    .await;
}

fn alive(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}
