//! Names and numbers that identify things, checked where they enter.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use smallvec::SmallVec;
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

use super::Timestamp;

/// Why a text cannot identify anything.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// The text is empty.
    #[error("must not be empty")]
    Empty,
    /// The text is longer than it may be.
    #[error("is {length} bytes long, the limit is {limit}")]
    TooLong {
        /// Bytes found.
        length: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// The text holds a control character.
    #[error("contains the control character U+{0:04X}")]
    Control(u32),
    /// The name is one of the engine's own.
    #[error("begins with `{SYNTHETIC}`, which is kept for the customers of the engine's own self-check")]
    Reserved,
}

/// Bytes that a customer id, an event id or a source may have.
///
/// 256 holds every e-mail address, URI-shaped id and UUID in use, and bounds what a key can cost in memory and on disk.
pub const ID_BYTES_MAX: usize = 256;

/// What the names of synthetic customers begin with, and no other's.
const SYNTHETIC: &str = "forthwith.synthetic/";

/// A name from outside.
fn check_outside(text: &str) -> Result<(), IdError> {
    if text.starts_with(SYNTHETIC) { Err(IdError::Reserved) } else { check(text) }
}

fn check(text: &str) -> Result<(), IdError> {
    if text.is_empty() {
        return Err(IdError::Empty);
    }
    if text.len() > ID_BYTES_MAX {
        return Err(IdError::TooLong { length: text.len(), limit: ID_BYTES_MAX });
    }
    match text.chars().find(|c| c.is_control()) {
        Some(control) => Err(IdError::Control(control as u32)),
        None => Ok(()),
    }
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $check:path, $($refused:literal)?) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks the text: 1 to 256 bytes without control characters.
            $(#[doc = $refused])?
            pub fn new(text: &str) -> Result<Self, IdError> {
                $check(text)?;
                Ok(Self(text.into()))
            }

            /// The text.
            #[inline]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                check(&text).map_err(serde::de::Error::custom)?;
                Ok(Self(text.into()))
            }
        }
    };
}

text_id! {
    /// Names a customer: whatever the caller's systems call them, 1 to 256 bytes. Read from a record, it may be that of a
    /// [synthetic](CustomerId::is_synthetic) one.
    CustomerId, check_outside, "Names that are kept for synthetic customers are refused."
}

impl CustomerId {
    /// The nth customer of those whom the self-check has for a playbook. There is nobody of that name, and nobody else can be given it.
    pub fn synthetic(playbook: &str, nth: u32) -> Result<Self, IdError> {
        let text = format!("{SYNTHETIC}{playbook}/{nth}");
        check(&text)?;
        Ok(Self(text.into()))
    }

    /// As a record, a store or somebody who only looks has it: the name of a synthetic customer is one too. Not for what is to change
    /// anything.
    pub fn recorded(text: &str) -> Result<Self, IdError> {
        check(text)?;
        Ok(Self(text.into()))
    }

    /// Whether there is nobody of that name but in the self-check: what is decided counts in no statistics, takes of no global cap, and
    /// has no effect on the world.
    #[inline]
    pub fn is_synthetic(&self) -> bool {
        self.0.starts_with(SYNTHETIC)
    }
}

text_id! {
    /// Names a tenant; its name is part of every key.
    TenantId, check,
}

impl Default for TenantId {
    fn default() -> Self {
        Self("default".into())
    }
}

/// The identity of an event: CloudEvents says that `source` and `id` together are unique.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EventKey {
    source: Box<str>,
    id: Box<str>,
}

impl EventKey {
    /// Checks both parts: 1 to 256 bytes each, without control characters.
    ///
    /// The error names the part that is wrong.
    pub fn new(source: &str, id: &str) -> Result<Self, (&'static str, IdError)> {
        check(source).map_err(|e| ("source", e))?;
        check(id).map_err(|e| ("id", e))?;
        Ok(Self { source: source.into(), id: id.into() })
    }

    /// Where the event comes from.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The event's id within its source.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// A 128-bit fingerprint of both parts, for a customer's window of events seen.
    pub fn fingerprint(&self) -> u128 {
        xxh3_128(&joined(&[&self.source, &self.id]))
    }
}

