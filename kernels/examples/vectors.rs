//! Checks a file of known answers with every engine:
//! `cargo run --release -p cyber-kernels --example vectors -- FILE`.
//! Exit code 1 at the first difference, which it names by case, engine, sweep and particle.

#[path = "../tests/known/mod.rs"]
mod known;

use std::process::ExitCode;

fn main() -> ExitCode {
    let Some(path) = std::env::args().nth(1) else {
        eprintln!("usage: vectors FILE (such as kernels/tests/vectors/rank.json)");
        return ExitCode::from(2);
    };
    let answer = std::fs::read_to_string(&path)
        .map_err(|error| error.to_string())
        .and_then(|text| known::check(&text, &std::env::temp_dir()));
    match answer {
        Ok((cases, engines)) => {
            println!("{path}: {cases} cases, {engines} engines, no difference");
            ExitCode::SUCCESS
        }
        Err(difference) => {
            eprintln!("{path}: {difference}");
            ExitCode::FAILURE
        }
    }
}
