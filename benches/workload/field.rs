//! The twelve fields of an event.

/// A field of the events.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
}

/// What a field holds, and how its values are whole numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// One of so many texts; a value is the position in the vocabulary.
    Text(i64),
    /// One of as many texts as there are products; see [`products`].
    Product,
    /// A number of two decimal places within these bounds, both included; a value is its hundredths.
    Decimal(i64, i64),
    /// A whole number within these bounds, both included.
    Int(i64, i64),
    /// 0 or 1.
    Bool,
}

/// All fields, by the order of an event's values.
pub(crate) const FIELDS: [Field; 12] = [
    Field { name: "channel", kind: Kind::Text(6) },
    Field { name: "language", kind: Kind::Text(20) },
    Field { name: "plan", kind: Kind::Text(5) },
    Field { name: "region", kind: Kind::Text(12) },
    Field { name: "intent", kind: Kind::Text(60) },
    Field { name: "product", kind: Kind::Product },
    Field { name: "amount", kind: Kind::Decimal(0, 500_000) },
    Field { name: "sentiment", kind: Kind::Decimal(-100, 100) },
    Field { name: "open_tickets", kind: Kind::Int(0, 50) },
    Field { name: "tenure_days", kind: Kind::Int(0, 4_000) },
    Field { name: "vip", kind: Kind::Bool },
    Field { name: "business_hours", kind: Kind::Bool },
];

/// The position of the field that the rules of the keyed family name.
pub(crate) const PRODUCT: usize = 5;
/// The position of the field that the other rules of the keyed family name.
pub(crate) const INTENT: usize = 4;
/// The position of a truth.
pub(crate) const VIP: usize = 10;
/// The positions of the numbers.
pub(crate) const NUMBERS: [usize; 4] = [6, 7, 8, 9];

/// How many products there are beside so many rules.
pub(crate) fn products(rules: usize) -> usize {
    (rules / 10).max(5)
}

impl Field {
    /// Whether its values are texts.
    pub(crate) fn is_text(&self) -> bool {
        matches!(self.kind, Kind::Text(_) | Kind::Product)
    }

    /// A value as all engines' languages write it; texts without quotation marks.
    pub(crate) fn show(&self, value: i64) -> String {
        match self.kind {
            Kind::Text(_) => format!("{}_{value:02}", self.name),
            Kind::Product => format!("{}_{value:06}", self.name),
            Kind::Decimal(..) => {
                let sign = if value < 0 { "-" } else { "" };
                format!("{sign}{}.{:02}", value.abs() / 100, value.abs() % 100)
            }
            Kind::Int(..) => value.to_string(),
            Kind::Bool => (value == 1).to_string(),
        }
    }
}
