//! What a block shows, with `…` for what varies.
//!
//! Each line of a pattern is a whole line of the output, in the order of the pattern; between two
//! there may be more. How much space there is between words does not matter.

/// The first line of a pattern that the output does not have in its place; none if it has all.
pub(crate) fn missing<'a>(pattern: &'a str, output: &str) -> Option<&'a str> {
    let mut shown = output.lines();
    let mut wanted = pattern.lines().filter(|line| !matches!(line.trim(), "" | "…"));
    wanted.find(|wanted| !shown.any(|line| is_like(wanted, line)))
}

/// Whether a line is like a line of a pattern.
fn is_like(wanted: &str, line: &str) -> bool {
    let (wanted, line) = (single_spaced(wanted), single_spaced(line));
    let parts: Vec<_> = wanted.split('…').map(str::trim).collect();
    let [first, middle @ .., last] = parts.as_slice() else { return wanted == line };
    let Some(rest) = line.strip_prefix(first) else { return false };
    let rest = middle.iter().try_fold(rest, |rest, part| Some(rest.split_once(part)?.1));
    rest.is_some_and(|rest| rest.ends_with(last))
}

fn single_spaced(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "began    took\n09:00  1.03 s  place order\n09:01  580 ms  GET /orders\n";

    #[test]
    fn a_pattern_is_found_in_order() {
        for pattern in [
            "began took\n… 1.03 s place order",
            "began …\n…\n… ms GET …",
            "09:00 … s … order",
            "…GET…",
            "",
        ] {
            assert_eq!(missing(pattern, OUTPUT), None, "{pattern}");
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        for pattern in [
            "began",
            "… 1.04 s place order",
            "… GET …\n… place …",
            "… place order …x",
            "09:01 … place …",
            "… GET …\n… GET …",
        ] {
            assert_eq!(missing(pattern, OUTPUT), pattern.lines().last(), "{pattern}");
        }
    }
}
