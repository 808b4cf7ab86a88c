//! The keys: name, what is right, how the text becomes a setting.

use super::{Config, Device, GasPrice};
use crate::abci::address::Address;
use crate::telemetry::logs;
use crate::types::{coin, Decimal};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

/// One setting.
pub struct Key {
    /// `section.key`.
    pub name: &'static str,
    /// What would be right, for the error.
    pub right: &'static str,
    /// Takes the text over; the error may say more exactly than `right` what would be right.
    pub set: fn(&mut Config, &str) -> Result<(), Option<String>>,
}

impl Key {
    /// The part of the name before the point, empty if there is none.
    pub fn section(&self) -> &'static str {
        self.name.split_once('.').map_or("", |(section, _)| section)
    }
}

/// The key of this name.
pub fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

const MB: u64 = 1_000_000;

/// Every key there is, in the order of `config/app.toml`.
pub const KEYS: &[Key] = &[
    Key {
        name: "threads",
        right: "a number from 0 (one for each core) to 1024",
        set: |config, text| {
            config.threads = match number(text, 0..=1024)? {
                0 => std::thread::available_parallelism().map_or(1, usize::from),
                threads => small(threads),
            };
            Ok(())
        },
    },
    Key {
        name: "abci.listen",
        right: "empty, unix:///path/to/abci.sock or tcp://127.0.0.1:PORT",
        set: |config, text| {
            config.abci_listen = match text {
                "" => Address::in_home(&config.home),
                _ => Address::parse(text).map_err(|e| Some(e.to_string()))?,
            };
            Ok(())
        },
    },
    Key {
        name: "cometbft.rpc",
        right: "http://HOST:PORT",
        set: |config, text| {
            let text = text.replacen("tcp://", "http://", 1);
            let host = text.strip_prefix("http://").filter(|rest| rest.contains(':'));
            let parsed = host.and_then(|_| tendermint_rpc::HttpClientUrl::try_from(&*text).ok());
            parsed.ok_or(None)?;
            config.cometbft_rpc = text;
            Ok(())
        },
    },
    Key {
        name: "fees.minimum_gas_prices",
        right: "empty or prices such as 0.01boot, with commas, each denomination once",
        set: |config, text| {
            config.minimum_gas_prices = gas_prices(text)?;
            Ok(())
        },
    },
    Key {
        name: "store.history_memory_mb",
        right: "a number of megabytes from 0 to 1,000,000",
        set: |config, text| {
            config.history_memory_bytes = number(text, 0..=1_000_000)? * MB;
            Ok(())
        },
    },
    Key {
        name: "store.checkpoint_heights",
        right: "a number of heights from 1 to 1,000,000",
        set: |config, text| {
            config.checkpoint_heights = number(text, 1..=1_000_000)?;
            Ok(())
        },
    },
    Key {
        name: "store.free_disk_min_mb",
        right: "a number of megabytes from 0 to 1,000,000",
        set: |config, text| {
            config.free_disk_min_bytes = number(text, 0..=1_000_000)? * MB;
            Ok(())
        },
    },
    Key {
        name: "store.disk_reserve_mb",
        right: "a number of megabytes from 0 (none) to 1,000,000",
        set: |config, text| {
            config.reserve_bytes = number(text, 0..=1_000_000)? * MB;
            Ok(())
        },
    },
    Key {
        name: "store.retain_blocks",
        right: "0 (all) or a number of blocks from 1,000 to 1,000,000,000",
        set: |config, text| {
            config.retain_blocks = match text {
                "0" => 0,
                _ => number(text, 1_000..=1_000_000_000)?,
            };
            Ok(())
        },
    },
    Key {
        name: "store.snapshot_interval",
        right: "a number of heights from 0 (no snapshots) to 1,000,000",
        set: |config, text| {
            config.snapshot_interval = number(text, 0..=1_000_000)?;
            Ok(())
        },
    },
    Key {
        name: "store.start_over",
        right: "true or false",
        set: |config, text| {
            config.start_over = text.parse().map_err(|_| None)?;
            Ok(())
        },
    },
    Key {
        name: "rank.device",
        right: "auto, cpu or gpu",
        set: |config, text| {
            config.rank_device = match text {
                "auto" => Device::Auto,
                "cpu" => Device::Cpu,
                "gpu" => Device::Gpu,
                _ => return Err(None),
            };
            Ok(())
        },
    },
    Key {
        name: "rank.worker",
        right: "empty or the path of cyber-gpu",
        set: |config, text| {
            config.rank_worker = match text {
                "" => beside_us("cyber-gpu"),
                _ => PathBuf::from(text),
            };
            Ok(())
        },
    },
    Key {
        name: "rank.delta_rounds",
        right: "a number of rounds from 0 to 1,000,000",
        set: |config, text| {
            config.delta_rounds = number(text, 0..=1_000_000)?;
            Ok(())
        },
    },
    Key {
        name: "search.enabled",
        right: "true or false",
        set: |config, text| {
            config.search = text.parse().map_err(|_| None)?;
            Ok(())
        },
    },
    Key {
        name: "query.rows_max",
        right: "a number from 1 to 10,000",
        set: |config, text| {
            config.query.rows_max = small(number(text, 1..=10_000)?);
            Ok(())
        },
    },
    Key {
        name: "query.bytes_max",
        right: "a number of bytes from 10,000 to 100,000,000",
        set: |config, text| {
            config.query.bytes_max = small(number(text, 10_000..=100_000_000)?);
            Ok(())
        },
    },
    Key {
        name: "query.time_limit_ms",
        right: "a number of milliseconds from 10 to 60,000",
        set: |config, text| {
            config.query.time_limit = Duration::from_millis(number(text, 10..=60_000)?);
            Ok(())
        },
    },
    Key {
        name: "query.threads",
        right: "a number from 1 to 256",
        set: |config, text| {
            config.query.threads = small(number(text, 1..=256)?);
            Ok(())
        },
    },
    Key {
        name: "api.grpc_listen",
        right: "empty or an address such as 127.0.0.1:9090",
        set: |config, text| {
            config.api.grpc_listen = listen(text)?;
            Ok(())
        },
    },
    Key {
        name: "api.rest_listen",
        right: "empty or an address such as 127.0.0.1:1317",
        set: |config, text| {
            config.api.rest_listen = listen(text)?;
            Ok(())
        },
    },
    Key {
        name: "api.cors_origins",
        right: "empty, * or origins such as https://cyb.ai, with commas",
        set: |config, text| {
            config.api.cors_origins = origins(text)?;
            Ok(())
        },
    },
    Key {
        name: "api.connections_max",
        right: "a number from 1 to 65,536",
        set: |config, text| {
            config.api.connections_max = small(number(text, 1..=65_536)?);
            Ok(())
        },
    },
    Key {
        name: "api.body_bytes_max",
        right: "a number of bytes from 10,000 to 100,000,000",
        set: |config, text| {
            config.api.body_bytes_max = small(number(text, 10_000..=100_000_000)?);
            Ok(())
        },
    },
    Key {
        name: "api.waiting_max",
        right: "a number from 0 to 65,536",
        set: |config, text| {
            config.api.waiting_max = small(number(text, 0..=65_536)?);
            Ok(())
        },
    },
    Key {
        name: "api.watchers_max",
        right: "a number from 0 to 65,536",
        set: |config, text| {
            config.api.watchers_max = small(number(text, 0..=65_536)?);
            Ok(())
        },
    },
    Key {
        name: "health.listen",
        right: "empty or an address such as 127.0.0.1:26661",
        set: |config, text| {
            config.health_listen = listen(text)?;
            Ok(())
        },
    },
    Key {
        name: "health.head_age_max_s",
        right: "a number of seconds from 1 to 86,400",
        set: |config, text| {
            config.head_age_max = Duration::from_secs(number(text, 1..=86_400)?);
            Ok(())
        },
    },
    Key {
        name: "log.format",
        right: "text or json",
        set: |config, text| {
            config.log_format = text.parse().map_err(Some)?;
            Ok(())
        },
    },
    Key {
        name: "log.level",
        right: "a level such as info or info,cyberd::abci=debug",
        set: |config, text| {
            logs::filter(text).map_err(Some)?;
            config.log_level = text.to_owned();
            Ok(())
        },
    },
];

