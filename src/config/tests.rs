//! Tests of the room: settings from files and environment, and what is said of wrong ones.

use std::fs;
use std::path::Path;

use super::*;
use crate::bundle::model_tests;
use crate::bundle::tests::{CONTEXT, PLAYBOOK, TABLE};
use crate::document::FaultSink;

pub(super) fn folder(settings: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for subfolder in ["playbooks", "tables"] {
        fs::create_dir(folder.path().join(subfolder)).unwrap();
    }
    for (path, text) in [
        ("forthwith.toml", settings),
        ("context.toml", CONTEXT),
        ("playbooks/routing.toml", PLAYBOOK),
        ("tables/routing.csv", TABLE),
    ] {
        fs::write(folder.path().join(path), text).unwrap();
    }
    folder
}

pub(super) fn load(folder: &Path, environment: &[(&str, &str)]) -> Result<Config, String> {
    let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::load_with(folder, environment).map_err(|faults| faults.to_string())
}

#[test]
fn every_setting_has_a_default_and_the_environment_has_the_last_word() {
    let plain = folder("");
    let config = load(plain.path(), &[("PATH", "/bin"), ("FORTHWITH", "x")]).unwrap();
    assert_eq!(config.settings.server.listen.to_string(), "127.0.0.1:8080");
    let folder =
        folder("[server]\nlisten = \"127.0.0.1:9000\"\nworkers = 3\n[engine]\nmailbox = 7\n[log]\nformat = \"json\"\n");
    let environment = [
        ("FORTHWITH__SERVER__LISTEN", "0.0.0.0:1"),
        ("FORTHWITH__SERVER__TOKEN", "1234567890123456"),
        ("FORTHWITH__ENGINE__KEEPERS", "5"),
    ];
    let config = load(folder.path(), &environment).unwrap();
    let server = &config.settings.server;
    assert_eq!((server.listen.to_string().as_str(), server.workers), ("0.0.0.0:1", 3));
    assert_eq!(server.token.as_ref().map(|token| token.expose().to_owned()).as_deref(), Some("1234567890123456"));
    assert!(!format!("{config:?}").contains("1234567890123456"), "a token is not shown");
    assert_eq!((config.engine.customers.mailbox, config.engine.customers.keepers), (7, 5));
    assert_eq!(config.settings.log.format, LogFormat::Json);
}

#[test]
fn the_library_of_onnxruntime_is_named_by_the_settings_before_the_environment() {
    let named = |settings: &str, environment: &[(&str, &str)]| {
        let folder = folder(settings);
        let inference = load(folder.path(), environment).unwrap().settings.inference;
        let path = inference.onnxruntime.map(|path| path.strip_prefix(folder.path()).unwrap_or(&path).to_owned());
        (path.map(|path| path.display().to_string()), inference.pool)
    };
    let elsewhere = [("ORT_DYLIB_PATH", "/opt/libonnxruntime.so")];
    assert_eq!(named("", &[]).0, None);
    assert_eq!(named("", &elsewhere).0.as_deref(), Some("/opt/libonnxruntime.so"));
    let settings = "[inference]\nonnxruntime = \"lib/ort.so\"\nbatch_max = 8\nthreads = 2\nquiet = \"1ms\"\n";
    let (path, pool) = named(settings, &elsewhere);
    assert_eq!(path.as_deref(), Some("lib/ort.so"), "relative to the folder");
    assert_eq!((pool.batch_max, pool.threads, pool.quiet.as_micros()), (8, 2, 1_000));
    let wrong = load(folder("[inference]\nbatch_max = 0\nthread = 1\n").path(), &[]).unwrap_err();
    assert!(wrong.contains("batch_max") && wrong.contains("thread"), "{wrong}");
}

#[test]
fn a_collector_of_spans_is_named_where_spans_are_sent() {
    let read = load(folder("[log]\notlp = \"http://127.0.0.1:4318\"\n").path(), &[]);
    if cfg!(feature = "otel") {
        assert_eq!(read.unwrap().settings.log.otlp.as_deref(), Some("http://127.0.0.1:4318"));
    } else {
        let faults = read.unwrap_err();
        assert!(faults.contains("`log.otlp`") && faults.contains("lacks the cargo feature `otel`"), "{faults}");
    }
    for wrong in ["localhost:4318", "grpc://a:4317", "http://", "http://me:pass@a", "http://a/?k=1"] {
        let faults = load(folder(&format!("[log]\notlp = \"{wrong}\"\n")).path(), &[]).unwrap_err();
        assert!(faults.contains("such as `http://127.0.0.1:4318`"), "{wrong}: {faults}");
    }
}

