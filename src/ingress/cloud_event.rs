//! CloudEvents 1.0: an event as it comes over a wire, in JSON or MessagePack.
//!
//! See <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md>. Extension attributes are allowed and, but for
//! `traceparent`, not used.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::Fault;
use super::trace::TraceParent;
use crate::domain::{Event, Raw, RawMap, Timestamp};
use crate::turn::TraceId;

/// The members of a structured CloudEvent. All optional here, so that everything missing is reported at once.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct CloudEvent {
    pub(super) specversion: Option<String>,
    pub(super) id: Option<String>,
    pub(super) source: Option<String>,
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    pub(super) subject: Option<String>,
    pub(super) time: Option<String>,
    pub(super) datacontenttype: Option<String>,
    pub(super) data: Option<Raw>,
    pub(super) data_base64: Option<IgnoredAny>,
    pub(super) traceparent: Option<String>,
}

/// An event as it arrived: what happened, and the trace it belongs to.
#[derive(Debug)]
pub(crate) struct Arrived {
    pub(crate) event: Event,
    pub(crate) trace: Option<TraceId>,
}

impl CloudEvent {
    /// Checks the envelope; or says everything that is wrong with it.
    pub(crate) fn into_event(self) -> Result<Arrived, Vec<Fault>> {
        let mut faults = Vec::new();
        match self.specversion.as_deref() {
            Some("1.0") => {}
            Some(other) => {
                faults.push(Fault::new("/specversion", format!("`specversion` is `{other}`, expected `1.0`")));
            }
            None => faults.push(Fault::new("/specversion", "`specversion` is required: `1.0`")),
        }
        let mut require = |name: &str, value: Option<String>, what: &str| {
            if value.is_none() {
                faults.push(Fault::new(&format!("/{name}"), format!("`{name}` is required: {what}")));
            }
            value.unwrap_or_default()
        };
        let id = require("id", self.id, "unique within its source");
        let source = require("source", self.source, "the system the event comes from");
        let kind = require("type", self.kind, "the event's type, such as `ticket.created`");
        let customer = require("subject", self.subject, "the customer's id");
        let time = self.time.and_then(|text| match text.parse::<Timestamp>() {
            Ok(time) => Some(time),
            Err(e) => {
                faults.push(Fault::new("/time", format!("`time` `{text}` is {e}")));
                None
            }
        });
        if self.data_base64.is_some() {
            faults.push(Fault::new(
                "/data_base64",
                "`data_base64` is not supported: send the attributes as an object in `data`",
            ));
        }
        if let Some(other) = self.datacontenttype.filter(|content| !is_json(content)) {
            let message = format!("`datacontenttype` is `{other}`, expected `application/json`");
            faults.push(Fault::new("/datacontenttype", message));
        }
        let data = match self.data {
            Some(Raw::Map(data)) => data,
            None | Some(Raw::Null) => RawMap::new(),
            Some(other) => {
                faults.push(Fault::new("/data", format!("`data` is {}, expected an object", other.kind())));
                RawMap::new()
            }
        };
        if !faults.is_empty() {
            return Err(faults);
        }
        let trace = self.traceparent.as_deref().and_then(TraceParent::parse).map(|parent| parent.trace);
        Ok(Arrived { event: Event { id, source, kind, customer, time, data }, trace })
    }
}

/// Whether a media type is JSON, or MessagePack, which carries the same.
fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || essence.ends_with("+json") || super::media::is_msgpack(&essence)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Event, String> {
        let event: CloudEvent = serde_json::from_str(json).map_err(|e| e.to_string())?;
        let shown = |faults: Vec<Fault>| {
            faults.into_iter().map(|f| format!("{}: {}\n", f.pointer, f.detail)).collect::<String>()
        };
        event.into_event().map(|arrived| arrived.event).map_err(shown)
    }

    #[test]
    fn reads_an_envelope() {
        let event = read(
            r#"{"specversion":"1.0","id":"1","source":"s","type":"t","subject":"c","time":"2026-11-22T10:00:00Z","comexampleext":1,
               "datacontenttype":"application/json; charset=utf-8","data":{"b":1,"a":"x"}}"#,
        )
        .unwrap();
        assert_eq!(
            event,
            Event::new("1", "s", "t", "c").at("2026-11-22T10:00:00Z".parse().unwrap()).with("b", 1).with("a", "x")
        );
    }

    #[test]
    fn says_everything_that_is_wrong() {
        let shown = [
            read(
                r#"{"specversion":"0.3","time":"today","data":[1],"data_base64":"eA==","datacontenttype":"text/xml"}"#,
            )
            .unwrap_err(),
            read(r#"{"id":5}"#).unwrap_err(),
            read(r#"{"data":{"a":{"b":{"c":{"d":{"e":{"f":{"g":{"h":{"i":1}}}}}}}}}}"#).unwrap_err(),
        ];
        insta::assert_snapshot!(shown.join("\n"), @"
        /specversion: `specversion` is `0.3`, expected `1.0`
        /id: `id` is required: unique within its source
        /source: `source` is required: the system the event comes from
        /type: `type` is required: the event's type, such as `ticket.created`
        /subject: `subject` is required: the customer's id
        /time: `time` `today` is not a date and time such as `2026-11-22T10:00:00Z` (RFC 3339, with a time zone)
        /data_base64: `data_base64` is not supported: send the attributes as an object in `data`
        /datacontenttype: `datacontenttype` is `text/xml`, expected `application/json`
        /data: `data` is a list, expected an object

        invalid type: integer `5`, expected a string at line 1 column 7
        nested more than 8 levels deep at line 1 column 49
        ");
    }
}
