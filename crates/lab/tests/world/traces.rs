//! One order, one trace: the exact tree of spans for every journey, taken over OTLP.

use std::{collections::HashSet, fmt::Write as _, time::Duration};

use serde_json::{Value, json};
use testbed::eventually;
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::{
    in_both_worlds,
    lab::{Lab, PATIENCE, World},
    shop::cart,
};

in_both_worlds!(
    every_journey_is_one_tree_of_spans,
    what_was_given_up_is_a_trace_too,
    an_order_whose_worker_dies_stays_one_trace,
    an_order_whose_message_comes_again_stays_one_trace,
);

/// What a placed order goes through in order-api, with an idempotency key.
const PLACING: &str = "\
web-gateway server POST /orders 201
  web-gateway client shop.v1.Orders/PlaceOrder OK
    order-api server shop.v1.Orders/PlaceOrder OK
      order-api internal wait for a connection
      order-api client begin
      order-api client claim_key
      order-api client reserve_stock
      order-api client insert_order
      order-api client insert_items
      order-api client insert_history
      order-api client commit
      order-api client POST /authorizations 201
      order-api internal wait for a connection
      order-api client insert_payment
      order-api internal wait for a connection
      order-api client begin
      order-api client move_order
      order-api client insert_history
      order-api client insert_event
      order-api client commit
      order-api producer publish shop.orders
";

/// The span of being charged.
const CHARGE: &str = "capture payment";
/// What being charged for it goes through, while the rest goes on.
const CHARGING: &str = "\
order-api internal capture payment
  order-api client POST /captures 201
  order-api internal wait for a connection
  order-api client move_payment
  order-api internal wait for a connection
  order-api client settle_order
";

/// What is left of the try of a worker that was killed at work: the try itself never ended and was
/// never sent, so what it had asked before has no parent.
const KILLED: &str = "\
fulfillment-worker client shop.v1.Orders/GetOrder OK
  order-api server shop.v1.Orders/GetOrder OK
    order-api internal wait for a connection
    order-api client get_order
    order-api client read_history
";

/// What a message goes through that comes again when its order is fulfilled.
const AGAIN: &str = "        fulfillment-worker consumer process fulfillment.orders duplicate
          fulfillment-worker client shop.v1.Orders/GetOrder OK
            order-api server shop.v1.Orders/GetOrder OK
              order-api internal wait for a connection
              order-api client get_order
              order-api client read_history
";

/// The work on it, which got to its end.
const FULFILLED: &str =
    "        fulfillment-worker consumer process fulfillment.orders fulfilled\n";
/// What working on it goes through.
const FULFILLING: &str = "          fulfillment-worker client shop.v1.Orders/GetOrder OK
            order-api server shop.v1.Orders/GetOrder OK
              order-api internal wait for a connection
              order-api client get_order
              order-api client read_history
          fulfillment-worker internal pick and pack
          fulfillment-worker client shop.v1.Orders/CompleteFulfillment OK
            order-api server shop.v1.Orders/CompleteFulfillment OK
              order-api internal wait for a connection
              order-api client begin
              order-api client move_order
              order-api client insert_history
              order-api client insert_fulfillment
              order-api client commit
";

async fn every_journey_is_one_tree_of_spans(world: World) {
    let (shop, key) = (world.shop(), Uuid::now_v7().to_string());
    let answer = shop.post(&cart("TEA-001", 1), &key).await.expect("an answer");
    let placed = trace_id(&answer);
    let order: Value = answer.json().await.expect("JSON");
    let id = order["id"].as_str().expect("an id");
    let tree = tree_with(&world.lab, &placed, "CompleteFulfillment", 2).await;
    assert_eq!(tree, format!("{PLACING}{FULFILLED}{FULFILLING}"));
    let spans = spans_with(&world.lab, &placed, "settle_order", 1).await;
    let charge = spans.iter().find(|span| is(span, CHARGE)).expect("it is charged");
    let mut tree = String::new();
    draw(charge, &spans.iter().collect::<Vec<_>>(), 0, &mut tree);
    assert_eq!(tree, CHARGING);

    let (again, body) = ask(&world, "POST", "/orders", Some((&cart("TEA-001", 1), &key))).await;
    assert_eq!(body["id"], order["id"]);
    let tree = tree_with(&world.lab, &again, "POST /orders", 1).await;
    let replayed = "\
web-gateway server POST /orders 201
  web-gateway client shop.v1.Orders/PlaceOrder OK
    order-api server shop.v1.Orders/PlaceOrder OK
      order-api internal wait for a connection
      order-api client begin
      order-api client claim_key
      order-api client read_key
      order-api client get_order
      order-api client read_history
";
    assert_eq!(tree, replayed);

    let (read, _) = ask(&world, "GET", &format!("/orders/{id}"), None).await;
    let tree = tree_with(&world.lab, &read, "GET /orders/{id}", 1).await;
    let reading = "\
web-gateway server GET /orders/{id} 200
  web-gateway client shop.v1.Orders/GetOrder OK
    order-api server shop.v1.Orders/GetOrder OK
      order-api internal wait for a connection
      order-api client get_order
      order-api client read_history
";
    assert_eq!(tree, reading);

    let key = Uuid::now_v7().to_string();
    let (refused, problem) =
        ask(&world, "POST", "/orders", Some((&cart("NO-SUCH-TEA", 1), &key))).await;
    assert_eq!(problem["trace_id"], refused.as_str(), "{problem}");
    let tree = tree_with(&world.lab, &refused, "POST /orders", 1).await;
    let refusing = "\
web-gateway server POST /orders 422
  web-gateway client shop.v1.Orders/PlaceOrder FAILED_PRECONDITION error
    order-api server shop.v1.Orders/PlaceOrder FAILED_PRECONDITION
      order-api internal wait for a connection
      order-api client begin
      order-api client claim_key
      order-api client reserve_stock
      order-api client find_product
      order-api client claim_key
";
    assert_eq!(tree, refusing, "what a client did wrong is no error of a server");
}

