//! A strict reader of the metrics page, in Prometheus' text format 0.0.4 and in OpenMetrics 1.0: it refuses what the formats refuse, and
//! what they would let pass and no careful writer writes.

use std::collections::{BTreeMap, BTreeSet};

/// A page that was read.
#[derive(Debug, Default)]
pub(crate) struct Page {
    pub(crate) families: Vec<Family>,
}

/// A family of series.
#[derive(Debug, Default)]
pub(crate) struct Family {
    /// As in the text format: that of a counter ends in `_total`.
    pub(crate) name: String,
    /// As it stands on the page.
    heading: String,
    pub(crate) kind: String,
    pub(crate) help: String,
    pub(crate) unit: Option<String>,
    pub(crate) samples: Vec<Sample>,
}

/// A line with a value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) value: f64,
    pub(crate) exemplar: Option<Exemplar>,
}

/// What stands behind the value of a bucket.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Exemplar {
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) value: f64,
    pub(crate) seconds: f64,
}

/// The format that a page is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    Text,
    OpenMetrics,
}

impl Page {
    /// Reads a page; or says what is wrong in which line.
    pub(crate) fn read(text: &str, dialect: Dialect) -> Result<Self, String> {
        let mut body = text.strip_suffix('\n').ok_or("the page does not end with a line")?;
        if dialect == Dialect::OpenMetrics {
            body = body.strip_suffix("# EOF").ok_or("the page does not end with `# EOF`")?;
            body = body.strip_suffix('\n').unwrap_or(body);
        }
        let mut page = Self::default();
        for (nth, line) in body.split('\n').enumerate().filter(|_| !body.is_empty()) {
            page.line(line, dialect).map_err(|why| format!("line {}: {why}: {line}", nth + 1))?;
        }
        for family in &page.families {
            family.check().map_err(|why| format!("{}: {why}", family.name))?;
        }
        page.check_names()?;
        Ok(page)
    }

    /// The values of a series with these labels, of which there may be more.
    pub(crate) fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let of =
            |sample: &&Sample| labels.iter().all(|(name, value)| sample.labels.get(*name).is_some_and(|v| v == value));
        self.samples().filter(|sample| sample.name == name).filter(of).map(|sample| sample.value).sum()
    }

    pub(crate) fn samples(&self) -> impl Iterator<Item = &Sample> {
        self.families.iter().flat_map(|family| &family.samples)
    }

    /// Reads one line, which may begin a family.
    fn line(&mut self, line: &str, dialect: Dialect) -> Result<(), String> {
        let Some(comment) = line.strip_prefix("# ") else {
            let sample = Line::new(line, dialect).sample()?;
            return self.families.last_mut().ok_or("a value before any family")?.take(sample);
        };
        let (word, rest) = comment.split_once(' ').ok_or("neither HELP nor TYPE nor UNIT")?;
        let (name, rest) = rest.split_once(' ').ok_or("nothing follows the name")?;
        if word == "HELP" {
            check_name(name)?;
            let help = unescaped(rest, dialect == Dialect::OpenMetrics)?;
            self.families.push(Family { heading: name.to_owned(), name: name.to_owned(), help, ..Family::default() });
            return Ok(());
        }
        let family = self.families.last_mut().filter(|family| family.heading == name);
        let family = family.ok_or("its family's HELP does not stand before it")?;
        if !family.samples.is_empty() {
            return Err("it stands behind values".to_owned());
        }
        match word {
            "TYPE" if !family.kind.is_empty() => Err("a second type".to_owned()),
            "TYPE" if !["counter", "gauge", "histogram"].contains(&rest) => Err("no type that we have".to_owned()),
            "TYPE" => {
                rest.clone_into(&mut family.kind);
                if rest == "counter" && dialect == Dialect::OpenMetrics {
                    family.name.push_str("_total");
                }
                Ok(())
            }
            "UNIT" if dialect == Dialect::Text => Err("the text format has no units".to_owned()),
            "UNIT" if family.unit.is_some() => Err("a second unit".to_owned()),
            "UNIT" if !name.ends_with(&format!("_{rest}")) => Err("the name does not end in the unit".to_owned()),
            "UNIT" => {
                family.unit = Some(rest.to_owned());
                Ok(())
            }
            _ => Err("neither HELP nor TYPE nor UNIT".to_owned()),
        }
    }

    /// No name of one family may be taken for one of another, whichever of its forms it takes.
    fn check_names(&self) -> Result<(), String> {
        let mut taken = BTreeSet::new();
        for family in &self.families {
            let stem = family.name.strip_suffix("_total").unwrap_or(&family.name);
            let endings: &[&str] = match family.kind.as_str() {
                "counter" => &["", "_total", "_created"],
                "histogram" => &["", "_bucket", "_sum", "_count", "_created"],
                _ => &[""],
            };
            for ending in endings {
                if !taken.insert(format!("{stem}{ending}")) {
                    return Err(format!("`{stem}{ending}` could be of two families"));
                }
            }
        }
        Ok(())
    }
}

