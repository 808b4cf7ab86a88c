//! The known answers, and that a wrong one is found.

mod known;

use std::path::Path;

const FILE: &str = include_str!("vectors/rank.json");

fn check(text: &str) -> Result<(usize, usize), String> {
    known::check(text, Path::new(env!("CARGO_TARGET_TMPDIR")))
}

#[test]
fn every_engine_gives_the_known_answers() {
    let (cases, engines) = check(FILE).unwrap();
    assert_eq!(cases, 11);
    assert_eq!(engines, 11);
}

#[test]
fn one_wrong_code_is_named_by_case_sweep_and_particle() {
    let mut file: serde_json::Value = serde_json::from_str(FILE).unwrap();
    let code = &mut file["cases"][1]["warm"][2][17];
    *code = (code.as_u64().unwrap() + 1).into();
    let difference = check(&file.to_string()).unwrap_err();
    for part in ["\"sixty-four\"", "warm, sweep 3", "particle 17"] {
        assert!(difference.contains(part), "{difference}");
    }
}
