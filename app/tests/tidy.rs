//! Style as a test: sizes of files and functions, lines, headers, import arrows, banned words, and
//! the exact top level of the project. See "House style" in the README.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Lines a file, a function, a line's characters may have.
const FILE_LINES: usize = 600;
const FUNCTION_LINES: usize = 70;
const LINE_CHARACTERS: usize = 100;

/// What stands at the top of the project besides hidden files.
const TOP_LEVEL: [&str; 8] =
    ["Cargo.toml", "Cargo.lock", "README.md", "app", "config", "kernels", "proto", "testnet"];

/// Which modules of the crate each module may use. What is absent here may use everything.
const ARROWS: [(&str, &[&str]); 10] = [
    ("types", &["types"]),
    ("state", &["state", "types"]),
    // Names of metrics and the panic hook never influence state.
    ("store", &["store", "state", "types", "error", "telemetry"]),
    // The engine's plain types: what CometBFT offers and is answered.
    ("statesync", &["statesync", "store", "state", "types", "error", "telemetry", "engine"]),
    ("tx", &["tx", "types", "error"]),
    // The engine's plain types, such as consensus parameters, are everybody's.
    ("modules", &["modules", "tx", "state", "store", "types", "error", "engine"]),
    // Durations of a round and faults of a device are told, never read; niceness is a wish.
    ("rank", &["rank", "modules", "state", "store", "types", "error", "telemetry", "niceness"]),
    ("ante", &["ante", "modules", "tx", "state", "types", "error"]),
    (
        "engine",
        &[
            "engine",
            "ante",
            "rank",
            "modules",
            "tx",
            "state",
            "store",
            "types",
            "error",
            "telemetry",
        ],
    ),
    ("search", &["search", "modules", "state", "store", "types", "error"]),
];

/// Modules whose code decides what the chain holds: no async, no sockets, no clocks.
const CONSENSUS: [&str; 7] = ["state", "store", "tx", "modules", "rank", "ante", "engine"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("app has a parent").to_owned()
}

/// Every Rust file of the three crates, with its text.
fn sources() -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    for part in ["app", "kernels", "proto"] {
        collect(&root().join(part), &mut files);
    }
    assert!(files.len() > 100, "the walk finds the project: {} files", files.len());
    files.sort();
    files
}

fn collect(folder: &Path, files: &mut Vec<(PathBuf, String)>) {
    for entry in fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("a readable entry").path();
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if path.is_dir() && !hidden {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("sources are UTF-8");
            files.push((path, text));
        }
    }
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

fn assert_none(what: &str, found: Vec<String>) {
    assert!(found.is_empty(), "{what}:\n{}", found.join("\n"));
}

#[test]
fn files_functions_and_lines_keep_their_sizes() {
    let mut found = Vec::new();
    for (path, text) in sources() {
        let name = shown(&path);
        let count = text.lines().count();
        if count > FILE_LINES {
            found.push(format!("{name}: {count} lines, at most {FILE_LINES}"));
        }
        for (number, line) in text.lines().enumerate() {
            let length = line.chars().count();
            if length > LINE_CHARACTERS {
                found.push(format!("{name}:{}: {length} characters", number + 1));
            }
        }
        for (start, length) in functions(&text) {
            if length > FUNCTION_LINES {
                found.push(format!("{name}:{start}: a function of {length} lines"));
            }
        }
    }
    assert_none("too long", found);
}

/// First line and length of every function, by rustfmt's layout: a body ends at the first closing
/// brace with the indentation of its `fn`.
fn functions(text: &str) -> Vec<(usize, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let trimmed = line.trim_start();
        let words =
            ["fn ", "pub fn ", "pub(crate) fn ", "pub(super) fn ", "async fn ", "const fn "];
        let more = ["pub async fn ", "pub const fn ", "unsafe fn ", "pub unsafe fn "];
        if !words.iter().chain(&more).any(|word| trimmed.starts_with(word)) {
            continue;
        }
        let indent = &line[..line.len() - trimmed.len()];
        let close = format!("{indent}}}");
        let rest = lines[start..].iter();
        let body = rest.clone().position(|line| line.ends_with('{'));
        let declared = rest.clone().position(|line| line.ends_with(';') || line.ends_with('}'));
        let (Some(body), Some(declared)) = (body, declared) else { continue };
        if declared < body {
            continue;
        }
        if let Some(length) = lines[start..].iter().position(|line| *line == close) {
            found.push((start + 1, length + 1));
        }
    }
    found
}

#[test]
fn every_module_says_what_it_is() {
    let missing = sources().into_iter().filter(|(_, text)| !text.starts_with("//!"));
    assert_none("begin with `//!`", missing.map(|(path, _)| shown(&path)).collect());
}

#[test]
fn imports_follow_the_arrows() {
    let mut found = Vec::new();
    let source = root().join("app/src");
    for (path, text) in sources() {
        let Ok(inside) = path.strip_prefix(&source) else { continue };
        let module = inside.iter().next().expect("a path").to_string_lossy();
        let module = module.trim_end_matches(".rs");
        // Handlers of queries stand beside what they read, and see what all queries see.
        if is_test(inside) || inside.ends_with("query.rs") {
            continue;
        }
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or(&text);
        if let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| *name == module) {
            for used in used_modules(code) {
                if !allowed.contains(&used.as_str()) {
                    found.push(format!("{}: {module} uses {used}", shown(&path)));
                }
            }
        }
        if CONSENSUS.contains(&module) {
            for word in ["tokio", "axum", "std::net", "std::env", "getrandom::"] {
                if code.lines().any(|line| is_code(line) && line.contains(word)) {
                    found.push(format!("{}: consensus code uses {word}", shown(&path)));
                }
            }
        }
    }
    assert_none("against the arrows", found);
}

fn is_test(path: &Path) -> bool {
    path.iter().any(|part| part == "tests" || part == "tests.rs" || part == "testkit")
}

fn is_code(line: &str) -> bool {
    !line.trim_start().starts_with("//")
}

/// The modules named as `crate::NAME`.
fn used_modules(code: &str) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    for line in code.lines().filter(|line| is_code(line)) {
        for part in line.split("crate::").skip(1) {
            let name: String =
                part.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            if !name.is_empty() {
                used.insert(name);
            }
        }
    }
    used
}

#[test]
fn unfinished_work_names_its_issue() {
    // Spelled apart, so that this file passes its own test.
    let words = [["TO", "DO"].concat(), ["FIX", "ME"].concat(), ["XX", "X"].concat()];
    let mut found = Vec::new();
    for (path, text) in sources() {
        for (number, line) in text.lines().enumerate() {
            let unfinished = words
                .iter()
                .any(|word| line.split(|c: char| !c.is_alphanumeric()).any(|part| part == word));
            if unfinished && !line.contains("(#") {
                found.push(format!("{}:{}: {}", shown(&path), number + 1, line.trim()));
            }
        }
    }
    assert_none("name the issue, as in (#12)", found);
}

#[test]
fn the_top_level_is_exact() {
    let entries = fs::read_dir(root()).expect("the project's folder");
    let names: BTreeSet<String> = entries
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .filter(|name| !name.starts_with('.'))
        .collect();
    let expected: BTreeSet<String> = TOP_LEVEL.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(names, expected);
}

#[test]
fn the_length_of_a_function_is_measured() {
    let text =
        "fn short() {\n    1\n}\n\nfn declared();\n\nimpl A {\n    fn long() {\n\n\n    }\n}\n";
    assert_eq!(functions(text), vec![(1, 3), (8, 4)]);
}