/// The texts in one buffer, each ended by a byte that no id can contain.
fn joined(texts: &[&str]) -> SmallVec<[u8; 192]> {
    let mut bytes = SmallVec::new();
    for text in texts {
        bytes.extend_from_slice(text.as_bytes());
        bytes.push(0);
    }
    bytes
}

/// Identifies one decision. Ids sort by arrival time, to the millisecond.
///
/// The text form is a UUID of version 8 (RFC 9562): 48 bits of Unix time in milliseconds like version 7, then 74 bits of
/// xxh3-128 over tenant, playbook, customer, source, event id and arrival. The same decision replayed gets the same id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DecisionId(u128);

/// What a [`DecisionId`] is made from.
#[derive(Clone, Copy, Debug)]
pub struct DecisionName<'a> {
    /// Whose engine decided.
    pub tenant: &'a TenantId,
    /// The playbook that decided.
    pub playbook: &'a str,
    /// Whom it is about.
    pub customer: &'a CustomerId,
    /// The event that was decided on.
    pub event: &'a EventKey,
    /// When it arrived.
    pub arrival: Timestamp,
}

impl DecisionId {
    /// The id of the decision that `name` describes.
    pub fn of(name: DecisionName<'_>) -> Self {
        let names = [name.tenant.as_str(), name.playbook, name.customer.as_str(), name.event.source(), name.event.id()];
        let mut bytes = joined(&names);
        bytes.extend_from_slice(&name.arrival.micros().to_le_bytes());
        let hash = xxh3_128(&bytes);
        let millis = name.arrival.micros().div_euclid(1_000).clamp(0, (1 << 48) - 1) as u128;
        let high = (hash >> 64) & 0xFFF;
        let low = hash & ((1 << 62) - 1);
        Self(millis << 80 | 0x8 << 76 | high << 64 | 0b10 << 62 | low)
    }

    /// When the event arrived, to the millisecond.
    pub const fn time(self) -> Timestamp {
        Timestamp::from_micros((self.0 >> 80) as i64 * 1_000)
    }

    /// The id as a number.
    #[inline]
    pub const fn to_u128(self) -> u128 {
        self.0
    }

    /// The id of a number that [`DecisionId::to_u128`] gave.
    #[inline]
    pub const fn from_u128(number: u128) -> Self {
        Self(number)
    }
}

impl fmt::Display for DecisionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n = self.0;
        write!(
            f,
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            n >> 96,
            n >> 80 & 0xFFFF,
            n >> 64 & 0xFFFF,
            n >> 48 & 0xFFFF,
            n & 0xFFFF_FFFF_FFFF
        )
    }
}

/// The text is not a decision id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a decision id such as `019ab3c2-5f00-8d1e-9a41-6c1f0e2b7d33`")]
pub struct DecisionIdError;

impl FromStr for DecisionId {
    type Err = DecisionIdError;

    fn from_str(text: &str) -> Result<Self, DecisionIdError> {
        let groups = [8, 4, 4, 4, 12];
        let mut number: u128 = 0;
        let mut parts = text.split('-');
        for length in groups {
            let part = parts.next().filter(|p| p.len() == length && p.bytes().all(|b| b.is_ascii_hexdigit()));
            let part = u64::from_str_radix(part.ok_or(DecisionIdError)?, 16).map_err(|_| DecisionIdError)?;
            number = number << (length * 4) | u128::from(part);
        }
        if parts.next().is_some() { Err(DecisionIdError) } else { Ok(Self(number)) }
    }
}

impl serde::Serialize for DecisionId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// One of the 64 fixed virtual partitions that customers fall into (format v1, never resized).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Partition(u8);

impl Partition {
    /// How many there are.
    pub const COUNT: u8 = 64;

    /// The partition of a customer: `xxh3_64(tenant ‖ 0x00 ‖ customer) mod 64`.
    pub fn of(tenant: &TenantId, customer: &str) -> Self {
        let mut key = joined(&[tenant.as_str()]);
        key.extend_from_slice(customer.as_bytes());
        Self((xxh3_64(&key) % u64::from(Self::COUNT)) as u8)
    }

