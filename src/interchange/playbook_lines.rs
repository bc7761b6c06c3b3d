//! The lines of a playbook that name an imported table.

use super::literal::Literal;
use super::sheet::Sheet;

/// The `[[tables]]` lines for a table written to `file`; `fields` are the names of its outputs in the playbook.
pub fn playbook_lines(sheet: &Sheet, file: &str, fields: &[String]) -> String {
    let mut lines = format!("[[tables]]\nfile = {}\nhit_policy = \"{}\"\n", toml_text(file), sheet.hit_policy.name());
    if let Some(aggregation) = sheet.aggregation {
        lines.push_str(&format!("aggregation = \"{}\"\n", aggregation.name()));
    }
    if sheet.hit_policy.is_ranked() {
        let ranked = sheet.outputs.iter().zip(fields).filter(|(output, _)| !output.allowed.is_empty());
        let ranked: Vec<String> =
            ranked.map(|(output, field)| format!("{field} = [{}]", toml_values(&output.allowed))).collect();
        if !ranked.is_empty() {
            lines.push_str(&format!("output_values = {{ {} }}\n", ranked.join(", ")));
        }
    }
    lines
}

fn toml_values(values: &[Literal]) -> String {
    let shown = |value: &Literal| match value {
        Literal::Number(_) | Literal::Bool(_) => value.bare(),
        Literal::Text(_) | Literal::Time(_) | Literal::Duration(_) => toml_text(&value.bare()),
    };
    values.iter().map(shown).collect::<Vec<_>>().join(", ")
}

/// A basic string of TOML; its escapes are JSON's.
fn toml_text(text: &str) -> String {
    serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007F")
}
