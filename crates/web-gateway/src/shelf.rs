//! What is sold, as it is shown: kept for a moment, since all customers look at the same.

use std::sync::Arc;

use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use contract::shop::v1 as proto;
use faults::{Seam, Switchboard};
use http::{HeaderValue, header};
use tokio::time::timeout_at;
use tonic::Status;

use crate::{
    answer::{Product, ProductList},
    cache::{Cache, Kept, Lifetime},
    deadline::Deadline,
    error::Error,
    metrics::CacheMetrics,
    orders::Orders,
};

/// The products, ready to be sent.
#[derive(Clone, Debug)]
pub(crate) struct Shelf {
    orders: Orders,
    /// Nothing if every request is to be answered anew.
    kept: Option<(Cache<Bytes>, HeaderValue)>,
    faults: Arc<Switchboard>,
}

impl Shelf {
    /// Keeps products for as long as they are good, if that is a time at all. Whoever stands
    /// between us and a client may keep them too, if they are for everybody.
    pub(crate) fn new(
        orders: Orders,
        lifetime: Lifetime,
        for_everybody: bool,
        metrics: CacheMetrics,
        faults: Arc<Switchboard>,
    ) -> Self {
        let kept = (!lifetime.fresh.is_zero()).then(|| {
            let cache = Cache::new(lifetime, metrics.cache_requests_total);
            (cache, cache_control(lifetime, for_everybody))
        });
        Self { orders, kept, faults }
    }

    /// The answer to whoever wants to see what is sold.
    pub(crate) async fn show(&self, deadline: Deadline) -> Result<Response, Error> {
        let Some((cache, cache_control)) = &self.kept else {
            return Ok(json(fetch(self.orders.clone(), deadline).await?));
        };
        let orders = self.orders.clone();
        // The other way: everybody asks for themselves, and nothing is kept.
        if self.faults.detours(Seam::ShowProducts) {
            return Ok(json(look_up_each(cache, &orders, deadline).await?));
        }
        // A time of its own: it may go on when this request is answered.
        let looking = cache.get(|| fetch(orders, Deadline::after(deadline.budget())));
        let Kept { value, at } =
            timeout_at(deadline.at(), looking).await.map_err(|_| too_late())??;
        let mut response = json(value);
        response.headers_mut().insert(header::CACHE_CONTROL, cache_control.clone());
        response.headers_mut().insert(header::AGE, at.elapsed().as_secs().into());
        Ok(response)
    }
}

async fn fetch(orders: Orders, deadline: Deadline) -> Result<Bytes, Error> {
    Ok(list(orders.products(deadline).await?))
}

/// The list, and the price and the stock of each product looked up in it once more: looks that cost
/// nothing where it is kept.
async fn look_up_each(
    cache: &Cache<Bytes>,
    orders: &Orders,
    deadline: Deadline,
) -> Result<Bytes, Error> {
    let fetched = cache.pass(orders.products(deadline)).await?;
    for _ in 0..2 * fetched.len() {
        orders.products(deadline).await?;
    }
    Ok(list(fetched))
}

fn list(products: Vec<proto::Product>) -> Bytes {
    let products = products.into_iter().map(Product::from).collect();
    let list = serde_json::to_vec(&ProductList { products });
    list.expect("a list of products is JSON").into()
}

fn json(body: Bytes) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

fn cache_control(Lifetime { fresh, stale }: Lifetime, for_everybody: bool) -> HeaderValue {
    let (fresh, stale) = (fresh.as_secs(), stale.as_secs());
    let keeper = if for_everybody { "public" } else { "private" };
    let text = format!(
        "{keeper}, max-age={fresh}, stale-while-revalidate={stale}, stale-if-error={stale}"
    );
    HeaderValue::try_from(text).expect("numbers and words are visible ASCII")
}

fn too_late() -> Error {
    let status = Status::deadline_exceeded("the request's deadline has passed");
    Error::DeadlineExceeded(status.into())
}
