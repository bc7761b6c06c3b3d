//! Problem details (RFC 9457): the one place where errors become status codes.

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Fault, consents};
use crate::actor::{Failure, Shed};
use crate::engine::Error;

/// What went wrong, in the form of RFC 9457.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// The kind of problem: `urn:forthwith:problem:` and a word.
    #[serde(rename = "type")]
    kind: String,
    /// The kind in words.
    title: &'static str,
    /// The status code.
    status: u16,
    /// What is wrong with this request.
    detail: String,
    /// Each thing that is wrong, with the member it concerns.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Fault>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, kind: &str, title: &'static str, detail: impl Into<String>) -> Self {
        let kind = format!("urn:forthwith:problem:{kind}");
        Self { kind, title, status: status.as_u16(), detail: detail.into(), errors: Vec::new() }
    }

    /// The problem of a request with these faults.
    pub(crate) fn of_faults(faults: Vec<Fault>) -> Self {
        let detail = faults.iter().map(|fault| fault.detail.as_str()).collect::<Vec<_>>().join("; ");
        let problem = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "event", "the event does not fit its schema", detail);
        Self { errors: faults, ..problem }
    }

    /// The problem of a body that cannot be read at all.
    pub(crate) fn unreadable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "unreadable", "the body cannot be read", detail)
    }

    pub(crate) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "there is no such thing", detail)
    }

    pub(crate) fn with_faults(mut self, faults: Vec<Fault>) -> Self {
        self.errors = faults;
        self
    }

    fn at(mut self, pointer: &str) -> Self {
        self.errors.push(Fault::new(pointer, self.detail.clone()));
        self
    }

    fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.title, self.detail)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.status()
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status());
        response.insert_header((CONTENT_TYPE, HeaderValue::from_static("application/problem+json")));
        if matches!(self.status(), StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
            response.insert_header((RETRY_AFTER, HeaderValue::from_static("1")));
        }
        // Texts and numbers always have a JSON form.
        response.body(serde_json::to_vec(self).unwrap_or_default())
    }
}

impl From<Shed> for Problem {
    fn from(shed: Shed) -> Self {
        let status = match shed {
            Shed::MailboxFull => StatusCode::TOO_MANY_REQUESTS,
            _ => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self::new(
            status,
            &format!("shed:{}", shed.as_str().replace('_', "-")),
            "the request was not taken on",
            shed.to_string(),
        )
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let detail = error.to_string();
        match error {
            Error::UnknownPlaybook { .. } => {
                Self::new(StatusCode::NOT_FOUND, "unknown-playbook", "there is no such playbook", detail)
            }
            Error::Event(faults) => {
                Self::of_faults(faults.iter().map(|fault| Fault::new(&fault.pointer(), fault.to_string())).collect())
            }
            Error::WrongEvent { .. } => {
                let title = "the playbook does not decide on such events";
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "wrong-event", title, detail).at("/type")
            }
            Error::Future { member, .. } => {
                let title = "a time lies in the future";
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "future", title, detail).at(&format!("/{member}"))
            }
            Error::Conflict => {
                Self::new(StatusCode::CONFLICT, "conflict", "the event's id was used before", detail).at("/id")
            }
            Error::Customer(_) => {
                let title = "the customer's id is not valid";
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "customer", title, detail)
            }
            Error::Facts(faults) => {
                let pointer = |name: &str| format!("/facts/{}", name.replace('~', "~0").replace('/', "~1"));
                let title = "the facts do not fit their declarations";
                let problem = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "facts", title, detail);
                let errors = faults.iter().map(|fault| Fault::new(&pointer(&fault.name), fault.to_string())).collect();
                Self { errors, ..problem }
            }
            Error::Consents(faults) => {
                let title = "consent cannot be given to this";
                let problem = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "consents", title, detail);
                let errors = faults.iter().map(|of| Fault::new(&consents::pointer(&of.name), of.to_string()));
                Self { errors: errors.collect(), ..problem }
            }
            Error::Search(faults) => {
                let title = "the search cannot be made";
                let problem = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "search", title, detail);
                let errors = faults.iter().map(|of| Fault::new(&format!("/{}", of.parameter), of.to_string()));
                Self { errors: errors.collect(), ..problem }
            }
            Error::UnknownDecision(_) | Error::NoTreeHeads | Error::NotProvable(_) => Self::not_found(detail),
            Error::NotSettled { .. } => {
                Self::new(StatusCode::CONFLICT, "settlement", "the decision cannot be settled like this", detail)
            }
            Error::Feedback(faults) => {
                let title = "the feedback does not fit the decision";
                let problem = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "feedback", title, detail);
                let errors = faults.iter().map(|of| Fault::new(&of.pointer(), of.to_string()));
                Self { errors: errors.collect(), ..problem }
            }
            Error::Synthetic(_) => {
                let title = "the decision is one of the engine's own";
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "synthetic", title, detail)
            }
            Error::FeedbackConflict { .. } => {
                Self::new(StatusCode::CONFLICT, "feedback-conflict", "the feedback's id was used before", detail)
                    .at("/id")
            }
            Error::FeedbackFull(_) => {
                Self::new(StatusCode::CONFLICT, "feedback-full", "no more feedback is taken", detail)
            }
            Error::UnknownRule { .. } => {
                Self::new(StatusCode::NOT_FOUND, "unknown-rule", "there is no such rule", detail)
            }
            Error::UnknownPurpose { .. } => {
                Self::new(StatusCode::NOT_FOUND, "unknown-purpose", "there is no such purpose", detail)
            }
            Error::UnknownSwitch(_) => Self::not_found(detail),
            Error::SwitchRefused(_) => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "switch", "the switch cannot be turned like this", detail)
            }
            Error::SwitchNotKept(_) => Self::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "switch-not-kept",
                "the switch could not be written down",
                detail,
            ),
            Error::Model(_) => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "model", "a model of the bundle cannot be used", detail)
            }
            Error::TooManyExports(_) => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "exports", "the request was not taken on", detail)
            }
            Error::DecisionId(_) => Self::new(StatusCode::BAD_REQUEST, "decision-id", "not a decision id", detail),
            Error::Failed(Failure::RecordTooLarge(_)) => {
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "the body is too large", detail)
            }
            Error::Failed(Failure::SetAside(_)) => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "set-aside", "the input is set aside", detail)
            }
            Error::Failed(Failure::RecoveryFailed(_)) => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "recovery", "recovery has failed", detail)
            }
            Error::DiskFull(_) => Shed::DiskFull.into(),
            Error::Failed(Failure::JournalStopped(_)) | Error::Journal(_) | Error::Notary(_) => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "journal", "the journal has failed", detail)
            }
            Error::Failed(_) | Error::Record(_) | Error::Unproved(_) => {
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the engine has a fault", detail)
            }
        }
    }
}
