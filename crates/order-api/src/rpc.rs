//! The calls of the contract: parsed, done, answered.

use contract::{
    refusal::Reason,
    shop::v1::{
        CompleteFulfillmentRequest, CompleteFulfillmentResponse, FailFulfillmentRequest,
        FailFulfillmentResponse, GetOrderRequest, GetOrderResponse, ListOrdersRequest,
        ListOrdersResponse, ListProductsRequest, ListProductsResponse, PlaceOrderRequest,
        PlaceOrderResponse, orders_server,
    },
};
use identity::Denied;
use instrumentation::trace::{self, attribute};
use tonic::{Request, Response, Status};
use tracing::Instrument as _;

use crate::{error::Error, guard, messages, orders::Orders, page, store::Ending};

pub(crate) type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl orders_server::Orders for Orders {
    async fn place_order(&self, request: Request<PlaceOrderRequest>) -> Answer<PlaceOrderResponse> {
        answer(async {
            let caller = guard::caller(&request)?;
            let new = messages::new_order(request.into_inner())?;
            if !caller.may_act_for(new.cart.customer_id().as_str()) {
                return Err(Denied.into());
            }
            let customer_id = new.cart.customer_id().as_str().to_owned();
            let fields = tracing::info_span!("place_order", customer_id);
            trace::set(attribute::CUSTOMER_ID, customer_id);
            let placed = self.place(new).instrument(fields).await?;
            trace::set(attribute::ORDER_ID, placed.order.id.to_string());
            let order = Some(messages::order(placed.order));
            Ok(PlaceOrderResponse { order, replayed: placed.replayed })
        })
        .await
    }

    async fn get_order(&self, request: Request<GetOrderRequest>) -> Answer<GetOrderResponse> {
        answer(async {
            let caller = guard::caller(&request)?;
            let id = messages::order_id(&request.get_ref().id)?;
            let order = self.get(id).await?;
            // That there is an order is nobody's business but its customer's.
            if !caller.may_act_for(&order.customer_id) {
                return Err(Error::NotFound);
            }
            Ok(GetOrderResponse { order: Some(messages::order(order)) })
        })
        .await
    }

    async fn list_orders(&self, request: Request<ListOrdersRequest>) -> Answer<ListOrdersResponse> {
        answer(async {
            let caller = guard::caller(&request)?;
            let request = request.get_ref();
            let filter = messages::filter(request, &caller)?;
            let limit = page::limit(request.limit)?;
            let before = page::before(&request.cursor)?;
            let (orders, more) = self.list(&filter, before, limit).await?;
            let last = orders.last().filter(|_| more);
            let next_cursor = last.map(|order| page::cursor(order.id)).unwrap_or_default();
            let orders = orders.into_iter().map(messages::order).collect();
            Ok(ListOrdersResponse { orders, next_cursor })
        })
        .await
    }

    async fn list_products(&self, _: Request<ListProductsRequest>) -> Answer<ListProductsResponse> {
        answer(async {
            let products = self.products().await?.into_iter().map(messages::product).collect();
            Ok(ListProductsResponse { products })
        })
        .await
    }

    async fn complete_fulfillment(
        &self,
        request: Request<CompleteFulfillmentRequest>,
    ) -> Answer<CompleteFulfillmentResponse> {
        answer(async {
            let already_recorded = self.end(messages::completed(request.into_inner())?).await?;
            Ok(CompleteFulfillmentResponse { already_recorded })
        })
        .await
    }

    async fn fail_fulfillment(
        &self,
        request: Request<FailFulfillmentRequest>,
    ) -> Answer<FailFulfillmentResponse> {
        answer(async {
            let already_recorded = self.end(messages::failed(request.into_inner())?).await?;
            Ok(FailFulfillmentResponse { already_recorded })
        })
        .await
    }
}

impl Orders {
    async fn end(&self, ending: Ending) -> Result<bool, Error> {
        let (order_id, message_id) = (ending.order_id, ending.message_id.as_str());
        let fields = tracing::info_span!("end_order", %order_id, message_id);
        trace::set(attribute::ORDER_ID, order_id.to_string());
        self.record(ending).instrument(fields).await
    }
}

/// The one place where a failed call is logged and becomes a status.
pub(crate) async fn answer<T>(work: impl Future<Output = Result<T, Error>>) -> Answer<T> {
    work.await.map(Response::new).map_err(|error| {
        match error.reason() {
            // Said once, when the database went away.
            Reason::Unavailable if matches!(error, Error::Away) => {}
            Reason::Unavailable => {
                trace::record_error(error.chain());
                tracing::warn!(error = error.chain(), "call failed");
            }
            Reason::Internal => {
                trace::record_error(error.chain());
                tracing::error!(error = error.chain(), "call failed");
            }
            reason => tracing::debug!(reason = reason.as_str(), "call refused"),
        }
        error.answer()
    })
}
