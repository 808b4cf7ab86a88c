//! The command line as a whole: parsing, help, suggestions, keys from making to deleting.

mod genesis;
mod node;

use super::*;

fn parse(arguments: &[&str]) -> Result<Cli, clap::Error> {
    Cli::try_parse_from([&["cyberd"], arguments].concat())
}

fn answer(arguments: &[&str]) -> Result<Answer, Failure> {
    let cli = parse(arguments).expect("arguments");
    Context::new(&cli.global).and_then(|context| dispatch(&context, cli.command))
}

#[test]
fn the_command_line_is_well_formed() {
    Cli::command().debug_assert();
}

#[test]
fn every_command_has_a_help_with_an_example() {
    fn check(command: &clap::Command, path: &str) {
        let path = format!("{path} {}", command.get_name());
        if command.get_name() == "help" {
            return;
        }
        assert!(command.get_about().is_some(), "{path} says nothing about itself");
        if !command.has_subcommands() {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains("cyberd "), "{path} has no example");
        }
        command.get_subcommands().for_each(|inner| check(inner, &path));
    }
    Cli::command().get_subcommands().for_each(|command| check(command, "cyberd"));
}

#[test]
fn a_misspelt_command_gets_a_suggestion() {
    let error = parse(&["keys", "lst"]).expect_err("misspelt");
    let failure = usage_failure(&error);
    assert_eq!(failure.exit, Exit::Usage);
    assert_eq!(failure.message, "unrecognized subcommand 'lst'");
    assert!(failure.hint.is_some_and(|hint| hint.contains("'list'")));
    let missing = usage_failure(&parse(&["link", "dog"]).expect_err("no end"));
    assert!(missing.message.contains("<TO>") && !missing.message.contains("Usage"), "{missing}");
}

#[test]
fn json_is_recognised_in_a_line_that_cannot_be_read() {
    let words = |texts: &[&str]| texts.iter().map(OsString::from).collect::<Vec<_>>();
    assert!(asks_for_json(&words(&["cyberd", "--output", "json", "nonsense"])));
    assert!(asks_for_json(&words(&["cyberd", "nonsense", "--output=json"])));
    assert!(!asks_for_json(&words(&["cyberd", "nonsense", "json"])));
}

#[test]
fn a_key_is_made_shown_recovered_exported_and_deleted() {
    let folder = tempfile::tempdir().expect("folder");
    let home = folder.path().to_str().expect("path");
    let words_file = folder.path().join("words");
    let words_path = words_file.to_str().expect("path");
    let keys = |arguments: &[&str]| {
        answer(&[&["--home", home, "--keyring", "test", "keys"], arguments].concat())
    };
    let made = keys(&["add", "alice", "--mnemonic-out", words_path]).expect("add").json;
    assert!(made.get("mnemonic").is_none(), "the words are in the file only");
    let shown = keys(&["show", "alice", "--address"]).expect("show");
    assert_eq!(made["address"], serde_json::json!(shown.text));
    let again = keys(&["recover", "bob", "--mnemonic-file", words_path]).expect("recover").json;
    assert_eq!(again["address"], made["address"]);
    let listed = keys(&["list"]).expect("list").json;
    assert_eq!(listed["keys"].as_array().map(Vec::len), Some(2));
    let exported = keys(&["export", "alice", "--show-secret"]).expect("export");
    assert_eq!(exported.text.len(), 64);
    keys(&["delete", "bob", "--yes"]).expect("delete");
    let missing = keys(&["show", "bob"]).expect_err("gone");
    assert_eq!((missing.exit, missing.code.as_str()), (Exit::Key, "client/key-missing"));
    let twice = keys(&["add", "alice"]).expect_err("taken");
    assert_eq!((twice.exit, twice.code.as_str()), (Exit::Key, "client/key-exists"));
}

#[test]
fn an_encrypted_key_takes_its_password_from_a_file() {
    let folder = tempfile::tempdir().expect("folder");
    let home = folder.path().to_str().expect("path");
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("write");
        path.to_str().expect("path").to_owned()
    };
    let (short, right, wrong) =
        (file("short", "1234567\n"), file("right", "long enough\n"), file("wrong", "other one\n"));
    let keys = |password: &str, arguments: &[&str]| {
        let all = [&["--home", home, "--password-file", password, "keys"], arguments].concat();
        answer(&all)
    };
    assert_eq!(keys(&short, &["add", "a"]).expect_err("short").code, "client/no-password");
    keys(&right, &["add", "a"]).expect("add");
    let failure = keys(&wrong, &["export", "a", "--show-secret"]).expect_err("wrong");
    assert_eq!((failure.exit, failure.code.as_str()), (Exit::Key, "client/wrong-password"));
    assert!(keys(&right, &["export", "a", "--show-secret"]).is_ok());
}
