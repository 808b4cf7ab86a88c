//! A home as an earlier version left it: this version opens it and goes on, block by block, to the
//! hashes that are pinned. Fixtures are never written again once they are released: a version that
//! cannot open one has to learn it.
//!
//! The home of the present format: `CYBERD_WRITE_FIXTURE=1 cargo test -p cyberd --test fixture`.

use cyberd::engine::{Engine, Options};
use cyberd::store::{self, Store};
use cyberd::testkit::{story, Chain};
use cyberd::types::Height;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use flate2::Compression;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

/// The format that this version writes.
const PRESENT: &str = "store-2";
/// Every format there was.
const FORMATS: [&str; 1] = [PRESENT];
/// The height the homes are at: with checkpoints, a round that runs, and a journal after them.
const HEIGHT: Height = Height(33);
/// A story that goes further, and its last hash.
const BLOCKS: usize = 44;
const LAST_HASH: &str = "a918e3aa594be0851f666a38fcd6e01416099360c1971e71685c6d7778de290f";

fn fixture(format: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(format!("{format}.gz"))
}

fn told() -> Chain {
    let mut chain = Chain::new();
    story::tell(&mut chain, 7, BLOCKS);
    chain
}

fn options() -> store::Options {
    store::Options { checkpoint_heights: 10, ..store::Options::default() }
}

/// All files of a folder, by their paths in it.
fn files(root: &Path, folder: &Path, found: &mut Vec<(String, Vec<u8>)>) {
    let mut entries: Vec<_> = std::fs::read_dir(folder).expect("a folder").flatten().collect();
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        if path.is_dir() {
            files(root, &path, found);
        } else {
            let name = path.strip_prefix(root).expect("within").to_str().expect("UTF-8");
            found.push((name.to_owned(), std::fs::read(&path).expect("a file")));
        }
    }
}

/// Lines `PATH BYTES`, each followed by the bytes, compressed.
fn pack(folder: &Path, to: &Path) {
    let mut found = Vec::new();
    files(folder, folder, &mut found);
    let mut out = GzEncoder::new(Vec::new(), Compression::best());
    for (name, bytes) in found {
        writeln!(out, "{name} {}", bytes.len()).expect("memory");
        out.write_all(&bytes).expect("memory");
    }
    std::fs::create_dir_all(to.parent().expect("a folder")).expect("a folder");
    std::fs::write(to, out.finish().expect("memory")).expect("written");
}

fn unpack(from: &Path, folder: &Path) {
    let mut bytes = Vec::new();
    let file = std::fs::File::open(from).expect("a fixture");
    GzDecoder::new(file).read_to_end(&mut bytes).expect("a whole fixture");
    let mut rest = &bytes[..];
    while !rest.is_empty() {
        let end = rest.iter().position(|byte| *byte == b'\n').expect("a line");
        let line = std::str::from_utf8(&rest[..end]).expect("UTF-8");
        let (name, length) = line.rsplit_once(' ').expect("name and length");
        let (content, after) = rest[end + 1..].split_at(length.parse().expect("a number"));
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, content).expect("written");
        rest = after;
    }
}

/// Writes the home of the present format.
fn write(chain: &Chain) {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::open(folder.path(), options()).expect("a new store");
    let engine = Engine::new(store, Options::default());
    engine.init_chain(&chain.genesis).expect("a genesis");
    for (block, hash) in chain.blocks.iter().take(HEIGHT.0 as usize) {
        assert_eq!(engine.finalize_block(block).expect("a block").app_hash, *hash);
        engine.commit().expect("a commit");
    }
    drop(engine);
    pack(folder.path(), &fixture(PRESENT));
    let bytes = std::fs::metadata(fixture(PRESENT)).expect("written").len();
    println!("{PRESENT}: {bytes} bytes, last hash {}", hex::encode(chain.blocks[BLOCKS - 1].1));
    assert!(bytes <= 200_000, "{bytes} bytes are too many for the project");
}

#[test]
fn homes_of_all_formats_are_opened_and_go_on_to_the_pinned_hash() {
    let chain = told();
    if std::env::var_os("CYBERD_WRITE_FIXTURE").is_some() {
        write(&chain);
    }
    for format in FORMATS {
        let folder = tempfile::tempdir().expect("a folder");
        unpack(&fixture(format), folder.path());
        let store = Store::open(folder.path(), options()).expect("it opens");
        let engine = Engine::new(store, Options::default());
        let info = engine.info();
        let at = HEIGHT.0 as usize;
        assert_eq!(info.height, HEIGHT, "{format}");
        assert_eq!(info.app_hash, chain.blocks[at - 1].1, "{format}");
        let mut last = String::new();
        for (block, hash) in &chain.blocks[at..] {
            let outcome = engine.finalize_block(block).expect("a block");
            assert_eq!(outcome.app_hash, *hash, "{format}, height {}", block.height);
            engine.commit().expect("a commit");
            last = hex::encode(outcome.app_hash);
        }
        assert_eq!(last, LAST_HASH, "{format}");
    }
}
