//! What an operator's tools ask: is it alive, is it ready, how is it doing.
//!
//! Must hold: `/healthz` asks nobody; `/metrics` tells numbers and words of our own, never a name, and asks no further
//! once the database does not answer.

use actix_web::{HttpResponse, web};
use metrics_exporter_prometheus::PrometheusHandle;

use super::ready;
use crate::kit::Kit;
use crate::store::{ReadFault, Store, outbox, seals, state_counts};

/// Alive, ready, metrics.
pub fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/healthz").get(alive).head(alive))
        .service(web::resource("/readyz").get(ready::ready).head(ready::ready))
        .service(web::resource("/metrics").get(measured).head(measured));
}

async fn alive() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; charset=utf-8").body("alive\n")
}

async fn measured(kit: web::Data<Kit>, handle: web::Data<PrometheusHandle>) -> HttpResponse {
    let counted = count(&kit.store).await.inspect_err(|fault| tracing::warn!(%fault, "not counted"));
    metrics::gauge!("countersign_database_answers").set(if counted.is_ok() { 1.0 } else { 0.0 });
    HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(handle.render())
}

async fn count(store: &Store) -> Result<(), ReadFault> {
    for (state, count) in state_counts::by_state(store).await? {
        metrics::gauge!("countersign_workflows", "state" => state).set(as_gauge(count));
    }
    for (state, count) in outbox::not_sent_by_state(store).await? {
        metrics::gauge!("countersign_owed_messages", "state" => state).set(as_gauge(count));
    }
    let waiting = seals::waiting(store).await?;
    metrics::gauge!("countersign_unsealed_events").set(as_gauge(i64::try_from(waiting).unwrap_or(i64::MAX)));
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "a gauge is a float; counts beyond 2^52 do not come up")]
fn as_gauge(count: i64) -> f64 {
    count as f64
}