#[test]
fn the_files_of_lists_belong_to_the_bundle() {
    let folder = folder("");
    fs::write(folder.path().join("context.toml"), format!("{CONTEXT}[lists]\nblocked = \"lists/blocked.txt\"\n"))
        .unwrap();
    assert!(load(folder.path(), &[]).unwrap_err().contains("there is no such file"));
    fs::create_dir(folder.path().join("lists")).unwrap();
    fs::write(folder.path().join("lists/blocked.txt"), "a\r\nb\r\n").unwrap();
    assert_eq!(load(folder.path(), &[]).unwrap().engine.bundle.sources().get("lists/blocked.txt"), Some("a\r\nb\r\n"));
}

#[test]
fn the_files_of_agents_belong_to_the_bundle_and_their_faults_are_told() {
    let folder = folder("");
    let before = Config::load_bundle(folder.path()).unwrap().id();
    fs::create_dir(folder.path().join("agents")).unwrap();
    fs::write(folder.path().join("agents/router.toml"), crate::bundle::agent_tests::AGENT).unwrap();
    fs::write(folder.path().join("agents/.router.toml"), "a hidden copy").unwrap();
    let bundle = Config::load_bundle(folder.path()).unwrap();
    assert!(bundle.id() != before && bundle.sources().get("agents/router.toml").is_some());
    fs::write(folder.path().join("agents/router.toml"), "agnet = \"router\"\n").unwrap();
    let faults = load(folder.path(), &[]).unwrap_err();
    assert!(faults.contains("agents/router.toml:1:1: `agnet`: unknown key (did you mean `agent`?)"), "{faults}");
}

