//! Everything that a learner can read, to be searched for what gives an answer away.

use std::{ffi::OsStr, fs};

use super::{Stage, walk};

/// Traces that are looked at step by step for what they give away: so many that failed, and so many.
const TOLD_WHOLE: usize = 50;
/// The log files of the services, and that of order-api's second replica.
const LOGS: [&str; 4] =
    ["web-gateway.log", "order-api.log", "fulfillment-worker.log", "order-api-canary.log"];

impl Stage {
    /// Everything that a learner can read: metrics, settings, logs, traces, and what the shop answers.
    pub(crate) async fn told(&self) -> anyhow::Result<String> {
        let mut told = String::new();
        for side in &self.sides {
            for path in ["metrics", "ready", "control/seams", "control/settings"] {
                told += &self.client.get(format!("{side}/{path}")).send().await?.text().await?;
            }
        }
        told += &self.get("/logs", &[("limit", "10000")]).await?.to_string();
        let traces = self.get("/traces", &[("limit", "10000")]).await?;
        told += &traces.to_string();
        // Those that failed, and the last ones, with all their steps.
        let all = traces["traces"].as_array().map_or(&[][..], Vec::as_slice);
        let failed = all.iter().filter(|trace| trace["error"] == true).take(TOLD_WHOLE);
        for trace in failed.chain(all.iter().take(TOLD_WHOLE)) {
            let id = trace["trace_id"].as_str().unwrap_or_default();
            // The oldest may have made room since.
            if let Ok(trace) = self.get(&format!("/traces/{id}"), &[]).await {
                told += &trace.to_string();
            }
        }
        if let Some(shop) = &self.shop {
            let orders = format!("{shop}/orders");
            let asked = [
                self.client.get(format!("{shop}/products")),
                self.client.get(&orders),
                self.client.get(format!("{orders}/none")),
                self.client.post(&orders).body("{}").header("content-type", "application/json"),
            ];
            for request in asked {
                let answer = request.send().await?;
                told += &format!("{:?}", answer.headers());
                told += &answer.text().await?;
            }
        }
        let files = self.own.iter().flat_map(|own| walk(own.folder.path()));
        for entry in files {
            // What was written before a file became too long lies beside it.
            let name = entry.file_name().and_then(OsStr::to_str).unwrap_or_default();
            if LOGS.iter().any(|log| name.starts_with(log)) {
                told += &fs::read_to_string(entry).unwrap_or_default();
            }
        }
        Ok(told)
    }
}
