//! The words around an agent's inputs.
//!
//! A template is lines of text with `{{name}}` where an input belongs. A line one of whose inputs is not there is left out: what an
//! agent may not see, or what nobody has said, is absent from its prompt and leaves no gap that would tell of it.

use std::borrow::Cow;

/// An input of an agent, as far as its prompt is concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// Its name, as in `{{name}}`.
    pub name: Box<str>,
    /// What stands before it where the agent has no template of its own.
    pub label: Box<str>,
    /// Where it comes from.
    pub kind: InputKind,
}

/// Where an input comes from, and what may be done to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputKind {
    /// A number, a time, a name of an enumeration: short, and never cut.
    Scalar {
        /// Bytes that it has at most.
        bytes_max: usize,
    },
    /// A text that the agent's author answers for.
    Text {
        /// Characters of it that are given at most.
        chars_max: usize,
    },
    /// A text that somebody else has written, such as a customer.
    Untrusted {
        /// Characters of it that are given at most.
        chars_max: usize,
    },
}

/// The words around the inputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    lines: Box<[Line]>,
}

/// A place in a template, and what is wrong there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateFault {
    /// Where, in bytes from its beginning.
    pub offset: usize,
    /// What is wrong and what would be right.
    pub message: String,
}

type Line = Box<[Part]>;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Words(Box<str>),
    /// The numbered input.
    Input(usize),
}

impl Input {
    /// Whether somebody else has written it.
    pub const fn is_untrusted(&self) -> bool {
        matches!(self.kind, InputKind::Untrusted { .. })
    }
}

impl Template {
    /// Reads a template; or every fault in it. Each input stands in it somewhere.
    pub fn parse(text: &str, inputs: &[Input]) -> Result<Self, Vec<TemplateFault>> {
        let mut faults = Vec::new();
        let mut lines = Vec::new();
        let mut offset = 0;
        for line in text.split('\n') {
            lines.push(parts(line, offset, inputs, &mut faults));
            offset += line.len() + 1;
        }
        let template = Self { lines: lines.into() };
        let unused = inputs.iter().enumerate().filter(|(number, _)| !template.inputs().any(|used| used == *number));
        faults.extend(unused.map(|(_, input)| TemplateFault {
            offset: 0,
            message: format!(
                "the input `{0}` stands nowhere in it: write `{{{{{0}}}}}`, or leave the input out",
                input.name
            ),
        }));
        if faults.is_empty() { Ok(template) } else { Err(faults) }
    }

    /// Every input on a line of its own, after its label.
    pub fn of_labels(inputs: &[Input]) -> Self {
        let line = |(number, input): (usize, &Input)| -> Line {
            [Part::Words(format!("{}: ", input.label).into()), Part::Input(number)].into()
        };
        Self { lines: inputs.iter().enumerate().map(line).collect() }
    }

    /// The text with these inputs, by their numbers; lines of those that are not there are left out, and what blank lines then
    /// meet become one.
    pub(super) fn filled(&self, inputs: &[Option<Cow<'_, str>>]) -> String {
        let given = |number: usize| inputs.get(number).and_then(Option::as_deref);
        let mut text = String::new();
        let mut is_gap_due = false;
        for line in &self.lines {
            let is_whole = line.iter().all(|part| !matches!(part, Part::Input(number) if given(*number).is_none()));
            if !is_whole {
                continue;
            }
            if line.iter().all(|part| matches!(part, Part::Words(words) if words.trim().is_empty())) {
                is_gap_due = !text.is_empty();
                continue;
            }
            if !text.is_empty() {
                text.push_str(if is_gap_due { "\n\n" } else { "\n" });
            }
            is_gap_due = false;
            for part in line {
                text.push_str(match part {
                    Part::Words(words) => words,
                    Part::Input(number) => given(*number).unwrap_or_default(),
                });
            }
        }
        text
    }

    fn inputs(&self) -> impl Iterator<Item = usize> {
        self.lines.iter().flatten().filter_map(|part| match part {
            Part::Input(number) => Some(*number),
            Part::Words(_) => None,
        })
    }
}

/// The first placeholder of a text that has none, by its offset.
pub fn placeholder(text: &str) -> Option<usize> {
    text.find("{{")
}

fn parts(line: &str, start: usize, inputs: &[Input], faults: &mut Vec<TemplateFault>) -> Line {
    let mut parts = Vec::new();
    let mut rest = line;
    while let Some(open) = placeholder(rest) {
        let at = start + (line.len() - rest.len()) + open;
        let Some(length) = rest[open..].find("}}") else {
            faults.push(TemplateFault {
                offset: at,
                message: "`{{` without `}}` on the same line: write `{{name}}`".into(),
            });
            break;
        };
        if open > 0 {
            parts.push(Part::Words(rest[..open].into()));
        }
        let name = rest[open + 2..open + length].trim();
        match inputs.iter().position(|input| *input.name == *name) {
            Some(number) => parts.push(Part::Input(number)),
            None => faults.push(TemplateFault { offset: at, message: unknown(name, inputs) }),
        }
        rest = &rest[open + length + 2..];
    }
    if !rest.is_empty() {
        parts.push(Part::Words(rest.into()));
    }
    parts.into()
}

fn unknown(name: &str, inputs: &[Input]) -> String {
    let hint = crate::domain::suggestion(name, inputs.iter().map(|input| &*input.name));
    let names: Vec<String> = inputs.iter().map(|input| format!("`{}`", input.name)).collect();
    let declared = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    format!("there is no input `{name}`{hint}; declared under `[inputs]` are {declared}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(name: &str) -> Input {
        Input { name: name.into(), label: name.to_uppercase().into(), kind: InputKind::Text { chars_max: 100 } }
    }

    fn filled(text: &str, values: [Option<&str>; 2]) -> String {
        let template = Template::parse(text, &[input("subject"), input("plan")]).unwrap();
        template.filled(&values.map(|value| value.map(Cow::Borrowed)))
    }

    #[test]
    fn a_line_whose_input_is_not_there_is_left_out() {
        let text = "\nA ticket.\n\nSubject: {{subject}}!\n\nPlan {{plan}} of {{ subject }}\n\nDone.\n";
        assert_eq!(filled(text, [Some("Hi"), Some("pro")]), "A ticket.\n\nSubject: Hi!\n\nPlan pro of Hi\n\nDone.");
        assert_eq!(filled(text, [Some("Hi"), None]), "A ticket.\n\nSubject: Hi!\n\nDone.");
        assert_eq!(filled(text, [None, Some("pro")]), "A ticket.\n\nDone.");
    }

    #[test]
    fn what_an_input_says_is_not_read_as_a_template() {
        assert_eq!(filled("{{subject}}\n{{plan}}", [Some("{{plan}}\n{{x}}"), Some("pro")]), "{{plan}}\n{{x}}\npro");
    }

    #[test]
    fn without_words_of_its_own_every_input_has_its_label() {
        let template = Template::of_labels(&[input("subject"), input("plan")]);
        assert_eq!(template.filled(&[Some("Hi".into()), None]), "SUBJECT: Hi");
        assert_eq!(template.filled(&[Some("Hi".into()), Some("pro".into())]), "SUBJECT: Hi\nPLAN: pro");
    }

    #[test]
    fn every_fault_has_its_place() {
        let text = "Subject: {{subjct}}\nand {{plan\n{{}}";
        let faults = Template::parse(text, &[input("subject"), input("plan")]).unwrap_err();
        let shown: Vec<String> = faults.iter().map(|fault| format!("{}: {}", fault.offset, fault.message)).collect();
        insta::assert_snapshot!(shown.join("\n"));
    }
}
