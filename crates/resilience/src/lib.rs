//! What keeps a service standing while another one falls.
//!
//! - [`breaker`]: stops calling a dependency that fails, and finds out when it is back.
//! - [`budget`]: how many requests may be tried again, as a share of all of them.
//! - [`bulkhead`]: so many at once, a short wait for the rest, and then a quick refusal.
//! - [`balance`]: the way to a service that may run more than once.
//! - [`setting`]: values of settings, checked where they are read.
//! - [`urls`]: where such a service is.

pub mod balance;
pub mod breaker;
pub mod budget;
pub mod bulkhead;
pub mod setting;
pub mod urls;

pub use balance::Balanced;
pub use breaker::Breaker;
pub use budget::RetryBudget;
pub use bulkhead::Bulkhead;
pub use urls::Urls;
