//! Neural models with a real encoder and onnxruntime as PyPI ships them.
//!
//! `tests/neural/prepare FOLDER` puts what is needed into a folder; `FORTHWITH_NEURAL_FOLDER=FOLDER` names it. Without it the
//! tests say that they were skipped.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where it cannot go on")]

mod support;

use std::time::Duration;

use forthwith::inference::neural::{
    Encoder, EncoderFiles, Head, NeuralFault, NeuralFiles, NeuralModel, NeuralSettings,
};
use forthwith::inference::{Calibration, passage};
use forthwith::serving::{Answer, Config, Metrics, Pool, Scores};
use forthwith::telemetry::Registry;
use forthwith::time::{Clock, Deadline, Timer};
use forthwith::training::{Demands, DenseRows, HeadTraining, LabelledTexts, TrainedHead};
use forthwith::{Config as EngineConfig, Engine, Event, Tier};

use support::{Folder, QUEUES, best, heldout, tickets};

/// How far a number may be from Python's.
const CLOSE: f64 = 1e-4;

fn settings(labels: usize) -> NeuralSettings {
    NeuralSettings { labels, temperature: 1.0, threads: 1 }
}

/// A head that was trained on the embeddings of the sample tickets.
fn trained(encoder: &mut Encoder) -> TrainedHead {
    let demands = Demands { rows_min: 10, drops_rare_labels: false, drops_empty_texts: false, text_bytes_max: 10_000 };
    let texts = LabelledTexts::of(tickets(), &demands).unwrap();
    assert_eq!(texts.labels(), QUEUES);
    let passages: Vec<String> = (0..texts.len()).map(|row| passage(texts.parts(row))).collect();
    let passages: Vec<&str> = passages.iter().map(String::as_str).collect();
    let dimensions = encoder.dimensions();
    let embeddings = encoder.embed(&passages).unwrap();
    let rows = DenseRows::new(dimensions, embeddings);
    HeadTraining::default().run(&texts, rows, DenseRows::new(dimensions, &[]), &mut |_| {}).unwrap()
}

fn head(trained: &TrainedHead) -> Head {
    let (weights, biases) = (trained.linear.weights(), trained.linear.biases());
    Head::new(weights.len() / biases.len(), weights, biases).unwrap()
}

fn largest_difference(ours: &[f32], theirs: &[f64]) -> f64 {
    assert_eq!(ours.len(), theirs.len());
    ours.iter().zip(theirs).map(|(a, b)| (f64::from(*a) - b).abs()).fold(0.0, f64::max)
}

#[test]
fn embeddings_are_those_that_python_makes_alone_and_in_a_batch() {
    let Some(folder) = Folder::find() else { return };
    let mut encoder = Encoder::load(&folder.runtime(), folder.encoder(), 1).unwrap();
    let expected = folder.expected();
    let texts: Vec<&str> = expected.iter().map(|row| row.text.as_str()).collect();
    let dimensions = encoder.dimensions();
    assert_eq!(dimensions, 384);
    let together = encoder.embed(&texts).unwrap().to_vec();
    for (row, in_batch) in expected.iter().zip(together.chunks_exact(dimensions)) {
        let difference = largest_difference(in_batch, &row.vector);
        assert!(difference < CLOSE, "{:?} in a batch is {difference} away", row.text);
        let difference = largest_difference(encoder.embed(&[&row.text]).unwrap(), &row.vector);
        assert!(difference < CLOSE, "{:?} alone is {difference} away", row.text);
    }
    assert!(encoder.embed(&[]).unwrap().is_empty());
}

#[test]
fn a_head_trained_on_few_tickets_routes_others_by_their_meaning() {
    let Some(folder) = Folder::find() else { return };
    let mut encoder = Encoder::load(&folder.runtime(), folder.encoder(), 1).unwrap();
    let trained = trained(&mut encoder);
    assert!(trained.quality.accuracy > 0.75, "{:?}", trained.quality);
    let head = head(&trained).to_bytes();
    let files = NeuralFiles { encoder: folder.encoder(), head: Some(&head) };
    let settings = NeuralSettings { temperature: trained.temperature, ..settings(QUEUES.len()) };
    let mut model = NeuralModel::load(&folder.runtime(), files, settings).unwrap();
    let texts: Vec<&str> = heldout().iter().map(|(text, _)| *text).collect();
    let probabilities = model.score_batch(&texts).unwrap();
    let right = heldout()
        .iter()
        .zip(probabilities.chunks_exact(QUEUES.len()))
        .filter(|((_, queue), row)| QUEUES[best(row)] == *queue)
        .count();
    // Chance would send three of twelve there, words alone a few more.
    assert!(right * 4 >= texts.len() * 3, "{right} of {} went where they belong", texts.len());
    for row in probabilities.chunks_exact(QUEUES.len()) {
        assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-4, "{row:?}");
    }
}

