// The shop as it is asked: one errand for each iteration.
import exec from 'k6/execution';
import http from 'k6/http';
import { check, fail } from 'k6';
import { mix } from './load.js';
import * as metrics from './metrics.js';

const url = __ENV.GATEWAY_URL || 'http://127.0.0.1:3000';
const token = __ENV.LAB_TOKEN;
// Of so many orders a user remembers the last.
const MEMORY = 20;
const RIGHT = [200, 201, 202, 402, 409];
const AWAY = [429, 503];
const UNDONE = ['declined', 'failed', 'refunded'];

// The orders that this user has placed and not seen the end of.
const placed = [];

http.setResponseCallback(http.expectedStatuses(...RIGHT));

// What can be bought, and a name for this run: an order of a second run is another order.
export function setup() {
  const answer = http.get(`${url}/products`, settings('GET /products'));
  if (answer.status !== 200) {
    fail(`there is no shop at ${url}: ${answer.status} ${answer.error}`);
  }
  return { run: Date.now(), skus: answer.json('products.#.sku') };
}

export function shop(data) {
  errands[draw()](data);
}

const errands = {
  browse() {
    judge(http.get(`${url}/products`, settings('GET /products')));
  },
  place(data) {
    const order = newOrder(data);
    const answer = send(order);
    if (answer.status === 201 || answer.status === 202) {
      metrics.orderCreationDuration.add(answer.timings.duration);
      remember({ order, id: answer.json('id') });
    }
    pay(answer);
  },
  repeat(data) {
    const last = placed[placed.length - 1];
    if (!last) {
      return errands.place(data);
    }
    const answer = send(last.order);
    if (answer.status === 201) {
      check(answer, { 'the same order again': () => answer.json('id') === last.id });
    }
  },
  look(data) {
    const last = placed[placed.length - 1];
    if (!last) {
      return errands.place(data);
    }
    const answer = http.get(`${url}/orders/${last.id}`, settings('GET /orders/{id}'));
    judge(answer);
    forget(last, answer);
  },
  list() {
    judge(http.get(`${url}/orders?limit=10`, settings('GET /orders')));
  },
};

// Which errand, by the weights of the load.
function draw() {
  let ticket = Math.random() * mix.weights.reduce((sum, [, weight]) => sum + weight, 0);
  for (const [kind, weight] of mix.weights) {
    ticket -= weight;
    if (ticket < 0) {
      return kind;
    }
  }
  return mix.weights[0][0];
}

function send(order) {
  const answer = http.post(
    `${url}/orders`,
    JSON.stringify(order.body),
    settings('POST /orders', { 'Content-Type': 'application/json', 'Idempotency-Key': order.key }),
  );
  judge(answer);
  return answer;
}

function newOrder(data) {
  const first = whole(data.skus.length);
  const lines = 1 + whole(Math.min(3, data.skus.length));
  const items = [];
  for (let line = 0; line < lines; line += 1) {
    const sku = data.skus[(first + line) % data.skus.length];
    items.push({ sku, quantity: 1 + whole(3) });
  }
  const body = { items };
  if (Math.random() * 100 < mix.declined) {
    body.payment_method = 'card-declined';
  }
  return { body, key: `k6-${data.run}-${exec.scenario.iterationInTest}` };
}

// A right answer, an error, or neither: a shop that turns someone away is not broken.
function judge(answer) {
  const right = RIGHT.includes(answer.status);
  metrics.success.add(right);
  metrics.errors.add(!right && !AWAY.includes(answer.status));
  check(answer, { 'a right answer': () => right });
}

// Whether an order's payment went well, as far as it is decided: 202 is not.
function pay(answer) {
  if (answer.status === 201) {
    metrics.paymentProcessingSuccess.add(true);
  } else if (answer.status === 402 || isUnpaid(answer)) {
    metrics.paymentProcessingSuccess.add(false);
  }
  if (answer.status === 402) {
    metrics.compensationCalls.add(1);
  }
}

function isUnpaid(answer) {
  return answer.status === 503 && answer.json('code') === 'payment_unavailable';
}

function remember(order) {
  placed.push(order);
  if (placed.length > MEMORY) {
    placed.shift();
  }
}

// An order that has come to its end need not be looked at again, and counts once if it was undone.
function forget(order, answer) {
  const status = answer.status === 200 ? answer.json('status') : 'unknown';
  if (UNDONE.includes(status)) {
    metrics.compensationCalls.add(1);
  }
  if (status === 'fulfilled' || UNDONE.includes(status)) {
    placed.splice(placed.indexOf(order), 1);
  }
}

function whole(below) {
  return Math.floor(Math.random() * below);
}

// The name stands for all URLs of a route.
function settings(name, headers = {}) {
  const authorized = token ? { Authorization: `Bearer ${token}` } : {};
  return { headers: Object.assign({}, headers, authorized), tags: { name }, timeout: '10s' };
}
