//! Whether order-api answers, asked once a second so that asking the gateway costs nothing.

use std::time::Duration;

use contract::shop::v1::orders_server::SERVICE_NAME;
use instrumentation::health::Check;
use resilience::Balanced;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

const INTERVAL: Duration = Duration::from_secs(1);
/// Less than the interval, so that an answer is never older than two of them.
const PATIENCE: Duration = Duration::from_millis(800);

/// Keeps `check` up to date, for as long as it runs.
///
/// It asks as calls do, so that the answer is theirs.
pub(crate) async fn watch(replicas: Balanced, check: Check) {
    let mut client = HealthClient::new(replicas);
    let mut ticks = interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        check.set(timeout(PATIENCE, serves(&mut client)).await.unwrap_or(false));
    }
}

async fn serves(client: &mut HealthClient<Balanced>) -> bool {
    let request = HealthCheckRequest { service: SERVICE_NAME.to_owned() };
    match client.check(request).await {
        Ok(answer) => answer.into_inner().status() == ServingStatus::Serving,
        Err(status) => {
            tracing::debug!(%status, "order-api does not answer");
            false
        }
    }
}
