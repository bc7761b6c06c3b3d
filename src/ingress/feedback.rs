//! What became of a decision, told over HTTP: settlements of those that are pending, and feedback on any.

use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::body::{Body, Object, answer};
use super::decide::settled;
use super::lookup::{off_the_worker, parsed};
use super::media::Format;
use super::{Fault, Problem};
use crate::domain::{DecisionId, FeedbackVerdict, Raw, RawMap, Settlement, TimeError, Timestamp, suggestion};
use crate::engine::{Engine, Error, Feedback, FeedbackFault, FeedbackTaken, SettledShown};

/// What became of a decision: either `settlement`, or at least one of `verdict`, `corrected`, `label` and `outcome`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FeedbackBody {
    /// Of a pending decision, by itself. `commit`: it was carried out. `release`: it was not, and what it reserved is given back.
    settlement: Option<String>,
    /// Whether the decision was right: `accepted`, `edited` or `rejected`.
    #[schema(value_type = Option<String>)]
    verdict: Option<Raw>,
    /// Fields of the outcome as they should have been; checked as the playbook declares them.
    #[schema(value_type = Option<Object>)]
    corrected: Option<Raw>,
    /// What a classifier should have told.
    #[schema(value_type = Option<String>)]
    label: Option<Raw>,
    /// What became of it in the end: up to 32 numbers, texts, true or false by name.
    #[schema(value_type = Option<Object>)]
    outcome: Option<Raw>,
    /// Who says so; `unknown` if absent.
    #[schema(value_type = Option<String>)]
    source: Option<Raw>,
    /// Tells the feedback from other feedback on the decision: the same again is known by it. Made of the content if absent.
    #[schema(value_type = Option<String>)]
    id: Option<Raw>,
    /// When it was said (RFC 3339).
    #[schema(value_type = Option<String>, format = DateTime)]
    time: Option<Raw>,
}

/// How a decision stands now, or what became of the feedback on it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its shape is used, for the description of the interface")]
pub(crate) enum FeedbackAnswer {
    /// Of a settlement.
    Settled(SettledShown),
    /// Of feedback.
    Taken(FeedbackTaken),
}

/// Settles a pending decision, or takes feedback on any.
///
/// The same settlement again is answered the same, and so is the same feedback under the same id, with `duplicate` set. Feedback
/// changes no decision. It may come at any time after the decision; a decision has at most 64.
#[utoipa::path(
    post, path = "/v1/decisions/{id}/feedback", tag = "decisions",
    params(("id" = String, Path, description = "The decision's id")),
    request_body(content = FeedbackBody, content_type = "application/json"),
    responses(
        (status = 200, description = "It is settled like this, or the feedback is kept, now or before", body = FeedbackAnswer),
        (status = 400, description = "Not a decision id, or the body cannot be read", body = Problem),
        (status = 404, description = "No such decision", body = Problem),
        (status = 409, description = "It was settled otherwise, its time is over, or it never was pending; or the feedback's id was used before for other feedback, or there are 64", body = Problem),
        (status = 422, description = "Not a settlement, or feedback that does not fit the decision", body = Problem),
        (status = 503, description = "Not taken on", body = Problem),
    ),
)]
pub(super) async fn feedback(
    engine: web::Data<Engine>,
    id: web::Path<String>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let id = parsed(&id)?;
    let Object(read): Object<FeedbackBody> = body.decode()?;
    match &read.settlement {
        Some(_) if read.is_feedback() => Err(Problem::of_faults(vec![Fault::new(
            "/settlement",
            "`settlement` stands by itself: send feedback in a request of its own",
        )])),
        Some(settlement) => settle(engine, id, settlement_of(settlement)?, body.answer).await,
        None => take(engine, id, read, body.answer).await,
    }
}

async fn settle(
    engine: web::Data<Engine>,
    id: DecisionId,
    settlement: Settlement,
    format: Format,
) -> Result<HttpResponse, Problem> {
    let find = |engine: web::Data<Engine>| off_the_worker(move || engine.settling(id, settlement));
    let mut found = find(engine.clone()).await?;
    if found.is_none() {
        engine.caught_up().await?;
        found = find(engine.clone()).await?;
    }
    let Some(settling) = found else { return Err(Error::UnknownDecision(id).into()) };
    let shown = match settled(engine.settle_found(&settling).await)? {
        Some(shown) => shown,
        None => off_the_worker(move || engine.settled_before(&settling)).await?,
    };
    Ok(answer(format, &shown))
}

