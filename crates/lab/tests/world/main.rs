//! The whole lab as a learner runs it: the `lab` program, its children, real orders; once on what
//! is embedded and once on a private Postgres and RabbitMQ.

mod books;
mod catalogue;
mod collector;
mod faults;
mod identity;
mod journey;
mod kill;
mod lab;
mod ledger;
mod life;
mod outage;
mod room;
mod shop;
mod traces;
mod trading;
mod watch;
mod whole;

/// A number that whoever runs the test has set.
#[expect(clippy::disallowed_methods, reason = "a test has no command line of its own")]
fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|error| panic!("{name}={text}: {error}")))
}

/// Makes a test of each world from one scenario: `async fn scenario(world: World)`.
#[macro_export]
macro_rules! in_both_worlds {
    ($($scenario:ident),* $(,)?) => {
        mod embedded {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $scenario() {
                    super::$scenario($crate::lab::World::embedded().await).await;
                }
            )*
        }

        mod real {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $scenario() {
                    if let Some(world) = $crate::lab::World::real().await {
                        super::$scenario(world).await;
                    }
                }
            )*
        }
    };
}
