//! The content table after restarts, kills and damage.

use super::*;
use crate::types::cid::particle_of_text;

fn words(range: std::ops::Range<u32>) -> Vec<(Particle, String)> {
    range.map(|number| format!("word number {number}")).map(|text| (of(&text), text)).collect()
}

fn of(text: &str) -> Particle {
    particle_of_text(text).1
}

fn add(table: &mut ContentTable, words: &[(Particle, String)]) {
    table.add(words.iter().map(|(particle, text)| (particle, text.as_str()))).expect("add");
}

#[test]
fn texts_are_found_by_their_particles_also_after_a_restart() {
    let home = tempfile::tempdir().expect("folder");
    let mut table = ContentTable::open(home.path()).expect("empty");
    assert!(table.is_empty() && table.text(&of("dog")).is_none());
    add(&mut table, &words(0..3));
    assert_eq!(table.text(&of("word number 2")).as_deref(), Some("word number 2"));
    let again = ContentTable::open(home.path()).expect("again");
    assert_eq!(again.len(), 3);
    assert_eq!(again.text(&of("word number 0")).as_deref(), Some("word number 0"));
    assert_eq!(again.text(&of("word number 3")), None);
}

#[test]
fn many_texts_are_indexed_and_a_second_time_is_no_change() {
    let home = tempfile::tempdir().expect("folder");
    let mut table = ContentTable::open(home.path()).expect("empty");
    let all = words(0..10_000);
    add(&mut table, &all);
    add(&mut table, &words(9_000..10_100));
    add(&mut table, &all);
    let again = ContentTable::open(home.path()).expect("again");
    assert_eq!(again.len(), 10_100);
    assert!(again.end - again.index.covers <= TAIL_BYTES, "the index is kept up");
    for (particle, text) in words(0..10_100).iter().step_by(97) {
        assert_eq!(again.text(particle).as_ref(), Some(text));
    }
    assert_eq!(again.text(&of("unknown")), None);
}

#[test]
fn a_record_cut_off_by_a_kill_is_dropped() {
    let home = tempfile::tempdir().expect("folder");
    let mut table = ContentTable::open(home.path()).expect("empty");
    add(&mut table, &words(0..3));
    let path = home.path().join("content/texts.log");
    let whole = std::fs::read(&path).expect("log");
    for cut in 1..whole.len() {
        std::fs::write(&path, &whole[..cut]).expect("cut");
        let mut table = ContentTable::open(home.path()).expect("open");
        assert!(table.len() < 3);
        add(&mut table, &words(5..6));
        let again = ContentTable::open(home.path()).expect("again");
        assert_eq!(again.text(&of("word number 5")).as_deref(), Some("word number 5"), "{cut}");
    }
}

#[test]
fn a_damaged_index_is_made_again_and_a_damaged_text_is_not_shown() {
    let home = tempfile::tempdir().expect("folder");
    let mut table = ContentTable::open(home.path()).expect("empty");
    add(&mut table, &words(0..10_000));
    let index = home.path().join("content/texts.index");
    std::fs::write(&index, b"cybertx1 and nonsense").expect("damage");
    let table = ContentTable::open(home.path()).expect("open");
    assert_eq!(table.text(&of("word number 7")).as_deref(), Some("word number 7"));
    let path = home.path().join("content/texts.log");
    let log = std::fs::read(&path).expect("log");
    let place = log.windows(13).position(|part| part == b"word number 7").expect("there");
    let mut damaged = log.clone();
    damaged[place] = b'W';
    std::fs::write(&path, damaged).expect("damage");
    let table = ContentTable::open(home.path()).expect("open");
    assert_eq!(table.text(&of("word number 7")), None);
    assert_eq!(table.text(&of("word number 8")).as_deref(), Some("word number 8"));
}

#[test]
fn a_text_that_is_too_long_is_left_out() {
    let home = tempfile::tempdir().expect("folder");
    let mut table = ContentTable::open(home.path()).expect("empty");
    let long = "a".repeat(LONGEST_TEXT_BYTES + 1);
    let texts = [(of(&long), long.clone()), (of("b"), "b".to_owned())];
    add(&mut table, &texts);
    assert_eq!(table.len(), 1);
    assert_eq!(table.text(&of("b")).as_deref(), Some("b"));
}
