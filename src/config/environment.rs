//! Environment variables as settings.

use std::collections::BTreeMap;

/// What environment variables that override settings begin with.
const PREFIX: &str = "FORTHWITH__";

/// Keys whose values are texts, of whatever they consist: a token of digits is a text all the same.
const TEXTS: [&str; 2] = ["TOKEN", "KEY"];

/// Every variable of an environment by name.
pub(super) struct Environment(BTreeMap<String, String>);

impl Environment {
    pub(super) fn new(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(variables.into_iter().collect())
    }

    /// The value of a variable.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The variables that override settings, in the order of their names, each with the TOML that it stands for; `None` where it
    /// stands for none.
    pub(super) fn settings(&self) -> impl Iterator<Item = (&str, Option<String>)> {
        let ours = self.0.iter().filter(|(name, _)| name.starts_with(PREFIX));
        ours.map(|(name, value)| (name.as_str(), as_toml(name, value)))
    }
}

/// A variable as the TOML it stands for: `FORTHWITH__SERVER__LISTEN` sets `listen` of `[server]`, and
/// `FORTHWITH__PROVIDERS__LOCAL__BASE_URL` sets `base_url` of `[providers.local]`. A value that reads as a number or a boolean is
/// one; anything else is a text.
fn as_toml(name: &str, value: &str) -> Option<String> {
    let (sections, key) = name.strip_prefix(PREFIX)?.rsplit_once("__")?;
    let plain = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
    };
    if !sections.split("__").all(plain) || !plain(key) {
        return None;
    }
    let is_plain = !TEXTS.contains(&key) && (value.parse::<i64>().is_ok() || matches!(value, "true" | "false"));
    let value = if is_plain { value.to_owned() } else { quoted(value) };
    Some(format!("[{}]\n{} = {value}\n", sections.to_lowercase().replace("__", "."), key.to_lowercase()))
}

/// The text as a TOML basic string.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => quoted.push_str(&format!("\\u{:04X}", c as u32)),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
