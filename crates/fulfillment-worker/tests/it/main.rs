//! fulfillment-worker as a process of its own, with a real order-api and a real queue: the
//! embedded broker's and RabbitMQ's.

mod broker;
mod other_ways;
mod scenarios;
mod shop;
mod worker;

macro_rules! in_both_worlds {
    ($($scenarios:ident: $($scenario:ident)+;)+) => {
        mod embedded {
            use crate::{broker::Broker, shop::Shop};
            $($(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $scenario() -> anyhow::Result<()> {
                    crate::$scenarios::$scenario(Shop::open(Broker::embedded().await?).await?).await
                }
            )+)+
        }

        mod rabbitmq {
            use crate::{broker::Broker, shop::Shop};
            $($(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $scenario() -> anyhow::Result<()> {
                    match Broker::rabbitmq().await? {
                        Some(broker) => crate::$scenarios::$scenario(Shop::open(broker).await?).await,
                        None => Ok(()),
                    }
                }
            )+)+
        }
    };
}

in_both_worlds! {
    scenarios:
        an_order_is_fulfilled
        a_message_that_comes_twice_is_fulfilled_once
        what_was_done_before_is_not_picked_again
        an_order_waits_for_an_order_api_that_is_away
        every_failed_try_waits_longer
        after_the_last_try_a_message_is_given_up
        what_is_not_an_order_is_given_up_at_once
        an_order_that_nobody_knows_is_given_up_at_once
        an_order_whose_goods_are_missing_fails_and_its_stock_is_back
        what_a_killed_worker_had_in_hand_is_fulfilled_once
        a_broker_that_goes_away_and_comes_back_costs_nothing
        no_more_is_in_hand_than_the_prefetch
        a_worker_that_is_asked_to_stop_finishes_what_it_has_in_hand
        work_that_takes_too_long_goes_back_when_the_worker_stops
        a_worker_is_ready_when_it_has_a_queue_and_order_api;
    other_ways:
        a_worker_that_takes_nothing_any_more_seems_well
        a_worker_that_takes_nothing_any_more_stops_when_asked
        a_message_is_worked_on_in_a_trace_of_its_own
        what_is_not_an_order_comes_again_and_again
        what_is_done_and_not_acknowledged_comes_again_in_the_end
        one_order_at_a_time_is_read_over_and_over
        orders_that_wait_for_their_turn_are_fulfilled_in_the_end
        what_is_done_when_the_connection_is_lost_is_done_again
        a_message_comes_back_only_after_it_was_worked_on;
}
