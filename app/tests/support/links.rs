//! Links for tests: parts of the sample graph, as files.

use flate2::read::GzDecoder;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The sample graph's lines: neuron, from, to.
pub fn sample() -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testnet/sample/links.tsv.gz");
    let mut text = String::new();
    let file = std::fs::File::open(path).expect("the sample graph");
    GzDecoder::new(file).read_to_string(&mut text).expect("the sample is sound");
    text.lines().map(str::to_owned).collect()
}

/// The ends of a line.
pub fn ends(line: &str) -> (&str, &str) {
    let mut columns = line.split('\t').skip(1);
    (columns.next().expect("from"), columns.next().expect("to"))
}

/// All links around a word, and every `step`th of the others.
pub fn around(word: &str, step: usize) -> Vec<String> {
    let near = |line: &str| {
        let (from, to) = ends(line);
        from == word || to == word
    };
    let lines = sample().into_iter().enumerate();
    lines.filter(|(at, line)| near(line) || at % step == 0).map(|(_, line)| line).collect()
}

/// Writes lines to a file.
pub fn write(path: &Path, lines: &[String]) -> PathBuf {
    std::fs::write(path, lines.join("\n") + "\n").expect("a file of links");
    path.to_owned()
}
