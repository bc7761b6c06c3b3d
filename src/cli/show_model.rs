//! Models as people read them: what a playbook asks, and what was said of a decision.

use crate::bundle::{AcceptRule, Acceptance, AgentUse, Playbook, SmallModel};
use crate::engine::{AgentShown, CallShown, LateAnswerShown, ModelShown, ProposalShown};
use crate::inference::Statistic;

/// A model of a playbook in one line.
pub(super) fn small_model(model: &SmallModel, playbook: &Playbook) -> String {
    let fields: Vec<&str> = model.sets.iter().map(|set| &*playbook.outcome.fields()[*set].name).collect();
    let manifest = &model.model.manifest;
    format!(
        "model {} ({}, of {}) sets {}: {}",
        model.name,
        manifest.kind.as_str(),
        manifest.owner,
        fields.join(", "),
        acceptance(&model.accept)
    )
}

/// An agent of a playbook in one line.
pub(super) fn agent(used: &AgentUse, playbook: &Playbook) -> String {
    let fields: Vec<&str> = used.sets.iter().map(|set| &*playbook.outcome.fields()[*set].name).collect();
    let targets: Vec<String> = used.agent.targets.iter().map(ToString::to_string).collect();
    let budgets: Vec<String> =
        used.budgets.iter().map(|budget| format!("; {} a day for {}", budget.per_day, budget.name)).collect();
    format!(
        "agent {} ({}, of {}) sets {}: asks {}{}",
        used.name,
        used.agent.kind.as_str(),
        used.agent.owner,
        fields.join(", "),
        targets.join(", "),
        budgets.concat()
    )
}

fn acceptance(accept: &Acceptance) -> String {
    let of = match accept.of {
        Statistic::Confidence => "confidence",
        Statistic::Margin => "margin",
    };
    let threshold = accept.threshold;
    match &accept.rule {
        AcceptRule::Given => format!("taken from {of} {threshold}"),
        AcceptRule::Certified { target_precision, confidence, share } => format!(
            "taken from {of} {threshold}, certified for a precision of {target_precision} with confidence {confidence}; takes \
             {} of the calibration set",
            share.percent()
        ),
        AcceptRule::Escalating { share_max, share } => format!(
            "taken from {of} {threshold}, so that at most {share_max} are unsure; takes {} of the calibration set",
            share.percent()
        ),
        AcceptRule::Always => "always taken, within the permit".to_owned(),
    }
}

/// What the models said that were asked.
pub(super) fn models(models: &[ModelShown]) -> Vec<String> {
    let title = (!models.is_empty()).then(|| "models that were asked".to_owned());
    title.into_iter().chain(models.iter().flat_map(model)).collect()
}

fn model(shown: &ModelShown) -> Vec<String> {
    let decided = match (shown.decided, shown.word) {
        (true, _) => " and decided",
        (false, "accepted") => ", and the guardrail refused it",
        (false, _) => "",
    };
    let read = shown.reads.join(", ");
    let mut lines = vec![format!("  {}: {}{decided}; it reads {read}", shown.model, shown.word)];
    if let Some(threshold) = &shown.threshold {
        let reached = if threshold.was >= threshold.at_least { "reaches" } else { "does not reach" };
        lines.push(format!(
            "    {} {:.6} {reached} {:.6}, {}",
            threshold.of, threshold.was, threshold.at_least, threshold.from
        ));
    }
    let proposal = |ProposalShown { says, probability }: &ProposalShown| match probability {
        Some(probability) => format!("    {probability:.6}  {says}"),
        None => format!("    {says}"),
    };
    lines.extend(shown.proposals.iter().map(proposal));
    if let Some(candidates) = shown.candidates {
        lines.push(format!("    the first {candidates} of them remained for the next tier"));
    }
    if let Some(cut) = &shown.cut {
        lines.push(format!(
            "    not permitted: {} ({:.6}), {:.6} of the probability in all",
            cut.says, cut.probability, cut.in_all
        ));
    }
    lines.extend(shown.silent.iter().map(|why| format!("    {why}")));
    lines
}

/// What the agents said that were asked.
pub(super) fn agents(agents: &[AgentShown], late: &[LateAnswerShown]) -> Vec<String> {
    let title = (!agents.is_empty()).then(|| "agents that were asked".to_owned());
    let late_title = (!late.is_empty()).then(|| "answers that came too late".to_owned());
    let in_time = title.into_iter().chain(agents.iter().flat_map(agent_asked));
    in_time.chain(late_title).chain(late.iter().flat_map(late_answer)).collect()
}

fn agent_asked(shown: &AgentShown) -> Vec<String> {
    let decided = match (shown.decided, shown.word) {
        (true, _) => " and decided",
        (false, "accepted") => ", and the guardrail refused it",
        (false, _) if shown.unneeded => ", when nobody would have asked it any more",
        (false, _) => "",
    };
    let read = shown.reads.join(", ");
    let mut lines = vec![format!("  {} ({}): {}{decided}; it may read {read}", shown.agent, shown.kind, shown.word)];
    lines.extend(shown.proposed.iter().map(|(field, value)| format!("    {field} = {value}")));
    lines.extend(shown.reason.iter().map(|reason| format!("    because, as it says: {}", on_one_line(reason))));
    lines.push(format!("    {}", call(&shown.call)));
    lines
}

fn late_answer(shown: &LateAnswerShown) -> Vec<String> {
    let what = shown.silent.map_or_else(|| "proposed".to_owned(), str::to_owned);
    let mut lines = vec![format!("  {}: {what} at {}", shown.agent, shown.received_at)];
    lines.extend(shown.proposed.iter().map(|(field, value)| format!("    {field} = {value}")));
    lines.push(format!("    {}", call(&shown.call)));
    lines
}

fn call(call: &CallShown) -> String {
    let Some(model) = &call.model else { return "no request was sent".to_owned() };
    let requests = if call.requests == 1 { "1 request".to_owned() } else { format!("{} requests", call.requests) };
    let hedges = if call.hedges == 0 { String::new() } else { format!(" ({} of them hedges)", call.hedges) };
    format!(
        "{model} ({}): {requests}{hedges}, {} and {} tokens, cost {}, {:.1} ms",
        call.source,
        call.prompt_tokens,
        call.answer_tokens,
        call.cost,
        call.took_us as f64 / 1e3
    )
}

/// A text of somebody else's, so that it cannot pass for lines of ours.
fn on_one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