fn settlement_of(text: &str) -> Result<Settlement, Problem> {
    let known = [Settlement::Commit, Settlement::Release];
    known.into_iter().find(|settlement| settlement.as_str() == text).ok_or_else(|| {
        let hint = suggestion(text, known.map(Settlement::as_str));
        let detail = format!("`settlement` expected `commit` or `release`, found `{text}`{hint}");
        Problem::of_faults(vec![Fault::new("/settlement", detail)])
    })
}

async fn take(
    engine: web::Data<Engine>,
    id: DecisionId,
    body: FeedbackBody,
    format: Format,
) -> Result<HttpResponse, Problem> {
    let (feedback, faults) = body.read();
    let find = |engine: web::Data<Engine>| {
        let (feedback, faults) = (feedback.clone(), faults.clone());
        off_the_worker(move || engine.telling(id, &feedback, &faults))
    };
    let mut found = find(engine.clone()).await?;
    if found.is_none() {
        engine.caught_up().await?;
        found = find(engine.clone()).await?;
    }
    let Some(mut telling) = found else { return Err(Error::UnknownDecision(id).into()) };
    loop {
        let (reader, mut looked) = (engine.clone(), telling);
        let (looked, before) = off_the_worker(move || {
            let before = reader.said_before(&mut looked)?;
            Ok((looked, before))
        })
        .await?;
        telling = looked;
        let taken = match before {
            Some(taken) => Some(taken),
            None => settled(engine.tell_feedback(&telling).await)?,
        };
        if let Some(taken) = taken {
            return Ok(answer(format, &taken));
        }
    }
}

impl FeedbackBody {
    fn is_feedback(&self) -> bool {
        let Self { settlement: _, verdict, corrected, label, outcome, source, id, time } = self;
        [verdict, corrected, label, outcome, source, id, time].into_iter().any(Option::is_some)
    }

    /// The feedback, as far as its members can be read, and what is wrong with the others.
    fn read(self) -> (Feedback, Vec<FeedbackFault>) {
        let Self { settlement: _, verdict, corrected, label, outcome, source, id, time } = self;
        let mut faults = Vec::new();
        let feedback = Feedback {
            id: text("id", id, &mut faults),
            source: text("source", source, &mut faults).unwrap_or_default(),
            time: text("time", time, &mut faults).and_then(|text| time_of(&text, &mut faults)),
            verdict: text("verdict", verdict, &mut faults).and_then(|text| verdict_of(&text, &mut faults)),
            corrected: object("corrected", corrected, &mut faults),
            label: text("label", label, &mut faults),
            outcome: object("outcome", outcome, &mut faults),
        };
        (feedback, faults)
    }
}

fn text(member: &str, raw: Option<Raw>, faults: &mut Vec<FeedbackFault>) -> Option<String> {
    match raw {
        None | Some(Raw::Null) => None,
        Some(Raw::Text(text)) => Some(text),
        Some(other) => {
            faults.push(FeedbackFault::new(member, format!("is {}, expected a text", other.kind())));
            None
        }
    }
}

fn object(member: &str, raw: Option<Raw>, faults: &mut Vec<FeedbackFault>) -> RawMap {
    match raw {
        None | Some(Raw::Null) => RawMap::new(),
        Some(Raw::Map(entries)) => entries,
        Some(other) => {
            faults.push(FeedbackFault::new(member, format!("is {}, expected an object", other.kind())));
            RawMap::new()
        }
    }
}

fn time_of(text: &str, faults: &mut Vec<FeedbackFault>) -> Option<Timestamp> {
    let wrong = |error: TimeError| faults.push(FeedbackFault::new("time", format!("`{text}` is {error}")));
    text.parse().map_err(wrong).ok()
}

fn verdict_of(text: &str, faults: &mut Vec<FeedbackFault>) -> Option<FeedbackVerdict> {
    let found = FeedbackVerdict::ALL.into_iter().find(|verdict| verdict.as_str() == text);
    if found.is_none() {
        let hint = suggestion(text, FeedbackVerdict::ALL.map(FeedbackVerdict::as_str));
        let reason = format!("expected `accepted`, `edited` or `rejected`, found `{text}`{hint}");
        faults.push(FeedbackFault::new("verdict", reason));
    }
    found
}
