//! Signed notes against the vectors of others (`tests/fixtures/tlog/README.md`), and heads and proofs as texts.

use super::super::*;

const PETER: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const PETER_SECRET: &str = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
const ENOCH: &str = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop";
const TEXT: &str =
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
const PETER_SIGNED: &str =
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
const ENOCH_SIGNED: &str =
    "— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n";

fn key(text: &str) -> VerifierKey {
    text.parse().unwrap()
}

fn verified(note: &str, keys: &[&str]) -> Result<String, NoteError> {
    let keys: Vec<VerifierKey> = keys.iter().map(|text| key(text)).collect();
    let note: Note = note.parse()?;
    note.verify(&keys).map(|key| key.name().to_owned())
}

/// Every part of a text but the whole, and the text with each byte one up.
fn manglings(text: &str) -> impl Iterator<Item = String> + '_ {
    let parts = (0..text.len()).flat_map(move |from| (from + 1..=text.len()).map(move |to| from..to));
    let parts = parts.filter(|part| part.len() < text.len()).map(|part| text[part].to_owned());
    let raised = (0..text.len()).map(|at| {
        let mut bytes = text.as_bytes().to_vec();
        bytes[at] += 1;
        String::from_utf8(bytes).unwrap()
    });
    parts.chain(raised)
}

#[test]
fn keys_are_read_whole_or_not_at_all() {
    assert_eq!(key(PETER).to_string(), PETER);
    let secret: SigningKey = PETER_SECRET.parse().unwrap();
    assert_eq!((secret.to_secret_text().as_str(), secret.verifier()), (PETER_SECRET, key(PETER)));
    for mangled in manglings(PETER) {
        assert!(mangled.parse::<VerifierKey>().is_err(), "{mangled}");
    }
    for mangled in manglings(PETER_SECRET) {
        assert!(mangled.parse::<SigningKey>().is_err(), "{mangled}");
    }
    let refused = |text: &str| text.parse::<VerifierKey>().unwrap_err();
    let longer = "PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==";
    assert!(longer.parse::<VerifierKey>().is_err(), "a key of another length");
    assert_eq!(refused("PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"), KeyError::Algorithm);
    assert_eq!(refused("Peter Neumann+c74f20a3+ARpc"), KeyError::Name);
    assert_eq!(SigningKey::new("a+b", &[7; 32]).unwrap_err(), KeyError::Name);
    assert!(!format!("{secret:?}").contains("gQoUAtUU"), "a secret is not shown");
}

#[test]
fn signs_what_others_verify() {
    let secret: SigningKey = PETER_SECRET.parse().unwrap();
    assert_eq!(Note::sign(TEXT, &secret).unwrap().to_string(), format!("{TEXT}\n{PETER_SIGNED}"));
    assert!(Note::sign("abc", &secret).is_err(), "a text without its newline");
    assert!(Note::sign("a\tb\n", &secret).is_err());
}

#[test]
fn verifies_what_others_signed() {
    let both = format!("{TEXT}\n{PETER_SIGNED}{ENOCH_SIGNED}");
    assert_eq!(verified(&both, &[PETER]), Ok("PeterNeumann".to_owned()));
    assert_eq!(verified(&both, &[ENOCH]), Ok("EnochRoot".to_owned()), "the other's signature says nothing");
    assert_eq!(verified(&both, &[ENOCH, PETER]), Ok("PeterNeumann".to_owned()), "the first that signed");
    let unsigned = NoteError::Unsigned(vec![format!("`{ENOCH}`")]);
    assert_eq!(verified(&format!("{TEXT}\n{PETER_SIGNED}"), &[ENOCH]), Err(unsigned));
    assert_eq!(verified(&both, &[]), Err(NoteError::Unsigned(Vec::new())));
    let example = "This is an example message.\n\n— example.com/foo \
         Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";
    let of = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
    assert_eq!(verified(example, &[of]), Ok("example.com/foo".to_owned()));
    // A text may have empty lines.
    let poem = "Ognuno sta solo sul cuor della terra\ntrafitto da un raggio di sole:\n\ned è subito sera.\n\n\
         — quasimodo.example/salvatore NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=\n";
    let note: Note = poem.parse().unwrap();
    assert!(note.text().ends_with("\n\ned è subito sera.\n") && note.signatures().len() == 1);
    assert_eq!(note.to_string(), poem);
}

#[test]
fn a_wrong_signature_of_a_known_key_spoils_the_note() {
    let wrong = NoteError::WrongSignature("PeterNeumann".to_owned());
    let changed = format!("{}\n{PETER_SIGNED}{ENOCH_SIGNED}", TEXT.replace("answer", "Answer"));
    assert_eq!(verified(&changed, &[PETER]), Err(wrong.clone()));
    let longer = format!("{TEXT}\n{}ABCD{}", &PETER_SIGNED[..62], &PETER_SIGNED[62..]);
    assert_eq!(verified(&longer, &[PETER]), Err(wrong.clone()));
    // One that is right does not save one that is wrong.
    let both = format!("{TEXT}\n{ENOCH_SIGNED}{}", PETER_SIGNED.replace("/ZJku", "/ZJkv"));
    assert_eq!(verified(&both, &[PETER, ENOCH]), Err(wrong));
}

