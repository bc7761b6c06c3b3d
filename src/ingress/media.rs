//! Content types: JSON and MessagePack.

/// How a body is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Format {
    /// JSON (RFC 8259).
    #[default]
    Json,
    /// MessagePack.
    MessagePack,
}

impl Format {
    /// The format of a media type, parameters aside; `None` for one that is neither.
    pub(crate) fn of(media_type: &str) -> Option<Self> {
        let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match essence.as_str() {
            "application/json" => Some(Self::Json),
            other if other.ends_with("+json") => Some(Self::Json),
            other if is_msgpack(other) => Some(Self::MessagePack),
            _ => None,
        }
    }

    /// The media type of an answer.
    pub(crate) fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::MessagePack => "application/msgpack",
        }
    }
}

/// Whether a media type, in lower case and without parameters, is MessagePack: the registered name and its forerunners.
pub(super) fn is_msgpack(essence: &str) -> bool {
    matches!(essence, "application/msgpack" | "application/vnd.msgpack" | "application/x-msgpack")
        || essence.ends_with("+msgpack")
}
