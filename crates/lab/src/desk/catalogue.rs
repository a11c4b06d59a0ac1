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
    /// What looks like the cause and is not.
    red_herring: &'static str,
    /// What ends it in a real shop.
    fix: &'static str,
    repairs: Vec<String>,
    /// What it needs, and why.
    needs: &'static str,
    needs_because: &'static str,
    /// When something of its kind has happened, and where to read of it.
    incident: &'static str,
    source: &'static str,
    parameters: Vec<Parameter>,
}

/// One step towards the cause of a fault.
#[derive(Serialize)]
pub(super) struct Hint {
    fault: &'static str,
    /// 1 for the first of them.
    step: usize,
    /// How many there are.
    of: usize,
    hint: &'static str,
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
            red_herring: fault.red_herring,
            fix: fault.fix,
            repairs: fault.repairs.iter().map(ToString::to_string).collect(),
            needs: fault.needs().name(),
            needs_because: fault.needs().why(),
            incident: fault.incident.what,
            source: fault.incident.url,
            parameters: parameters.collect(),
        }
    }
}

impl Hint {
    /// This step, if there is such a one.
    pub(super) fn of(fault: &'static Fault, step: &str) -> Option<Self> {
        let step = step.parse().ok()?;
        let hint = *fault.hints.get(usize::checked_sub(step, 1)?)?;
        Some(Self { fault: fault.name, step, of: fault.hints.len(), hint })
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
        Needs::Postgres => " (needs Postgres)",
        Needs::Proxy => " (needs Postgres, behind a proxy)",
        // Every lab has one.
        Needs::Nothing | Needs::Database if fault.needs_canary() => " (needs --canary)",
        Needs::Nothing | Needs::Database => "",
    }
}

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, summary, story, red_herring, fix, repairs, incident, source, .. } = self;
        write!(
            f,
            "{name}: {summary}\n\n{story}\n\nlooks like the cause, and is not: {red_herring}\nwhat \
             ends it: {fix}\n"
        )?;
        repairs.iter().try_for_each(|repair| writeln!(f, "  {repair}"))?;
        let fault = faults::find(name).expect("it was made of one");
        let possible = parameters::possible(fault.parameters);
        possible.iter().try_for_each(|line| write!(f, "\n  {line}"))?;
        write!(f, "\n\nelsewhere: {incident}\n  {source}")
    }
}

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { fault, step, of, hint } = self;
        write!(f, "hint {step} of {of}: {hint}\n\n")?;
        match step < of {
            true => write!(f, "the next one: just hint {fault} {}", step + 1),
            false => write!(f, "the answer: just story {fault}"),
        }
    }
}
