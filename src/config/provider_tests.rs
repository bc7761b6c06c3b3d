//! Tests of the settings of providers.

use std::fs;
use std::time::Duration;

use super::tests::{folder, load};
use crate::domain::Money;
use crate::gateway::{BreakerConfig, Chance, LimitConfig, Provider, StructuredOutput, TokensField};

const LOCAL: &str = r#"
[gateway]
calls_max   = 64
cache_bytes = "1MiB"
retry_share = "2.5%"

[providers.local]
base_url          = "http://127.0.0.1:8080/v1/"
timeout           = "2s"
linger            = "500ms"
connections       = 8
structured_output = "json_object"
tokens_field      = "both"
headers           = { X-Title = "Forthwith" }

[providers.local.latency]
half_life = "5s"
slow_call = "1s"

[providers.local.breaker]
bad_share = "20%"
open_for  = "1m"

[providers.local.concurrency]
max = 4

[providers.local.rates]
requests_per_minute = 600

[providers.local.hedge]
share = "0%"
after = "99.5%"

[providers.local.probes]
every = "1s"

[providers.local.models.small]
model        = "smollm2-135m"
input_price  = 0.000000001
output_price = "0.15"

[providers.local.models."gpt-4.1"]
input_price         = 2
cached_input_price  = 0.5
output_price        = 8.00
"#;

/// The only provider of these settings.
fn provider(settings: &str, environment: &[(&str, &str)]) -> Provider {
    let folder = folder(settings);
    let config = load(folder.path(), environment).unwrap();
    assert_eq!(config.engine.gateway, config.settings.gateway, "the engine has it");
    let [provider] = <[Provider; 1]>::try_from(config.engine.gateway.providers).unwrap();
    provider
}

#[test]
fn a_provider_is_read_with_all_that_is_said_of_it() {
    let folder = folder(LOCAL);
    let gateway = load(folder.path(), &[]).unwrap().engine.gateway;
    assert_eq!((gateway.calls_max, gateway.cache_bytes_max, gateway.retry_share_milli), (64, 1 << 20, 25));
    let local = &gateway.providers[0];
    assert_eq!((local.name.as_str(), local.base_url.as_str()), ("local", "http://127.0.0.1:8080/v1"));
    assert_eq!((local.timeout, local.linger), (Duration::from_secs(2), Duration::from_millis(500)));
    assert_eq!((local.structured, local.tokens_field), (StructuredOutput::JsonObject, TokensField::Both));
    assert_eq!((local.half_life, local.slow_call), (Duration::from_secs(5), Duration::from_secs(1)));
    let headers: Vec<(&str, &str)> =
        local.headers.iter().map(|(name, value)| (name.as_str(), value.expose())).collect();
    assert_eq!((headers, &local.key), (vec![("x-title", "Forthwith")], &None));
    let breaker = BreakerConfig {
        bad_share: Chance::from_milli(200),
        open_for: Duration::from_secs(60),
        open_for_max: Duration::from_secs(60),
        ..BreakerConfig::default()
    };
    assert_eq!(local.breaker, breaker, "what is not said makes room for what is");
    assert_eq!(local.limit, LimitConfig { min: 2, max: 4, initial: 4 });
    assert_eq!((local.rate.requests_per_minute, local.rate.tokens_per_minute), (Some(600), None));
    assert_eq!((local.hedge.share, local.hedge.after), (Chance::NONE, Chance::from_ppm(995_000)));
    assert_eq!(local.probing.every, Duration::from_secs(1));
    let [large, small] = &local.models[..] else { panic!("{:?}", local.models) };
    assert_eq!((small.name.as_str(), small.model.as_str()), ("small", "smollm2-135m"));
    assert_eq!((small.input_price, small.output_price), (Money::from_nanos(1), Money::from_nanos(150_000_000)));
    assert_eq!((large.name.as_str(), large.model.as_str()), ("gpt-4.1", "gpt-4.1"), "called as it is named");
    assert_eq!(large.cached_input_price, Some(Money::from_nanos(500_000_000)));
}

