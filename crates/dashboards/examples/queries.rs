//! Prints, as JSON, every query of every panel that must not be empty where the parts that are
//! named are present: `cargo run -p dashboards --example queries node-exporter rabbit-mq`.

use std::error::Error;

use dashboards::audit::{Part, Query, queries};

fn main() -> Result<(), Box<dyn Error>> {
    let present = std::env::args()
        .skip(1)
        .map(|part| serde_json::from_value(part.into()))
        .collect::<Result<Vec<Part>, _>>()?;
    let due: Vec<Query> =
        queries().into_iter().filter(|query| query.excuse(&present).is_none()).collect();
    println!("{}", serde_json::to_string_pretty(&due)?);
    Ok(())
}
