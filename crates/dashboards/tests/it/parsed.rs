//! Queries, taken apart by a real parser of PromQL.

use std::{collections::BTreeSet, convert::Infallible};

use promql_parser::{
    parser::{Expr, LabelModifier, VectorSelector, parse},
    util::{ExprVisitor, walk_expr},
};

/// A metric that a query reads, and the labels that it expects of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Read {
    pub(crate) metric: String,
    pub(crate) labels: BTreeSet<String>,
}

/// The metrics that a query reads.
pub(crate) fn reads(expr: &str) -> Vec<Read> {
    let parsed = parse(expr).unwrap_or_else(|error| panic!("{expr}: {error}"));
    reads_of(&parsed)
}

fn reads_of(expr: &Expr) -> Vec<Read> {
    let mut reader = Reader::default();
    let Ok(_) = walk_expr(&mut reader, expr);
    reader.reads
}

#[derive(Default)]
struct Reader {
    reads: Vec<Read>,
}

impl Reader {
    fn read(&mut self, selector: &VectorSelector) {
        let metric = selector.name.clone().expect("every selector names its metric");
        let matchers = selector.matchers.matchers.iter();
        let labels = matchers.map(|matcher| matcher.name.clone()).collect();
        self.reads.push(Read { metric, labels });
    }
}

impl ExprVisitor for Reader {
    type Error = Infallible;

    fn pre_visit(&mut self, expr: &Expr) -> Result<bool, Infallible> {
        match expr {
            Expr::VectorSelector(selector) => self.read(selector),
            Expr::MatrixSelector(matrix) => self.read(&matrix.vs),
            Expr::Aggregate(aggregate) => {
                let kept = match &aggregate.modifier {
                    Some(LabelModifier::Include(labels)) => labels.labels.clone(),
                    Some(LabelModifier::Exclude(_)) | None => Vec::new(),
                };
                // Whoever groups by a label expects it of everything that is summed up.
                let mut inner = reads_of(&aggregate.expr);
                inner.iter_mut().for_each(|read| read.labels.extend(kept.iter().cloned()));
                self.reads.extend(inner);
            }
            _ => {}
        }
        Ok(true)
    }
}

#[test]
fn a_query_is_taken_apart_into_metrics_and_labels() {
    let expr = r#"sum by (route) (rate(hits_total{code="500"}[1m])) / max(limit)"#;
    let reads = reads(expr);
    let expected = |metric: &str, label: &str| {
        reads.iter().any(|read| read.metric == metric && read.labels.contains(label))
    };
    assert!(expected("hits_total", "code") && expected("hits_total", "route"));
    assert!(reads.iter().any(|read| read.metric == "limit"));
}