#[test]
fn the_environment_sets_and_adds_providers() {
    let environment = [
        ("FORTHWITH__PROVIDERS__LOCAL__BASE_URL", "http://127.0.0.1:9000/v1"),
        ("FORTHWITH__PROVIDERS__LOCAL__BREAKER__CALLS_MIN", "3"),
        ("FORTHWITH__PROVIDERS__LOCAL__MODELS__SMALL__OUTPUT_PRICE", "0.25"),
        ("FORTHWITH__PROVIDERS__LOCAL__KEY", "0123456789"),
    ];
    let local = provider(LOCAL, &environment);
    assert_eq!((local.base_url.as_str(), local.breaker.calls_min), ("http://127.0.0.1:9000/v1", 3));
    assert_eq!((local.timeout, local.models.len()), (Duration::from_secs(2), 2), "the rest stays as the file says");
    assert_eq!(local.models[1].output_price, Money::from_nanos(250_000_000));
    assert_eq!(local.key.as_ref().map(|key| key.expose().to_owned()).as_deref(), Some("0123456789"));
    assert!(!format!("{local:?}").contains("0123456789"), "a key is not shown");
    let alone = [
        ("FORTHWITH__PROVIDERS__OTHER__BASE_URL", "https://example.com/v1"),
        ("FORTHWITH__PROVIDERS__OTHER__MODELS__BIG__INPUT_PRICE", "1"),
        ("FORTHWITH__PROVIDERS__OTHER__MODELS__BIG__OUTPUT_PRICE", "2"),
    ];
    let other = provider("", &alone);
    assert_eq!((other.name.as_str(), other.models[0].input_price), ("other", "1".parse().unwrap()));
}

const KEYED: &str = r#"
[providers.hosted]
base_url = "https://api.example.com/v1"
KEY
[providers.hosted.models.big]
input_price  = 1
output_price = 1
"#;

