//! Shares as heat maps.

use std::fmt::Write as _;

use super::matrix::Matrix;

/// The width and height of a cell.
const CELL: usize = 22;
/// The room for the names.
const MARGIN: usize = 130;

/// Shares of something, as a picture shows them.
pub(super) struct Shares<'a> {
    pub(super) title: &'a str,
    pub(super) rows: &'a [&'static str],
    pub(super) columns: &'a [&'static str],
    /// None where there is nothing to show.
    pub(super) cells: &'a [Vec<Option<f64>>],
    /// Whether it is good that something is in this row and this column.
    pub(super) is_good: fn(usize, usize) -> bool,
}

/// Draws a matrix: dark is often, and good where what was on was taken for itself.
pub(super) fn heat_map(title: &str, matrix: &Matrix) -> String {
    let Matrix { names, cells } = matrix;
    draw(&Shares {
        title,
        rows: names,
        columns: names,
        cells,
        is_good: |row, column| row == column,
    })
}

/// Draws shares: dark is often.
pub(super) fn draw(shares: &Shares<'_>) -> String {
    let Shares { title, rows, columns, cells, is_good } = shares;
    // Room for the title, and for the names of the last columns, which lean.
    let width = (MARGIN + columns.len() * CELL + 20).max(8 * title.len());
    let height = MARGIN + rows.len() * CELL + 40;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         height=\"{height}\" role=\"img\" font-family=\"system-ui, sans-serif\" font-size=\"11\">\
         <title>{title}</title><rect width=\"{width}\" height=\"{height}\" fill=\"#fff\"/>\
         <text x=\"8\" y=\"16\" font-size=\"13\" fill=\"#1f2328\">{title}</text>"
    );
    let place = |index: usize| MARGIN + index * CELL + CELL / 2 + 4;
    for (index, name) in rows.iter().enumerate() {
        let _ = write!(
            svg,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\" fill=\"#1f2328\">{name}</text>",
            MARGIN - 6,
            place(index)
        );
    }
    for (index, name) in columns.iter().enumerate() {
        let _ = write!(
            svg,
            "<text transform=\"translate({} {}) rotate(-60)\" fill=\"#1f2328\">{name}</text>",
            place(index),
            MARGIN - 6
        );
    }
    for (row, cells) in cells.iter().enumerate() {
        for (column, cell) in cells.iter().enumerate() {
            let (x, y) = (MARGIN + column * CELL, MARGIN + row * CELL);
            let share = cell.unwrap_or_default();
            let hue = if is_good(row, column) { "26,127,55" } else { "207,34,46" };
            let _ = write!(
                svg,
                "<rect x=\"{x}\" y=\"{y}\" width=\"{size}\" height=\"{size}\" \
                 fill=\"rgb({hue})\" fill-opacity=\"{share:.2}\" stroke=\"#d0d7de\"/>",
                size = CELL - 1
            );
            if let Some(share) = cell.filter(|share| *share > 0.0) {
                let _ = write!(
                    svg,
                    "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\" font-size=\"9\" \
                     fill=\"#1f2328\">{:.0}</text>",
                    x + CELL / 2,
                    y + CELL / 2 + 3,
                    share * 100.0
                );
            }
        }
    }
    svg + "</svg>\n"
}
