//! An event as each transport takes it.

use forthwith::Event;
use serde::Serialize;

use super::stream::{Outgoing, Stream};

/// The members of a CloudEvent but for its data.
#[derive(Serialize)]
struct Envelope<'a> {
    specversion: &'a str,
    id: &'a str,
    source: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    subject: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<String>,
}

impl Stream {
    /// As the engine takes it in process.
    pub(crate) fn event(&self, outgoing: &Outgoing) -> Event {
        let sample = self.sample(outgoing);
        let mut event = Event::new(&*outgoing.id, &*outgoing.source, sample.kind.as_str(), &*outgoing.customer);
        event.time = sample.time.filter(|_| sample.is_recorded(outgoing));
        event.data.clone_from(&sample.attributes);
        event
    }

    /// As the body of a request in JSON.
    pub(crate) fn json(&self, outgoing: &Outgoing) -> serde_json::Result<Vec<u8>> {
        let sample = self.sample(outgoing);
        let mut body = Vec::with_capacity(sample.text.len() + 192);
        serde_json::to_writer(&mut body, &self.envelope(outgoing))?;
        // The brace that closes it gives way to the data.
        body.pop();
        body.extend_from_slice(br#","data":"#);
        body.extend_from_slice(sample.text.as_bytes());
        body.push(b'}');
        Ok(body)
    }

    /// As the body of a request in MessagePack.
    pub(crate) fn message_pack(&self, outgoing: &Outgoing) -> Result<Vec<u8>, rmp_serde::encode::Error> {
        let sample = self.sample(outgoing);
        let mut body = Vec::with_capacity(sample.packed.len() + 192);
        self.envelope(outgoing).serialize(&mut rmp_serde::Serializer::new(&mut body).with_struct_map())?;
        // A map of few members says their number in its first byte; the data is one more.
        body[0] += 1;
        body.extend_from_slice(b"\xa4data");
        body.extend_from_slice(&sample.packed);
        Ok(body)
    }

    fn envelope<'a>(&'a self, outgoing: &'a Outgoing) -> Envelope<'a> {
        let sample = self.sample(outgoing);
        Envelope {
            specversion: "1.0",
            id: &outgoing.id,
            source: &outgoing.source,
            kind: &sample.kind,
            subject: &outgoing.customer,
            time: sample.time.filter(|_| sample.is_recorded(outgoing)).map(|time| time.to_string()),
        }
    }
}

impl super::Sample {
    /// Whether it is sent as it was recorded, and not under another name.
    fn is_recorded(&self, outgoing: &Outgoing) -> bool {
        self.id.as_deref() == Some(&*outgoing.id)
    }
}
