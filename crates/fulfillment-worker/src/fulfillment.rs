//! The work itself: picking and packing an order, and telling order-api.

use std::{sync::Arc, time::Duration};

use contract::event::OrderPlaced;
use faults::{Seam, Switchboard};
use instrumentation::trace::{Span, SpanKind};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use rand_distr::{Distribution as _, LogNormal};
use tokio::sync::{Mutex, MutexGuard};
use uuid::Uuid;

use crate::{
    assignment::Envelope,
    config::Config,
    error::Error,
    order_api::{OrderApi, Recorded},
};

/// The spread of picking: with it p90 is twice and p99 four times the median.
const PICKING_SIGMA: f64 = 0.6;
/// No picking takes longer than this many medians.
const PICKING_CEILING: f64 = 10.0;
/// What every further line adds, as a share of the first.
const LINE_SHARE: f64 = 0.1;

/// How often an order that is done line by line is read for each of them.
const READS_PER_LINE: usize = 5;

/// Whoever fulfills orders.
#[derive(Debug)]
pub(crate) struct Fulfillment {
    order_api: OrderApi,
    switchboard: Arc<Switchboard>,
    picking_median: Duration,
    goods_missing_rate: f64,
    /// Held by whoever fulfills an order, if only one may at a time.
    turn: Mutex<()>,
}

/// What was done for an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Done {
    /// It is picked and packed.
    Fulfilled,
    /// Its goods are missing.
    Failed,
    /// Nothing: it had been done before.
    Before,
}

impl Fulfillment {
    pub(crate) fn new(order_api: OrderApi, switchboard: Arc<Switchboard>, config: &Config) -> Self {
        Self {
            order_api,
            switchboard,
            picking_median: config.picking_median.into(),
            goods_missing_rate: config.goods_missing_rate,
            turn: Mutex::default(),
        }
    }

    /// Fulfills an order, once: what was recorded before is not done again.
    pub(crate) async fn fulfill(
        &self,
        envelope: &Envelope,
        order: &OrderPlaced,
    ) -> Result<Done, Error> {
        let id = order.order_id;
        // A second copy of an event looks like a first one, so every message is asked about.
        // The other way: nobody asks.
        if !self.switchboard.detours(Seam::AskOrder) && self.order_api.is_final(id).await? {
            return Ok(Done::Before);
        }
        // The other way: one order at a time, and line by line.
        let _turn = match self.switchboard.detours(Seam::FulfillOrder) {
            true => Some(self.take_turn(order).await?),
            false => None,
        };
        self.switchboard.strike(Seam::FulfillOrder).await?;
        let span = Span::part(SpanKind::Internal, "pick and pack", Vec::new);
        let found = span.scope(self.pick_and_pack(order)).await;
        drop(span);
        let (done, recorded) = if found {
            (Done::Fulfilled, self.order_api.complete(id, &envelope.message_id).await?)
        } else {
            (Done::Failed, self.order_api.fail(id, &envelope.message_id).await?)
        };
        Ok(match recorded {
            Recorded::Now => done,
            Recorded::Before => Done::Before,
        })
    }

    /// Waits until all others are done, then reads the order over and over, for each line anew.
    async fn take_turn(&self, order: &OrderPlaced) -> Result<MutexGuard<'_, ()>, Error> {
        let turn = self.turn.lock().await;
        for _ in 0..order.items.len() * READS_PER_LINE {
            self.order_api.is_final(order.order_id).await?;
        }
        Ok(turn)
    }

    /// Takes as long as it takes; returns whether the goods were there.
    async fn pick_and_pack(&self, order: &OrderPlaced) -> bool {
        tokio::time::sleep(picking_time(self.picking_median, order.items.len())).await;
        !goods_are_missing(order.order_id, self.goods_missing_rate)
    }
}

fn picking_time(median: Duration, lines: usize) -> Duration {
    let shape = LogNormal::new(0.0, PICKING_SIGMA).expect("the spread is a constant");
    let factor = shape.sample(&mut rand::rng()).min(PICKING_CEILING);
    let further_lines = lines.saturating_sub(1) as f64;
    median.mul_f64(factor * (1.0 + LINE_SHARE * further_lines))
}

/// Drawn from the order's id, so that two workers that have the same order in hand find the same.
fn goods_are_missing(order_id: Uuid, rate: f64) -> bool {
    let (_, random_half) = order_id.as_u64_pair();
    StdRng::seed_from_u64(random_half).random_bool(rate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn picking_has_a_median_a_tail_and_grows_with_the_lines() {
        let quantile = |lines: usize, q: f64| {
            let median = Duration::from_millis(100);
            let mut times: Vec<_> = (0..4000).map(|_| picking_time(median, lines)).collect();
            times.sort();
            times[(q * 4000.0) as usize].as_secs_f64()
        };
        assert!((0.092..0.108).contains(&quantile(1, 0.5)), "p50 {}", quantile(1, 0.5));
        assert!((0.33..0.50).contains(&quantile(1, 0.99)), "p99 {}", quantile(1, 0.99));
        assert!((0.185..0.215).contains(&quantile(11, 0.5)), "11 lines {}", quantile(11, 0.5));
    }

    #[test]
    fn an_orders_goods_are_missing_at_every_try_or_never() {
        let orders: Vec<_> = (0..4000).map(|_| Uuid::now_v7()).collect();
        let missing = |order: &&Uuid| goods_are_missing(**order, 0.25);
        let first: Vec<_> = orders.iter().filter(missing).collect();
        assert!((850..1150).contains(&first.len()), "{} of 4000", first.len());
        assert!(first.iter().all(|order| goods_are_missing(**order, 0.25)));
        assert!(!goods_are_missing(orders[0], 0.0));
        assert!(goods_are_missing(orders[0], 1.0));
    }
}
