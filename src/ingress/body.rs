//! Bodies: read within a limit, decoded by their content type, answered in the format that the caller reads.

use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use actix_web::http::StatusCode;
use actix_web::http::header::{ACCEPT, CONTENT_TYPE, HeaderMap};
use actix_web::rt::time::timeout;
use actix_web::{FromRequest, HttpRequest, HttpResponse, web};
use futures_util::StreamExt;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use std::marker::PhantomData;
use std::time::Duration;

use super::media::Format;
use super::{Limits, Problem};

/// A request's body and the formats it wants to speak.
#[derive(Debug)]
pub(crate) struct Body {
    bytes: web::BytesMut,
    pub(crate) format: Format,
    /// The format of the answer.
    pub(crate) answer: Format,
}

impl FromRequest for Body {
    type Error = Problem;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let limits = request.app_data::<web::Data<Limits>>();
        let (limit, patience) =
            limits.map_or((1 << 20, Duration::from_secs(10)), |of| (of.body_bytes_max, of.body_timeout));
        let format = format_of(request.headers());
        let answer = answer_format(request.headers());
        let payload = payload.take();
        Box::pin(async move {
            let format = format?;
            let Ok(bytes) = timeout(patience, read(payload, limit)).await else { return Err(slow(patience)) };
            let bytes = bytes?;
            Ok(Self { bytes, format, answer: answer.unwrap_or(format) })
        })
    }
}

async fn read(mut payload: Payload, limit: usize) -> Result<web::BytesMut, Problem> {
    let mut bytes = web::BytesMut::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|e| broken(&e))?;
        if bytes.len() + chunk.len() > limit {
            return Err(Problem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "too-large",
                "the body is too large",
                format!("a body may have {limit} bytes"),
            ));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

fn slow(patience: Duration) -> Problem {
    let detail = format!("the body did not come within {} ms", patience.as_millis());
    Problem::new(StatusCode::REQUEST_TIMEOUT, "timeout", "the body took too long", detail)
}

fn broken(error: &PayloadError) -> Problem {
    Problem::unreadable(format!("the body broke off: {error}"))
}

/// The format of the request's body: JSON where nothing is said.
fn format_of(headers: &HeaderMap) -> Result<Format, Problem> {
    let Some(header) = headers.get(CONTENT_TYPE) else { return Ok(Format::Json) };
    let media_type = header.to_str().unwrap_or_default();
    Format::of(media_type).ok_or_else(|| {
        Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "media-type",
            "the content type is not supported",
            format!("`content-type` is `{media_type}`, expected `application/json` or `application/msgpack`"),
        )
    })
}

/// The format that the caller reads, if it says so.
pub(crate) fn answer_format(headers: &HeaderMap) -> Option<Format> {
    let accept = headers.get(ACCEPT)?.to_str().ok()?;
    accept.split(',').find_map(Format::of)
}

impl Body {
    /// Decodes the body.
    pub(crate) fn decode<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        match self.format {
            Format::Json => serde_json::from_slice(&self.bytes)
                .map_err(|e| Problem::unreadable(format!("not readable as JSON: {e}"))),
            Format::MessagePack => rmp_serde::from_slice(&self.bytes)
                .map_err(|e| Problem::unreadable(format!("not readable as MessagePack: {e}"))),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

/// A value that must be written as an object. A struct's derived reader would take an array of its members as well.
#[derive(Debug)]
pub(crate) struct Object<T>(pub(crate) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor(PhantomData)).map(Self)
    }
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map))
    }
}

/// An answer in a format.
pub(crate) fn answer<T: Serialize>(format: Format, value: &T) -> HttpResponse {
    let bytes = match format {
        Format::Json => serde_json::to_vec(value).map_err(|e| e.to_string()),
        Format::MessagePack => rmp_serde::to_vec_named(value).map_err(|e| e.to_string()),
    };
    match bytes {
        Ok(bytes) => HttpResponse::Ok().insert_header((CONTENT_TYPE, format.media_type())).body(bytes),
        Err(reason) => {
            let problem = Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the engine has a fault", reason);
            actix_web::ResponseError::error_response(&problem)
        }
    }
}
