//! Sources, precedence, refusals.

use super::*;

fn load(file: &str, environment: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let home = tempfile::tempdir().expect("a directory");
    let path = Config::path(home.path());
    std::fs::create_dir_all(path.parent().expect("in the home")).expect("a directory");
    std::fs::write(path, file).expect("a file");
    let environment = environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
    Config::load(home.path(), &[("threads", "7".to_owned())], environment)
}

fn refusal(file: &str, environment: &[(&str, &str)]) -> String {
    load(file, environment).expect_err("it is wrong").to_string()
}

#[test]
fn the_template_is_complete() {
    let table: toml::Table = TEMPLATE.parse().expect("toml");
    let written: Vec<_> = entries(&table).into_iter().map(|(name, _)| name).collect();
    let known: Vec<_> = KEYS.iter().map(|key| key.name.to_owned()).collect();
    let sorted = |mut names: Vec<String>| {
        names.sort();
        names
    };
    assert_eq!(sorted(written), sorted(known));
    let mut before = "";
    for line in TEMPLATE.lines() {
        if line.contains(" = ") && !line.starts_with('#') {
            assert!(before.starts_with('#') || before.contains(" = "), "no comment: {line}");
        }
        before = line;
    }
    let config = Config::of_template(Path::new("/home/x"));
    assert_eq!(config.abci_listen.to_string(), "unix:///home/x/abci.sock");
    assert_eq!(config.health_listen.expect("on").to_string(), "127.0.0.1:26661");
    assert_eq!((config.query.rows_max, config.query.bytes_max), (1000, 4_000_000));
    assert_eq!((config.history_memory_bytes, config.delta_rounds), (64_000_000, 100));
    assert_eq!(config.query.time_limit, Duration::from_secs(2));
    assert!(config.threads >= 1 && config.search);
    assert_eq!(config.rank_device, Device::Auto);
    assert!(config.rank_worker.ends_with("cyber-gpu"), "{:?}", config.rank_worker);
}

#[test]
fn a_flag_wins_over_the_environment_over_the_file_over_the_default() {
    let file = "threads = 2\n[query]\nrows_max = 20\nbytes_max = 20000\n";
    let environment = [("CYBERD_QUERY_ROWS_MAX", "30"), ("CYBERD_THREADS", "3"), ("PATH", "x")];
    let config = load(file, &environment).expect("all right");
    assert_eq!(config.threads, 7);
    assert_eq!(config.query.rows_max, 30);
    assert_eq!(config.query.bytes_max, 20_000);
    assert_eq!(config.delta_rounds, 100);
}

#[test]
fn a_home_without_a_file_has_the_defaults() {
    let home = Path::new("/nowhere/at/all");
    assert_eq!(Config::load(home, &[], []), Ok(Config::of_template(home)));
}

#[test]
fn unknown_keys_are_named_with_those_there_are() {
    let text = refusal("[query]\nrow_max = 5\n", &[]);
    assert!(text.contains("config/app.toml: there is no key 'query.row_max'"), "{text}");
    assert!(text.contains("query.rows_max, query.bytes_max"), "{text}");
    let text = refusal("speed = 5\n", &[]);
    assert!(text.contains("no key 'speed'; there are threads"), "{text}");
    let text = refusal("", &[("CYBERD_LOG_LEVLE", "info")]);
    assert!(text.contains("'CYBERD_LOG_LEVLE'; there are CYBERD_LOG_FORMAT"), "{text}");
    // Other parts of the program have names of their own.
    assert!(load("", &[("CYBERD_HOME", "x"), ("CYBERD_COMETBFT", "x")]).is_ok());
}

#[test]
fn bad_values_are_named_with_what_would_be_right() {
    let cases = [
        ("threads = -1", "threads = '-1' is wrong; right is a number from 0"),
        ("threads = \"many\"", "threads = 'many' is wrong"),
        ("[abci]\nlisten = \"tcp://0.0.0.0:1\"", "no authentication"),
        ("[abci]\nlisten = \"abci.sock\"", "unix:///path/to/abci.sock"),
        ("[cometbft]\nrpc = \"localhost\"", "http://HOST:PORT"),
        ("[fees]\nminimum_gas_prices = \"1\"", "such as 0.01boot"),
        ("[fees]\nminimum_gas_prices = \"1boot,2boot\"", "each denomination once"),
        ("[fees]\nminimum_gas_prices = \"-1boot\"", "such as 0.01boot"),
        ("[store]\ncheckpoint_heights = 0", "from 1 to 1,000,000"),
        ("[rank]\ndevice = \"tpu\"", "'tpu' is wrong; right is auto, cpu or gpu"),
        ("[search]\nenabled = 1", "true or false"),
        ("[health]\nlisten = \"26661\"", "127.0.0.1:26661"),
        ("[log]\nformat = \"xml\"", "text or json"),
        ("[log]\nlevel = \"cyberd=loud\"", "a level such as info"),
        ("[query", "config/app.toml: TOML parse error at line 1"),
        ("[query]\nrows_max = [1]", "query.rows_max = '[1]' is wrong"),
    ];
    for (file, expected) in cases {
        let text = refusal(file, &[]);
        assert!(text.contains(expected), "{file}: {text}");
    }
    let text = refusal("", &[("CYBERD_QUERY_THREADS", "0")]);
    assert!(text.contains("CYBERD_QUERY_THREADS: query.threads = '0' is wrong"), "{text}");
}

#[test]
fn prices_have_their_denominations() {
    let config = load("[fees]\nminimum_gas_prices = \"0.25boot, 3hydrogen\"", &[]).expect("right");
    let written: Vec<_> =
        config.minimum_gas_prices.iter().map(|p| format!("{}{}", p.amount, p.denom)).collect();
    assert_eq!(written, ["0.250000000000000000boot", "3.000000000000000000hydrogen"]);
    let none = load("[fees]\nminimum_gas_prices = \"\"", &[]).expect("right");
    assert!(none.minimum_gas_prices.is_empty());
}

#[test]
fn a_new_file_has_its_own_values_and_all_comments() {
    let text = file_text(&[("fees.minimum_gas_prices", "0boot"), ("query.threads", "9")]);
    let config = load(&text, &[]).expect("right");
    assert_eq!((config.query.threads, config.minimum_gas_prices.len()), (9, 1));
    assert_eq!(text.lines().count(), TEMPLATE.lines().count());
    assert_eq!(file_text(&[]), TEMPLATE);
}
