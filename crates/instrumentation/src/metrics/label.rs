//! Labels that can list their values.

/// One label, or several together, whose combinations can be listed.
pub trait LabelSet: Copy + Send + Sync + 'static {
    /// The names of the labels.
    fn names() -> Vec<&'static str>;

    /// Every combination of values; [`LabelSet::index`] is the place in it.
    fn all() -> Vec<Self>;

    /// How many combinations there are.
    fn count() -> usize;

    /// The place of this combination in [`LabelSet::all`].
    fn index(self) -> usize;

    /// The values, in the order of the names.
    fn values(self) -> Vec<&'static str>;

    /// The values of every combination.
    fn series() -> Vec<Vec<&'static str>> {
        Self::all().into_iter().map(Self::values).collect()
    }
}

/// Declares an enum that is a label; see [`mod@crate::metrics`].
#[macro_export]
macro_rules! label {
    (
        $(#[doc = $doc:literal])*
        $visibility:vis enum $name:ident as $label:literal {
            $($(#[doc = $value_doc:literal])* $value:ident = $text:literal,)*
        }
    ) => {
        $(#[doc = $doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        $visibility enum $name {
            $($(#[doc = $value_doc])* $value,)*
        }

        impl $name {
            /// Every value.
            $visibility const ALL: &'static [Self] = &[$(Self::$value),*];

            /// The value as a label has it.
            $visibility fn as_str(self) -> &'static str {
                match self {
                    $(Self::$value => $text,)*
                }
            }
        }

        impl $crate::metrics::LabelSet for $name {
            fn names() -> Vec<&'static str> {
                vec![$label]
            }

            fn all() -> Vec<Self> {
                Self::ALL.to_vec()
            }

            fn count() -> usize {
                Self::ALL.len()
            }

            fn index(self) -> usize {
                self as usize
            }

            fn values(self) -> Vec<&'static str> {
                vec![self.as_str()]
            }
        }
    };
}

impl LabelSet for () {
    fn names() -> Vec<&'static str> {
        Vec::new()
    }

    fn all() -> Vec<Self> {
        vec![()]
    }

    fn count() -> usize {
        1
    }

    fn index(self) -> usize {
        0
    }

    fn values(self) -> Vec<&'static str> {
        Vec::new()
    }
}

impl<A: LabelSet, B: LabelSet> LabelSet for (A, B) {
    fn names() -> Vec<&'static str> {
        [A::names(), B::names()].concat()
    }

    fn all() -> Vec<Self> {
        A::all().into_iter().flat_map(|a| B::all().into_iter().map(move |b| (a, b))).collect()
    }

    fn count() -> usize {
        A::count() * B::count()
    }

    fn index(self) -> usize {
        self.0.index() * B::count() + self.1.index()
    }

    fn values(self) -> Vec<&'static str> {
        [self.0.values(), self.1.values()].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    crate::label! {
        /// One.
        enum One as "one" {
            A = "a",
            B = "b",
        }
    }

    crate::label! {
        /// Two.
        enum Two as "two" {
            X = "x",
            Y = "y",
            Z = "z",
        }
    }

    #[test]
    fn an_index_is_the_place_in_the_list() {
        let all = <(One, Two)>::all();
        assert_eq!(all.len(), <(One, Two)>::count());
        for (place, labels) in all.into_iter().enumerate() {
            assert_eq!(labels.index(), place);
        }
        assert_eq!((One::B, Two::Y).values(), ["b", "y"]);
    }
}
