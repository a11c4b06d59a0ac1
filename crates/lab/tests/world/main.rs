//! The whole lab as a learner runs it: the `lab` program, its children, real orders; once on what
//! is embedded and once on a private Postgres and RabbitMQ.

mod collector;
mod faults;
mod journey;
mod kill;
mod lab;
mod ledger;
mod life;
mod room;
mod shop;
mod traces;
mod watch;

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
