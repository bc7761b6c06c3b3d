//! Questions for tests.

use std::sync::Arc;

use crate::agents::{AnswerField, AnswerFormat, Choose, Message, Question, Role, Sharing, Target};
use crate::domain::{Enumeration, Field, Type};

/// A question with this text, to the model `m` of the provider `a`.
pub(in crate::gateway) fn question(text: &str) -> Question {
    let message = |role, text: &str| Message { role, text: text.into() };
    Question {
        agent: "router@1".into(),
        bundle: [7; 32],
        playbook: "tickets".into(),
        targets: Arc::from([target("a", "m")]),
        choose: Choose::Order,
        messages: vec![message(Role::System, "Route the ticket."), message(Role::User, text)],
        format: Arc::new(AnswerFormat::new(vec![AnswerField::open(queue())], 0)),
        answer_tokens: 64,
        temperature_milli: 0,
        cost_max: None,
        budgets: Arc::from([]),
        chance_min_milli: 500,
        cache: None,
        sharing: Sharing::Everyone,
        spread: 1,
        trace: None,
        has_span: false,
    }
}

pub(in crate::gateway) fn target(provider: &str, model: &str) -> Target {
    Target { provider: provider.into(), model: model.into(), weight: 1 }
}

fn queue() -> Field {
    let names = ["cards", "billing", "general"].map(str::to_owned).into();
    Field::new("queue", Type::OneOf(Arc::new(Enumeration::new(names).unwrap())))
}
