//! The business thread: one id from the customer's request to the last hop it causes.

use std::{fmt, future::Future, sync::Arc};

use uuid::Uuid;

/// The longest id that is accepted, in characters.
const MAX_LENGTH: usize = 128;

tokio::task_local! {
    static CURRENT: CorrelationId;
}

/// 1 to 128 visible ASCII characters, chosen by the client or made by the gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CorrelationId(Arc<str>);

impl CorrelationId {
    /// Accepts a client's id, or makes one where there is none that can be carried on.
    pub fn accept_or_make(text: Option<&str>) -> Self {
        text.and_then(Self::parse).unwrap_or_else(Self::make)
    }

    /// The id, if `text` can be one.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (1..=MAX_LENGTH).contains(&text.len());
        (fits && text.bytes().all(|byte| byte.is_ascii_graphic())).then(|| Self(text.into()))
    }

    /// A new id.
    pub fn make() -> Self {
        Self(Uuid::now_v7().to_string().into())
    }

    /// The id of the work in hand, inside [`CorrelationId::scope`].
    pub fn current() -> Option<Self> {
        CURRENT.try_with(Clone::clone).ok()
    }

    /// Does `work` under this id.
    pub async fn scope<F: Future>(self, work: F) -> F::Output {
        CURRENT.scope(self, work).await
    }

    /// Does `work` under the id of the work in hand, if there is one, wherever that is done.
    pub fn keep<F: Future>(work: F) -> impl Future<Output = F::Output> + use<F> {
        let current = Self::current();
        async move {
            match current {
                Some(id) => id.scope(work).await,
                None => work.await,
            }
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CorrelationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_cannot_be_carried_on_is_replaced() {
        assert_eq!(CorrelationId::accept_or_make(Some("checkout-7")).as_str(), "checkout-7");
        for bad in ["", "two words", "ä", &"x".repeat(MAX_LENGTH + 1)] {
            assert_ne!(CorrelationId::accept_or_make(Some(bad)).as_str(), bad);
        }
    }

    #[tokio::test]
    async fn the_id_is_known_inside_its_scope_only() {
        let id = CorrelationId::make();
        let seen = id.clone().scope(async { CorrelationId::current() }).await;
        assert_eq!(seen, Some(id.clone()));
        assert_eq!(CorrelationId::current(), None);

        let seen = async || CorrelationId::current();
        let elsewhere = id.clone().scope(async { tokio::spawn(CorrelationId::keep(seen())).await });
        assert_eq!(elsewhere.await.unwrap(), Some(id));
        assert_eq!(CorrelationId::keep(seen()).await, None);
    }
}
