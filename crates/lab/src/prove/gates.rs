//! Whether faults are told apart: what the matrix of contracts comes to.

use faults::Family;

use super::{
    matrix::{self, Matrix},
    trial::Trial,
};

/// How often a fault's own contract has to hold.
const OWN: f64 = 0.95;
/// How often that of another may, and while nothing is on.
const OTHERS: f64 = 0.02;
const AT_REST: f64 = 0.01;

/// What the matrix of contracts comes to.
#[derive(Debug, Default)]
pub(super) struct Gates {
    /// How often own contracts hold.
    own: f64,
    /// Cells that fall short, and between faults that look alike, or where nothing is on, may not.
    failed: Vec<String>,
    /// Those between faults that do not look alike.
    noted: Vec<String>,
}

/// Whether the matrix of contracts passes its gates.
pub(super) fn told_apart(trials: &[Trial]) -> bool {
    let gates = Gates::of(&matrix::contracts(trials));
    for cell in &gates.failed {
        println!("{cell}");
    }
    gates.failed.is_empty()
}

impl Gates {
    pub(super) fn of(matrix: &Matrix) -> Self {
        let (mut gates, mut own) = (Self::default(), Vec::new());
        for (row, (name, cells)) in matrix.names.iter().zip(&matrix.cells).enumerate() {
            for (column, (other, cell)) in matrix.names.iter().zip(cells).enumerate() {
                let Some(share) = *cell else { continue };
                let text = format!("- `{name}` taken for `{other}`: {:.0}%", share * 100.0);
                if row == column {
                    own.push(share);
                    if share < OWN {
                        let held = format!("- `{name}` by its own contract: {:.0}%", share * 100.0);
                        gates.failed.push(held);
                    }
                } else if *name == NOTHING && share > AT_REST {
                    gates.failed.push(text);
                } else if share > OTHERS {
                    let alike = family(name) == family(other);
                    if alike { &mut gates.failed } else { &mut gates.noted }.push(text);
                }
            }
        }
        gates.own = own.iter().sum::<f64>() / own.len().max(1) as f64;
        gates
    }

    pub(super) fn page(&self) -> String {
        let list = |cells: &[String]| match cells {
            [] => "none.".to_owned(),
            cells => format!("\n\n{}", cells.join("\n")),
        };
        format!(
            "Its own contract, signs and alerts, holds in {:.1}% of the trials. Cells that fall short, below \
             {:.0}% for a fault's own, over {:.0}% within a family, or over {:.0}% while nothing was on: \
             {}\n\nCells over {:.0}% between families: {}",
            self.own * 100.0,
            OWN * 100.0,
            OTHERS * 100.0,
            AT_REST * 100.0,
            list(&self.failed),
            OTHERS * 100.0,
            list(&self.noted)
        )
    }
}

/// The control that does nothing.
const NOTHING: &str = "nothing";

fn family(name: &str) -> Option<Family> {
    Some(faults::find(name)?.family)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_for_a_sibling_fails_and_for_a_stranger_is_noted() {
        let names = vec!["latency", "hot-row", "errors", "nothing"];
        let mut cells = vec![vec![Some(0.0); 4]; 4];
        for (place, row) in cells.iter_mut().enumerate() {
            row[place] = Some(1.0);
        }
        let gates = |row: usize, column: usize| {
            let mut cells = cells.clone();
            cells[row][column] = Some(0.2);
            Gates::of(&Matrix { names: names.clone(), cells })
        };
        assert_eq!(gates(0, 1).failed, ["- `latency` taken for `hot-row`: 20%"]);
        assert_eq!(gates(0, 2).noted, ["- `latency` taken for `errors`: 20%"]);
        assert_eq!(gates(3, 2).failed, ["- `nothing` taken for `errors`: 20%"]);
        let own = gates(1, 1);
        assert_eq!(
            (&*own.failed, own.noted.len()),
            (&["- `hot-row` by its own contract: 20%".to_owned()][..], 0)
        );
        assert!((own.own - 0.8).abs() < 1e-9, "{}", own.own);
    }
}