    /// All of them, in order.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..Self::COUNT).map(Self)
    }

    /// The partition's number, 0 to 63.
    #[inline]
    pub const fn number(self) -> u8 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_ids_that_nothing_can_be_filed_under() {
        assert_eq!(CustomerId::new(""), Err(IdError::Empty));
        assert_eq!(CustomerId::new(&"x".repeat(257)), Err(IdError::TooLong { length: 257, limit: 256 }));
        assert_eq!(CustomerId::new("a\0b"), Err(IdError::Control(0)));
        assert!(CustomerId::new(&"x".repeat(256)).is_ok());
        assert_eq!(EventKey::new("crm", "").map_err(|(part, _)| part), Err("id"));
    }

    #[test]
    fn only_the_self_check_names_synthetic_customers() {
        let synthetic = CustomerId::synthetic("ticket_routing", 2).unwrap();
        assert_eq!(synthetic.as_str(), "forthwith.synthetic/ticket_routing/2");
        assert!(synthetic.is_synthetic());
        assert_eq!(CustomerId::new(synthetic.as_str()), Err(IdError::Reserved));
        assert_eq!(CustomerId::new("forthwith.synthetic/"), Err(IdError::Reserved));
        assert!(!CustomerId::new("forthwith.synthetics").unwrap().is_synthetic());
        assert_eq!(CustomerId::recorded(synthetic.as_str()), Ok(synthetic.clone()));
        let read: CustomerId = serde_json::from_str(&serde_json::to_string(&synthetic).unwrap()).unwrap();
        assert_eq!(read, synthetic, "what is recorded can be read");
    }

    #[test]
    fn a_decision_id_is_a_uuid_that_sorts_by_arrival() {
        let event = EventKey::new("helpdesk", "t-1").unwrap();
        let id = |micros| {
            let arrival = Timestamp::from_micros(micros);
            let (tenant, customer) = (TenantId::default(), CustomerId::new("c").unwrap());
            DecisionId::of(DecisionName { tenant: &tenant, playbook: "p", customer: &customer, event: &event, arrival })
        };
        let (early, late) = (id(1_763_800_000_000_000), id(1_763_800_000_001_000));
        assert_eq!(late.time(), Timestamp::from_micros(1_763_800_000_001_000));
        assert!(early < late && early.to_string() < late.to_string());
        assert_eq!(early.to_string().parse(), Ok(early));
        assert_eq!(&early.to_string()[14..15], "8", "version");
        assert!(matches!(&early.to_string()[19..20], "8" | "9" | "a" | "b"), "variant");
        assert_eq!(early, id(1_763_800_000_000_000), "the same decision has the same id");
        for text in ["", "x", "019ab3c2", "019ab3c2-5f00-8d1e-9a41-6c1f0e2b7d33-", "019ab3c25f008d1e9a416c1f0e2b7d33"] {
            assert_eq!(text.parse::<DecisionId>(), Err(DecisionIdError), "{text}");
        }
    }

    /// Format v1: these numbers are on disk and on the wire and must never change. An independent implementation of
    /// xxHash (Python's) gave the same.
    #[test]
    fn golden_vectors_of_the_format_v1() {
        let tenant = TenantId::default();
        let partitions: Vec<u8> = ["customer-1", "customer-42", "ü", "acme:0001", "a"]
            .iter()
            .map(|c| Partition::of(&tenant, c).number())
            .collect();
        assert_eq!(partitions, [58, 28, 9, 41, 50]);
        let event = EventKey::new("helpdesk", "t-1").unwrap();
        let arrival = Timestamp::from_micros(1_763_805_600_000_000);
        let id = |customer| {
            let customer = &CustomerId::new(customer).unwrap();
            let playbook = "ticket_routing";
            DecisionId::of(DecisionName { tenant: &tenant, playbook, customer, event: &event, arrival })
        };
        assert_ne!(id("customer-1"), id("customer-2"), "two customers may have events of one id");
        let id = id("customer-42");
        assert_eq!(id.to_string(), "019aab01-9900-8401-9607-964e9ed70c8a");
        assert_eq!(event.fingerprint(), 136_648_556_368_461_351_376_877_986_941_736_672_288);
    }
}