/// A message that no order stands behind, with a trace of its own.
async fn what_was_given_up_is_a_trace_too(world: World) {
    let trace_id = "0af7651916cd43dd8448eb211c80319c";
    let event = json!({
        "order_id": Uuid::now_v7(), "customer_id": "ada", "total_minor": 1, "currency": "EUR",
        "items": [{"sku": "TEA-001", "quantity": 1}], "placed_at": "2026-01-02T03:04:05Z",
    });
    world.publish(&event, &format!("00-{trace_id}-b7ad6b7169203331-01")).await;
    let tree = tree_with(&world.lab, trace_id, "process fulfillment.orders", 1).await;
    let given_up = "\
fulfillment-worker consumer process fulfillment.orders parked error
  fulfillment-worker client shop.v1.Orders/GetOrder NOT_FOUND error
    order-api server shop.v1.Orders/GetOrder NOT_FOUND
      order-api internal wait for a connection
      order-api client get_order
";
    // Its parent is the test, which sends no spans.
    assert_eq!(tree, given_up);
}

async fn an_order_whose_worker_dies_stays_one_trace(world: World) {
    let shop = world.shop();
    // The worker that dies takes its time, and the next one does not.
    let effect = json!({"delay": {"median_ms": 600_000.0, "share": 1.0}});
    let struck = Struck::at(&world, "fulfill_order", effect).await;
    let answer = shop.post(&cart("TEA-002", 1), "dies").await.expect("an answer");
    let trace_id = trace_id(&answer);
    // The worker has asked about the order, and is picking.
    spans_with(&world.lab, &trace_id, "shop.v1.Orders/GetOrder", 1).await;
    struck.end().await;
    world.lab.kill("fulfillment-worker").await;
    let spans = spans_with(&world.lab, &trace_id, "process fulfillment.orders", 1).await;
    assert_eq!(trees(&spans), [format!("{PLACING}{FULFILLED}{FULFILLING}"), KILLED.to_owned()]);
    let redelivered = spans
        .iter()
        .find(|span| span["name"] == "process fulfillment.orders")
        .expect("it was waited for");
    assert_eq!(redelivered["attributes"]["messaging.message.redelivered"], true);
}

/// The worker stays; its connection does not, each time that it has done its work.
async fn an_order_whose_message_comes_again_stays_one_trace(world: World) {
    let struck = Struck::at(&world, "settle_message", json!({"detour": {"share": 1.0}})).await;
    let answer = world.shop().post(&cart("TEA-002", 1), "again").await.expect("an answer");
    let trace_id = trace_id(&answer);
    let process = "process fulfillment.orders";
    eventually(PATIENCE, "the message comes again", || async {
        let spans = spans_of(&world.lab, &trace_id).await?;
        (spans.iter().filter(|span| is(span, process)).count() >= 2).then_some(())
    })
    .await;
    struck.end().await;
    let spans = spans_with(&world.lab, &trace_id, process, 2).await;
    let mut taken: Vec<_> = spans.iter().filter(|span| is(span, process)).collect();
    let again = AGAIN.repeat(taken.len() - 1);
    assert_eq!(trees(&spans), [format!("{PLACING}{FULFILLED}{FULFILLING}{again}")]);
    taken.sort_by_key(|span| span["start_unix_nano"].as_u64());
    for (time, span) in taken.iter().enumerate() {
        let marked = span["attributes"]["messaging.message.redelivered"] == true;
        assert_eq!(marked, time > 0, "{span}");
    }
}

/// The worker is struck at a seam. It is told so again and again, for the lab's own desk takes away what it
/// knows nothing of.
struct Struck {
    side: String,
    telling: JoinHandle<()>,
}

impl Struck {
    async fn at(world: &World, seam: &str, effect: Value) -> Self {
        let side = format!("http://127.0.0.1:{}/control/seams", world.lab.worker_side_port);
        let (id, strikes_for) = (Uuid::now_v7(), 600_000);
        let arming =
            json!([{"id": id, "seam": seam, "effect": effect, "remaining_ms": strikes_for}]);
        tell(&side, &arming).await.expect("the worker is told");
        let telling = tokio::spawn({
            let side = side.clone();
            async move {
                loop {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    drop(tell(&side, &arming).await);
                }
            }
        });
        Self { side, telling }
    }

