//! The faulty provider as a program: for other programs, and by hand.

use std::io::{self, BufRead, Write};
use std::process::ExitCode;

use faulty_provider::{Behaviour, Provider};

const USAGE: &str = r#"usage: faulty-provider [ADDRESS] [BEHAVIOUR]

Speaks OpenAI's chat completions at ADDRESS (127.0.0.1:0: a free port) and prints its base URL.
BEHAVIOUR is JSON, such as {"always": {"latency": {"constant": "100ms"}}} or {"always": {"manner": "hangs"}}.
A line on the standard input is another BEHAVIOUR, or `counts`; each is answered with a line. It ends with the input."#;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "{error}\n\n{USAGE}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:0".to_owned());
    let address = address.parse().map_err(|_| format!("`{address}` is not an address such as 127.0.0.1:0"))?;
    let behaviour = arguments.next().map(|text| read(&text)).transpose()?.unwrap_or_default();
    let provider = Provider::start_at(address, behaviour)?;
    // It runs for as long as it is asked to.
    provider.keep(0);
    let mut out = io::stdout();
    writeln!(out, "{}", provider.base_url())?;
    out.flush()?;
    for line in io::stdin().lock().lines() {
        writeln!(out, "{}", answer(&provider, line?.trim()))?;
        out.flush()?;
    }
    Ok(())
}

fn answer(provider: &Provider, line: &str) -> String {
    if line == "counts" {
        return serde_json::to_string(&provider.counts()).unwrap_or_default();
    }
    match read(line) {
        Ok(behaviour) => {
            provider.set(behaviour);
            "ok".to_owned()
        }
        Err(fault) => format!("error: {fault}"),
    }
}

fn read(text: &str) -> Result<Behaviour, String> {
    serde_json::from_str(text).map_err(|fault| format!("this is not a behaviour: {fault}"))
}
