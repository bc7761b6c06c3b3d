//! Unary tests and settings: what a cell says, whatever format it came from, and how a cell of ours says it.

use super::literal::{Kind, Literal, quoted};

/// An order of two values. Equality is [`Test::OneOf`], inequality its [`Test::Not`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

/// Tests of texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextTest {
    /// The text has this in it.
    Contains,
    /// The text begins so.
    StartsWith,
    /// The text ends so.
    EndsWith,
    /// A regular expression is found in the text.
    Matches,
    /// The text has these words.
    Mentions,
}

/// An interval, each end in or out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    /// Its low end.
    pub low: Literal,
    /// Whether the low end belongs to it.
    pub low_in: bool,
    /// Its high end.
    pub high: Literal,
    /// Whether the high end belongs to it.
    pub high_in: bool,
}

/// What a cell of an input column asks of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Test {
    /// Nothing: any value will do, also none.
    Any,
    /// Equal to one of these.
    OneOf(Vec<Literal>),
    /// Before or after this.
    Compare(Order, Literal),
    /// Between these.
    Within(Range),
    /// Not so.
    Not(Box<Test>),
    /// A text tested with any of these.
    Text(TextTest, Vec<String>),
}

/// What a cell of an output column sets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Setting {
    /// Nothing: the default's value holds.
    Default,
    /// This value.
    Value(Literal),
    /// These values, as a list.
    List(Vec<Literal>),
}

impl Order {
    /// The operators, longer ones first.
    pub(super) const WRITTEN: [(&'static str, Self); 4] =
        [(">=", Self::GreaterOrEqual), ("<=", Self::LessOrEqual), (">", Self::Greater), ("<", Self::Less)];

    /// How every format writes it.
    pub(super) fn symbol(self) -> &'static str {
        match self {
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        }
    }

    /// The order that holds where this one does not.
    pub(super) fn opposite(self) -> Self {
        match self {
            Self::Less => Self::GreaterOrEqual,
            Self::LessOrEqual => Self::Greater,
            Self::Greater => Self::LessOrEqual,
            Self::GreaterOrEqual => Self::Less,
        }
    }
}

impl TextTest {
    /// The functions as our cells call them.
    pub(super) const NAMED: [(&'static str, Self); 5] = [
        ("contains", Self::Contains),
        ("startsWith", Self::StartsWith),
        ("endsWith", Self::EndsWith),
        ("matches", Self::Matches),
        ("mentions", Self::Mentions),
    ];

    /// Its name in our cells.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Contains => "contains",
            Self::StartsWith => "startsWith",
            Self::EndsWith => "endsWith",
            Self::Matches => "matches",
            Self::Mentions => "mentions",
        }
    }
}

impl Range {
    /// An interval between two ordered values of one kind.
    pub(super) fn new(low: Literal, low_in: bool, high: Literal, high_in: bool) -> Result<Self, String> {
        if low.kind() != high.kind() || !low.kind().is_ordered() {
            return Err("a range lies between two numbers, two points in time or two durations".to_owned());
        }
        Ok(Self { low, low_in, high, high_in })
    }

    /// The interval with its ends shown by `shown`, written with `[`, `(`, `]`, `)`.
    pub(super) fn shown(&self, shown: impl Fn(&Literal) -> String) -> String {
        let (open, close) = (if self.low_in { '[' } else { '(' }, if self.high_in { ']' } else { ')' });
        format!("{open}{}..{}{close}", shown(&self.low), shown(&self.high))
    }
}

impl Test {
    /// Whether the value comes before or after a literal; only ordered kinds have such a test.
    pub(super) fn compare(order: Order, with: Literal) -> Result<Self, String> {
        if with.kind().is_ordered() {
            return Ok(Self::Compare(order, with));
        }
        Err(format!(
            "`{}` compares numbers, points in time and durations here, not {}",
            order.symbol(),
            with.kind().describe()
        ))
    }

    /// The test that holds where this one does not.
    pub(super) fn negated(self) -> Result<Self, String> {
        match self {
            Self::Any => Err("`not` needs something to exclude".to_owned()),
            Self::Not(_) => Err("`not` within `not` is not translated".to_owned()),
            test => Ok(Self::Not(Box::new(test))),
        }
    }

