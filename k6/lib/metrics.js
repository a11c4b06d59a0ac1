// What is measured beside what k6 measures of itself. In Prometheus: k6_order_creation_duration_p95
// and so on, in seconds, k6_payment_processing_success_rate, k6_compensation_calls_total.
import { Counter, Rate, Trend } from 'k6/metrics';

// From sending an order to its acceptance.
export const orderCreationDuration = new Trend('order_creation_duration', true);
// Of the payments that were decided: the share that went well.
export const paymentProcessingSuccess = new Rate('payment_processing_success');
// Orders that had to be undone: declined, failed or refunded.
export const compensationCalls = new Counter('compensation_calls');
// Requests that let the customer down, and those with a right answer; the rest was turned away.
export const errors = new Rate('errors');
export const success = new Rate('success');
