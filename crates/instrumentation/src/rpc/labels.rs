//! What a call is counted by: its method and its status.

use tonic::Code;

crate::label! {
    /// A method of the contract.
    pub enum Method as "method" {
        /// Reserve, store, announce.
        PlaceOrder = "PlaceOrder",
        /// Read one.
        GetOrder = "GetOrder",
        /// Read a page.
        ListOrders = "ListOrders",
        /// Read what is sold.
        ListProducts = "ListProducts",
        /// Picked and packed.
        CompleteFulfillment = "CompleteFulfillment",
        /// Cannot be picked.
        FailFulfillment = "FailFulfillment",
        /// Hold the price of an order.
        Authorize = "Authorize",
        /// Take the money that is held.
        Capture = "Capture",
        /// Give it back.
        Refund = "Refund",
        /// Read a payment.
        GetPayment = "GetPayment",
        /// Sign in.
        Authenticate = "Authenticate",
        /// Read who may sign in.
        GetAccount = "GetAccount",
        /// gRPC health, reflection, and what does not exist.
        Other = "other",
    }
}

crate::label! {
    /// How a call ended, as gRPC names it.
    pub enum CallStatus as "status" {
        /// Well.
        Ok = "OK",
        /// The caller gave up.
        Cancelled = "CANCELLED",
        /// Nobody knows.
        Unknown = "UNKNOWN",
        /// The request makes no sense.
        InvalidArgument = "INVALID_ARGUMENT",
        /// Too late.
        DeadlineExceeded = "DEADLINE_EXCEEDED",
        /// There is no such thing.
        NotFound = "NOT_FOUND",
        /// It exists already.
        AlreadyExists = "ALREADY_EXISTS",
        /// Not allowed.
        PermissionDenied = "PERMISSION_DENIED",
        /// Too much was asked for.
        ResourceExhausted = "RESOURCE_EXHAUSTED",
        /// The state of things forbids it.
        FailedPrecondition = "FAILED_PRECONDITION",
        /// Someone else was faster.
        Aborted = "ABORTED",
        /// Past the end.
        OutOfRange = "OUT_OF_RANGE",
        /// There is no such method.
        Unimplemented = "UNIMPLEMENTED",
        /// A defect.
        Internal = "INTERNAL",
        /// Not now.
        Unavailable = "UNAVAILABLE",
        /// Gone for good.
        DataLoss = "DATA_LOSS",
        /// Who are you?
        Unauthenticated = "UNAUTHENTICATED",
    }
}

impl Method {
    /// The method that a request's path names.
    pub fn of(path: &str) -> Self {
        let name = path.strip_prefix("/shop.v1.").and_then(|rest| rest.split_once('/'));
        let known = |method: &&Self| name.is_some_and(|(_, name)| name == method.as_str());
        Self::ALL.iter().find(known).copied().unwrap_or(Self::Other)
    }
}

impl CallStatus {
    /// Whether it is the server's fault; what a client did wrong is no error of the server.
    pub fn is_servers_fault(self) -> bool {
        matches!(
            self,
            Self::Unknown
                | Self::DeadlineExceeded
                | Self::Unimplemented
                | Self::Internal
                | Self::Unavailable
                | Self::DataLoss
        )
    }
}

impl From<Code> for CallStatus {
    fn from(code: Code) -> Self {
        match code {
            Code::Ok => Self::Ok,
            Code::Cancelled => Self::Cancelled,
            Code::Unknown => Self::Unknown,
            Code::InvalidArgument => Self::InvalidArgument,
            Code::DeadlineExceeded => Self::DeadlineExceeded,
            Code::NotFound => Self::NotFound,
            Code::AlreadyExists => Self::AlreadyExists,
            Code::PermissionDenied => Self::PermissionDenied,
            Code::ResourceExhausted => Self::ResourceExhausted,
            Code::FailedPrecondition => Self::FailedPrecondition,
            Code::Aborted => Self::Aborted,
            Code::OutOfRange => Self::OutOfRange,
            Code::Unimplemented => Self::Unimplemented,
            Code::Internal => Self::Internal,
            Code::Unavailable => Self::Unavailable,
            Code::DataLoss => Self::DataLoss,
            Code::Unauthenticated => Self::Unauthenticated,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_its_method_and_nothing_else_does() {
        assert_eq!(Method::of("/shop.v1.Orders/PlaceOrder"), Method::PlaceOrder);
        assert_eq!(Method::of("/shop.v1.Accounts/Authenticate"), Method::Authenticate);
        assert_eq!(Method::of("/shop.v1.Orders/other"), Method::Other);
        assert_eq!(Method::of("/shop.v1.PlaceOrder"), Method::Other);
        assert_eq!(Method::of("/grpc.health.v1.Health/Check"), Method::Other);
    }
}
