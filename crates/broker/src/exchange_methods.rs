//! Declaring, deleting and binding exchanges.

use amq_protocol::protocol::exchange::{
    AMQPMethod, Bind, BindOk, Declare, DeclareOk, Delete, DeleteOk, Unbind, UnbindOk,
};
use amq_protocol::protocol::{AMQPClass, AMQPHardError};
use amq_protocol::types::FieldTable;

use crate::arguments::Arguments;
use crate::error::Refusal;
use crate::exchange::{Binding, DEFAULT, Exchange, Kind, Name, Target};
use crate::routing::match_mode;
use crate::state::{ChannelKey, State};

impl State {
    pub(crate) fn exchange_method(
        &mut self,
        at: ChannelKey,
        method: AMQPMethod,
    ) -> Result<(), Refusal> {
        let (nowait, answer) = match method {
            AMQPMethod::Declare(declare) => {
                self.declare_exchange(&declare)?;
                (declare.nowait, AMQPMethod::DeclareOk(DeclareOk {}))
            }
            AMQPMethod::Delete(delete) => {
                self.delete_exchange_for(&delete)?;
                (delete.nowait, AMQPMethod::DeleteOk(DeleteOk {}))
            }
            AMQPMethod::Bind(bind) => {
                self.bind_exchange(&bind)?;
                (bind.nowait, AMQPMethod::BindOk(BindOk {}))
            }
            AMQPMethod::Unbind(unbind) => {
                self.unbind_exchange(&unbind)?;
                (unbind.nowait, AMQPMethod::UnbindOk(UnbindOk {}))
            }
            AMQPMethod::DeclareOk(_)
            | AMQPMethod::DeleteOk(_)
            | AMQPMethod::BindOk(_)
            | AMQPMethod::UnbindOk(_) => {
                return Err(Refusal::hard(&AMQPHardError::COMMANDINVALID, "unimplemented method"));
            }
        };
        if !nowait {
            self.reply(at, AMQPClass::Exchange(answer));
        }
        Ok(())
    }

    fn declare_exchange(&mut self, declare: &Declare) -> Result<(), Refusal> {
        let name = declare.exchange.as_str();
        let existing = self.exchanges.get(name);
        if declare.passive {
            check_not_default(name)?;
            return existing.map(drop).ok_or_else(|| Refusal::no_exchange(name));
        }
        let kind = Kind::parse(declare.kind.as_str()).ok_or_else(|| {
            let detail = format!("unknown exchange type '{}'", declare.kind);
            Refusal::hard(&AMQPHardError::COMMANDINVALID, detail)
        })?;
        check_not_default(name)?;
        if let Some(existing) = existing {
            return existing.check_same(declare, kind);
        }
        if name.starts_with("amq.") {
            let detail = format!("exchange name '{name}' contains reserved prefix 'amq.*'");
            return Err(Refusal::access(detail));
        }
        let exchange = Exchange {
            kind,
            durable: declare.durable,
            auto_delete: declare.auto_delete,
            internal: declare.internal,
            bindings: Vec::new(),
        };
        self.exchanges.insert(name.into(), exchange);
        Ok(())
    }

    fn delete_exchange_for(&mut self, delete: &Delete) -> Result<(), Refusal> {
        let name = delete.exchange.as_str();
        check_not_default(name)?;
        if name.starts_with("amq.") {
            return Err(Refusal::access(format_args!(
                "deletion of system {} not allowed",
                subject(name)
            )));
        }
        let used = self.exchanges.get(name).is_some_and(|exchange| !exchange.bindings.is_empty());
        if delete.if_unused && used {
            return Err(Refusal::precondition(format_args!("{} in use", subject(name))));
        }
        self.delete_exchange(name);
        Ok(())
    }

    fn delete_exchange(&mut self, name: &str) {
        if let Some((name, _)) = self.exchanges.remove_entry(name) {
            self.unbind_everywhere(&Target::Exchange(name));
        }
    }

    /// Removes a target from all exchanges, and the exchanges that go with their last binding.
    pub(crate) fn unbind_everywhere(&mut self, target: &Target) {
        let emptied: Vec<Name> = self
            .exchanges
            .iter_mut()
            .filter_map(|(name, exchange)| {
                exchange.unbind(|binding| binding.target == *target).then(|| name.clone())
            })
            .collect();
        for exchange in emptied {
            self.delete_exchange(&exchange);
        }
    }

    fn bind_exchange(&mut self, bind: &Bind) -> Result<(), Refusal> {
        let target = self.exchange_target(bind.destination.as_str())?;
        let key = bind.routing_key.as_str();
        self.add_binding(bind.source.as_str(), binding(target, key, &bind.arguments))
    }

    fn unbind_exchange(&mut self, unbind: &Unbind) -> Result<(), Refusal> {
        check_not_default(unbind.destination.as_str())?;
        let target = Target::Exchange(unbind.destination.as_str().into());
        let key = unbind.routing_key.as_str();
        self.remove_binding(unbind.source.as_str(), &binding(target, key, &unbind.arguments))
    }

    fn exchange_target(&self, name: &str) -> Result<Target, Refusal> {
        check_not_default(name)?;
        let (name, _) =
            self.exchanges.get_key_value(name).ok_or_else(|| Refusal::no_exchange(name))?;
        Ok(Target::Exchange(name.clone()))
    }

    pub(crate) fn add_binding(&mut self, source: &str, binding: Binding) -> Result<(), Refusal> {
        check_not_default(source)?;
        let exchange =
            self.exchanges.get_mut(source).ok_or_else(|| Refusal::no_exchange(source))?;
        if exchange.kind == Kind::Headers && match_mode(&binding.arguments).is_none() {
            let detail =
                "Invalid x-match field value; expected all, any, all-with-x, or any-with-x";
            return Err(Refusal::precondition(detail));
        }
        exchange.bind(binding);
        Ok(())
    }

    /// Removes a binding; one that is not there is removed already.
    pub(crate) fn remove_binding(
        &mut self,
        source: &str,
        binding: &Binding,
    ) -> Result<(), Refusal> {
        check_not_default(source)?;
        let exchange = self.exchanges.get_mut(source);
        if exchange.is_some_and(|exchange| exchange.unbind(|other| other == binding)) {
            self.delete_exchange(source);
        }
        Ok(())
    }
}

impl Exchange {
    fn check_same(&self, declare: &Declare, kind: Kind) -> Result<(), Refusal> {
        let arguments =
            Arguments { table: &declare.arguments, subject: subject(declare.exchange.as_str()) };
        if kind != self.kind {
            let (received, current) = (kind.name(), self.kind.name());
            let (received, current) = (format!("'{received}'"), format!("'{current}'"));
            return Err(arguments.inequivalent("type", &received, &current));
        }
        arguments.check_flag("durable", declare.durable, self.durable)?;
        arguments.check_flag("auto_delete", declare.auto_delete, self.auto_delete)?;
        arguments.check_flag("internal", declare.internal, self.internal)
    }
}

pub(crate) fn binding(target: Target, routing_key: &str, arguments: &FieldTable) -> Binding {
    Binding { target, routing_key: routing_key.to_owned(), arguments: arguments.clone() }
}

fn check_not_default(name: &str) -> Result<(), Refusal> {
    if name == DEFAULT {
        return Err(Refusal::access("operation not permitted on the default exchange"));
    }
    Ok(())
}

fn subject(name: &str) -> String {
    format!("exchange '{name}' in vhost '/'")
}