    /// One test that holds where any of these does.
    pub(super) fn any_of(tests: Vec<Self>) -> Result<Self, String> {
        let mut tests = tests.into_iter();
        let Some(mut whole) = tests.next() else { return Err("says nothing".to_owned()) };
        for test in tests {
            match (&mut whole, test) {
                (Self::OneOf(items), Self::OneOf(more)) => items.extend(more),
                (Self::Text(name, args), Self::Text(other, more)) if *name == other => args.extend(more),
                _ => {
                    let why =
                        "joins comparisons, ranges or functions by `or`, which a cell cannot say; make a row of each";
                    return Err(why.to_owned());
                }
            }
        }
        Ok(whole)
    }

    /// The cell of ours that says so.
    pub fn to_cell(&self) -> Result<String, String> {
        Ok(match self {
            Self::Any => String::new(),
            Self::OneOf(items) => items.iter().map(Literal::in_cell).collect::<Vec<_>>().join(", "),
            Self::Compare(order, with) => format!("{} {}", order.symbol(), with.in_cell()),
            Self::Within(range) => range.shown(Literal::in_cell),
            Self::Not(test) => format!("not({})", test.to_cell()?),
            Self::Text(name, args) => {
                let args: Vec<String> = args.iter().map(|arg| quoted(arg)).collect();
                format!("{}({})", name.name(), args.join(", "))
            }
        })
    }

    /// This test, if a cell of ours can say it.
    pub(super) fn sayable(self) -> Result<Self, String> {
        self.to_cell().map(|_| self)
    }

    /// The literals that it compares with.
    pub(super) fn literals(&self) -> Vec<&Literal> {
        match self {
            Self::Any | Self::Text(..) => Vec::new(),
            Self::OneOf(items) => items.iter().collect(),
            Self::Compare(_, with) => vec![with],
            Self::Within(range) => vec![&range.low, &range.high],
            Self::Not(test) => test.literals(),
        }
    }
}

impl Setting {
    /// The cell of ours that says so.
    pub fn to_cell(&self) -> Result<String, String> {
        match self {
            Self::Default => Ok(String::new()),
            Self::Value(Literal::Text(text)) if is_plain_output(text) => Ok(text.clone()),
            // An expression keeps what a cell would trim, or take for one.
            Self::Value(Literal::Text(text)) => Ok(format!("={}", cel_text(text))),
            Self::Value(value) => Ok(value.bare()),
            Self::List(items) => list_cell(items),
        }
    }

    /// This setting, if a cell of ours can say it.
    pub(super) fn sayable(self) -> Result<Self, String> {
        self.to_cell().map(|_| self)
    }

    /// What the value is; `None` for the default's.
    pub(super) fn kind(&self) -> Option<Kind> {
        match self {
            Self::Default => None,
            Self::Value(value) => Some(value.kind()),
            Self::List(_) => Some(Kind::List),
        }
    }
}

fn list_cell(items: &[Literal]) -> Result<String, String> {
    if items.is_empty() {
        return Err("an empty list cannot be written: an empty cell is the default's value".to_owned());
    }
    let mut cells = Vec::with_capacity(items.len());
    for item in items {
        let cell = item.bare();
        if !is_plain_output(&cell) || cell.contains(',') {
            return Err(format!("a list in a cell cannot hold the text `{cell}`"));
        }
        cells.push(cell);
    }
    Ok(cells.join(", "))
}

/// Whether an output cell says this text and nothing else.
fn is_plain_output(text: &str) -> bool {
    !text.is_empty() && !text.starts_with('=') && text.trim() == text
}

/// The text as a literal of CEL.
fn cel_text(text: &str) -> String {
    quoted(text).replace('\n', "\\n").replace('\r', "\\r").replace('\t', "\\t")
}

/// The text of a CEL literal as `cel_text` writes it.
pub(super) fn cel_text_back(source: &str) -> Option<String> {
    let inner = source.trim().strip_prefix('"')?.strip_suffix('"')?;
    let mut text = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        text.push(match c {
            '"' => return None,
            '\\' => match chars.next()? {
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                c @ ('"' | '\\') => c,
                _ => return None,
            },
            c => c,
        });
    }
    Some(text)
}