impl Family {
    fn take(&mut self, sample: Sample) -> Result<(), String> {
        let ending = sample.name.strip_prefix(&self.name).ok_or("a value of another family than the one above it")?;
        let (fits, has_bound) = match (self.kind.as_str(), ending) {
            ("counter" | "gauge", "") | ("histogram", "_sum" | "_count") => (true, false),
            ("histogram", "_bucket") => (true, true),
            _ => (false, false),
        };
        if !fits {
            return Err(format!("no value of a {}", self.kind));
        }
        if sample.labels.contains_key("le") != has_bound {
            return Err("`le` is the label of buckets, and of nothing else".to_owned());
        }
        if sample.exemplar.is_some() && !has_bound {
            return Err("an exemplar behind something else than a bucket".to_owned());
        }
        if self.kind != "gauge" && !(sample.value.is_finite() && sample.value >= 0.0) {
            return Err("a count or a sum of ours is finite and not below zero".to_owned());
        }
        if self.samples.iter().any(|other| other.name == sample.name && other.labels == sample.labels) {
            return Err("this series stands twice".to_owned());
        }
        self.samples.push(sample);
        Ok(())
    }

    /// Checks what can be told when all values are known.
    fn check(&self) -> Result<(), String> {
        if self.kind.is_empty() || self.help.is_empty() {
            return Err("it has no type or no help".to_owned());
        }
        if self.kind == "counter" && !self.name.ends_with("_total") {
            return Err("the name of a counter ends in `_total`".to_owned());
        }
        if self.samples.is_empty() {
            return Err("it has no values".to_owned());
        }
        let names = |sample: &Sample| sample.labels.keys().filter(|name| *name != "le").cloned().collect::<Vec<_>>();
        if self.samples.windows(2).any(|two| names(&two[0]) != names(&two[1])) {
            return Err("its series have different labels".to_owned());
        }
        if self.kind == "histogram" { self.check_histograms() } else { Ok(()) }
    }

    /// Every histogram has its buckets in their order, its sum and its count, one after the other.
    fn check_histograms(&self) -> Result<(), String> {
        let of = |sample: &Sample| {
            let mut labels = sample.labels.clone();
            labels.remove("le");
            labels
        };
        let mut seen = BTreeSet::new();
        for histogram in self.samples.chunk_by(|one, next| of(one) == of(next)) {
            if !seen.insert(of(&histogram[0])) {
                return Err("a histogram stands in two places".to_owned());
            }
            let [buckets @ .., sum, count] = histogram else { return Err("no sum or no count".to_owned()) };
            if !sum.name.ends_with("_sum") || !count.name.ends_with("_count") {
                return Err("buckets, sum, count is the order".to_owned());
            }
            let mut below = (f64::NEG_INFINITY, 0.0);
            for bucket in buckets {
                let bound = number(bucket.labels.get("le").ok_or("a bucket without its bound")?)?;
                if bound <= below.0 || bucket.value < below.1 {
                    return Err(format!("bucket {bound}: bounds ascend, and counts never fall"));
                }
                let lies_within = |exemplar: &Exemplar| exemplar.value > below.0 && exemplar.value <= bound;
                if !bucket.exemplar.as_ref().is_none_or(lies_within) {
                    return Err(format!("bucket {bound}: its exemplar belongs to another one"));
                }
                below = (bound, bucket.value);
            }
            if below != (f64::INFINITY, count.value) {
                return Err("the last bucket is `+Inf` and has as many as the count".to_owned());
            }
            if count.value == 0.0 && sum.value != 0.0 {
                return Err("a sum of nothing".to_owned());
            }
        }
        Ok(())
    }
}

/// A line that is being read.
struct Line<'a> {
    rest: &'a str,
    dialect: Dialect,
}

impl<'a> Line<'a> {
    fn new(rest: &'a str, dialect: Dialect) -> Self {
        Self { rest, dialect }
    }

