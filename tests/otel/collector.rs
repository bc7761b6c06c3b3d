//! A collector of spans: takes OTLP over HTTP on a free port of the loopback, and reads its protobuf.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

/// A collector that takes what it is sent.
pub(crate) struct Collector {
    address: String,
    taken: Receiver<Taken>,
}

/// A request.
pub(crate) struct Taken {
    pub(crate) path: String,
    pub(crate) content_type: String,
    pub(crate) body: Vec<u8>,
}

/// A span as it came.
#[derive(Debug, Default)]
pub(crate) struct Span {
    pub(crate) trace: String,
    pub(crate) id: String,
    /// The caller's `tracestate`.
    pub(crate) state: String,
    pub(crate) parent: String,
    pub(crate) name: String,
    pub(crate) kind: u64,
    pub(crate) start: u64,
    pub(crate) nanos: u64,
    pub(crate) status: u64,
    pub(crate) attributes: BTreeMap<String, Value>,
    /// What sent it.
    pub(crate) resource: BTreeMap<String, Value>,
}

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Text(String),
    Flag(bool),
    Int(i64),
    Double(f64),
    Texts(Vec<String>),
}

impl Collector {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let (sender, taken) = channel();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, sender) = (stream.unwrap(), sender.clone());
                thread::spawn(move || take_all(&stream, &sender));
            }
        });
        Self { address, taken }
    }

    /// As in `http://127.0.0.1:40857`.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// What has come. Whoever sent it and has ended has had its answer, so all of its requests are here.
    pub(crate) fn taken(&self) -> Vec<Taken> {
        self.taken.try_iter().collect()
    }
}

/// Takes the requests of a connection, each answered once it is noted.
fn take_all(mut stream: &TcpStream, sender: &Sender<Taken>) {
    let mut reader = BufReader::new(stream);
    while let Some(taken) = take(&mut reader) {
        if sender.send(taken).is_err() {
            return;
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
    }
}

fn take(reader: &mut impl BufRead) -> Option<Taken> {
    let mut line = String::new();
    if reader.read_line(&mut line).ok()? == 0 {
        return None;
    }
    let path = line.split(' ').nth(1).unwrap().to_owned();
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let Some((name, value)) = line.trim().split_once(':') else { break };
        headers.insert(name.to_lowercase(), value.trim().to_owned());
    }
    let mut body = vec![0; headers["content-length"].parse().unwrap()];
    reader.read_exact(&mut body).unwrap();
    Some(Taken { path, content_type: headers["content-type"].clone(), body })
}

impl Taken {
    /// The spans of a request.
    pub(crate) fn spans(&self) -> Vec<Span> {
        let mut spans = Vec::new();
        for of_resource in messages(&self.body, 1) {
            let resource = messages(of_resource, 1).into_iter().flat_map(|resource| attributes(resource, 1)).collect();
            for of_scope in messages(of_resource, 2) {
                spans.extend(messages(of_scope, 2).into_iter().map(|span| Span::of(span, &resource)));
            }
        }
        spans
    }
}

impl Span {
    fn of(message: &[u8], resource: &BTreeMap<String, Value>) -> Self {
        let mut span = Self { attributes: attributes(message, 9), resource: resource.clone(), ..Self::default() };
        for (number, field) in fields(message) {
            match (number, field) {
                (1, Field::Bytes(trace)) => span.trace = hex(trace),
                (2, Field::Bytes(id)) => span.id = hex(id),
                (3, Field::Bytes(state)) => span.state = text(state),
                (4, Field::Bytes(parent)) => span.parent = hex(parent),
                (5, Field::Bytes(name)) => span.name = text(name),
                (6, Field::Number(kind)) => span.kind = kind,
                (7, Field::Number(nanos)) => span.start = nanos,
                (8, Field::Number(nanos)) => span.nanos = nanos - span.start,
                (15, Field::Bytes(status)) => {
                    span.status =
                        fields(status).into_iter().find(|(number, _)| *number == 3).map_or(0, |(_, f)| f.number());
                }
                _ => {}
            }
        }
        span
    }
}

/// A field of a message.
#[derive(Clone, Copy)]
enum Field<'m> {
    Number(u64),
    Bytes(&'m [u8]),
}

impl<'m> Field<'m> {
    fn number(self) -> u64 {
        let Self::Number(number) = self else { panic!("not a number") };
        number
    }

    fn bytes(self) -> &'m [u8] {
        let Self::Bytes(bytes) = self else { panic!("not bytes") };
        bytes
    }
}

/// The fields of a message, by number.
fn fields(mut message: &[u8]) -> Vec<(u64, Field<'_>)> {
    let mut fields = Vec::new();
    while !message.is_empty() {
        let tag = varint(&mut message);
        let field = match tag & 7 {
            0 => Field::Number(varint(&mut message)),
            1 => Field::Number(u64::from_le_bytes(cut(&mut message, 8).try_into().unwrap())),
            2 => {
                let length = varint(&mut message) as usize;
                Field::Bytes(cut(&mut message, length))
            }
            5 => Field::Number(u32::from_le_bytes(cut(&mut message, 4).try_into().unwrap()).into()),
            other => panic!("protobuf has no wire type {other} any more"),
        };
        fields.push((tag >> 3, field));
    }
    fields
}

fn varint(message: &mut &[u8]) -> u64 {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let byte = cut(message, 1)[0];
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            break;
        }
    }
    number
}

fn cut<'m>(message: &mut &'m [u8], length: usize) -> &'m [u8] {
    let (first, rest) = message.split_at(length);
    *message = rest;
    first
}

/// The messages in a field.
fn messages(message: &[u8], number: u64) -> Vec<&[u8]> {
    fields(message).into_iter().filter(|(of, _)| *of == number).map(|(_, field)| field.bytes()).collect()
}

/// The attributes in a field.
fn attributes(message: &[u8], number: u64) -> BTreeMap<String, Value> {
    let pair = |pair: &[u8]| (text(messages(pair, 1)[0]), value(messages(pair, 2)[0]));
    messages(message, number).into_iter().map(pair).collect()
}

fn value(message: &[u8]) -> Value {
    let [(number, field)] = fields(message)[..] else { panic!("a value is one") };
    match number {
        1 => Value::Text(text(field.bytes())),
        2 => Value::Flag(field.number() != 0),
        3 => Value::Int(field.number() as i64),
        4 => Value::Double(f64::from_bits(field.number())),
        5 => Value::Texts(messages(field.bytes(), 1).into_iter().map(|item| text(messages(item, 1)[0])).collect()),
        other => panic!("the kind {other} of value was not expected"),
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
