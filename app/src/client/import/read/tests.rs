//! Files of links as people write them, wrong lines included.

use super::*;
use crate::client::keys::{Backend, Secret};
use crate::types::cid::particle_of_text;
use std::io::Write;

/// A home with the keys alice and bob.
struct Home {
    _folder: tempfile::TempDir,
    keys: KeyStore,
}

impl Home {
    fn new() -> Home {
        let folder = tempfile::tempdir().expect("folder");
        let keys = KeyStore::new(folder.path(), Some(Backend::Test));
        for (name, byte) in [("alice", 1), ("bob", 2)] {
            let secret = Secret::of_bytes(&[byte; 32]).expect("secret");
            keys.add(name, &secret, &mut |_| panic!("nothing asks")).expect("add");
        }
        Home { _folder: folder, keys }
    }

    fn neurons(&self, default: Option<&str>) -> Neurons<'_> {
        let default = default.map(|name| self.keys.show(name).expect("key"));
        Neurons { keys: &self.keys, prefix: "bostrom", default }
    }

    fn read(&self, text: &str, columns: Columns, default: Option<&str>) -> Plan {
        read_lines(text.as_bytes(), columns, &self.neurons(default), [0; 32]).expect("plan")
    }
}

fn cid(text: &str) -> String {
    particle_of_text(text).1.to_cid()
}

fn links(plan: &Plan, lane: usize) -> Vec<(&str, &str)> {
    plan.lanes[lane].links.iter().map(|link| plan.ends(*link)).collect()
}

#[test]
fn lines_with_neurons_are_sorted_by_neuron_in_their_order() {
    let home = Home::new();
    let text = "bob\tdog\tanimal\nalice\tcat\tanimal\nbob\t cat \tdog\r\n\n";
    let plan = home.read(text, Columns::Tabs, None);
    assert!(plan.wrong.is_empty(), "{:?}", plan.wrong);
    let names: Vec<&str> = plan.lanes.iter().map(|lane| lane.key.as_str()).collect();
    assert_eq!(names, ["bob", "alice"]);
    let (dog, cat, animal) = (cid("dog"), cid("cat"), cid("animal"));
    assert_eq!(links(&plan, 0), [(dog.as_str(), animal.as_str()), (&cat, &dog)]);
    assert_eq!(links(&plan, 1), [(cat.as_str(), animal.as_str())]);
}

#[test]
fn lines_without_neurons_belong_to_the_key_that_was_given() {
    let home = Home::new();
    let text = format!("dog\tanimal\n{}\tcat\n", cid("dog"));
    let plan = home.read(&text, Columns::Tabs, Some("alice"));
    assert_eq!((plan.lanes.len(), plan.lanes[0].links.len()), (1, 2));
    let (dog, cat) = (cid("dog"), cid("cat"));
    assert_eq!(links(&plan, 0)[1], (dog.as_str(), cat.as_str()));
    let without = home.read(&text, Columns::Tabs, None);
    assert_eq!(without.wrong.len(), 2);
    assert!(without.wrong[0].reason.contains("--from"));
}

#[test]
fn every_wrong_line_is_named_and_the_rest_is_taken() {
    let home = Home::new();
    let mut text = Vec::new();
    let raw_leaf = "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy";
    for line in [
        "alice\tdog\tanimal",
        "one column",
        "alice\ta\tb\tc",
        "alice\tdog\tdog",
        "alice\t\tdog",
        "carol\tdog\tcat",
        &format!("alice\t{raw_leaf}\tcat"),
        "alice\tcat\tanimal",
    ] {
        text.extend_from_slice(line.as_bytes());
        text.push(b'\n');
    }
    text.extend_from_slice(b"alice\tcat\t\xff\n");
    let plan = read_lines(&text, Columns::Tabs, &home.neurons(None), [0; 32]).expect("plan");
    let wrong: Vec<(u64, &str)> =
        plan.wrong.iter().map(|wrong| (wrong.line, wrong.reason.as_str())).collect();
    let lines: Vec<u64> = wrong.iter().map(|(line, _)| *line).collect();
    assert_eq!(lines, [2, 3, 4, 5, 6, 7, 9]);
    assert!(wrong[0].1.contains("1 column") && wrong[1].1.contains("4 column"));
    assert!(wrong[2].1.contains("itself") && wrong[3].1.contains("empty"), "{wrong:?}");
    assert!(wrong[4].1.contains("carol") && wrong[5].1.contains("codec"), "{wrong:?}");
    assert!(wrong[6].1.contains("UTF-8 from byte 11"), "{wrong:?}");
    assert_eq!(plan.lanes[0].links.len(), 2);
}

#[test]
fn a_repeated_link_is_counted_and_left_out_per_neuron() {
    let home = Home::new();
    let text = "alice\tdog\tcat\nalice\tdog\t cat\nbob\tdog\tcat\nalice\tcat\tdog\n";
    let plan = home.read(text, Columns::Tabs, None);
    assert_eq!((plan.repeated, plan.lanes[0].links.len(), plan.lanes[1].links.len()), (1, 2, 1));
}

#[test]
fn commas_and_quotes_are_read_as_spreadsheets_write_them() {
    let home = Home::new();
    let text = "\"a, \"\"b\"\"\",c\nalice,d,e\n\"open,c\n\"a\"b,c\n";
    let plan = home.read(text, Columns::Commas, Some("bob"));
    let (first, c) = (cid("a, \"b\""), cid("c"));
    assert_eq!(links(&plan, 0), [(first.as_str(), c.as_str())]);
    assert_eq!(plan.lanes[1].key, "alice");
    let lines: Vec<u64> = plan.wrong.iter().map(|wrong| wrong.line).collect();
    assert_eq!(lines, [3, 4]);
}

#[test]
fn a_packed_file_is_unpacked_and_named_by_its_bytes() {
    let home = Home::new();
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("links.tsv.gz");
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packer.write_all(b"alice\tdog\tcat\n").expect("pack");
    let packed = packer.finish().expect("packed");
    std::fs::write(&path, &packed).expect("write");
    let plan = read_file(&path, &home.neurons(None)).expect("plan");
    assert_eq!((plan.total(), plan.source), (1, sha256(&packed)));
    std::fs::write(&path, &packed[..packed.len() - 9]).expect("cut");
    assert!(read_file(&path, &home.neurons(None)).is_err(), "a torn file is not half imported");
    assert!(read_file(&folder.path().join("none"), &home.neurons(None)).is_err());
}
