//! A prompt: what is the same for every question first, so that a provider may keep it warm; what is asked about last.

use std::borrow::Cow;
use std::sync::Arc;

use super::cutting::cut;
use super::format::{Answer, AnswerFormat};
use super::offer;
use super::question::{Message, Role};
use super::template::{Input, InputKind, Template};
use super::tokens::{PER_MESSAGE, estimate};
use super::untrusted::{self, Fence, harmless, legible};

/// What an agent's author has written, as far as the prompt is concerned.
#[derive(Clone, Debug, PartialEq)]
pub struct Wording {
    /// What the model is told before anything else.
    pub instructions: Box<str>,
    /// The agent's inputs.
    pub inputs: Box<[Input]>,
    /// The words around them.
    pub template: Template,
    /// Tokens that the prompt may have, as they are estimated.
    pub context_tokens: usize,
}

/// An example: inputs by their numbers, and what to answer to them.
#[derive(Clone, Debug, PartialEq)]
pub struct Shot {
    /// The inputs, as texts.
    pub given: Vec<Option<String>>,
    /// The answer.
    pub answer: Answer,
}

/// An agent's wording, made ready for questions of one form.
#[derive(Clone, Debug, PartialEq)]
pub struct Prompt {
    wording: Arc<Wording>,
    /// The system part and the examples: the same for every question.
    prefix: Box<[Message]>,
    /// The choices that the system part names.
    choices: Box<str>,
    /// Tokens that are left for what is asked about.
    room: usize,
}

/// A prompt that has no room for what is to be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "instructions, examples and choices alone have about {needed} tokens, and inputs need some {INPUTS_ROOM} more; `context_tokens` is {given}"
)]
pub struct NoRoom {
    /// Tokens without any input.
    pub needed: usize,
    /// Tokens that the prompt may have.
    pub given: usize,
}

/// Tokens that there must be for inputs.
const INPUTS_ROOM: usize = 64;

/// What is left of a text of which nothing is.
const ALL_CUT: &str = "[… 1000000 characters left out …]";

impl Prompt {
    /// A prompt for answers of this form, which has every choice that any question may offer.
    pub fn new(wording: Arc<Wording>, format: &AnswerFormat, shots: &[Shot]) -> Result<Self, NoRoom> {
        let prefix = prefix(&wording, format, shots);
        let fixed: usize = prefix.iter().map(tokens).sum();
        // Scalars at their longest, and of texts only what says that they were cut: whatever is given then fits.
        let fence = Fence::of(&[]);
        let widest = wording.inputs.iter().map(|input| {
            Some(Cow::Owned(match input.kind {
                InputKind::Scalar { bytes_max } => "9".repeat(bytes_max),
                InputKind::Text { .. } => ALL_CUT.to_owned(),
                InputKind::Untrusted { .. } => fence.around(ALL_CUT),
            }))
        });
        let widest: Vec<_> = widest.collect();
        let choices = offer::choices(format);
        let asked = estimate(&asked(&wording.template, Some(&choices), &widest)) + PER_MESSAGE;
        let (needed, given) = (fixed + asked, wording.context_tokens);
        if needed + INPUTS_ROOM > given {
            return Err(NoRoom { needed, given });
        }
        Ok(Self { room: given - fixed - PER_MESSAGE, wording, prefix, choices: choices.into() })
    }

    /// The messages of a question about these inputs, by their numbers, with these choices, the likeliest first. The same values give the same bytes.
    ///
    /// Where they are too long for the prompt, the longest are cut first, to one length, until all fit: texts that somebody else has
    /// written before any other.
    pub fn messages(&self, given: &[Option<Cow<'_, str>>], format: &AnswerFormat) -> Vec<Message> {
        let choices = offer::choices(format);
        let choices = Some(&*choices).filter(|choices| *choices != &*self.choices);
        let texts = Texts::of(&self.wording.inputs, given, self.wording.context_tokens);
        let fits =
            |lengths: Lengths| estimate(&asked(&self.wording.template, choices, &texts.cut_to(lengths))) <= self.room;
        let longest = texts.longest();
        let lengths = if fits(Lengths::all(longest)) {
            Lengths::all(longest)
        } else {
            let untrusted = most(longest, |untrusted| fits(Lengths { untrusted, trusted: longest }));
            match untrusted {
                Some(untrusted) => Lengths { untrusted, trusted: longest },
                None => Lengths {
                    untrusted: 0,
                    trusted: most(longest, |trusted| fits(Lengths { untrusted: 0, trusted })).unwrap_or(0),
                },
            }
        };
        let text = asked(&self.wording.template, choices, &texts.cut_to(lengths));
        let mut messages = self.prefix.to_vec();
        messages.push(Message { role: Role::User, text: text.into() });
        messages
    }

    /// Tokens that a prompt may have, as they are estimated.
    pub fn tokens_max(&self) -> usize {
        self.wording.context_tokens
    }
}

/// How many characters each kind of text is cut to.
#[derive(Clone, Copy)]
struct Lengths {
    untrusted: usize,
    trusted: usize,
}

impl Lengths {
    fn all(length: usize) -> Self {
        Self { untrusted: length, trusted: length }
    }
}

/// The inputs of a question, clean. What is empty then is as good as not there.
struct Texts<'a> {
    inputs: &'a [Input],
    texts: Vec<Option<String>>,
    fence: Fence,
    /// Characters of one that can fit at all.
    chars_max: usize,
}

