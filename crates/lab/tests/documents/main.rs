//! What is written about the lab, held against what it is: alerts against their runbooks and
//! tests, names of metrics against the catalogues, and the page of metrics, which is derived.

mod alerts;
mod catalogue;
mod names;
mod page;
mod repository;
mod runbooks;