    /// Nothing more is struck; what was struck before suffers on.
    async fn end(self) {
        self.telling.abort();
        drop(self.telling.await);
        tell(&self.side, &json!([])).await.expect("the worker is told");
    }
}

async fn tell(side: &str, armings: &Value) -> reqwest::Result<()> {
    let answer = reqwest::Client::new().put(side).json(armings).send().await?;
    answer.error_for_status().map(drop)
}

/// The trace that an answer was made in, as it says itself.
fn trace_id(answer: &reqwest::Response) -> String {
    let header = answer.headers()["traceresponse"].to_str().expect("text");
    let parts: Vec<_> = header.split('-').collect();
    assert_eq!((parts.len(), parts[0], parts[3]), (4, "00", "01"), "{header}");
    parts[1].to_owned()
}

async fn ask(
    world: &World,
    method: &str,
    path: &str,
    cart: Option<(&Value, &str)>,
) -> (String, Value) {
    let url = format!("http://127.0.0.1:{}{path}", world.lab.gateway_port);
    let method = reqwest::Method::from_bytes(method.as_bytes()).expect("a method");
    let mut request = reqwest::Client::new().request(method, url);
    if let Some((cart, key)) = cart {
        request = request.json(cart).header("idempotency-key", key);
    }
    let answer = request.send().await.expect("an answer");
    (trace_id(&answer), answer.json().await.expect("JSON"))
}

/// The spans of a trace, once so many of this name have come and nothing has been added for a time
/// in which every service would have sent spans again and again.
async fn spans_with(lab: &Lab, trace_id: &str, name: &str, times: usize) -> Vec<Value> {
    let mut before = 0;
    loop {
        let what = format!("trace {trace_id} has {times} {name}");
        let spans: Vec<Value> = eventually(PATIENCE, &what, || async {
            let spans = spans_of(lab, trace_id).await?;
            let named = spans.iter().filter(|span| is(span, name));
            (named.count() >= times).then_some(spans)
        })
        .await;
        if spans.len() == before {
            return spans;
        }
        before = spans.len();
        tokio::time::sleep(Duration::from_secs(3)).await;
    }
}

/// The spans of a trace that have come so far.
async fn spans_of(lab: &Lab, trace_id: &str) -> Option<Vec<Value>> {
    let url = format!("http://127.0.0.1:{}/traces/{trace_id}", lab.desk_port);
    let request = reqwest::Client::new().get(url).header("accept", "application/json");
    let trace: Value = request.send().await.ok()?.json().await.ok()?;
    Some(trace["spans"].as_array()?.clone())
}

fn is(span: &Value, name: &str) -> bool {
    span["name"].as_str().is_some_and(|known| known == name || known.ends_with(name))
}

async fn tree_with(lab: &Lab, trace_id: &str, name: &str, times: usize) -> String {
    let trees = trees(&spans_with(lab, trace_id, name, times).await);
    let [tree] = &trees[..] else { panic!("one root and no orphan: {trees:#?}") };
    tree.clone()
}

/// The tree below each span whose parent is not there, in the order in which they began.
fn trees(spans: &[Value]) -> Vec<String> {
    let ids: HashSet<_> = spans.iter().map(|span| &span["span_id"]).collect();
    let (inner, mut roots): (Vec<_>, Vec<_>) =
        spans.iter().partition(|span| ids.contains(&span["parent_span_id"]));
    roots.sort_by_key(|root| root["start_unix_nano"].as_u64());
    let draw = |root| {
        let mut text = String::new();
        draw(root, &inner, 0, &mut text);
        text
    };
    roots.into_iter().map(draw).collect()
}

fn draw(span: &Value, others: &[&Value], depth: usize, text: &mut String) {
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let attributes = &span["attributes"];
    let mut line = [&span["service"], &span["kind"], &span["name"]].map(word).join(" ");
    let code = &attributes["http.response.status_code"];
    let said = [&attributes["rpc.response.status_code"], &attributes["outcome"]].map(word);
    let said = said.into_iter().chain(code.as_i64().map(|code| code.to_string()));
    let failed = (span["status"] == "error").then(|| "error".to_owned());
    for word in said.chain(failed).filter(|word| !word.is_empty()) {
        let _ = write!(line, " {word}");
    }
    let _ = writeln!(text, "{:indent$}{line}", "", indent = depth * 2);
    let mut children: Vec<_> =
        others.iter().filter(|other| other["parent_span_id"] == span["span_id"]).collect();
    // Its place among the others is a matter of chance.
    children.retain(|child| !is(child, CHARGE));
    children.sort_by_key(|child| child["start_unix_nano"].as_u64());
    for child in children {
        draw(child, others, depth + 1, text);
    }
}
