//! The scenarios that the binary brings, so that it runs anywhere.

use std::path::Path;

use anyhow::{Context, bail};

use super::{Scenario, read};

const SHIPPED: [(&str, &str); 13] = [
    ("ticket_routing", include_str!("../../scenarios/ticket_routing.toml")),
    ("single_call", include_str!("../../scenarios/single_call.toml")),
    ("slow_agent", include_str!("../../scenarios/slow_agent.toml")),
    ("hot_customer", include_str!("../../scenarios/hot_customer.toml")),
    ("cold_start", include_str!("../../scenarios/cold_start.toml")),
    ("burst", include_str!("../../scenarios/burst.toml")),
    ("soak", include_str!("../../scenarios/soak.toml")),
    ("reload", include_str!("../../scenarios/reload.toml")),
    ("crash", include_str!("../../scenarios/crash.toml")),
    ("caps", include_str!("../../scenarios/caps.toml")),
    ("disk_full", include_str!("../../scenarios/disk_full.toml")),
    ("overload", include_str!("../../scenarios/overload.toml")),
    ("recorded", include_str!("../../scenarios/recorded.toml")),
];

/// All of them, read.
pub(crate) fn shipped() -> anyhow::Result<Vec<Scenario>> {
    SHIPPED.iter().map(|(name, text)| Ok(read(&format!("{name}.toml"), text, None)?)).collect()
}

/// A scenario by its name, or from a file.
pub(crate) fn find(name: &str) -> anyhow::Result<Scenario> {
    if let Some((_, text)) = SHIPPED.iter().find(|(shipped, _)| *shipped == name) {
        return Ok(read(&format!("{name}.toml"), text, None)?);
    }
    let path = Path::new(name);
    if !path.exists() && !name.contains(['/', '.']) {
        let names: Vec<&str> = SHIPPED.iter().map(|(name, _)| *name).collect();
        bail!("there is no scenario `{name}`: expected a file, or one of {}", names.join(", "));
    }
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read the scenario {name}"))?;
    Ok(read(name, &text, path.parent())?)
}
