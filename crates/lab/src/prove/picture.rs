//! A matrix as a heat map.

use std::fmt::Write as _;

use super::matrix::Matrix;

/// The width and height of a cell.
const CELL: usize = 22;
/// The room for the names.
const MARGIN: usize = 130;

/// Draws it: dark is often.
pub(super) fn heat_map(title: &str, matrix: &Matrix) -> String {
    let count = matrix.names.len();
    let (width, height) = (MARGIN + count * CELL + 20, MARGIN + count * CELL + 40);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         height=\"{height}\" role=\"img\" font-family=\"system-ui, sans-serif\" font-size=\"11\">\
         <title>{title}</title><rect width=\"{width}\" height=\"{height}\" fill=\"#fff\"/>\
         <text x=\"8\" y=\"16\" font-size=\"13\" fill=\"#1f2328\">{title}</text>"
    );
    for (index, name) in matrix.names.iter().enumerate() {
        let place = MARGIN + index * CELL + CELL / 2 + 4;
        let _ = write!(
            svg,
            "<text x=\"{}\" y=\"{place}\" text-anchor=\"end\" fill=\"#1f2328\">{name}</text>\
             <text transform=\"translate({place} {}) rotate(-60)\" fill=\"#1f2328\">{name}</text>",
            MARGIN - 6,
            MARGIN - 6
        );
    }
    for (row, cells) in matrix.cells.iter().enumerate() {
        for (column, cell) in cells.iter().enumerate() {
            let (x, y) = (MARGIN + column * CELL, MARGIN + row * CELL);
            let share = cell.unwrap_or_default();
            let hue = if row == column { "26,127,55" } else { "207,34,46" };
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