#[test]
fn what_is_no_note_is_refused() {
    let many = format!("{TEXT}\n{}", PETER_SIGNED.repeat(SIGNATURES_MAX + 1));
    let bad = [
        TEXT.to_owned(),
        format!("{TEXT}\n"),
        format!("{TEXT}\n{}", PETER_SIGNED.trim_end()),
        format!("\x01{TEXT}\n{PETER_SIGNED}"),
        format!("{TEXT}\n— Bad Name {}", &PETER_SIGNED[16..]),
        format!("{TEXT}\n{PETER_SIGNED}Unexpected line.\n"),
        format!("{TEXT}\n— PeterNeumann x08gow==\n"),
        many,
    ];
    for note in bad {
        assert!(matches!(verified(&note, &[PETER]), Err(NoteError::Form(_))), "{note}");
    }
}

fn head(size: u64) -> TreeHead {
    TreeHead { origin: "example.com/log".to_owned(), size, root: leaf_hash(b"root"), extensions: Vec::new() }
}

fn signer(name: &str) -> SigningKey {
    SigningKey::new(name, &[9; SEED_BYTES]).unwrap()
}

#[test]
fn a_head_is_signed_and_read_again() {
    let example = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n\
         — example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n";
    let read: SignedHead = example.parse().unwrap();
    assert_eq!((read.head().origin.as_str(), read.head().size), ("example.com/behind-the-sofa", 20_852_163));
    assert_eq!(read.to_string(), example);

    let key = signer("example.com/log");
    let signed = TreeHead { extensions: vec!["more".to_owned()], ..head(7) }.sign(&key).unwrap();
    let read: SignedHead = signed.to_string().parse().unwrap();
    assert_eq!(read, signed);
    assert_eq!(read.verify(&[key.verifier()]), Ok(&key.verifier()));
    let other = TreeHead { origin: "example.com/other".to_owned(), ..head(7) }.sign(&key).unwrap();
    let refused = other.verify(&[key.verifier()]).unwrap_err();
    insta::assert_snapshot!(refused, @"the tree head is of the log `example.com/other`, not of `example.com/log`");
    assert!(TreeHead { origin: "a\n9".to_owned(), ..head(7) }.sign(&key).is_err(), "another head than it says");
}

#[test]
fn a_head_that_was_changed_or_malformed_is_refused() {
    let key = signer("example.com/log");
    let signed = head(70).sign(&key).unwrap().to_string();
    let changed: SignedHead = signed.replacen("70", "71", 1).parse().unwrap();
    assert!(matches!(changed.verify(&[key.verifier()]), Err(HeadError::Note(NoteError::WrongSignature(_)))));
    for text in ["", "\n", "o\n", "o\n1\n", "o\n01\nx\n", "o\n+1\nx\n", "o\n1\nAAAA\n", "\n1\nAAAA\n"] {
        assert!(text.parse::<TreeHead>().is_err(), "{text:?}");
    }
    let text = head(70).to_string();
    assert!(format!("{text}\nmore\n").parse::<TreeHead>().is_err(), "an empty line");
    assert!(text.trim_end().parse::<TreeHead>().is_err());
}

#[test]
fn a_proof_of_an_entry_is_one_text() {
    let key = signer("example.com/log");
    let leaves: Vec<Hash> = [b"a", b"b", b"c"].map(|leaf| leaf_hash(leaf)).to_vec();
    let mut tree = Frontier::default();
    leaves.iter().for_each(|leaf| tree.push(*leaf));
    let signed = TreeHead { root: tree.root(), ..head(3) }.sign(&key).unwrap();
    let proof = EntryProof { extra: None, index: 2, hashes: vec![node_hash(&leaves[0], &leaves[1])], head: signed };
    let text = proof.to_string();
    insta::assert_snapshot!(text, @"
    c2sp.org/tlog-proof@v1
    index 2
    sTeYX/SE+2ANuTEHx3sDZcgNePW0Kd7Q/Zc2HQd5mes=

    example.com/log
    3
    NmQuc8JUCrEh46a/lUWwokmCzYMOsT080Z3jzmwCHsE=

    — example.com/log pMOAWomesf91VqgBValK0sPOua6JaPzyKLtKsyJcZFZ3LAr7nxTSoEfXGL1vbLk73Q6Eb4XS3tf7MOikb5M16Bc3MAc=
    ");
    assert_eq!(text.parse::<EntryProof>().unwrap(), proof);
    assert_eq!(proof.verify(&leaves[2], &[key.verifier()]), Ok(&key.verifier()));
    assert_eq!(proof.verify(&leaves[1], &[key.verifier()]), Err(ProofError::Root.into()));
    let with_extra = EntryProof { extra: Some(b"more".to_vec()), ..proof };
    assert_eq!(with_extra.to_string().parse::<EntryProof>().unwrap(), with_extra);
    for wrong in [
        text.replacen("@v1", "@v2", 1),
        text.replacen("index 2", "index 02", 1),
        text.replacen("index 2\n", "", 1),
        text.replacen("\n\n", "\n", 1),
        text.replacen("index 2\n", &format!("index 2\n{}", format!("{}\n", base64(&leaves[0])).repeat(65)), 1),
    ] {
        assert!(wrong.parse::<EntryProof>().is_err(), "{wrong}");
    }
}
