//! The calls of the contract: parsed, done, answered.

use contract::{
    order::PaymentMethod,
    shop::v1::{
        self, AuthorizeRequest, AuthorizeResponse, CaptureRequest, CaptureResponse,
        GetPaymentRequest, GetPaymentResponse, RefundRequest, RefundResponse, payments_server,
    },
};
use tonic::Request;
use uuid::Uuid;

use super::{Charge, PaymentStatus, Payments};
use crate::{
    error::Error,
    messages::{invalid, timestamp},
    rpc::{Answer, answer},
    store::Payment,
};

#[tonic::async_trait]
impl payments_server::Payments for Payments {
    async fn authorize(&self, request: Request<AuthorizeRequest>) -> Answer<AuthorizeResponse> {
        answer(async {
            let charge = charge(request.into_inner())?;
            let payment = match self.get(charge.order_id).await {
                Err(Error::NoPayment) => self.authorize(&charge, None).await?,
                known => known?,
            };
            Ok(AuthorizeResponse { payment: Some(message(payment)) })
        })
        .await
    }

    async fn capture(&self, request: Request<CaptureRequest>) -> Answer<CaptureResponse> {
        answer(async {
            let payment = self.capture(order_id(&request.get_ref().order_id)?).await?;
            Ok(CaptureResponse { payment: Some(message(payment)) })
        })
        .await
    }

    async fn refund(&self, request: Request<RefundRequest>) -> Answer<RefundResponse> {
        answer(async {
            let payment = self.refund(order_id(&request.get_ref().order_id)?).await?;
            Ok(RefundResponse { payment: Some(message(payment)) })
        })
        .await
    }

    async fn get_payment(&self, request: Request<GetPaymentRequest>) -> Answer<GetPaymentResponse> {
        answer(async {
            let payment = self.get(order_id(&request.get_ref().order_id)?).await?;
            Ok(GetPaymentResponse { payment: Some(message(payment)) })
        })
        .await
    }
}

/// An order's id; what is not one was never paid for.
fn order_id(text: &str) -> Result<Uuid, Error> {
    Uuid::try_parse(text).map_err(|_| Error::NoPayment)
}

fn charge(request: AuthorizeRequest) -> Result<Charge, Error> {
    let AuthorizeRequest { order_id, amount_minor, currency, payment_method } = request;
    let order_id = Uuid::try_parse(&order_id).map_err(|_| invalid("order_id", "must be a UUID"))?;
    if amount_minor < 0 {
        return Err(invalid("amount_minor", "must not be less than nothing"));
    }
    if currency != contract::CURRENCY {
        return Err(invalid("currency", "must be the shop's"));
    }
    let payment_method = PaymentMethod::parse("payment_method", payment_method)?;
    let payment_method = payment_method.as_str().to_owned();
    Ok(Charge { order_id, amount_minor, currency, payment_method })
}

fn message(payment: Payment) -> v1::Payment {
    let status = match payment.status {
        PaymentStatus::Authorized => v1::PaymentStatus::Authorized,
        PaymentStatus::Declined => v1::PaymentStatus::Declined,
        PaymentStatus::Captured => v1::PaymentStatus::Captured,
        PaymentStatus::Voided => v1::PaymentStatus::Voided,
        PaymentStatus::Refunded => v1::PaymentStatus::Refunded,
    };
    v1::Payment {
        order_id: payment.order_id.to_string(),
        status: status.into(),
        amount_minor: payment.amount_minor,
        currency: payment.currency,
        authorization_id: payment.authorization_id,
        decline_reason: payment.decline_reason.unwrap_or_default(),
        created_at: Some(timestamp(payment.created_at)),
        updated_at: Some(timestamp(payment.updated_at)),
    }
}
