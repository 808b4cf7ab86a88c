//! The key store by its promises: what comes back, what is refused, what is never shown.

use super::*;

const WORDS: &str = "satisfy adjust timber high purchase tuition stool faith fine install that \
    you unaware feed domain license impose boss human eager hat rent enjoy dawn";
const CHEAP: u8 = 4;

fn store(folder: &Path, backend: Backend) -> KeyStore {
    KeyStore::new(folder, Some(backend)).with_work(CHEAP)
}

fn answer(password: &'static str) -> impl FnMut(&str) -> Result<Zeroizing<String>, KeyError> {
    move |_| Ok(Zeroizing::new(password.to_owned()))
}

fn nobody(_: &str) -> Result<Zeroizing<String>, KeyError> {
    panic!("nothing asks for a password here")
}

#[test]
fn words_give_the_accounts_that_cosmjs_gives() {
    let addresses = [
        "bostrom1phaxpevm5wecex2jyaqty2a4v02qj7qm5n94ug",
        "bostrom1vgtfjzs3f06y86tghna4hwu3vdzjzc3uyxtven",
        "bostrom1q8k5prkrlfla9zr9xsv78rx4x8d4vls47hss56",
    ];
    for (index, address) in (0..).zip(addresses) {
        let secret = Secret::of_words(WORDS, index).expect("words");
        assert_eq!(Address::of_key(&secret.public_key()).to_bech32("bostrom"), address);
    }
    let untidy = format!("  {}\n", WORDS.to_uppercase().replace(' ', "  "));
    let secret = Secret::of_words(&untidy, 0).expect("untidy words");
    assert_eq!(Address::of_key(&secret.public_key()).to_bech32("bostrom"), addresses[0]);
}

#[test]
fn twelve_words_of_the_standard_give_its_key() {
    let words = "abandon abandon abandon abandon abandon abandon abandon abandon abandon \
        abandon abandon about";
    let secret = Secret::of_words(words, 0).expect("words");
    let address = Address::of_key(&secret.public_key()).to_bech32("cosmos");
    assert_eq!(address, "cosmos19rl4cm2hmr8afy4kldpxz3fka4jguq0auqdal4");
}

#[test]
fn wrong_words_are_explained_without_being_repeated() {
    let text = |words: &str| Secret::of_words(words, 0).expect_err("wrong").to_string();
    assert!(text("one two three").contains("3 words given"));
    let unknown = WORDS.replace("timber", "tümber");
    assert!(text(&unknown).contains("word number 3") && !text(&unknown).contains("tümber"));
    let swapped = WORDS.replace("satisfy adjust", "adjust satisfy");
    assert!(text(&swapped).contains("checksum"));
}

#[test]
fn new_words_are_twenty_four_and_lead_back_to_the_key() {
    let (secret, words) = KeySource::New.secret().expect("new");
    let words = words.expect("new words");
    assert_eq!(words.split(' ').count(), 24);
    assert_eq!(Secret::of_words(&words, 0).expect("words").as_bytes(), secret.as_bytes());
    let (other, _) = KeySource::New.secret().expect("another");
    assert_ne!(other.as_bytes(), secret.as_bytes());
}

#[test]
fn an_encrypted_key_comes_back_with_its_password_only() {
    let folder = tempfile::tempdir().expect("folder");
    let store = store(folder.path(), Backend::File);
    let secret = Secret::of_words(WORDS, 0).expect("words");
    let info = store.add("alice", &secret, &mut answer("correct horse")).expect("add");
    assert_eq!(store.show("alice").expect("show"), info);
    assert_eq!(store.list().expect("list"), vec![info]);
    let key = store.open("alice", &mut answer("correct horse")).expect("open");
    assert_eq!(key.secret().as_bytes(), secret.as_bytes());
    let wrong = store.open("alice", &mut answer("wrong")).map(|_| ()).expect_err("wrong");
    assert!(matches!(wrong, KeyError::Password(_)), "{wrong}");
    assert_eq!(Failure::from(wrong).exit, Exit::Key);
    let text = std::fs::read_to_string(folder.path().join("keyring/alice.json")).expect("file");
    assert!(!text.contains(secret.to_hex().as_str()));
}

