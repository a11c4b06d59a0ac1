//! What operators do about a fault, done as a learner does it.

use std::process::Command;

use anyhow::{Context as _, ensure};
use faults::{Repair, contract::Sql};

use super::Stage;

impl Stage {
    /// Does something about a fault as a learner does.
    pub(crate) async fn repair(&self, repair: &Repair) -> anyhow::Result<()> {
        let desk = &self.desk;
        let request = match repair {
            Repair::Reset(service, names) => {
                let given: Vec<_> = names.iter().map(|name| (*name, "default")).collect();
                self.client.put(format!("{desk}/settings/{}", service.name())).form(&given)
            }
            Repair::RollBack(service) => {
                self.client.post(format!("{desk}/releases/{}/rollback", service.name()))
            }
            Repair::Provider(settings) => {
                self.client.put(format!("{desk}/provider")).form(settings)
            }
            Repair::Announce => return self.announce_again().await,
            Repair::Restart(service) => return self.restart(service.name()),
            Repair::Run(Sql { postgres, sqlite }) => {
                let there = |sql: &'static str| Some(sql).filter(|sql| !sql.is_empty());
                let (postgres, sqlite) = (there(postgres), there(sqlite));
                let mut connection = self.connect().await?;
                connection.run(postgres.as_slice(), sqlite.as_slice()).await?;
                return Ok(());
            }
        };
        request.send().await?.error_for_status().with_context(|| format!("cannot do: {repair}"))?;
        Ok(())
    }

    /// Ends a service of a lab of its own, which starts it again.
    fn restart(&self, service: &str) -> anyhow::Result<()> {
        let own =
            self.own.as_ref().context("a service can be restarted in a lab of its own alone")?;
        let parent = own.process.id().to_string();
        let ended = Command::new("pkill").args(["-P", &parent, "-f", service]).status();
        ensure!(ended.context("cannot run pkill")?.success(), "there is no {service} to restart");
        Ok(())
    }
}
