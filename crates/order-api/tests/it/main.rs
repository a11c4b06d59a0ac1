//! What order-api promises, at two levels: the store against both databases, the service over gRPC.

#![expect(clippy::unwrap_used, reason = "in a test, a panic is how one fails")]

mod abandoned;
mod accounts;
mod announcing;
mod calls;
mod database;
mod forgetting;
mod guarding;
mod locking;
mod other_ways;
mod outages;
mod overload;
mod paying;
mod scenarios;
mod shop;

/// One scenario is a test on SQLite and a test on Postgres.
macro_rules! on_both_databases {
    ($($scenarios:ident: $($name:ident)+;)+) => {
        mod sqlite {
            $($(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    crate::scenarios::$scenarios::$name(&crate::database::sqlite().await).await;
                }
            )+)+
        }

        mod postgres {
            $($(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    if testbed::left_out(testbed::Postgres::available()) {
                        return;
                    }
                    crate::scenarios::$scenarios::$name(&crate::database::postgres().await).await;
                }
            )+)+
        }
    };
}

on_both_databases! {
    placing:
        a_placed_order_is_found_as_it_was_placed
        an_unknown_sku_is_refused_and_nothing_is_taken
        more_than_there_is_is_refused_and_nothing_is_taken
        the_last_units_are_sold_once
        carts_in_opposite_order_do_not_lock_each_other_out
        the_tables_are_brought_up_to_date_once;
    paying:
        an_order_is_announced_once_it_is_paid
        a_declined_order_returns_its_stock_once_and_stays_declined
        an_order_decided_by_many_at_once_goes_one_way
        an_order_in_hand_is_left_alone_until_it_is_overdue
        an_overdue_order_is_claimed_by_one
        a_settled_order_is_due_again_only_for_its_money
        a_fulfilled_order_is_due_until_it_is_settled
        a_payment_is_what_was_answered_first_and_moves_once;
    repeating:
        a_repeated_key_gets_the_first_answer
        the_first_answer_stays_when_the_order_has_moved_on
        a_key_with_another_cart_is_refused
        a_refusal_is_an_answer_too
        a_key_used_by_many_at_once_places_one_order
        a_key_refused_to_many_at_once_is_remembered_once
        a_key_belongs_to_its_customer;
    forgetting:
        a_key_is_forgotten_when_its_time_is_over_and_its_order_stays
        a_key_of_a_younger_order_is_never_forgotten
        keys_are_forgotten_in_batches_by_any_number_of_replicas
        a_key_that_is_forgotten_while_it_is_used_is_no_defect;
    reading:
        what_is_not_there_is_not_found
        pages_hold_still_while_orders_come_in
        a_list_is_filtered_by_customer_and_status
        products_are_listed_by_sku;
    ending:
        an_order_is_fulfilled_once
        a_failed_order_returns_its_stock_once
        an_ended_order_cannot_end_otherwise
        an_order_ended_by_many_at_once_ends_one_way;
    outbox:
        an_order_leaves_an_event
        an_order_that_was_announced_in_vain_is_announced_again
        a_claimed_event_is_held_until_its_lease_ends
        two_relays_never_hold_the_same_event
        an_event_that_failed_comes_back_later
        a_published_event_is_gone;
    users:
        the_first_users_are_made_once
        a_user_is_found_by_their_whole_name;
}
