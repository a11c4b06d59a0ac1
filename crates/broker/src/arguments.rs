//! Reading the `x-` arguments of a declaration, and comparing them with those of another.

use amq_protocol::types::{AMQPValue, FieldTable};

use crate::error::Refusal;

/// The arguments of one declaration and how RabbitMQ names what is declared.
#[derive(Debug)]
pub(crate) struct Arguments<'a> {
    pub(crate) table: &'a FieldTable,
    /// For instance `queue 'orders' in vhost '/'`.
    pub(crate) subject: String,
}

impl Arguments<'_> {
    pub(crate) fn text(&self, name: &str) -> Result<Option<String>, Refusal> {
        match self.table.inner().get(name) {
            None => Ok(None),
            Some(AMQPValue::LongString(text)) => Ok(Some(text.to_string())),
            Some(AMQPValue::ShortString(text)) => Ok(Some(text.to_string())),
            Some(_) => Err(self.invalid(name, "not a string")),
        }
    }

    pub(crate) fn number(&self, name: &str) -> Result<Option<u64>, Refusal> {
        let Some(value) = self.table.inner().get(name) else { return Ok(None) };
        let number = integer(value).ok_or_else(|| self.invalid(name, "not a number"))?;
        let number = u64::try_from(number).map_err(|_| self.invalid(name, "negative"))?;
        Ok(Some(number))
    }

    pub(crate) fn invalid(&self, name: &str, why: &str) -> Refusal {
        Refusal::precondition(format_args!("invalid arg '{name}' for {}: {why}", self.subject))
    }

    /// Refuses unless each argument in `names` is the same in `current`.
    pub(crate) fn check_equal(&self, current: &FieldTable, names: &[&str]) -> Result<(), Refusal> {
        for name in names {
            let (received, current) = (self.table.inner().get(*name), current.inner().get(*name));
            if !equivalent(received, current) {
                let (received, current) = (shown(received), shown(current));
                return Err(self.inequivalent(name, &received, &current));
            }
        }
        Ok(())
    }

    pub(crate) fn check_flag(
        &self,
        name: &str,
        received: bool,
        current: bool,
    ) -> Result<(), Refusal> {
        if received == current {
            return Ok(());
        }
        Err(self.inequivalent(name, &format!("'{received}'"), &format!("'{current}'")))
    }

    pub(crate) fn inequivalent(&self, name: &str, received: &str, current: &str) -> Refusal {
        Refusal::precondition(format_args!(
            "inequivalent arg '{name}' for {}: received {received} but current is {current}",
            self.subject
        ))
    }
}

/// Whether two values say the same; integers do, whatever their width.
fn equivalent(one: Option<&AMQPValue>, other: Option<&AMQPValue>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => match (integer(one), integer(other)) {
            (Some(one), Some(other)) => one == other,
            _ => one == other,
        },
        (one, other) => one == other,
    }
}

fn integer(value: &AMQPValue) -> Option<i64> {
    match *value {
        AMQPValue::ShortShortInt(number) => Some(number.into()),
        AMQPValue::ShortShortUInt(number) => Some(number.into()),
        AMQPValue::ShortInt(number) => Some(number.into()),
        AMQPValue::ShortUInt(number) => Some(number.into()),
        AMQPValue::LongInt(number) => Some(number.into()),
        AMQPValue::LongUInt(number) => Some(number.into()),
        AMQPValue::LongLongInt(number) => Some(number),
        _ => None,
    }
}

fn shown(value: Option<&AMQPValue>) -> String {
    match value {
        None => "none".to_owned(),
        Some(AMQPValue::LongString(text)) => format!("the value '{text}' of type 'longstr'"),
        Some(value) => match integer(value) {
            Some(number) => format!("the value '{number}' of type 'signedint'"),
            None => format!("the value '{value:?}'"),
        },
    }
}
