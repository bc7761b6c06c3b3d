//! Requests and bytes on a connection.

use std::time::{Duration, SystemTime};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

/// Bytes of a request's line and headers.
const HEAD_BYTES_MAX: usize = 64 << 10;
/// Bytes of a request's body.
const BODY_BYTES_MAX: usize = 16 << 20;

/// The client has closed or reset the connection, or said what is no HTTP.
pub(crate) struct Gone;

/// A request.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// A connection with what came on it and is not yet read.
pub(crate) struct Wire {
    stream: TcpStream,
    unread: Vec<u8>,
}

impl Wire {
    pub(crate) fn new(stream: TcpStream) -> Self {
        // A small write that waits for more would be a latency that nobody ordered.
        let _ = stream.set_nodelay(true);
        Self { stream, unread: Vec::with_capacity(4 << 10) }
    }

    /// The next request; `None` if none comes before `until`.
    pub(crate) async fn request(&mut self, until: Option<Instant>) -> Result<Option<Request>, Gone> {
        let head = loop {
            if let Some(at) = self.unread.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                break at + 4;
            }
            if self.unread.len() > HEAD_BYTES_MAX {
                return Err(Gone);
            }
            // Whoever has begun a request is not idle.
            let until = until.filter(|_| self.unread.is_empty());
            if !self.fill(until).await? {
                return Ok(None);
            }
        };
        let Some((mut request, length)) = read_head(&self.unread[..head]) else { return Err(Gone) };
        while self.unread.len() < head + length {
            self.fill(None).await?;
        }
        request.body = self.unread[head..head + length].to_vec();
        self.unread.drain(..head + length);
        Ok(Some(request))
    }

    /// Waits, and notices when the client goes.
    pub(crate) async fn pause(&mut self, until: Option<Instant>) -> Result<(), Gone> {
        while self.fill(until).await? {
            if self.unread.len() > HEAD_BYTES_MAX + BODY_BYTES_MAX {
                return Err(Gone);
            }
        }
        Ok(())
    }

    /// More of what comes; false if nothing comes before `until`.
    async fn fill(&mut self, until: Option<Instant>) -> Result<bool, Gone> {
        let read = self.stream.read_buf(&mut self.unread);
        let read = match until {
            None => read.await,
            Some(until) => match timeout_at(until, read).await {
                Ok(read) => read,
                Err(_) => return Ok(false),
            },
        };
        match read {
            Ok(0) | Err(_) => Err(Gone),
            Ok(_) => Ok(true),
        }
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) -> Result<(), Gone> {
        self.stream.write_all(bytes).await.map_err(|_| Gone)
    }

    /// Ends it in an orderly way.
    pub(crate) async fn close(mut self) {
        let _ = self.stream.shutdown().await;
    }

    /// Ends it with a reset.
    pub(crate) fn reset(self) {
        let _ = self.stream.set_zero_linger();
    }
}

/// A request without its body, and the length of that.
fn read_head(bytes: &[u8]) -> Option<(Request, usize)> {
    let text = std::str::from_utf8(bytes).ok()?;
    let mut lines = text.split("\r\n");
    let mut words = lines.next()?.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let headers: Vec<(String, String)> = lines
        .take_while(|line| !line.is_empty())
        .map(|line| line.split_once(':').map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())))
        .collect::<Option<_>>()?;
    let length = match headers.iter().find(|(name, _)| name == "content-length") {
        Some((_, length)) => length.parse().ok().filter(|length| *length <= BODY_BYTES_MAX)?,
        None if headers.iter().any(|(name, _)| name == "transfer-encoding") => return None,
        None => 0,
    };
    Some((Request { method, path, headers, body: Vec::new() }, length))
}

/// The status line and headers of a response.
pub(crate) struct Head<'a> {
    pub(crate) status: u16,
    pub(crate) content_type: &'a str,
    /// `None` for a body in chunks.
    pub(crate) length: Option<usize>,
    pub(crate) headers: &'a [(String, String)],
    /// Whether the response says that it is the connection's last.
    pub(crate) is_last: bool,
}

impl Head<'_> {
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut text = format!("HTTP/1.1 {} {}\r\n", self.status, reason(self.status));
        let mut header = |name: &str, value: &str| {
            text.push_str(name);
            text.push_str(": ");
            text.push_str(value);
            text.push_str("\r\n");
        };
        header("content-type", self.content_type);
        match self.length {
            Some(length) => header("content-length", &length.to_string()),
            None => header("transfer-encoding", "chunked"),
        }
        if self.is_last {
            header("connection", "close");
        }
        for (name, value) in self.headers {
            header(name, value);
        }
        text.push_str("\r\n");
        text.into_bytes()
    }
}

const fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        408 => "Request Timeout",
        422 => "Unprocessable Entity",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Status",
    }
}

/// A time as HTTP writes it in headers: `Sun, 06 Nov 1994 08:49:37 GMT`.
pub fn http_date(time: SystemTime) -> String {
    let seconds = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs();
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Howard Hinnant's `civil_from_days`, for days after 1970.
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let weekday = name("ThuFriSatSunMonTueWed", days % 7);
    let month = name("JanFebMarAprMayJunJulAugSepOctNovDec", month - 1);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{weekday}, {day:02} {month} {year} {hour:02}:{minute:02}:{second:02} GMT")
}

/// The `at`th of names of three letters.
fn name(names: &'static str, at: u64) -> &'static str {
    let start = usize::try_from(at).unwrap_or(0) * 3;
    names.get(start..start + 3).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_http() {
        let at = |seconds| http_date(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(at(784_111_777), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(at(0), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(at(1_709_210_096), "Thu, 29 Feb 2024 12:34:56 GMT");
        assert_eq!(at(1_798_761_599), "Thu, 31 Dec 2026 23:59:59 GMT");
    }

    #[test]
    fn a_head_is_read_or_refused() {
        let (request, length) =
            read_head(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n").unwrap();
        assert_eq!((request.method.as_str(), request.path.as_str(), length), ("POST", "/v1/chat/completions", 5));
        assert_eq!(request.headers[0], ("host".to_owned(), "x".to_owned()));
        for wrong in [
            &b"GET\r\n\r\n"[..],
            b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
            b"POST / HTTP/1.1\r\ncontent-length: many\r\n\r\n",
            b"POST / HTTP/1.1\r\ncontent-length: 99999999999\r\n\r\n",
            b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n",
            b"\xff\xfe / HTTP/1.1\r\n\r\n",
        ] {
            assert!(read_head(wrong).is_none(), "{}", String::from_utf8_lossy(wrong));
        }
    }
}
