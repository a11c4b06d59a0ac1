//! A pattern matcher as they were before they were safe: it tries every way to read a text, and of
//! `(x|xx)*y` over a row of x there are as many ways as Fibonacci has rabbits.
//!
//! This is what took down Cloudflare in 2019 and Stack Exchange in 2016, with a pattern of theirs.

/// Whether the whole text matches `(x|xx)*y`.
pub(crate) fn is_match(text: &[u8]) -> bool {
    let ends = text == b"y";
    let one = || text.strip_prefix(b"x").is_some_and(is_match);
    let two = || text.strip_prefix(b"xx").is_some_and(is_match);
    ends || one() || two()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_finds_what_is_there_and_nothing_else() {
        for text in ["y", "xy", "xxy", "xxxxy"] {
            assert!(is_match(text.as_bytes()), "{text}");
        }
        for text in ["", "x", "xx", "yx", "xyx", "xxxxz"] {
            assert!(!is_match(text.as_bytes()), "{text}");
        }
    }
}