#[test]
fn a_plain_key_needs_no_password() {
    let folder = tempfile::tempdir().expect("folder");
    let store = store(folder.path(), Backend::Test);
    let secret = Secret::of_words(WORDS, 1).expect("words");
    store.add("bob", &secret, &mut nobody).expect("add");
    let key = store.open("bob", &mut nobody).expect("open");
    assert_eq!(key.secret().as_bytes(), secret.as_bytes());
}

#[test]
fn without_a_choice_both_stores_are_read() {
    let folder = tempfile::tempdir().expect("folder");
    let secret = Secret::of_words(WORDS, 0).expect("words");
    store(folder.path(), Backend::Test).add("dev", &secret, &mut nobody).expect("add");
    let both = KeyStore::new(folder.path(), None).with_work(CHEAP);
    assert_eq!(both.show("dev").expect("show").backend, Backend::Test);
    assert!(matches!(both.add("dev", &secret, &mut nobody), Err(KeyError::Exists(_))));
    both.add("own", &secret, &mut answer("password")).expect("add");
    assert_eq!(both.show("own").expect("show").backend, Backend::File);
    let address = secret.public_key();
    let found = both.by_address(&Address::of_key(&address)).expect("by address");
    assert_eq!(found.map(|info| info.name), Some("dev".to_owned()));
}

#[test]
fn a_deleted_key_is_gone_and_its_name_free() {
    let folder = tempfile::tempdir().expect("folder");
    let store = store(folder.path(), Backend::Test);
    let secret = Secret::of_words(WORDS, 0).expect("words");
    store.add("a", &secret, &mut nobody).expect("add");
    assert!(matches!(store.free("a"), Err(KeyError::Exists(_))));
    store.delete("a").expect("delete");
    assert!(matches!(store.show("a"), Err(KeyError::Missing { .. })));
    assert!(matches!(store.delete("a"), Err(KeyError::Missing { .. })));
    store.add("a", &secret, &mut nobody).expect("add again");
}

#[test]
fn names_that_lead_out_of_the_folder_are_refused() {
    let folder = tempfile::tempdir().expect("folder");
    let store = store(folder.path(), Backend::Test);
    for name in ["", "../a", "a/b", ".hidden", "a b", "ä", &"a".repeat(65)] {
        assert!(matches!(store.show(name), Err(KeyError::Name(_))), "{name}");
    }
}

#[test]
fn a_changed_key_file_is_noticed() {
    let folder = tempfile::tempdir().expect("folder");
    let store = store(folder.path(), Backend::File);
    let secret = Secret::of_words(WORDS, 0).expect("words");
    let other = Secret::of_words(WORDS, 1).expect("words");
    store.add("alice", &secret, &mut answer("password")).expect("add");
    let path = folder.path().join("keyring/alice.json");
    let text = std::fs::read_to_string(&path).expect("file");
    let open = |text: &str| {
        std::fs::write(&path, text).expect("write");
        store.open("alice", &mut answer("password")).map(|_| ())
    };
    let swapped = text.replace(&hex::encode(secret.public_key()), &hex::encode(other.public_key()));
    assert!(matches!(open(&swapped), Err(KeyError::Password(_))));
    assert!(matches!(
        open(&text.replace("\"log_n\": 4", "\"log_n\": 40")),
        Err(KeyError::Damaged { .. })
    ));
    assert!(matches!(open(&text[..40]), Err(KeyError::Damaged { .. })));
    assert!(open(&text).is_ok());
}

#[test]
fn a_private_key_is_64_digits_below_the_order() {
    assert!(Secret::of_hex(&"11".repeat(32)).is_ok());
    for bad in ["", "12", &"00".repeat(32), &"ff".repeat(32), &"zz".repeat(32)] {
        assert!(matches!(Secret::of_hex(bad), Err(KeyError::Hex)), "{bad}");
    }
}
