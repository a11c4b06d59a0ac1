//! What a lab uses of others, and what kind of lab a fault needs.

use faults::{Fault, Needs};
use testbed::{Postgres, RabbitMq};

/// What labs use of others.
#[derive(Clone, Debug)]
pub(crate) enum Servers {
    /// These, or what is embedded.
    At { database: Option<String>, broker: Option<String> },
    /// A private Postgres and RabbitMQ for each that needs them; else what is embedded.
    AsNeeded,
    /// The same for each.
    Private,
    /// There is a lab already, and this is its database.
    Running { desk: String, prometheus: String, database: Option<String> },
}

/// What there must be in a lab for some faults, and not for others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Kind {
    /// order-api runs twice.
    pub(super) canary: bool,
    /// It has a private Postgres and RabbitMQ.
    private: bool,
}

/// What one lab uses of others.
#[derive(Debug, Default)]
pub(super) struct Used {
    pub(super) database: Option<String>,
    broker: Option<String>,
    rabbitmq_metrics: Option<String>,
    /// Those that are nobody else's; they end with the lab.
    pub(super) private: Option<(Postgres, RabbitMq)>,
}

impl Kind {
    /// How long a trial in such a lab takes, in some unit: what waits in Postgres is slow to recover.
    pub(crate) fn weight(self) -> usize {
        if self.private { 2000 } else { 1000 }
    }
}

impl Servers {
    /// The kind of lab in which this fault can be turned on.
    pub(crate) fn kind(&self, fault: &Fault) -> Kind {
        let canary = fault.needs_canary();
        match self {
            Self::At { .. } => Kind { canary, private: false },
            Self::AsNeeded => Kind { canary, private: fault.needs() > Needs::Database },
            Self::Private => Kind { canary, private: true },
            // It is what it is.
            Self::Running { .. } => Kind::default(),
        }
    }
}

impl Used {
    pub(super) async fn of(servers: &Servers, kind: Kind) -> anyhow::Result<Self> {
        match servers {
            Servers::At { database, broker } => {
                Ok(Self { database: database.clone(), broker: broker.clone(), ..Self::default() })
            }
            // It has what it uses.
            Servers::Running { .. } => Ok(Self::default()),
            Servers::AsNeeded | Servers::Private if !kind.private => Ok(Self::default()),
            Servers::AsNeeded | Servers::Private => {
                let postgres = Postgres::start().await?;
                let rabbitmq = RabbitMq::start().await?;
                let metrics = rabbitmq.metrics_url();
                Ok(Self {
                    database: Some(postgres.url()),
                    broker: Some(rabbitmq.url()),
                    rabbitmq_metrics: metrics.strip_prefix("http://").map(str::to_owned),
                    private: Some((postgres, rabbitmq)),
                })
            }
        }
    }

    pub(super) fn arguments(&self) -> impl Iterator<Item = &str> {
        let all = [
            ("--database-url", &self.database),
            ("--amqp-url", &self.broker),
            ("--rabbitmq-metrics", &self.rabbitmq_metrics),
        ];
        let given = all.into_iter().filter_map(|(flag, value)| Some([flag, value.as_deref()?]));
        given.flatten()
    }
}
