//! What readers of scenarios find, and what options make of them.

use super::*;
use crate::args::Overrides;

const SMALL: &str = r#"
name = "small"
description = "A test."
transport = "json"
[population]
kind = "uniform"
customers = 1_000
[[phases]]
name = "low"
seconds = 10
arrivals = "constant"
rate = 100
[[phases]]
name = "high"
seconds = 30
arrivals = "poisson"
rate = 400
counted = false
[[events]]
at = "20s"
every = "2s"
do = "reload"
"#;

fn small() -> Scenario {
    read("small.toml", SMALL, None).unwrap()
}

#[test]
fn all_that_are_shipped_can_be_read_under_their_names() {
    let shipped = shipped().unwrap();
    for scenario in &shipped {
        assert_eq!(find(&scenario.name).unwrap().name, scenario.name);
        assert!(scenario.length() > Duration::from_secs(1) && scenario.description.ends_with('.'), "{}", scenario.name);
    }
    let fault = find("brust").unwrap_err().to_string();
    assert!(fault.contains("there is no scenario `brust`") && fault.contains("burst"), "{fault}");
}

#[test]
fn all_faults_of_a_scenario_are_told_at_once() {
    let text = r#"
name = "wrong"
description = 5
transport = "grpc"
conections = 4
[engine]
disk = "1MiB"
[engine.files]
"../outside.toml" = ""
[population]
kind = "hot"
customers = 0
repeats = 2
[[calls]]
samples = "nowhere.jsonl"
[[phases]]
name = "a"
seconds = -1
arrivals = "sometimes"
[[phases]]
name = "b"
seconds = 1
arrivals = "poisson"
rate = 5
of_peak = 2
[[phases]]
name = "c"
seconds = 1
arrivals = "closed"
[[events]]
at = "soon"
do = "explode"
[slo]
p99 = 5
fairness = 3
"#;
    insta::assert_snapshot!(read("wrong.toml", text, None).unwrap_err(), @r#"
    18 faults in the configuration:
      wrong.toml:3:15: `description`: expected a text, found `5`
      wrong.toml:4:13: `transport`: expected "in-process", "json", "msgpack", found "grpc"
      wrong.toml:5:1: `conections`: unknown key (did you mean `connections`?)
      wrong.toml:7:8: `engine.disk`: expected a size from 16MiB to 1024GiB, found `"1MiB"`
      wrong.toml:9:21: `engine.files."../outside.toml"`: `../outside.toml` leads out of the folder: expected a path such as "playbooks/offer.toml"
      wrong.toml:10:1: `population`: the key `share` is missing: the share of calls that one customer makes, from 0 to 1
      wrong.toml:12:13: `population.customers`: expected a whole number from 1 to 100000000, found `0`
      wrong.toml:13:11: `population.repeats`: expected a number from 0 to 0.9, found `2`
      wrong.toml:14:1: `calls[0]`: the key `playbook` is missing: the name of a playbook
      wrong.toml:15:11: `calls[0].samples`: there is no `nowhere.jsonl` in the binary; expected `tickets.jsonl`
      wrong.toml:18:11: `phases[0].seconds`: expected a number from 0.001 to 604800, found `-1`
      wrong.toml:19:12: `phases[0].arrivals`: expected "constant", "poisson", "closed", "recorded", found "sometimes"
      wrong.toml:25:11: `phases[1].of_peak`: `rate` stands beside it: expected one of the two
      wrong.toml:26:1: `phases[2]`: the key `callers` is missing: how many call at a time
      wrong.toml:31:6: `events[0].at`: expected a duration such as "50ms", "24h" or "1h30m", found `"soon"`
      wrong.toml:32:6: `events[0].do`: expected "reload", "kill_and_restart", "stop_and_restart", "fill_disk", "free_disk", "provider", found "explode"
      wrong.toml:34:7: `slo.p99`: expected a duration such as "50ms", "24h" or "1h30m", found `5`
      wrong.toml:35:12: `slo.fairness`: expected a number from 0 to 1, found `3`
    "#);
}

#[test]
fn what_needs_something_before_it_says_so() {
    let times = SMALL.replace("rate = 400", "of_peak = 2");
    insta::assert_snapshot!(read("small.toml", &times, None).unwrap_err(), @r#"
    1 fault in the configuration:
      small.toml:13:1: `phases[1]`: `of_peak` needs a phase before it with `arrivals = "closed"` and `peak = true`
    "#);
    let uncounted = SMALL.replace("rate = 100", "rate = 100\ncounted = false");
    insta::assert_snapshot!(read("small.toml", &uncounted, None).unwrap_err(), @r#"
    1 fault in the configuration:
      small.toml:8:1: `phases`: no phase is counted: expected one at least without `counted = false`
    "#);
    let recorded = SMALL.replace("\"constant\"\nrate = 100", "\"recorded\"");
    insta::assert_snapshot!(read("small.toml", &recorded, None).unwrap_err(), @r#"
    1 fault in the configuration:
      small.toml:1:1: a phase with `arrivals = "recorded"` needs `[population]` with `kind = "replay"` and a `speed`
    "#);
}

#[test]
fn a_disk_that_is_gone_with_the_engine_goes_with_no_restart() {
    let disk = SMALL.replace("[[events]]", "[engine]\ndisk = \"64MiB\"\n[[events]]");
    assert!(read("small.toml", &disk, None).is_ok());
    for what in ["kill_and_restart", "stop_and_restart"] {
        let faults = read("small.toml", &disk.replace("\"reload\"", &format!("\"{what}\"")), None).unwrap_err();
        assert!(faults.to_string().contains("goes with no restart"), "{faults}");
    }
    let resting = disk.replace("customers = 1_000", "customers = 1_000\nstart = \"resting\"");
    assert!(read("small.toml", &resting, None).unwrap_err().to_string().contains("goes with no restart"));
}

#[test]
fn options_change_rates_times_and_customers_in_proportion() {
    let options = Overrides { rate: Some(40.0), seconds: Some(4.0), scale: Some(0.5), ..Overrides::default() };
    let scenario = small().overridden(&options).unwrap();
    let rates: Vec<Arrivals> = scenario.phases.iter().map(|phase| phase.arrivals).collect();
    let open = |rate, is_poisson| Arrivals::Open { rate: Rate::PerSecond(rate), is_poisson };
    assert_eq!(rates, [open(10.0, false), open(40.0, true)]);
    assert_eq!(scenario.phases.iter().map(|phase| phase.seconds).collect::<Vec<_>>(), [1.0, 3.0]);
    assert_eq!((scenario.population.customers, scenario.events[0].at), (500, Duration::from_secs(2)));
    assert_eq!(scenario.length(), Duration::from_secs(4));
}

#[test]
fn what_cannot_be_done_to_an_engine_is_refused_before_anything_runs() {
    let said = |name: &str, options: Overrides| find(name).unwrap().overridden(&options).unwrap_err().to_string();
    let in_process = Overrides { transport: Some(crate::args::TransportChoice::InProcess), ..Overrides::default() };
    assert!(said("crash", in_process).contains("needs an engine in a process of its own"));
    let url = || Overrides { url: Some("http://127.0.0.1:1".to_owned()), ..Overrides::default() };
    assert!(said("crash", url()).contains("only to an engine of one's own"));
    assert!(said("slow_agent", url()).contains("brings a provider"));
    let nothing = Overrides { scale: Some(0.0), ..Overrides::default() };
    assert!(said("burst", nothing).contains("expected a number above 0"));
    let rate = Overrides { rate: Some(5.0), ..Overrides::default() };
    assert!(said("overload", rate).contains("no phase at a rate of its own"));
}
