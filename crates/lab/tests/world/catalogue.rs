//! After the whole catalogue nothing is lost: each fault is turned on and healed under load, one after
//! the other, and then all adds up. Those whose point is that something does not have shown it until
//! then, and what their pages say has put it right.

use std::time::Duration;

use faults::{FAULTS, Needs};
use testbed::eventually;
use tokio::time::sleep;

use crate::{
    books::{Books, PEACE},
    collector::metrics_of,
    lab::World,
    ledger::Ledger,
    number,
    trading::Trading,
};

/// How long each is on, unless it is to be for longer.
const ON: Duration = Duration::from_secs(2);
/// Some faults need a second replica.
const SETTINGS: [(&str, &str); 1] = [("LAB_CANARY", "true")];

mod embedded {
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    #[ignore = "bears nobody beside it; ./test runs it by itself"]
    async fn after_all_faults_every_order_is_at_its_end_and_all_adds_up() {
        super::adds_up(super::World::embedded_with(&super::SETTINGS).await).await;
    }
}

mod real {
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    #[ignore = "takes five minutes; what is special to these servers is tested with each fault"]
    async fn after_all_faults_every_order_is_at_its_end_and_all_adds_up() {
        if let Some(world) = super::World::real_set(&super::SETTINGS).await {
            super::adds_up(world).await;
        }
    }
}

/// `MISHAP_FAULT_SECONDS=30` lets each be on for longer.
async fn adds_up(world: World) {
    let (books, trading) = (Books::open(&world).await, Trading::start(world.shop()));
    let lasts = number("MISHAP_FAULT_SECONDS").map_or(ON, Duration::from_secs);
    let postgres = world.postgres.is_some();
    let here: Vec<_> =
        FAULTS.iter().filter(|fault| postgres || fault.needs() < Needs::Postgres).collect();
    for fault in &here {
        let (code, said) = world.lab.command(&["chaos", fault.name]);
        assert_eq!(code, 0, "{}: {said}", fault.name);
        sleep(lasts).await;
        let (code, said) = world.lab.command(&["heal"]);
        assert_eq!(code, 0, "{}: {said}", fault.name);
    }
    let accepted = trading.stop().await;
    let metrics = metrics_of(world.lab.order_api_side_port).await;
    let repeated = metrics["fulfillments_repeated_total"];
    assert!(repeated > 0.0, "no order was fulfilled twice by duplicate-delivery");
    // The fix of those that lose announcements: until nobody waits for one any more.
    let announce = async || {
        let (code, said) = world.lab.command(&["announce", "--longer-ago-s", "10"]);
        assert_eq!(code, 0, "{said}");
        said.contains("has been heard of").then_some(())
    };
    assert_eq!(announce().await, None, "lost-publish has lost no announcement");
    eventually(PEACE, "all is announced", announce).await;
    let ledger = Ledger::open(&world).await;
    let gone = async || (ledger.archived().await == 0).then_some(());
    eventually(PEACE, "what was brought in is taken away", gone).await;
    let ends = books.add_up(&world, &accepted).await;
    eprintln!("{} orders accepted through {} faults: {ends}", accepted.len(), here.len());
}
