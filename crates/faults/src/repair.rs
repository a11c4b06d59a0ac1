//! What operators can do about a fault, each as a learner does it.

use std::fmt;

use crate::{contract::Sql, seam::Service};

/// One thing that operators do.
#[derive(Clone, Copy, Debug)]
pub enum Repair {
    /// Settings of a service are again what they are by default.
    Reset(Service, &'static [&'static str]),
    /// A service runs the release before its last one.
    RollBack(Service),
    /// A service is started again: its container, or its process in the lab of `cargo run`.
    Restart(Service),
    /// The payment provider is asked to be as it was: settings as of `lab provider set`.
    Provider(&'static [(&'static str, &'static str)]),
    /// A statement in the shop's database.
    Run(Sql),
    /// Orders that were announced in vain are announced again.
    Announce,
}

/// As it is typed. A statement is shown in each of its dialects.
impl fmt::Display for Repair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reset(service, names) => {
                write!(f, "just setting {}", service.name())?;
                names.iter().try_for_each(|name| write!(f, " {name}=default"))
            }
            Self::RollBack(service) => write!(f, "just rollback {}", service.name()),
            Self::Restart(service) => {
                let name = service.name();
                write!(f, "docker compose restart {name} || pkill -f 'with-parent {name}'")
            }
            Self::Provider(settings) => {
                f.write_str("just provider")?;
                settings.iter().try_for_each(|(name, value)| write!(f, " {name}={value}"))
            }
            Self::Run(Sql { postgres, sqlite }) if postgres == sqlite || sqlite.is_empty() => {
                f.write_str(postgres)
            }
            Self::Run(Sql { postgres, sqlite }) => write!(f, "{postgres} -- SQLite: {sqlite}"),
            Self::Announce => f.write_str("just announce"),
        }
    }
}