impl<'a> Texts<'a> {
    fn of(inputs: &'a [Input], given: &[Option<Cow<'_, str>>], context_tokens: usize) -> Self {
        let clean = |(input, text): (&Input, &Option<Cow<'_, str>>)| {
            let text = text.as_deref()?;
            let text = if input.is_untrusted() { Cow::Owned(harmless(text)) } else { legible(text) };
            let text = text.trim();
            (!text.is_empty()).then(|| text.to_owned())
        };
        let texts: Vec<Option<String>> = inputs.iter().zip(given).map(clean).collect();
        let untrusted = inputs.iter().zip(&texts).filter(|(input, _)| input.is_untrusted());
        let untrusted: Vec<&str> = untrusted.filter_map(|(_, text)| text.as_deref()).collect();
        let fence = Fence::of(&untrusted);
        // Three bytes are a token at least, so more characters than that never fit.
        Self { inputs, texts, fence, chars_max: context_tokens * 3 }
    }

    fn longest(&self) -> usize {
        let longest = self.texts.iter().flatten().map(|text| text.chars().count()).max();
        longest.unwrap_or(0).min(self.chars_max)
    }

    fn cut_to(&self, lengths: Lengths) -> Vec<Option<Cow<'_, str>>> {
        let text = |(input, text): (&Input, &'_ Option<String>)| -> Option<Cow<'static, str>> {
            let text = text.as_deref()?;
            Some(Cow::Owned(match input.kind {
                InputKind::Scalar { .. } => text.to_owned(),
                InputKind::Text { chars_max } => cut(text, lengths.trusted.min(chars_max)).into_owned(),
                InputKind::Untrusted { chars_max } => self.fence.around(&cut(text, lengths.untrusted.min(chars_max))),
            }))
        };
        self.inputs.iter().zip(&self.texts).map(text).collect()
    }
}

/// The largest length up to `longest` that fits, found by halving; `None` if not even 0 does.
fn most(longest: usize, fits: impl Fn(usize) -> bool) -> Option<usize> {
    if !fits(0) {
        return None;
    }
    let (mut fitting, mut above) = (0, longest + 1);
    while above - fitting > 1 {
        let middle = fitting + (above - fitting) / 2;
        if fits(middle) { fitting = middle } else { above = middle }
    }
    Some(fitting)
}

fn tokens(message: &Message) -> usize {
    estimate(&message.text) + PER_MESSAGE
}

/// The last message: what it is about, and before it what may be chosen, if that is not what the system part says. So it mostly has
/// the form of the examples, which small models go by more than by anything that they are told.
fn asked(template: &Template, choices: Option<&str>, inputs: &[Option<Cow<'_, str>>]) -> String {
    let filled = template.filled(inputs);
    match choices {
        Some(choices) => format!("Choose among these alone:\n{choices}\n\n{filled}"),
        None => filled,
    }
}

fn prefix(wording: &Wording, format: &AnswerFormat, shots: &[Shot]) -> Box<[Message]> {
    let rule = wording.inputs.iter().any(Input::is_untrusted).then_some(untrusted::RULE);
    let parts = [Some(wording.instructions.trim()), rule].into_iter().flatten();
    let system = parts.chain([offer::form(format).as_str()]).collect::<Vec<_>>().join("\n\n");
    let message = |role, text: String| Message { role, text: text.into() };
    let shots = shots.iter().flat_map(|shot| {
        let given: Vec<Option<Cow<'_, str>>> =
            shot.given.iter().map(|text| text.as_deref().map(Cow::Borrowed)).collect();
        let texts = Texts::of(&wording.inputs, &given, wording.context_tokens);
        let asked = wording.template.filled(&texts.cut_to(Lengths::all(usize::MAX)));
        [message(Role::User, asked), message(Role::Assistant, format.write(&shot.answer))]
    });
    std::iter::once(message(Role::System, system)).chain(shots).collect()
}
