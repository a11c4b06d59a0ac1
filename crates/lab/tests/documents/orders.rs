//! The table of an order's moves in docs/orders.md, derived from the one in the code.

use std::fs;

use order_api::status::{Leaves, Mover, Owed, TRANSITIONS, Transition, With};

use crate::repository::{path, read};

const PAGE: &str = "docs/orders.md";
const BEGIN: &str = "<!-- derived from crates/order-api/src/status.rs -->\n";
const END: &str = "<!-- end -->";

#[test]
fn the_table_of_moves_is_that_of_the_code() {
    let page = read(PAGE);
    let (before, rest) = page.split_once(BEGIN).expect("the table has a beginning");
    let (_, after) = rest.split_once(END).expect("the table has an end");
    let rows: String = TRANSITIONS.iter().map(row).collect();
    let head = "| from | to | moved by | in the same transaction | leaves to be done |\n\
                |---|---|---|---|---|\n";
    let derived = format!("{before}{BEGIN}{head}{rows}{END}{after}");
    if derived != page {
        fs::write(path(PAGE), derived).expect("the page can be written");
        panic!("{PAGE} was out of date and has been written anew; look at it and run again");
    }
}

fn row(transition: &Transition) -> String {
    let Transition { from, to, by, with, leaves } = transition;
    let by = match by {
        Mover::Saga => "the call that places it, or the reconciler",
        Mover::Fulfillment => "fulfillment-worker",
    };
    let with = match with {
        With::Nothing => "",
        With::Event => "the event `order.placed` is written",
        With::Stock => "its stock is returned",
    };
    let leaves = match leaves {
        Leaves::Nothing => "nothing",
        Leaves::Same => "what was left before",
        Leaves::Step => match to.owes() {
            Some(Owed::Authorization) => "have the money held",
            Some(Owed::Capture) => "take the money",
            Some(Owed::Refund) => "give the money back",
            None => unreachable!("a status that leaves a step owes one"),
        },
    };
    format!("| `{}` | `{}` | {by} | {with} | {leaves} |\n", from.as_str(), to.as_str())
}
