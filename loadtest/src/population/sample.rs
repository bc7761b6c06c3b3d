//! An event to be sent again under other names, or, where it is recorded, as it was.

use anyhow::Context;
use forthwith::{Raw, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The samples of the shipped configuration, so that the binary runs anywhere.
const SHIPPED: [(&str, &str); 1] = [("tickets.jsonl", include_str!("../../../config/samples/tickets.jsonl"))];

/// An event, with its data as every transport takes it.
#[derive(Debug)]
pub(crate) struct Sample {
    pub(crate) kind: String,
    /// As JSON.
    pub(crate) text: String,
    /// As MessagePack.
    pub(crate) packed: Vec<u8>,
    /// As the engine takes it in process.
    pub(crate) attributes: Vec<(String, Raw)>,
    pub(crate) id: Option<String>,
    pub(crate) source: Option<String>,
    pub(crate) customer: Option<String>,
    pub(crate) time: Option<Timestamp>,
}

/// An event as it stands in a file.
#[derive(Deserialize)]
struct Line {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    data: Map<String, Value>,
    id: Option<String>,
    source: Option<String>,
    subject: Option<String>,
    time: Option<String>,
}

/// Samples that are in the binary.
pub(crate) fn shipped_samples(name: &str) -> Option<&'static str> {
    SHIPPED.iter().find(|(shipped, _)| *shipped == name).map(|(_, lines)| *lines)
}

/// Reads CloudEvents, one a line.
pub(crate) fn read(lines: &str) -> anyhow::Result<Vec<Sample>> {
    let lines = lines.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let samples: Vec<Sample> = lines
        .map(|(nth, line)| Sample::of(line).with_context(|| format!("line {} is no CloudEvent", nth + 1)))
        .collect::<anyhow::Result<_>>()?;
    anyhow::ensure!(!samples.is_empty(), "there is no event in it");
    Ok(samples)
}

impl Sample {
    fn of(line: &str) -> anyhow::Result<Self> {
        let Line { kind, data, id, source, subject, time } = serde_json::from_str(line)?;
        let mut packed = Vec::new();
        data.serialize(&mut rmp_serde::Serializer::new(&mut packed))?;
        let text = serde_json::to_string(&data)?;
        let attributes = data.into_iter().map(|(name, value)| Ok((name, serde_json::from_value(value)?)));
        let attributes = attributes.collect::<serde_json::Result<_>>()?;
        let time =
            time.map(|time| time.parse::<Timestamp>().with_context(|| format!("`time` is `{time}`"))).transpose()?;
        Ok(Self { kind, text, packed, attributes, id, source, customer: subject, time })
    }
}