#[test]
fn every_fault_of_settings_bundle_and_environment_is_named_at_once() {
    let folder = folder(
        "[server]\nlisten = \"localhost\"\ntoken = \"x\"\ntoken_file = \"nowhere\"\nprot = 1\n\
         [journal]\nsegment_bytes = \"1MiB\"\nlinger = \"2s\"\n[engin]\n",
    );
    fs::write(folder.path().join("tables/routing.csv"), [0xff, 0xfe]).unwrap();
    let environment = [("FORTHWITH__SERVER__WORKERS", "many"), ("FORTHWITH__LOG__LEVLE", "x"), ("FORTHWITH__X", "y")];
    let faults = load(folder.path(), &environment).unwrap_err();
    let faults = faults.replace(&folder.path().display().to_string(), "…");
    insta::assert_snapshot!(faults, @r#"
    12 faults in the configuration:
      FORTHWITH__LOG__LEVLE: `log.levle`: unknown key (did you mean `level`?)
      FORTHWITH__SERVER__WORKERS: `server.workers`: expected a whole number from 1 to 1024, found `"many"`
      FORTHWITH__X: a setting is named FORTHWITH__SECTION__KEY
      forthwith.toml: `journal`: `segment_bytes` must be at least four times `queue_bytes`
      forthwith.toml:2:10: `server.listen`: expected an address and a port, such as `127.0.0.1:8080` or `[::1]:8080`
      forthwith.toml:3:9: `server.token`: a token does not belong in a configuration file; put it into a file of its own and name it by `token_file`
      forthwith.toml:4:14: `server.token_file`: cannot read `…/nowhere`: No such file or directory (os error 2)
      forthwith.toml:5:1: `server.prot`: unknown key; known here: `listen`, `workers`, `body_bytes_max`, `batch_max`, `connections_max`, `backlog`, `keep_alive`, `header_timeout`, `body_timeout`, `token_file`, `token`
      forthwith.toml:8:10: `journal.linger`: expected a duration from 0s to 1s, found `"2s"`
      forthwith.toml:9:2: `engin`: unknown key (did you mean `engine`?)
      playbooks/routing.toml:34:8: `tables[0].file`: there is no such file in the configuration folder; tables found: none
      tables/routing.csv: is not UTF-8 text (byte 0)
    "#);
}

#[test]
fn beyond_the_loopback_a_token_is_needed() {
    let folder = folder("[server]\nlisten = \"0.0.0.0:8080\"\n");
    let refused = load(folder.path(), &[]).unwrap_err();
    assert!(refused.contains("without a token the server listens on this machine only"), "{refused}");
    fs::write(folder.path().join("token"), "short\n").unwrap();
    let refused = load(folder.path(), &[("FORTHWITH__SERVER__TOKEN_FILE", "token")]).unwrap_err();
    assert!(refused.contains("at least 16 characters; this one has 5"), "{refused}");
    fs::write(folder.path().join("token"), "a-much-longer-token\n").unwrap();
    assert!(load(folder.path(), &[("FORTHWITH__SERVER__TOKEN_FILE", "token")]).is_ok());
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    let refused = load(Path::new("no/such/folder"), &[]).unwrap_err();
    assert!(refused.contains("no/such/folder: there is no such configuration folder"), "{refused}");
}

#[test]
fn cases_beside_a_playbook_are_no_part_of_the_bundle() {
    let folder = folder("");
    let before = Config::load_bundle(folder.path()).unwrap().id();
    let path = "playbooks/routing.cases.toml";
    fs::write(folder.path().join(path), "[[cases]]\n").unwrap();
    fs::write(folder.path().join("playbooks/.routing.cases.toml"), "a hidden copy").unwrap();
    assert_eq!(Config::load_bundle(folder.path()).unwrap().id(), before);
    let sink = crate::document::FaultSink::default();
    assert_eq!(read_cases(folder.path(), &sink), [(path.to_owned(), "[[cases]]\n".to_owned())]);
    assert!(sink.is_empty());
}

/// A configuration whose playbook asks the model `intent@1`, which has a calibration set.
fn with_a_model() -> tempfile::TempDir {
    let (mut sources, artifacts) = model_tests::files(model_tests::MODEL);
    model_tests::calibrate(&mut sources, "label,scope,scores\ncards,1,0:900000 1:100000\n");
    let folder = tempfile::tempdir().unwrap();
    for subfolder in ["playbooks", "models/intent-1"] {
        fs::create_dir_all(folder.path().join(subfolder)).unwrap();
    }
    let texts = sources.iter().map(|(path, text)| (path, text.as_bytes()));
    let files = artifacts.paths().map(|path| (path, &**artifacts.get(path).unwrap()));
    for (path, bytes) in texts.chain(files) {
        fs::write(folder.path().join(path), bytes).unwrap();
    }
    folder
}

#[test]
fn a_calibration_set_that_the_manifest_does_not_name_is_refused() {
    let folder = with_a_model();
    load(folder.path(), &[]).unwrap();
    let path = folder.path().join("models/intent-1/manifest.toml");
    let manifest = fs::read_to_string(&path).unwrap();
    let unsealed: Vec<&str> = manifest.lines().filter(|line| !line.starts_with("calibration_sha256")).collect();
    fs::write(&path, unsealed.join("\n")).unwrap();
    insta::assert_snapshot!(load(folder.path(), &[]).unwrap_err());
    fs::write(&path, "id = 7\n").unwrap();
    let told = load(folder.path(), &[]).unwrap_err();
    assert!(!told.contains("calibration"), "of a manifest that cannot be read nothing else is said: {told}");
}

#[test]
fn of_a_models_folder_only_what_its_manifest_names_is_read() {
    let folder = with_a_model();
    let model = folder.path().join("models/intent-1");
    fs::write(model.join("rows.csv"), "what it was trained on").unwrap();
    fs::create_dir(model.join("notes")).unwrap();
    fs::create_dir(folder.path().join("models/drafts")).unwrap();
    fs::write(folder.path().join("models/drafts/calibration.csv"), "of no model").unwrap();
    let sink = FaultSink::default();
    let mut sources = read_sources(folder.path(), &sink).unwrap();
    let artifacts = read_models(folder.path(), &mut sources, &sink);
    assert!(sink.is_empty(), "{}", sink.into_faults());
    assert_eq!(artifacts.paths().collect::<Vec<_>>(), ["models/intent-1/model.bin"]);
    assert_eq!(sources.get("models/drafts/calibration.csv"), None);
    assert!(sources.get("models/intent-1/calibration.csv").is_some());
}

#[test]
fn the_self_check_has_a_schedule_or_is_off() {
    let read = |text: &str| {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("forthwith.toml"), text).unwrap();
        let sink = crate::document::FaultSink::default();
        let settings = super::Settings::read(folder.path(), [], &sink);
        let faults: Vec<String> = sink.into_faults().iter().map(|fault| fault.key.clone()).collect();
        (settings.selfcheck, settings.stuck_after, faults)
    };
    let seconds = |n| Some(std::time::Duration::from_secs(n));
    let (schedule, stuck_after, faults) =
        read("[engine]\nstuck_after = \"45s\"\n[selfcheck]\nevery = \"10s\"\nfallbacks_every = \"off\"\n");
    assert_eq!((schedule.every, schedule.fallbacks_every, stuck_after), (seconds(10), None, seconds(45).unwrap()));
    assert!(faults.is_empty(), "{faults:?}");
    let (schedule, ..) = read("");
    assert_eq!((schedule.every, schedule.fallbacks_every), (seconds(60), seconds(3_600)));
    let (.., faults) = read("[selfcheck]\nevery = \"often\"\n");
    assert_eq!(faults, ["selfcheck.every"]);
}
