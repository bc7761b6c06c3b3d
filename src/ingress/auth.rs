//! The bearer token, compared in constant time.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{AUTHORIZATION, HeaderValue, WWW_AUTHENTICATE};
use actix_web::middleware::Next;
use actix_web::{Error, ResponseError, web};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::Problem;
use crate::domain::Secret;

/// The hash of the token that callers must present; `None` lets everyone in.
///
/// Hashes are compared, not tokens: they have one length, so that the comparison tells nothing, not even how long the
/// token is.
#[derive(Clone)]
pub(crate) struct Gate(Option<[u8; 32]>);

impl Gate {
    pub(crate) fn new(token: Option<&Secret>) -> Self {
        Self(token.map(|token| Sha256::digest(token.expose()).into()))
    }

    fn admits(&self, header: Option<&HeaderValue>) -> bool {
        let Some(expected) = &self.0 else { return true };
        let presented = header.and_then(|value| value.to_str().ok()).and_then(bearer).unwrap_or_default();
        let presented: [u8; 32] = Sha256::digest(presented).into();
        bool::from(presented.ct_eq(expected))
    }
}

/// The token of `Bearer TOKEN` (RFC 6750); the scheme's case does not matter.
fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Lets a request pass that presents the token, and health checks.
pub(crate) async fn authorize(
    gate: web::Data<Gate>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let is_health = matches!(request.path(), "/healthz" | "/readyz");
    if is_health || gate.admits(request.headers().get(AUTHORIZATION)) {
        return next.call(request).await.map(ServiceResponse::map_into_left_body);
    }
    let problem = Problem::new(
        StatusCode::UNAUTHORIZED,
        "unauthorized",
        "a token is needed",
        "present the token as `Authorization: Bearer TOKEN`",
    );
    let mut response = problem.error_response();
    response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    Ok(request.into_response(response).map_into_right_body())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn admits_the_token_and_nothing_like_it() {
        let gate = Gate::new(Some(&Secret::new("0123456789abcdef")));
        let admits = |header: &str| gate.admits(Some(&HeaderValue::from_str(header).unwrap()));
        assert!(admits("Bearer 0123456789abcdef") && admits("bearer 0123456789abcdef"));
        for wrong in
            ["", "Bearer", "Bearer ", "Bearer 0123456789abcde", "Bearer 0123456789abcdeff", "Basic 0123456789abcdef"]
        {
            assert!(!admits(wrong), "{wrong}");
        }
        assert!(!gate.admits(None));
        assert!(Gate::new(None).admits(None));
    }
}
