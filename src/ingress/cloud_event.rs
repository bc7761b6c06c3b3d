//! CloudEvents 1.0: an event as it comes over a wire, in JSON or MessagePack.
//!
//! See <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md>. Extension attributes are allowed and, but for
//! `traceparent` and `tracestate`, not used.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::Fault;
use crate::domain::{Event, Raw, RawMap, Timestamp, TraceContext};

/// The members of a structured CloudEvent. All optional and untyped here, so that everything wrong is reported at once.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct CloudEvent {
    pub(super) specversion: Option<Raw>,
    pub(super) id: Option<Raw>,
    pub(super) source: Option<Raw>,
    #[serde(rename = "type")]
    pub(super) kind: Option<Raw>,
    pub(super) subject: Option<Raw>,
    pub(super) time: Option<Raw>,
    pub(super) datacontenttype: Option<Raw>,
    pub(super) data: Option<Raw>,
    pub(super) data_base64: Option<IgnoredAny>,
    pub(super) traceparent: Option<Raw>,
    pub(super) tracestate: Option<Raw>,
}

/// An event as it arrived: what happened, and the trace it belongs to.
#[derive(Debug)]
pub(crate) struct Arrived {
    pub(crate) event: Event,
    pub(crate) trace: Option<TraceContext>,
}

impl CloudEvent {
    /// Checks the envelope; or says everything that is wrong with it.
    pub(crate) fn into_event(self) -> Result<Arrived, Vec<Fault>> {
        let mut faults = Vec::new();
        let mut text = |name: &str, value: Option<Raw>, required: Option<&str>| match (value, required) {
            (Some(Raw::Text(text)), _) => Some(text),
            (None | Some(Raw::Null), None) => None,
            (None | Some(Raw::Null), Some(what)) => {
                faults.push(Fault::new(&format!("/{name}"), format!("`{name}` is required: {what}")));
                None
            }
            (Some(other), _) => {
                let message = format!("`{name}` is {}, expected a text", other.kind());
                faults.push(Fault::new(&format!("/{name}"), message));
                None
            }
        };
        let version = text("specversion", self.specversion, Some("`1.0`"));
        let id = text("id", self.id, Some("unique within its source"));
        let source = text("source", self.source, Some("the system the event comes from"));
        let kind = text("type", self.kind, Some("the event's type, such as `ticket.created`"));
        let customer = text("subject", self.subject, Some("the customer's id"));
        let time = text("time", self.time, None);
        let content_type = text("datacontenttype", self.datacontenttype, None);
        let traceparent = text("traceparent", self.traceparent, None);
        let tracestate = text("tracestate", self.tracestate, None).unwrap_or_default();
        if let Some(other) = version.filter(|version| version != "1.0") {
            faults.push(Fault::new("/specversion", format!("`specversion` is `{other}`, expected `1.0`")));
        }
        let time = time.and_then(|text| match text.parse::<Timestamp>() {
            Ok(time) => Some(time),
            Err(e) => {
                faults.push(Fault::new("/time", format!("`time` `{text}` is {e}")));
                None
            }
        });
        if self.data_base64.is_some() {
            let message = "`data_base64` is not supported: send the attributes as an object in `data`";
            faults.push(Fault::new("/data_base64", message));
        }
        if let Some(other) = content_type.filter(|content| !is_json(content)) {
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
        let trace = traceparent.as_deref().and_then(TraceContext::parse).map(|trace| trace.with_state(&tracestate));
        let [id, source, kind, customer] = [id, source, kind, customer].map(Option::unwrap_or_default);
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
            read(r#"{"id":5,"subject":null}"#).unwrap_err(),
            read(r#"{"data":{"a":{"b":{"c":{"d":{"e":{"f":{"g":{"h":{"i":1}}}}}}}}}}"#).unwrap_err(),
        ];
        insta::assert_snapshot!(shown.join("\n"), @"
        /id: `id` is required: unique within its source
        /source: `source` is required: the system the event comes from
        /type: `type` is required: the event's type, such as `ticket.created`
        /subject: `subject` is required: the customer's id
        /specversion: `specversion` is `0.3`, expected `1.0`
        /time: `time` `today` is not a date and time such as `2026-11-22T10:00:00Z` (RFC 3339, with a time zone)
        /data_base64: `data_base64` is not supported: send the attributes as an object in `data`
        /datacontenttype: `datacontenttype` is `text/xml`, expected `application/json`
        /data: `data` is a list, expected an object

        /specversion: `specversion` is required: `1.0`
        /id: `id` is a whole number, expected a text
        /source: `source` is required: the system the event comes from
        /type: `type` is required: the event's type, such as `ticket.created`
        /subject: `subject` is required: the customer's id

        nested more than 8 levels deep at line 1 column 49
        ");
    }
}
