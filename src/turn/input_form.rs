//! An input by itself, in the form that it has within a record.

use serde::de::DeserializeSeed;

use super::record::RECORD_VERSION;
use super::record_read::PersonalSeed;
use super::record_write::Personal;
use super::{FeedbackInput, Input, Turn};
use crate::bundle::Bundle;
use crate::domain::Timestamp;
use serde::Serialize;
use xxhash_rust::xxh3::xxh3_128;

/// The bytes of an input, as the personal part of a record without decisions.
pub fn encode_input(input: &Input) -> Vec<u8> {
    let nothing = Timestamp::from_micros(0);
    let turn = Turn { arrival: nothing, decisions: Vec::new(), repeated: Vec::new(), outdated: Vec::new() };
    let mut bytes = Vec::new();
    let personal = Personal { form: RECORD_VERSION, input, turn: &turn };
    let written = personal.serialize(&mut rmp_serde::Serializer::new(&mut bytes));
    // Writing into memory cannot fail: every part has a MessagePack form of known length.
    debug_assert!(written.is_ok(), "{written:?}");
    bytes
}

/// Reads an input with the bundle that it was typed by.
pub fn decode_input(bytes: &[u8], bundle: &Bundle) -> Result<Input, rmp_serde::decode::Error> {
    PersonalSeed { bundle, decisions: &mut [] }.deserialize(&mut rmp_serde::Deserializer::from_read_ref(bytes))
}

impl FeedbackInput {
    /// A name made of what it says: the same for the same content, whatever it is called.
    pub fn name_of_content(&self) -> Box<str> {
        let nameless = Self { id: Box::default(), ..self.clone() };
        format!("{:032x}", xxh3_128(&encode_input(&Input::Feedback(nameless)))).into()
    }

    /// Whether it says the same about the same decision under the same name.
    pub fn is_same_as(&self, other: &Self) -> bool {
        // As they are stored: a value that was typed a moment ago and one that was read back are one value.
        encode_input(&Input::Feedback(self.clone())) == encode_input(&Input::Feedback(other.clone()))
    }
}