/// A program in the folder of this one.
fn beside_us(name: &str) -> PathBuf {
    std::env::current_exe().map_or_else(|_| PathBuf::from(name), |own| own.with_file_name(name))
}

fn number(text: &str, range: RangeInclusive<u64>) -> Result<u64, Option<String>> {
    text.parse().ok().filter(|value| range.contains(value)).ok_or(None)
}

fn listen(text: &str) -> Result<Option<SocketAddr>, Option<String>> {
    match text {
        "" => Ok(None),
        _ => text.parse().map(Some).map_err(|_| None),
    }
}

fn origins(text: &str) -> Result<Vec<String>, Option<String>> {
    let origins = text.split(',').map(str::trim).filter(|origin| !origin.is_empty());
    let is_origin = |origin: &str| {
        let host = origin.split_once("://").map_or("", |(_, host)| host);
        origin == "*" || !host.is_empty() && host.bytes().all(|b| b.is_ascii_graphic() && b != b'/')
    };
    origins.map(|it| is_origin(it).then(|| it.to_owned()).ok_or(None)).collect()
}

fn small(value: u64) -> usize {
    usize::try_from(value).expect("the keys' ranges end far below")
}

fn gas_prices(text: &str) -> Result<Vec<GasPrice>, Option<String>> {
    let mut seen = BTreeSet::new();
    let prices = text.split(',').map(str::trim).filter(|_| !text.trim().is_empty());
    prices
        .map(|price| {
            let split = price.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or(None)?;
            let (amount, denom) = price.split_at(split);
            coin::check_denom(denom).map_err(|_| None)?;
            let amount = Decimal::parse(amount).map_err(|_| None)?;
            let is_new = seen.insert(denom);
            is_new.then(|| GasPrice { amount, denom: denom.to_owned() }).ok_or(None)
        })
        .collect()
}
