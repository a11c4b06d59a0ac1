//! One suite of scenarios for two brokers: the embedded one, and a real private RabbitMQ.
//!
//! A scenario is written once, driven by lapin, and listed once below; it runs as
//! `embedded::name` and as `rabbitmq::name`. Written against RabbitMQ 3.10, keeping to what
//! RabbitMQ 4 does too; a comment says so where a scenario steps around a difference.

mod connections;
mod consuming;
mod dead_letters;
mod declaring;
mod disturbing;
mod limits;
mod publishing;
mod routing;
mod settling;
mod shop;
mod world;

macro_rules! scenarios {
    ($($module:ident: $($name:ident),+;)+) => {
        mod embedded {
            $($(#[tokio::test]
            async fn $name() -> anyhow::Result<()> {
                let world = crate::world::World::embedded().await?;
                crate::world::within_time(crate::$module::$name(&world)).await
            })+)+
        }
        mod rabbitmq {
            $($(#[tokio::test]
            async fn $name() -> anyhow::Result<()> {
                let Some(world) = crate::world::World::rabbitmq().await? else { return Ok(()) };
                crate::world::within_time(crate::$module::$name(&world)).await
            })+)+
        }
    };
}

macro_rules! embedded_only {
    ($($name:ident),+ $(,)?) => {
        mod embedded_only {
            $(#[tokio::test]
            async fn $name() -> anyhow::Result<()> {
                crate::world::within_time(crate::disturbing::$name()).await
            })+
        }
    };
}

scenarios! {
    connections:
        a_wrong_password_is_refused_with_403,
        an_unknown_vhost_is_refused_with_530,
        unacked_messages_of_a_closed_connection_are_redelivered,
        exclusive_queues_end_with_their_connection,
        closing_a_channel_gives_its_messages_back,
        a_channel_can_be_opened_again_after_its_error;
    declaring:
        a_queue_is_declared_again_only_as_it_is,
        a_missing_queue_is_not_found,
        an_exchange_is_declared_again_only_as_it_is,
        a_missing_exchange_is_not_found,
        an_unknown_exchange_type_closes_the_connection,
        reserved_names_and_the_default_exchange_are_refused,
        the_broker_names_a_queue_without_a_name,
        an_exclusive_queue_is_locked_for_others,
        an_auto_delete_queue_goes_with_its_last_consumer,
        an_auto_delete_exchange_goes_with_its_last_binding,
        purging_leaves_unacked_messages,
        deleting_can_ask_for_unused_and_empty,
        deleting_what_is_not_there_succeeds,
        invalid_arguments_are_refused,
        a_quorum_queue_is_there_to_stay,
        an_unused_queue_expires;
    routing:
        the_default_exchange_routes_by_queue_name,
        a_direct_exchange_routes_by_key,
        a_fanout_exchange_routes_to_all,
        a_topic_exchange_routes_by_pattern,
        a_headers_exchange_routes_by_headers,
        exchanges_are_bound_to_exchanges,
        a_queue_gets_a_message_once,
        an_unbound_queue_gets_nothing,
        binding_what_is_not_there_is_not_found;
    publishing:
        every_publish_is_confirmed,
        an_unroutable_mandatory_message_is_returned_before_its_confirm,
        publishing_to_an_unknown_exchange_closes_the_channel,
        an_internal_exchange_takes_no_messages,
        bodies_of_all_sizes_arrive_whole,
        all_properties_arrive,
        an_invalid_expiration_is_refused;
    consuming:
        messages_arrive_in_order,
        prefetch_limits_each_consumer,
        global_prefetch_limits_the_channel,
        consumers_take_turns,
        no_ack_needs_no_ack,
        an_exclusive_consumer_is_alone,
        a_canceled_consumer_gets_nothing_more,
        a_consumer_hears_that_its_queue_is_deleted,
        a_consumer_tag_is_used_once,
        getting_takes_one_message_at_a_time;
    settling:
        an_acknowledged_message_is_gone,
        acknowledging_multiple_settles_all_before,
        a_tag_used_again_is_another_consumer,
        an_unknown_delivery_tag_is_refused,
        a_requeued_message_is_redelivered_first,
        requeued_messages_keep_their_order,
        a_rejected_message_is_gone,
        recovering_requeues_everything;
    dead_letters:
        a_rejected_message_carries_its_death,
        an_expired_message_carries_its_death,
        an_overflowing_message_is_a_dead_letter,
        a_quorum_queue_gives_up_after_its_delivery_limit,
        deaths_are_counted,
        a_letter_that_only_goes_round_is_dropped,
        a_dead_letter_keeps_its_routing_key_unless_told;
    limits:
        a_message_expires_by_its_queue,
        a_message_expires_by_itself,
        an_expired_message_waits_behind_a_lasting_one,
        a_full_queue_drops_its_oldest,
        a_full_queue_refuses_when_told,
        messages_to_a_waiting_consumer_outlive_a_ttl_of_zero;
    shop:
        an_order_is_retried_and_then_parked,
        the_shop_declares_its_topology_twice;
}

embedded_only! {
    the_statistics_count_what_happens,
    a_cut_connection_is_noticed_and_its_messages_return,
    an_ack_makes_room_for_the_consumer_who_had_the_message,
    a_blocked_publisher_waits_and_is_told,
    a_full_broker_refuses_until_there_is_room,
    a_body_beyond_the_limit_closes_the_channel,
    what_a_client_does_not_read_stays_in_its_queue,
    a_stop_closes_connections_with_320_and_ends,
    a_silent_client_is_dropped_after_two_heartbeats,
    other_protocols_are_told_which_one_is_spoken,
}
