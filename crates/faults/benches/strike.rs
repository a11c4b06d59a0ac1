//! What a seam costs: unarmed, and with another seam armed.
//!
//! The future is polled by hand, because entering a runtime costs a hundred times more than it.

use std::{
    future::Future as _,
    hint::black_box,
    pin::pin,
    task::{Context, Poll, Waker},
};

use criterion::{Criterion, criterion_group, criterion_main};
use faults::{Arming, Effect, Failure, Seam, Switchboard};

fn strike_once(board: &Switchboard) -> Poll<Result<(), Failure>> {
    let mut context = Context::from_waker(Waker::noop());
    pin!(board.strike(black_box(Seam::StoreOrder))).poll(&mut context)
}

fn strike(criterion: &mut Criterion) {
    let board = Switchboard::default();
    criterion.bench_function("unarmed", |bencher| bencher.iter(|| strike_once(&board)));
    criterion.bench_function("unarmed, with another way", |bencher| {
        bencher.iter(|| board.detours(black_box(Seam::ListOrders)));
    });

    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let _entered = runtime.as_ref().expect("a runtime").enter();
    let (id, seam) = (uuid::Uuid::nil(), Seam::FulfillOrder);
    let effect = Effect::Fail { share: 1.0 };
    board.replace(vec![Arming { id, seam, effect, remaining_ms: 3_600_000 }]);
    criterion.bench_function("another seam armed", |bencher| bencher.iter(|| strike_once(&board)));
}

criterion_group!(benches, strike);
criterion_main!(benches);
