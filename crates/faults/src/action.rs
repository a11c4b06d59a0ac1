//! What turning a fault on does, and what that needs.

use std::{fmt, time::Duration};

use crate::{
    effect::Effect,
    seam::{Seam, Service},
};

/// One thing that is done when a fault is turned on, and undone when it is turned off.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// A step of a service suffers, in each of its replicas that the desk knows.
    Strike(Seam, Effect),
    /// It suffers in the beginning, for so long, and then no more.
    Briefly(Seam, Effect, Duration),
    /// A service works with another setting, by the name of its flag.
    Set(Service, &'static str, String),
    /// A step of a service suffers in the replica that runs a newer version, and in no other.
    StrikeCanary(Seam, Effect),
    /// The payment provider works differently: settings as of `lab provider set`.
    Provider(Vec<(&'static str, String)>),
    /// So many times as many customers come.
    Traffic(f64),
    /// So large a share of the orders is for these products, in any order.
    Demand(&'static [&'static str], f64),
    /// So many messages that nobody can read lie in the workers' queue. When the fault is turned off
    /// they are taken out of the dead letters, where workers that are well put them.
    Publish(u32),
    /// The exchange of the orders has no queue bound to it.
    Unbind,
    /// Something is done in the shop's database.
    Database(Deed),
    /// The way from order-api to the database takes so many milliseconds longer, in each direction,
    /// and up to so many more.
    Lengthen {
        /// For everything.
        latency_ms: f64,
        /// Beyond that, at most.
        jitter_ms: f64,
    },
}

/// Something that is done in the shop's database, and undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// The index by which a customer's orders are found is gone, from a table that has so many orders
    /// more, old ones of somebody who orders no more.
    DropIndex {
        /// How many.
        orders: u32,
    },
    /// The price of this product is in another unit than all others, beyond what the table allows.
    Misprice(&'static str),
    /// A session that has read the orders stays in its transaction, and a change of their table waits
    /// for it.
    LockOrders,
}

/// What a fault needs to be one; each includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Needs {
    /// The lab.
    Nothing,
    /// The shop's database.
    Database,
    /// Postgres: sessions and rows that wait for each other, which SQLite with its one writer has not.
    Postgres,
    /// A proxy in the path of order-api to it, which has a way to become longer.
    Proxy,
}

impl Action {
    /// What it needs.
    pub fn needs(&self) -> Needs {
        match self {
            Self::Database(Deed::DropIndex { .. } | Deed::Misprice(_)) => Needs::Database,
            Self::Lengthen { .. } => Needs::Proxy,
            Self::Database(Deed::LockOrders)
            | Self::Strike(Seam::ReserveStock | Seam::PayOrder, _)
            | Self::Briefly(Seam::ReserveStock | Seam::PayOrder, ..) => Needs::Postgres,
            Self::Strike(..)
            | Self::Briefly(..)
            | Self::StrikeCanary(..)
            | Self::Set(..)
            | Self::Provider(_)
            | Self::Traffic(_)
            | Self::Demand(..)
            | Self::Publish(_)
            | Self::Unbind => Needs::Nothing,
        }
    }
}

impl Needs {
    /// In a word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Database => "a database",
            Self::Postgres => "Postgres",
            Self::Proxy => "a proxy before Postgres",
        }
    }

    /// Why another lab will not do.
    pub fn why(self) -> &'static str {
        match self {
            Self::Nothing => "every lab will do",
            Self::Database => "what is wrong is in the tables of the shop",
            Self::Postgres => {
                "sessions and rows wait for each other, and SQLite with its one writer has neither"
            }
            Self::Proxy => {
                "the way to the database becomes longer, and SQLite is in the process itself, with no \
                 way to it"
            }
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Strike(seam, effect) => {
                write!(f, "{seam:?} of {}: it {effect}", seam.service().name())
            }
            Self::Briefly(seam, effect, time) => {
                let seconds = time.as_secs();
                write!(f, "{seam:?} of {}: for {seconds} s it {effect}", seam.service().name())
            }
            Self::StrikeCanary(seam, effect) => {
                write!(
                    f,
                    "{seam:?} of {}, in the newer replica alone: it {effect}",
                    seam.service().name()
                )
            }
            Self::Set(service, name, value) => {
                write!(f, "the setting {name} of {} is {value}", service.name())
            }
            Self::Provider(settings) => {
                f.write_str("the payment provider works with ")?;
                let mut comma = "";
                for (name, value) in settings {
                    write!(f, "{comma}{name}={value}")?;
                    comma = ", ";
                }
                Ok(())
            }
            Self::Traffic(times) => write!(f, "{times} times as many customers come"),
            Self::Demand(skus, share) => {
                write!(f, "{} of the orders are for {}", Percent(*share), skus.join(" and "))
            }
            Self::Publish(count) => {
                write!(f, "{count} messages that nobody can read come into the workers' queue")
            }
            Self::Unbind => f.write_str("the exchange of the orders has no queue any more"),
            Self::Database(deed) => deed.fmt(f),
            Self::Lengthen { latency_ms, jitter_ms } => write!(
                f,
                "the way from order-api to the database takes {latency_ms} ms longer in each direction, \
                 and up to {jitter_ms} ms more"
            ),
        }
    }
}

impl fmt::Display for Deed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DropIndex { orders } => write!(
                f,
                "the index by which a customer's orders are found is gone, and the table has {orders} old \
                 orders more"
            ),
            Self::Misprice(sku) => write!(f, "the price of {sku} is in another unit than all others"),
            Self::LockOrders => f.write_str(
                "a session that has read the orders stays in its transaction, and a change of their \
                 table waits for it",
            ),
        }
    }
}

/// A share, as people read it.
pub(crate) struct Percent(pub(crate) f64);

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.0}%", 100.0 * self.0)
    }
}
