//! Parameters of the source: of consensus, of the bank, and of go-cyber's own modules. What has the
//! same meaning here is taken over if it is within our ranges; the rest keeps our defaults.

use super::report::SectionReport;
use super::source::list;
use crate::engine::genesis::AppState;
use crate::modules::bank::genesis::{Metadata, SendEnabled};
use crate::types::Decimal;
use serde_json::{json, Value};

/// Consensus parameters over those of a new genesis.
pub fn consensus(source: &Value, ours: &mut Value, report: &mut SectionReport) {
    let params = match source.get("consensus_params") {
        Some(params) if !params.is_null() => params,
        _ => &source["consensus"]["params"],
    };
    let number = |value: &Value| value.as_str().and_then(|t| t.parse().ok()).or(value.as_i64());
    let within = [
        ("/block/max_bytes", 1, 100 << 20),
        ("/block/max_gas", 1, i64::MAX),
        ("/evidence/max_age_num_blocks", 1, i64::MAX),
        ("/evidence/max_age_duration", 1, i64::MAX),
        ("/evidence/max_bytes", 0, 100 << 20),
    ];
    for (pointer, low, high) in within {
        let name = pointer.trim_start_matches('/').replace('/', ".");
        let there = params.pointer(pointer);
        let kept = ours.pointer_mut(pointer).expect("a parameter of the template");
        match there.and_then(number) {
            Some(value) if (low..=high).contains(&value) => {
                *kept = json!(value.to_string());
                report.took(format!("{name} {value}"));
            }
            Some(value) => report.changed(format!(
                "{name} {value} became {}: {low} to {high} is right here",
                kept.as_str().unwrap_or_default()
            )),
            None => {}
        }
    }
    let bytes = ours["block"]["max_bytes"].clone();
    if number(&ours["evidence"]["max_bytes"]) > number(&bytes) {
        report.changed("evidence.max_bytes became block.max_bytes, which it may not exceed");
        ours["evidence"]["max_bytes"] = bytes;
    }
    let app = &params["version"]["app"];
    let newest = &ours["version"]["app"];
    if !app.is_null() && app != newest {
        report.changed(format!("version.app {app} became {newest}, that of this software"));
    }
    let types = &params["validator"]["pub_key_types"];
    if !types.is_null() && *types != json!(["ed25519"]) {
        report.changed(format!("validator.pub_key_types {types} became [\"ed25519\"]"));
    }
}

/// Parameters and metadata of the bank; `auth.params`.
pub fn bank(source: &Value, state: &mut AppState, report: &mut SectionReport) {
    let bank = &source["app_state"]["bank"];
    if let Some(enabled) = bank["params"]["default_send_enabled"].as_bool() {
        state.bank.params.default_send_enabled = enabled;
    }
    for entry in list(bank, "/send_enabled").iter().chain(list(bank, "/params/send_enabled")) {
        if let Ok(entry) = serde_json::from_value::<SendEnabled>(entry.clone()) {
            state.bank.send_enabled.retain(|other| other.denom != entry.denom);
            state.bank.send_enabled.push(entry);
        }
    }
    let (mut taken, mut left) = (Vec::new(), 0u64);
    for entry in list(bank, "/denom_metadata") {
        match serde_json::from_value::<Metadata>(entry.clone()) {
            Ok(metadata) if crate::types::coin::check_denom(&metadata.base).is_ok() => {
                taken.push(metadata);
            }
            _ => left += 1,
        }
    }
    if !taken.is_empty() {
        report.took(format!("metadata of {} denominations", taken.len()));
        taken.append(&mut state.bank.denom_metadata);
        taken.sort_by(|one, other| one.base.cmp(&other.base));
        taken.dedup_by(|one, other| one.base == other.base);
        state.bank.denom_metadata = taken;
    }
    if left > 0 {
        report.left(format!("metadata of {left} denominations that cannot be read"));
    }
    let auth = &source["app_state"]["auth"]["params"];
    if let Ok(params) = serde_json::from_value(auth.clone()) {
        state.auth.params = params;
        report.took("auth.params");
    }
}

/// A decimal as the SDK or go-cyber writes it.
fn decimal(value: &Value) -> Option<Decimal> {
    Decimal::parse(value.as_str()?).ok()
}

fn whole(value: &Value) -> Option<u64> {
    value.as_str().and_then(|text| text.parse().ok()).or_else(|| value.as_u64())
}

