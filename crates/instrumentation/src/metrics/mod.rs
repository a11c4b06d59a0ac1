//! Metrics: each is a sentence, a unit and labels that can list their values.
//!
//! A service declares all of its metrics in one place, its `metrics.rs`:
//!
//! ```
//! instrumentation::label! {
//!     /// How an attempt ended.
//!     pub enum Outcome as "outcome" {
//!         /// It went well.
//!         Done = "done",
//!         /// It did not.
//!         Failed = "failed",
//!     }
//! }
//!
//! instrumentation::metrics! {
//!     /// What the bakery measures.
//!     pub struct Metrics {
//!         /// Loaves that were to be baked.
//!         bakery_loaves_total: Counter<Outcome>, Count;
//!         /// Time in the oven.
//!         bakery_baking_duration_seconds: Timer<()>, Seconds;
//!     }
//! }
//!
//! let registry = instrumentation::metrics::Registry::new("bakery", &[Metrics::CATALOGUE]);
//! let metrics = Metrics::register(&registry);
//! metrics.bakery_loaves_total.with(Outcome::Done).increment(1);
//! assert!(registry.render().contains("bakery_loaves_total{outcome=\"failed\"} 0"));
//! ```
//!
//! Since a label lists its values, a label without bounds does not compile, and every series
//! exists at 0 from the first scrape: no first event is lost to `rate()`, no quiet panel is empty.
//! [`Unlisted`] is the one way around it.

mod declaration;
mod exemplar;
mod family;
mod label;
mod registry;
mod unlisted;

pub use declaration::{Declaration, Kind, Unit};
pub use family::{Counter, Family, Gauge, Held, Histogram, Timer};
pub use label::LabelSet;
pub use registry::Registry;
pub use unlisted::{Series, Unlisted};