    fn sample(mut self) -> Result<Sample, String> {
        let name = self.name()?.to_owned();
        let labels = if self.rest.starts_with('{') { self.labels()? } else { BTreeMap::new() };
        if let Some(bound) = labels.get("le") {
            check_spelling(bound)?;
        }
        self.word(" ")?;
        let value = self.number()?;
        let mut exemplar = None;
        if self.dialect == Dialect::OpenMetrics && !self.rest.is_empty() {
            self.word(" # ")?;
            exemplar = Some(self.exemplar()?);
        }
        // Ours have no time of their own: a scraper has one.
        if self.rest.is_empty() { Ok(Sample { name, labels, value, exemplar }) } else { Err("it goes on".to_owned()) }
    }

    fn exemplar(&mut self) -> Result<Exemplar, String> {
        let labels = self.labels()?;
        let length: usize = labels.iter().map(|(name, value)| name.chars().count() + value.chars().count()).sum();
        if length > 128 {
            return Err("the labels of an exemplar are longer than 128 letters".to_owned());
        }
        self.word(" ")?;
        let value = self.number()?;
        self.word(" ")?;
        Ok(Exemplar { labels, value, seconds: self.number()? })
    }

    /// Labels in their brackets; a value in which every escape is one of the three.
    fn labels(&mut self) -> Result<BTreeMap<String, String>, String> {
        self.word("{")?;
        let mut labels = BTreeMap::new();
        loop {
            let name = self.name()?.to_owned();
            if name.contains(':') || name.starts_with("__") {
                return Err(format!("`{name}` is no name for a label"));
            }
            self.word("=\"")?;
            let mut is_escaped = false;
            let end = self.rest.char_indices().find(|(_, c)| {
                let is_end = *c == '"' && !is_escaped;
                is_escaped = *c == '\\' && !is_escaped;
                is_end
            });
            let (end, _) = end.ok_or("the value of a label has no end")?;
            let value = unescaped(&self.rest[..end], true)?;
            self.rest = &self.rest[end + 1..];
            if labels.insert(name.clone(), value).is_some() {
                return Err(format!("the label `{name}` stands twice"));
            }
            if self.rest.starts_with('}') {
                self.rest = &self.rest[1..];
                return Ok(labels);
            }
            self.word(",")?;
        }
    }

    fn name(&mut self) -> Result<&'a str, String> {
        let end =
            self.rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != ':').unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        self.rest = rest;
        check_name(name)?;
        Ok(name)
    }

    fn number(&mut self) -> Result<f64, String> {
        let (text, rest) = self.rest.split_at(self.rest.find(' ').unwrap_or(self.rest.len()));
        self.rest = rest;
        number(text)
    }

    fn word(&mut self, word: &str) -> Result<(), String> {
        self.rest = self.rest.strip_prefix(word).ok_or_else(|| format!("expected `{word}` before `{}`", self.rest))?;
        Ok(())
    }
}

fn check_name(name: &str) -> Result<(), String> {
    let begins_well = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_' || c == ':');
    let goes_on_well = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == ':');
    if begins_well && goes_on_well { Ok(()) } else { Err(format!("`{name}` is no name")) }
}

fn unescaped(text: &str, with_quotes: bool) -> Result<String, String> {
    let mut plain = String::new();
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        plain.push(match letter {
            '\\' => match letters.next() {
                Some('\\') => '\\',
                Some('n') => '\n',
                Some('"') if with_quotes => '"',
                other => return Err(format!("no escape: {other:?}")),
            },
            '"' if with_quotes => return Err("a quotation mark that is not escaped".to_owned()),
            letter => letter,
        });
    }
    Ok(plain)
}

fn number(text: &str) -> Result<f64, String> {
    match text {
        "NaN" => Ok(f64::NAN),
        "+Inf" => Ok(f64::INFINITY),
        "-Inf" => Ok(f64::NEG_INFINITY),
        // Rust reads `inf` and `infinity`, which the formats do not have.
        _ if text.starts_with(|c: char| c.is_ascii_digit() || c == '-') => {
            text.parse().map_err(|_| format!("`{text}` is no number"))
        }
        _ => Err(format!("`{text}` is no number")),
    }
}

/// The bound of a bucket is part of a series' identity: it has one spelling.
fn check_spelling(bound: &str) -> Result<(), String> {
    let value = number(bound)?;
    let has_exponent = bound.contains('e');
    let is_plain = value == 0.0 || (1e-4..1e6).contains(&value.abs());
    if bound != "+Inf" && (has_exponent == is_plain || !(has_exponent || bound.contains('.'))) {
        return Err(format!("`{bound}` is not spelled as OpenMetrics has it"));
    }
    Ok(())
}
