//! Ids that say what they are of, so that none has to be kept: opaque to clients, UUIDs to look at.

use uuid::{Builder, Uuid};

/// What an id is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Authorization,
    Capture,
    Reversal,
}

/// The ids of one run: a provider that begins anew knows none of those of the one before.
#[derive(Debug)]
pub(crate) struct Ids {
    run: [u8; 6],
}

impl Ids {
    pub(crate) fn new() -> Self {
        Self { run: rand::random() }
    }

    /// The id of what belongs to the authorization of this number.
    pub(crate) fn of(&self, kind: Kind, number: u64) -> Uuid {
        let kind = match kind {
            Kind::Authorization => 1,
            Kind::Capture => 2,
            Kind::Reversal => 3,
        };
        let mut bytes = [0; 16];
        bytes[..6].copy_from_slice(&self.run);
        bytes[7] = kind;
        bytes[8..].copy_from_slice(&number.to_be_bytes());
        // Takes the sixth byte and the first two bits of the eighth, which no number reaches.
        Builder::from_custom_bytes(bytes).into_uuid()
    }

    /// The number of the authorization whose id this is, if it is one of this run.
    pub(crate) fn number(&self, id: Uuid) -> Option<u64> {
        const NUMBER: u64 = u64::MAX >> 2;
        let (_, low) = id.as_u64_pair();
        let number = low & NUMBER;
        (self.of(Kind::Authorization, number) == id).then_some(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_leads_back_to_its_number_and_only_in_its_own_run() {
        let ids = Ids { run: *b"run 01" };
        let others = Ids { run: *b"others" };
        for number in [0, 1, 255, 200_000, u64::MAX >> 2] {
            let id = ids.of(Kind::Authorization, number);
            assert_eq!(ids.number(id), Some(number), "{id}");
            assert_eq!(others.number(id), None, "{id}");
            assert_eq!(ids.number(ids.of(Kind::Capture, number)), None);
            assert_ne!(ids.of(Kind::Capture, number), ids.of(Kind::Reversal, number));
            assert_eq!(Uuid::parse_str(&id.to_string()).unwrap(), id);
        }
        assert_eq!(ids.number(Uuid::nil()), None);
    }
}