/// go-cyber's `bandwidth` and `rank`.
pub fn cyber(source: &Value, state: &mut AppState, reports: &mut Vec<SectionReport>) {
    let there = &source["app_state"]["bandwidth"]["params"];
    let mut report = SectionReport::new("bandwidth");
    if there.is_object() {
        let before = state.bandwidth.params.clone();
        let ours = &mut state.bandwidth.params;
        ours.recovery_period = whole(&there["recovery_period"]).unwrap_or(ours.recovery_period);
        ours.adjust_price_period =
            whole(&there["adjust_price_period"]).unwrap_or(ours.adjust_price_period);
        ours.base_price = decimal(&there["base_price"]).unwrap_or(ours.base_price);
        ours.base_load = decimal(&there["base_load"]).unwrap_or(ours.base_load);
        match ours.check() {
            Ok(()) => report.took(format!(
                "recovery_period {}, adjust_price_period {}, base_price {}",
                ours.recovery_period, ours.adjust_price_period, ours.base_price
            )),
            Err(reason) => {
                state.bandwidth.params = before;
                report.changed(format!("parameters became our defaults: {reason}"));
            }
        }
        report.changed(format!(
            "max_block_bandwidth {} became {}: a link costs {} units here, and stake gives \
             bandwidth, not volts",
            there["max_block_bandwidth"],
            state.bandwidth.params.max_block_bandwidth,
            state.bandwidth.params.link_cost
        ));
    }
    reports.push(report);
    let there = &source["app_state"]["rank"]["params"];
    let mut report = SectionReport::new("rank");
    if there.is_object() {
        let before = state.rank.params.clone();
        let ours = &mut state.rank.params;
        ours.calculation_period =
            whole(&there["calculation_period"]).unwrap_or(ours.calculation_period);
        ours.damping_factor = decimal(&there["damping_factor"]).unwrap_or(ours.damping_factor);
        ours.tolerance = decimal(&there["tolerance"]).unwrap_or(ours.tolerance);
        match ours.check() {
            Ok(()) => report.took(format!(
                "calculation_period {}, damping_factor {}, tolerance {} (shown only)",
                ours.calculation_period, ours.damping_factor, ours.tolerance
            )),
            Err(reason) => {
                state.rank.params = before;
                report.changed(format!("parameters became our defaults: {reason}"));
            }
        }
        report
            .changed("ranks start cold: the first rounds compute them; stake weighs, not amperes");
    }
    reports.push(report);
}

/// Sections of which something is made, with the fields that are read or follow from these.
const READ: [(&str, &[&str]); 8] = [
    ("auth", &["params", "accounts"]),
    ("vesting", &[]),
    ("bank", &["params", "balances", "supply", "denom_metadata", "send_enabled"]),
    (
        "staking",
        &[
            "params",
            "validators",
            "delegations",
            "unbonding_delegations",
            "redelegations",
            "last_total_power",
            "last_validator_powers",
            "exported",
        ],
    ),
    ("genutil", &["gen_txs"]),
    ("bandwidth", &["params"]),
    ("rank", &["params"]),
    ("graph", &[]),
];

/// What nothing is made of, each with how much is in it and what becomes of it: whole sections, and
/// fields of others.
pub fn left_over(source: &Value, reports: &mut Vec<SectionReport>) {
    let Some(sections) = source["app_state"].as_object() else { return };
    let mut fields = SectionReport::new("fields of no meaning here");
    for (name, value) in sections.iter().filter(|(_, value)| !is_nothing(value)) {
        if let Some((_, read)) = READ.iter().find(|(section, _)| section == name) {
            let others = value.as_object().into_iter().flatten();
            let others = others
                .filter(|(field, value)| !read.contains(&field.as_str()) && !is_nothing(value));
            others.for_each(|(field, _)| fields.left(format!("app_state.{name}.{field}")));
            continue;
        }
        let mut report = SectionReport::new(name);
        let lists = value.as_object().into_iter().flatten();
        let lists: Vec<String> = lists
            .filter_map(|(field, value)| {
                let count = value.as_array().map(Vec::len).filter(|count| *count > 0)?;
                Some(format!("{count} {field}"))
            })
            .collect();
        let content = match lists.is_empty() {
            true => "parameters".to_owned(),
            false => lists.join(", "),
        };
        report.left(format!("{content}: {}", why(name)));
        reports.push(report);
    }
    let head = source.as_object().into_iter().flatten();
    let head = head.filter(|(field, value)| !HEAD.contains(&field.as_str()) && !is_nothing(value));
    head.for_each(|(field, _)| fields.left(field.clone()));
    reports.push(fields);
}

/// Fields of the head that are read, or that a new chain has no use for.
const HEAD: [&str; 10] = [
    "genesis_time",
    "chain_id",
    "initial_height",
    "consensus_params",
    "consensus",
    "validators",
    "app_hash",
    "app_state",
    "app_name",
    "app_version",
];

/// Whether there is nothing in it that could be taken over.
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(fields) => fields.values().all(is_nothing),
        _ => false,
    }
}

fn why(module: &str) -> &'static str {
    match module {
        "distribution" => {
            "rewards and the community pool stay as coins of the module's account; this chain \
             distributes nothing yet"
        }
        "mint" => "this chain mints nothing yet",
        "slashing" | "evidence" => "this chain punishes nobody yet; missed blocks start at none",
        "gov" => "deposits stay as coins of the module's account; this chain votes on nothing yet",
        "resources" => {
            "what was invested stays as coins of its owners; volts and amperes are coins"
        }
        "grid" => "routes of energy have no meaning without volts and amperes",
        "liquidity" => "reserves stay as coins of the pools' accounts",
        "wasm" | "dmn" | "clock" => "this chain runs no contracts; their coins stay with them",
        "transfer" | "ibc" | "interchainaccounts" | "packetfowardmiddleware" | "icq" => {
            "this chain talks to no other; vouchers stay as coins of their owners"
        }
        _ => "no module of this chain has it",
    }
}
