//! Who is declined: drawn from the key and a seed, so that the same order fares the same again.

use crate::answer::DeclineReason;

/// The card that is always declined.
const ALWAYS_DECLINED: &str = "card-declined";

/// Whether a card is declined, and why; with a higher rate, those who were are still.
pub(crate) fn decline(seed: u64, rate: f64, key: &str, card: &str) -> Option<DeclineReason> {
    if card == ALWAYS_DECLINED {
        return Some(DeclineReason::CardDeclined);
    }
    let drawn = hash(seed, key);
    // The upper 53 bits are a number from 0 to 1, the last one is free for the reason.
    let share = (drawn >> 11) as f64 / (1_u64 << 53) as f64;
    let reason = match drawn & 1 {
        0 => DeclineReason::InsufficientFunds,
        _ => DeclineReason::CardDeclined,
    };
    (share < rate).then_some(reason)
}

/// FNV-1a, then splitmix64's last step, which spreads a change of the last letter to every bit.
/// Written out, for what the standard library hashes with may change with its version.
fn hash(seed: u64, text: &str) -> u64 {
    let bytes = seed.to_le_bytes().into_iter().chain(text.bytes());
    let mixed = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declined(seed: u64, rate: f64) -> Vec<String> {
        let keys = (0..20_000).map(|number| format!("order-{number}"));
        keys.filter(|key| decline(seed, rate, key, "card").is_some()).collect()
    }

    #[test]
    fn a_rate_declines_that_share_and_a_higher_rate_the_same_ones_too() {
        let (few, more) = (declined(1, 0.02), declined(1, 0.3));
        assert!((330..470).contains(&few.len()), "{}", few.len());
        assert!((5800..6200).contains(&more.len()), "{}", more.len());
        assert!(few.iter().all(|key| more.contains(key)));
        assert_eq!(few, declined(1, 0.02));
        assert_ne!(few, declined(2, 0.02));
        assert!(declined(1, 0.0).is_empty());
        assert_eq!(declined(1, 1.0).len(), 20_000);
    }

    #[test]
    fn both_reasons_are_given_and_one_card_is_always_declined() {
        let reasons: Vec<_> =
            (0..100).filter_map(|key| decline(1, 1.0, &key.to_string(), "card")).collect();
        let poor = reasons.iter().filter(|reason| **reason == DeclineReason::InsufficientFunds);
        assert!((30..70).contains(&poor.count()), "{reasons:?}");
        let always = decline(1, 0.0, "any", ALWAYS_DECLINED);
        assert_eq!(always, Some(DeclineReason::CardDeclined));
    }
}