#[test]
fn a_key_is_kept_in_a_variable_or_in_a_file_of_its_own() {
    let key = |keys: &str, environment: &[(&str, &str)]| {
        let folder = folder(&KEYED.replace("KEY", keys));
        fs::write(folder.path().join("hosted.key"), "sk-of-the-file\n").unwrap();
        let loaded = load(folder.path(), environment);
        let shown = |provider: &Provider| {
            let headers = provider.headers.iter().map(|(name, value)| format!(" {name}: {}", value.expose()));
            provider.key.as_ref().map_or("none", |key| key.expose()).to_owned() + &headers.collect::<String>()
        };
        match loaded {
            Ok(config) => shown(&config.engine.gateway.providers[0]),
            Err(faults) => faults.replace(&folder.path().display().to_string(), "…"),
        }
    };
    let variable = [("EXAMPLE_KEY", "sk-of-the-variable")];
    assert_eq!(key("key_env = \"EXAMPLE_KEY\"", &variable), "sk-of-the-variable");
    assert_eq!(key("key_file = \"hosted.key\"", &[]), "sk-of-the-file");
    assert_eq!(key("headers_env = { api-key = \"EXAMPLE_KEY\" }", &variable), "none api-key: sk-of-the-variable");
    let over = [("FORTHWITH__PROVIDERS__HOSTED__KEY", "sk-of-ours")];
    assert_eq!(key("key_env = \"EXAMPLE_KEY\"", &over), "sk-of-ours", "one that is not needed is not missed");
    let refused = [
        key("key_env = \"EXAMPLE_KEY\"", &[]),
        key("key_env = \"EXAMPLE_KEY\"", &[("EXAMPLE_KEY", "")]),
        key("key_env = \"EXAMPLE_KEY\"", &[("EXAMPLE_KEY", "two\nlines")]),
        key("key_file = \"nowhere\"", &[]),
        key("key = \"sk-1\"", &[]),
        key("api_key = \"sk-1\"", &[]),
        key("headers = { Authorization = \"Bearer sk-1\" }", &[]),
        key("key_env = \"EXAMPLE_KEY\"\nkey_file = \"hosted.key\"", &variable),
    ];
    assert!(refused.iter().all(|faults| !faults.contains("sk-1")), "what is refused is not shown: {refused:?}");
    insta::assert_snapshot!(refused.join("\n"), @r#"
    1 fault in the configuration:
      forthwith.toml:4:11: `providers.hosted.key_env`: the environment variable `EXAMPLE_KEY` is not set
    1 fault in the configuration:
      forthwith.toml:4:11: `providers.hosted.key_env`: what it names is empty
    1 fault in the configuration:
      forthwith.toml:4:11: `providers.hosted.key_env`: what it names has characters that a header cannot carry: expected one line of ASCII
    1 fault in the configuration:
      forthwith.toml:4:12: `providers.hosted.key_file`: cannot read `…/nowhere`: No such file or directory (os error 2)
    1 fault in the configuration:
      forthwith.toml:4:7: `providers.hosted.key`: a key does not belong in a configuration file; name the environment variable that holds it by `key_env`, or a file of its own by `key_file`
    1 fault in the configuration:
      forthwith.toml:4:11: `providers.hosted.api_key`: a key does not belong in a configuration file; name the environment variable that holds it by `key_env`, or a file of its own by `key_file`
    1 fault in the configuration:
      forthwith.toml:4:29: `providers.hosted.headers.Authorization`: `authorization` carries a key, which does not belong in a configuration file; name the environment variable that holds it: `headers_env = { authorization = "NAME" }`
    1 fault in the configuration:
      forthwith.toml:5:12: `providers.hosted.key_file`: the key is in an environment variable (`key_env`) or in a file; leave one of them out
    "#);
}

#[test]
fn every_fault_of_providers_is_named_at_once() {
    let settings = r#"
[gateway]
retry_share = "10"
call_max    = 1

[providers."a b"]
base_url = "http://localhost/v1"

[providers.empty]

[providers.wrong]
base_url          = "localhost:8080"
timeout           = "1h"
structured_output = "json"
connections       = -1
headers           = { "x y" = "1", host = "h" }
base_ulr          = "x"

[providers.wrong.breaker]
bad_share    = "0%"
open_for     = "10s"
open_for_max = "1s"

[providers.wrong.concurrency]
min = 8
max = 4

[providers.wrong.hedge]
after = "100%"

[providers.wrong.models.small]
model        = ""
input_price  = -1
outputprice  = 1

[providers.user]
base_url = "https://me:secret@example.com/v1"
models   = { small = { input_price = 1, output_price = 1 } }

[providers.path]
base_url = "https://example.com/v1/chat/completions"
models   = { small = { input_price = 1, output_price = 1 } }
"#;
    let folder = folder(settings);
    let environment = [
        ("FORTHWITH__PROVIDERS__WRONG__LATENCY__HALF_LIFE", "x"),
        ("FORTHWITH__PROVIDERS__LATE__TIMEOUT", "1s"),
        ("FORTHWITH__PROVIDERS", "x"),
    ];
    let faults = load(folder.path(), &environment).unwrap_err();
    insta::assert_snapshot!(faults, @r#"
    26 faults in the configuration:
      FORTHWITH__PROVIDERS: a setting is named FORTHWITH__SECTION__KEY
      FORTHWITH__PROVIDERS__LATE__TIMEOUT: `providers.late`: has no model; add one as `[providers.late.models.NAME]`
      FORTHWITH__PROVIDERS__LATE__TIMEOUT: `providers.late`: the key `base_url` is missing: what goes before `/chat/completions`, such as "https://api.openai.com/v1"
      FORTHWITH__PROVIDERS__WRONG__LATENCY__HALF_LIFE: `providers.wrong.latency.half_life`: expected a duration such as "50ms", "24h" or "1h30m", found `"x"`
      forthwith.toml:3:15: `gateway.retry_share`: expected a percentage from 0 to 100 such as "5%", found `10`
      forthwith.toml:4:1: `gateway.call_max`: unknown key (did you mean `calls_max`?)
      forthwith.toml:6:1: `providers."a b"`: a provider's name has 1 to 64 letters, digits, `-`, `_` and `.`; this is `a b`
      forthwith.toml:9:1: `providers.empty`: has no model; add one as `[providers.empty.models.NAME]`
      forthwith.toml:9:1: `providers.empty`: the key `base_url` is missing: what goes before `/chat/completions`, such as "https://api.openai.com/v1"
      forthwith.toml:11:1: `providers.wrong.breaker`: `open_for_max` must not be below `open_for`
      forthwith.toml:11:1: `providers.wrong.concurrency`: `min` must not be above `max`
      forthwith.toml:12:21: `providers.wrong.base_url`: expected an address such as "https://api.openai.com/v1" or "http://127.0.0.1:8080/v1"
      forthwith.toml:13:21: `providers.wrong.timeout`: expected a duration from 10ms to 10m, found `"1h"`
      forthwith.toml:14:21: `providers.wrong.structured_output`: expected one of `json_schema`, `json_object`, `none`, found `json`
      forthwith.toml:15:21: `providers.wrong.connections`: expected a whole number from 0 to 10000, found `-1`
      forthwith.toml:16:31: `providers.wrong.headers."x y"`: `x y` is no name of a header
      forthwith.toml:16:43: `providers.wrong.headers.host`: every request has its own `host`
      forthwith.toml:17:1: `providers.wrong.base_ulr`: unknown key (did you mean `base_url`?)
      forthwith.toml:20:16: `providers.wrong.breaker.bad_share`: expected a percentage from 0.0001 to 100 such as "5%", found `0%`
      forthwith.toml:29:9: `providers.wrong.hedge.after`: expected a percentage from 50 to 99.9999 such as "5%", found `100%`
      forthwith.toml:31:1: `providers.wrong.models.small`: the key `output_price` is missing: what a million tokens of answers cost, such as `output_price = 0.15`; 0 where they cost nothing. Without it no budget could be kept
      forthwith.toml:32:16: `providers.wrong.models.small.model`: expected the model's name as the provider knows it
      forthwith.toml:33:16: `providers.wrong.models.small.input_price`: expected an amount of money from 0, such as 2.50 or "0.000125", with at most 9 decimal places, found `-1`
      forthwith.toml:34:1: `providers.wrong.models.small.outputprice`: unknown key (did you mean `output_price`?)
      forthwith.toml:37:12: `providers.user.base_url`: a name and a password do not belong in an address; name the key by `key_env` or `key_file`
      forthwith.toml:41:12: `providers.path.base_url`: is what goes before `/chat/completions`, without that
    "#);
}

#[test]
fn agents_whose_models_nobody_has_are_told_and_are_no_fault() {
    let shipped = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
    let without = load(&shipped, &[]).unwrap();
    let agents = without.engine.bundle.playbooks().iter().flat_map(|playbook| &playbook.agents);
    let targets: Vec<_> = agents.flat_map(|of| of.agent.targets.iter().cloned()).collect();
    assert!(!targets.is_empty(), "the shipped configuration has an agent");
    let unserved = without.unserved();
    assert!(unserved.iter().all(|unserved| unserved.is_never_asked), "{unserved:?}");
    let named: Vec<&String> = unserved.iter().flat_map(|unserved| &unserved.models).collect();
    assert_eq!(named.len(), targets.len());
    let mut config = load(&shipped, &[]).unwrap();
    let models = |target: &crate::agents::Target| crate::gateway::ProviderModel {
        name: target.model.to_string(),
        ..Default::default()
    };
    config.engine.gateway.providers = targets
        .iter()
        .map(|target| Provider {
            name: target.provider.to_string(),
            models: vec![models(target)],
            ..Provider::default()
        })
        .collect();
    assert_eq!(config.unserved(), []);
}
