//! What the services hold, as they say themselves in their metrics.

use std::{convert::Infallible, str::FromStr, time::Duration};

use reqwest::{Client, Url};
use tokio::time::{Instant, interval};

/// The series that says it.
const SERIES: &str = "process_resident_memory_bytes";

/// A service, and where its metrics are.
#[derive(Clone, Debug)]
pub(crate) struct Side {
    pub(crate) name: String,
    url: Url,
}

/// Whoever watches the memory of services for a while.
#[derive(Debug)]
pub(crate) struct Memory {
    client: Client,
    sides: Vec<Side>,
    highest: Vec<Option<f64>>,
    until: Instant,
}

impl Memory {
    pub(crate) fn new(sides: Vec<Side>, lasts: Duration) -> Self {
        let client = Client::builder().no_proxy().timeout(Duration::from_secs(2)).build();
        Self {
            client: client.unwrap_or_default(),
            highest: vec![None; sides.len()],
            sides,
            until: Instant::now() + lasts,
        }
    }

    /// Looks every second, and never ends: whoever watches beside something else stops with it.
    pub(crate) async fn watch(&mut self) -> Infallible {
        let mut tick = interval(Duration::from_secs(1));
        loop {
            tick.tick().await;
            if Instant::now() < self.until {
                self.look().await;
            }
        }
    }

    /// The most that each held, in bytes.
    pub(crate) fn highest(self) -> Vec<Option<f64>> {
        self.highest
    }

    async fn look(&mut self) {
        for (side, highest) in self.sides.iter().zip(&mut self.highest) {
            let bytes = side.bytes(&self.client).await;
            *highest = bytes.into_iter().chain(*highest).reduce(f64::max);
        }
    }
}

impl Side {
    async fn bytes(&self, client: &Client) -> Option<f64> {
        let answer = client.get(self.url.clone()).send().await.ok()?;
        read(&answer.text().await.ok()?)
    }
}

fn read(metrics: &str) -> Option<f64> {
    let line = metrics.lines().find(|line| line.starts_with(SERIES))?;
    line.rsplit_once(' ')?.1.parse().ok()
}

impl FromStr for Side {
    type Err = String;

    /// Reads `order-api=http://127.0.0.1:8000/metrics`.
    fn from_str(text: &str) -> Result<Self, String> {
        let read = || {
            let (name, url) = text.split_once('=')?;
            Some(Self { name: name.to_owned(), url: url.parse().ok()? })
        };
        read().ok_or_else(|| "must be such as order-api=http://127.0.0.1:8000/metrics".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_with_and_without_labels() {
        let text = "# HELP process_resident_memory_bytes What it holds.\n";
        assert_eq!(read(text), None);
        assert_eq!(
            read(&format!("{text}process_resident_memory_bytes 1048576\n")),
            Some(1048576.0)
        );
        let labeled = "process_resident_memory_bytes{version=\"0.1.0\"} 2e6";
        assert_eq!(read(labeled), Some(2e6));
    }

    #[test]
    fn a_side_has_a_name_and_an_address() {
        let side: Side = "order-api=http://127.0.0.1:8000/metrics?a=b".parse().unwrap();
        assert_eq!((side.name.as_str(), side.url.port()), ("order-api", Some(8000)));
        assert!("http://127.0.0.1:8000/metrics".parse::<Side>().is_err());
    }
}
