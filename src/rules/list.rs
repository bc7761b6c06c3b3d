//! Named lists: block lists and allow lists that conditions look values up in.

use std::sync::Arc;

use crate::domain::{Type, Value};

/// A list of values that conditions know by name. Read once, shared by all rules that use it.
#[derive(Debug)]
pub struct NamedList {
    ty: Type,
    members: Members,
}

/// Values that something is looked up among: sorted, each once. A clone shares them.
#[derive(Debug, Clone)]
pub(super) enum Members {
    /// Ordinals or symbols.
    Numbers(Arc<[i64]>),
    Texts(Arc<[Box<str>]>),
    /// Texts in ASCII lower case, among which a text is looked up as if it were too.
    Folded(Arc<[Box<str>]>),
}

impl NamedList {
    /// Entries that a list may have.
    pub const ENTRIES_MAX: usize = 1_000_000;

    /// Faults that are told of one list: whoever mends twenty lines sees the rest.
    const FAULTS_MAX: usize = 20;

    /// Reads one entry a line, trimmed; empty lines and lines that begin with `#` are none. Or what is wrong, by line.
    pub(crate) fn read(text: &str, ty: &Type, ignore_case: bool) -> Result<Self, Vec<(u32, String)>> {
        let (mut numbers, mut texts) = (Vec::new(), Vec::new());
        let mut faults = Vec::new();
        for (line, entry) in (1..).zip(text.lines().map(str::trim)) {
            if entry.is_empty() || entry.starts_with('#') {
                continue;
            }
            if numbers.len() + texts.len() == Self::ENTRIES_MAX {
                faults.push((line, format!("has more than {} entries", Self::ENTRIES_MAX)));
                break;
            }
            match ty.parse(entry) {
                Ok(Value::Text(_)) if ignore_case => texts.push(entry.to_ascii_lowercase().into_boxed_str()),
                Ok(Value::Text(text)) => texts.push(text),
                Ok(value) => numbers.extend(value.ordinal()),
                Err(mismatch) => faults.push((line, mismatch.to_string())),
            }
            if faults.len() == Self::FAULTS_MAX {
                break;
            }
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        let members = match (ty, ignore_case) {
            (Type::Text, true) => Members::Folded(sorted(texts)),
            (Type::Text, false) => Members::Texts(sorted(texts)),
            _ => Members::Numbers(sorted(numbers)),
        };
        Ok(Self { ty: ty.clone(), members })
    }

    /// The type of its entries.
    pub fn ty(&self) -> &Type {
        &self.ty
    }

    /// How many different entries it has.
    pub fn len(&self) -> usize {
        match &self.members {
            Members::Numbers(known) => known.len(),
            Members::Texts(known) | Members::Folded(known) => known.len(),
        }
    }

    /// Whether it has no entry.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn members(&self) -> &Members {
        &self.members
    }
}

impl Members {
    pub(super) fn has_number(&self, n: i64) -> bool {
        matches!(self, Self::Numbers(known) if known.binary_search(&n).is_ok())
    }

    pub(super) fn has_text(&self, text: &str) -> bool {
        match self {
            Self::Numbers(_) => false,
            Self::Texts(known) => has_text(known, text),
            Self::Folded(known) => has_folded(known, text),
        }
    }
}

/// Whether a text is one of these, sorted.
pub(super) fn has_text(known: &[Box<str>], text: &str) -> bool {
    known.binary_search_by(|k| (**k).cmp(text)).is_ok()
}

/// Whether a text in ASCII lower case is one of these, sorted. Allocates nothing.
pub(super) fn has_folded(known: &[Box<str>], text: &str) -> bool {
    let folded = || text.bytes().map(|b| b.to_ascii_lowercase());
    known.binary_search_by(|k| k.bytes().cmp(folded())).is_ok()
}

/// Sorted, each once.
pub(super) fn sorted<T: Ord>(mut values: Vec<T>) -> Arc<[T]> {
    values.sort_unstable();
    values.dedup();
    values.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_one_entry_a_line() {
        let list = NamedList::read("# blocked\n b@x \n\na@x\r\na@x\n#c@x", &Type::Text, false).unwrap();
        assert_eq!(list.len(), 2);
        assert!(list.members().has_text("a@x") && list.members().has_text("b@x"));
        assert!(!list.members().has_text("A@X") && !list.members().has_text("# blocked"));
    }

    #[test]
    fn compares_texts_without_regard_to_case_if_asked() {
        let list = NamedList::read("Ann@Example.org\nZOË\nann@example.org", &Type::Text, true).unwrap();
        assert_eq!(list.len(), 2);
        for (text, is_known) in [("ANN@example.ORG", true), ("zoË", true), ("zoë", false), ("ann", false)] {
            assert_eq!(list.members().has_text(text), is_known, "{text}: only ASCII letters are folded");
        }
    }

    #[test]
    fn types_its_entries_and_places_its_faults() {
        let list = NamedList::read("2.50\n1\n", &Type::Decimal, false).unwrap();
        assert!(list.members().has_number(25_000) && list.members().has_number(10_000));
        let faults = NamedList::read("1\n\n2.5\nx", &Type::Int, false).unwrap_err();
        let lines: Vec<u32> = faults.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [3, 4], "{faults:?}");
        assert_eq!(NamedList::read(&"x\n".repeat(1_000), &Type::Int, false).unwrap_err().len(), 20);
        let too_many = "1\n".repeat(NamedList::ENTRIES_MAX + 1);
        let faults = NamedList::read(&too_many, &Type::Int, false).unwrap_err();
        assert_eq!(faults, [(NamedList::ENTRIES_MAX as u32 + 1, "has more than 1000000 entries".to_owned())]);
    }
}
