//! A reader for the text form of protocol buffers: as much of it as the conformance tests of CEL use.

/// The fields of a message, in order.
#[derive(Debug, Clone, Default)]
pub(super) struct Message(Vec<(String, Field)>);

#[derive(Debug, Clone)]
pub(super) enum Field {
    /// A number, or a word such as `true`.
    Word(String),
    Bytes(Vec<u8>),
    Message(Message),
}

impl Message {
    pub(super) fn read(text: &str) -> Self {
        let mut reader = Reader { bytes: text.as_bytes(), at: 0 };
        let message = reader.message(None);
        assert_eq!(reader.at, text.len(), "read to the end");
        message
    }

    pub(super) fn get(&self, name: &str) -> Option<&Field> {
        self.all(name).next()
    }

    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &Field> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, field)| field)
    }

    pub(super) fn messages(&self, name: &str) -> impl Iterator<Item = &Message> {
        self.all(name).filter_map(Field::message)
    }

    pub(super) fn message(&self, name: &str) -> Option<&Message> {
        self.get(name).and_then(Field::message)
    }

    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.get(name).map(Field::text)
    }

    pub(super) fn fields(&self) -> impl Iterator<Item = (&str, &Field)> {
        self.0.iter().map(|(name, field)| (name.as_str(), field))
    }
}

impl Field {
    pub(super) fn message(&self) -> Option<&Message> {
        match self {
            Self::Message(message) => Some(message),
            _ => None,
        }
    }

    pub(super) fn text(&self) -> String {
        match self {
            Self::Word(word) => word.clone(),
            Self::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            Self::Message(_) => String::new(),
        }
    }
}

struct Reader<'t> {
    bytes: &'t [u8],
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// Goes on to the next sign that means something.
    fn skip(&mut self) {
        while let Some(b) = self.peek() {
            match b {
                b'#' => {
                    while self.peek().is_some_and(|b| b != b'\n') {
                        self.at += 1;
                    }
                }
                b if b.is_ascii_whitespace() || b == b',' || b == b';' => self.at += 1,
                _ => return,
            }
        }
    }

    fn takes(&mut self, wanted: u8) -> bool {
        self.skip();
        let is_there = self.peek() == Some(wanted);
        self.at += usize::from(is_there);
        is_there
    }

    fn message(&mut self, end: Option<u8>) -> Message {
        let mut fields = Vec::new();
        loop {
            self.skip();
            if self.peek() == end {
                self.at += usize::from(end.is_some());
                return Message(fields);
            }
            let name = if self.takes(b'[') { self.until(b']') } else { self.word() };
            assert!(!name.is_empty(), "a name at byte {}", self.at);
            self.takes(b':');
            if self.takes(b'[') {
                while !self.takes(b']') {
                    let field = self.field();
                    fields.push((name.clone(), field));
                }
            } else {
                let field = self.field();
                fields.push((name, field));
            }
        }
    }

    fn field(&mut self) -> Field {
        self.skip();
        match self.peek() {
            Some(b'{') => {
                self.at += 1;
                Field::Message(self.message(Some(b'}')))
            }
            Some(b'"' | b'\'') => {
                let mut bytes = Vec::new();
                while let Some(quote @ (b'"' | b'\'')) = self.peek() {
                    self.at += 1;
                    self.quoted(quote, &mut bytes);
                    self.skip();
                }
                Field::Bytes(bytes)
            }
            _ => Field::Word(self.word()),
        }
    }

    fn word(&mut self) -> String {
        let start = self.at;
        while self.peek().is_some_and(|b| b.is_ascii_alphanumeric() || b"_.+-/".contains(&b)) {
            self.at += 1;
        }
        String::from_utf8_lossy(&self.bytes[start..self.at]).into_owned()
    }

    fn until(&mut self, end: u8) -> String {
        let start = self.at;
        while self.peek() != Some(end) {
            self.at += 1;
        }
        self.at += 1;
        String::from_utf8_lossy(&self.bytes[start..self.at - 1]).into_owned()
    }

    fn quoted(&mut self, quote: u8, into: &mut Vec<u8>) {
        loop {
            let b = self.bytes[self.at];
            self.at += 1;
            match b {
                b if b == quote => return,
                b'\\' => self.escape(into),
                b => into.push(b),
            }
        }
    }

    fn escape(&mut self, into: &mut Vec<u8>) {
        let b = self.bytes[self.at];
        self.at += 1;
        match b {
            b'n' => into.push(b'\n'),
            b'r' => into.push(b'\r'),
            b't' => into.push(b'\t'),
            b'a' => into.push(7),
            b'b' => into.push(8),
            b'f' => into.push(12),
            b'v' => into.push(11),
            b'0'..=b'7' => {
                self.at -= 1;
                into.push(self.digits(3, 8) as u8);
            }
            b'x' => into.push(self.digits(2, 16) as u8),
            b'u' | b'U' => {
                let code = self.digits(if b == b'u' { 4 } else { 8 }, 16);
                let c = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
                into.extend(c.encode_utf8(&mut [0; 4]).bytes());
            }
            b => into.push(b),
        }
    }

    fn digits(&mut self, most: usize, radix: u32) -> u32 {
        let mut number = 0;
        for _ in 0..most {
            let Some(digit) = self.peek().and_then(|b| char::from(b).to_digit(radix)) else { break };
            number = number * radix + digit;
            self.at += 1;
        }
        number
    }
}

#[test]
fn reads_the_text_form_of_a_message() {
    let message = Message::read(
        "# a comment\nname: \"a\" 'b\\x63\\101\\u00e9\\n' test { expr: 'x' value: { int64_value: -5 } }\ntest { [t/u.V] { on: true } }\nn: [1, 2]",
    );
    assert_eq!(message.text("name").unwrap(), "abcAé\n");
    let tests: Vec<&Message> = message.messages("test").collect();
    assert_eq!(tests[0].message("value").unwrap().text("int64_value").unwrap(), "-5");
    assert_eq!(tests[1].message("t/u.V").unwrap().text("on").unwrap(), "true");
    assert_eq!(message.all("n").map(Field::text).collect::<Vec<_>>(), ["1", "2"]);
}
