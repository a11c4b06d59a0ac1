//! The catalogue of faults, for those who choose one.

use std::fmt;

use faults::{FAULTS, Fault, Needs, parameters};
use serde::Serialize;

use super::{Parts, ledger::ArmedFault, status::Listed};

/// Everything there is to know.
#[derive(Serialize)]
pub(super) struct Catalogue {
    armed: Vec<ArmedFault>,
    faults: Vec<Description>,
}

/// A fault, for those who choose one.
#[derive(Serialize)]
pub(super) struct Description {
    name: &'static str,
    summary: &'static str,
    story: String,
    /// What it needs; nothing, a database or Postgres.
    needs: &'static str,
    parameters: Vec<Parameter>,
}

#[derive(Serialize)]
struct Parameter {
    name: &'static str,
    meaning: &'static str,
    default: f64,
    min: f64,
    max: f64,
}

impl Catalogue {
    pub(super) fn of(parts: &Parts) -> Self {
        let faults = FAULTS.iter().copied().map(Description::of).collect();
        Self { armed: parts.ledger.on(), faults }
    }
}

impl Description {
    pub(super) fn of(fault: &'static Fault) -> Self {
        let parameters = fault.parameters.iter().map(|known| Parameter {
            name: known.name,
            meaning: known.meaning,
            default: known.default,
            min: known.min,
            max: known.max,
        });
        Self {
            name: fault.name,
            summary: fault.summary(),
            story: fault.story(),
            needs: fault.needs().name(),
            parameters: parameters.collect(),
        }
    }
}

impl fmt::Display for Catalogue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("faults\n")?;
        for fault in FAULTS {
            writeln!(f, "  {:<20}{}{}", fault.name, fault.summary(), needing(fault))?;
            for possible in parameters::possible(fault.parameters) {
                writeln!(f, "  {:<20}  {possible}", "")?;
            }
        }
        let first = FAULTS.first().map_or("NAME", |fault| fault.name);
        write!(
            f,
            "\nturn one on: just chaos {first}, or curl -X POST :4000/chaos/{first}\n\non\n"
        )?;
        Listed(&self.armed).fmt(f)
    }
}

/// What is said of what a fault needs.
fn needing(fault: &Fault) -> &'static str {
    match fault.needs() {
        Needs::Postgres | Needs::Proxy => " (needs Postgres)",
        // Every lab has one.
        Needs::Nothing | Needs::Database if fault.needs_canary() => " (needs --canary)",
        Needs::Nothing | Needs::Database => "",
    }
}

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}\n\n{}\n", self.name, self.summary, self.story)?;
        let fault = faults::find(self.name).expect("it was made of one");
        parameters::possible(fault.parameters).iter().try_for_each(|line| write!(f, "\n  {line}"))
    }
}