#[test]
fn the_pool_gives_each_text_the_scores_it_has_alone() {
    let Some(folder) = Folder::find() else { return };
    let mut encoder = Encoder::load(&folder.runtime(), folder.encoder(), 1).unwrap();
    let head = head(&trained(&mut encoder)).to_bytes();
    let files = NeuralFiles { encoder: folder.encoder(), head: Some(&head) };
    let load = || NeuralModel::load(&folder.runtime(), files, settings(QUEUES.len())).unwrap();
    let mut alone = load();

    let (clock, registry) = (Clock::system(), Registry::default());
    let timer = Timer::start(clock.clone()).unwrap();
    let pool = Pool::start(Config::default(), clock.clone(), timer, Metrics::new(&registry)).unwrap();
    let model = pool.register("queue-1", Box::new(load()));
    let deadline = Deadline::new(clock.instant(), Duration::from_secs(120));
    let pending: Vec<_> = tickets()
        .iter()
        .map(|row| row.parts[0].clone())
        .map(|text| (model.ask(text.clone(), deadline), text))
        .collect();
    for (pending, text) in pending {
        let Answer::Scored(Scores { probabilities, scope }) = pending.wait() else { panic!("no scores for {text:?}") };
        let expected: Vec<f64> = alone.score_batch(&[&text]).unwrap().iter().map(|p| f64::from(*p)).collect();
        let difference = largest_difference(&probabilities, &expected);
        assert!(difference < CLOSE, "{text:?} is {difference} away");
        assert_eq!(scope, probabilities[best(&probabilities)]);
    }
    let page = registry.render();
    let batches = |line: &str| page.lines().find_map(|l| l.strip_prefix(line)?.trim().parse::<u64>().ok()).unwrap();
    let texts = batches(r#"forthwith_inference_batch_texts_sum{model="queue-1"}"#);
    let batches = batches(r#"forthwith_inference_batch_texts_count{model="queue-1"}"#);
    assert_eq!(texts, tickets().len() as u64);
    assert!(batches < texts / 4, "{batches} batches for {texts} texts that were all there");
}

#[test]
fn a_graph_that_gives_logits_needs_no_head() {
    let Some(folder) = Folder::find() else { return };
    let graph = folder.file("bag_of_words.onnx");
    let mut encoder = folder.encoder();
    encoder.model = &graph;
    let files = NeuralFiles { encoder, head: None };
    let load = |settings| NeuralModel::load(&folder.runtime(), files, settings);
    let mut model = load(NeuralSettings { temperature: 2.0, ..settings(2) }).unwrap();
    // A token of a label's name adds 4 to its logit, which the temperature halves: e^2 to 1.
    let sure = 1.0 / (1.0 + (-2.0_f32).exp());
    let probabilities = model.score_batch(&["a new password", "my money", "neither", "money password"]).unwrap();
    let expected = [sure, 1.0 - sure, 1.0 - sure, sure, 0.5, 0.5, 0.5, 0.5];
    for (found, expected) in probabilities.iter().zip(expected) {
        assert!((found - expected).abs() < 1e-6, "{probabilities:?}");
    }
    let misfit = load(settings(3)).unwrap_err();
    assert_eq!(misfit.to_string(), "the graph gives 2 logits; the manifest has 3 labels");
}

#[test]
fn what_does_not_fit_is_refused_at_load_with_what_would() {
    let Some(folder) = Folder::find() else { return };
    let runtime = folder.runtime();
    let encoder = folder.encoder();
    let head = |labels: usize, dimensions: usize| {
        Head::new(dimensions, &vec![0.0; labels * dimensions], &vec![0.0; labels]).unwrap().to_bytes()
    };
    let refused = |files: NeuralFiles<'_>, settings| NeuralModel::load(&runtime, files, settings).unwrap_err();
    let with = |head: &[u8], labels| refused(NeuralFiles { encoder, head: Some(head) }, settings(labels)).to_string();
    assert_eq!(with(&head(2, 384), 3), "the head has 2 labels; the manifest has 3");
    assert_eq!(
        with(&head(3, 16), 3),
        "the head is for embeddings of 16 numbers; the encoder gives 384: it was trained on another encoder"
    );
    let mut cold = settings(3);
    cold.temperature = 0.0;
    let zero = head(3, 384);
    let fault = refused(NeuralFiles { encoder, head: Some(&zero) }, cold);
    assert_eq!(fault.to_string(), "the temperature is 0; expected a number above 0");

    let mut garbage = encoder;
    garbage.model = b"not an onnx file";
    let fault = refused(NeuralFiles { encoder: garbage, head: Some(&zero) }, settings(3));
    assert!(matches!(fault, NeuralFault::Graph(_)), "{fault}");
    let mut garbage = encoder;
    garbage.tokenizer = b"{}";
    let fault = refused(NeuralFiles { encoder: garbage, head: Some(&zero) }, settings(3));
    assert!(matches!(fault, NeuralFault::Tokenizer(_)), "{fault}");
    // The encoder alone gives no logits.
    let fault = refused(NeuralFiles { encoder, head: None }, settings(3)).to_string();
    assert!(fault.starts_with("ONNX model: none of its outputs can be used: `last_hidden_state`"), "{fault}");
}

#[test]
fn the_command_trains_a_head_and_writes_a_model_that_tells_the_same() {
    let Some(folder) = Folder::find() else { return };
    let place = tempfile::tempdir().unwrap();
    let train = |out: &str| folder.train(&place.path().join(out));
    let report = train("models/meaning-2");
    assert_eq!((report["id"].as_str(), report["version"].as_u64()), (Some("meaning"), Some(2)));
    let heldout = &report["heldout"];
    assert!(heldout["accuracy"].as_f64().unwrap() > 0.75, "{report:#}");
    assert!(heldout["ece"].as_f64().unwrap() < 0.2, "{report:#}");
    assert_eq!(report["test"]["rows"], 12);
    assert!(report["test"]["accuracy"].as_f64().unwrap() >= 0.75, "{report:#}");

    let model = place.path().join("models/meaning-2");
    let manifest = std::fs::read_to_string(model.join("manifest.toml")).unwrap();
    let line = |start: &str| manifest.lines().find_map(|line| line.strip_prefix(start)?.split('"').nth(1)).unwrap();
    assert_eq!((line("kind "), line("file ")), ("neural", "model.onnx"));
    for file in ["[files.tokenizer]\nfile   = \"tokenizer.json\"", "[files.head]\nfile   = \"head.bin\""] {
        assert!(manifest.contains(file), "{manifest}");
    }
    let read = |name: &str| std::fs::read(model.join(name)).unwrap();
    let (onnx, tokenizer, head) = (read("model.onnx"), read("tokenizer.json"), read("head.bin"));
    let files = NeuralFiles { encoder: EncoderFiles { model: &onnx, tokenizer: &tokenizer }, head: Some(&head) };
    let temperature = report["temperature"].as_f64().unwrap() as f32;
    let settings = NeuralSettings { temperature, ..settings(QUEUES.len()) };
    let mut loaded = NeuralModel::load(&folder.runtime(), files, settings).unwrap();
    let texts: Vec<&str> = heldout_texts();
    let probabilities = loaded.score_batch(&texts).unwrap();
    let told = probabilities.chunks_exact(QUEUES.len()).map(|row| QUEUES[best(row)]);
    let right = told.zip(support::heldout()).filter(|(told, (_, queue))| told == queue).count();
    assert_eq!(
        right as f64 / 12.0,
        report["test"]["accuracy"].as_f64().unwrap(),
        "the folder's model is the one measured"
    );

    let calibration = String::from_utf8(read("calibration.csv")).unwrap();
    assert_eq!(Calibration::parse(&calibration, &QUEUES).unwrap().rows.len(), tickets().len());
    train("models/meaning-3");
    assert_eq!(
        std::fs::read(place.path().join("models/meaning-3/head.bin")).unwrap(),
        head,
        "the same data, the same head"
    );
}

fn heldout_texts() -> Vec<&'static str> {
    heldout().iter().map(|(text, _)| *text).collect()
}

#[test]
fn a_decision_takes_the_word_of_a_neural_model_that_the_command_trained() {
    let Some(folder) = Folder::find() else { return };
    let place = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(place.path().join(name), text).unwrap();
    std::fs::create_dir(place.path().join("playbooks")).unwrap();
    folder.train(&place.path().join("models/meaning-1"));
    std::fs::remove_file(place.path().join("models/meaning-1.csv")).unwrap();
    write("forthwith.toml", &format!("[inference]\nonnxruntime = {:?}\n", folder.library()));
    write("context.toml", support::CONTEXT);
    write("playbooks/routing.toml", support::PLAYBOOK);

    let engine = Engine::start(EngineConfig::load(place.path()).unwrap().engine).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut by_model = 0;
    for (nth, (text, queue)) in heldout().into_iter().enumerate() {
        let event = Event::new(format!("t-{nth}"), "helpdesk", "ticket.created", "c-1").with("subject", text);
        let decision = runtime.block_on(engine.decide("routing", event)).unwrap().into_result().unwrap();
        if decision.tier == Tier::SmallModel {
            assert_eq!(decision.model.as_deref(), Some("meaning@1"));
            by_model += usize::from(decision.outcome().text("queue") == Some(queue));
        } else {
            assert_eq!(decision.outcome().text("queue"), Some("general"), "the rules' answer");
        }
    }
    assert!(by_model >= 6, "{by_model} of twelve were told rightly by the model");
    engine.shutdown().unwrap();
}
