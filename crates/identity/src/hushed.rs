//! Reading settings that nobody else may read: what is wrong is said, the value is not.

use std::{ffi::OsStr, marker::PhantomData, str::FromStr};

use clap::{Arg, Command, Error, builder::TypedValueParser, error::ErrorKind};

/// Reads a `T`, and does not repeat in an error what it could not read, as clap does otherwise.
#[derive(Debug)]
pub struct Hushed<T>(PhantomData<fn() -> T>);

impl<T> Hushed<T> {
    /// The parser.
    #[expect(clippy::new_without_default, reason = "said where a setting is declared, only")]
    pub fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T> Clone for Hushed<T> {
    fn clone(&self) -> Self {
        Self::new()
    }
}

impl<T> TypedValueParser for Hushed<T>
where
    T: FromStr<Err = String> + Clone + Send + Sync + 'static,
{
    type Value = T;

    fn parse_ref(
        &self,
        command: &Command,
        argument: Option<&Arg>,
        value: &OsStr,
    ) -> Result<T, Error> {
        let read = value.to_str().ok_or_else(|| "is not text".to_owned()).and_then(str::parse);
        read.map_err(|problem| {
            let name = argument.map(ToString::to_string).unwrap_or_default();
            let problem = format!("what {name} is set to cannot be used: {problem}\n");
            Error::raw(ErrorKind::ValueValidation, problem).with_cmd(command)
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::{Args as _, Command};

    use crate::Config;

    #[test]
    fn an_error_says_what_is_wrong_and_not_what_it_read() {
        let command = Config::augment_args(Command::new("service"));
        let refused = command.try_get_matches_from(["service", "--jwt-secret", "hunter2"]);
        let problem = refused.unwrap_err().to_string();
        assert!(problem.contains("--jwt-secret") && problem.contains("32 or more"), "{problem}");
        assert!(!problem.contains("hunter2"), "{problem}");
    }
}
