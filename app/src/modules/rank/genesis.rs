//! The `rank` section of the genesis file. Without the state part ranks start cold.

use super::{state, Frozen, Params, Published};
use crate::error::Fault;
use crate::modules::bank;
use crate::state::Write;
use crate::store::GenesisRanks;
use crate::types::{Address, ParticleNumber};
use base64::{engine::general_purpose::STANDARD, Engine};

/// `app_state.rank`.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RankGenesis {
    #[serde(default)]
    pub params: Params,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<RankState>,
}

/// Everything a round needs to go on bit for bit.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RankState {
    /// The code of every particle in the order of numbers, 0 where no round ranked it yet.
    pub codes: Vec<u32>,
    /// (neuron, rank-stake), in the order of addresses.
    pub stakes: Vec<(String, u64)>,
    /// The running round, protobuf in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frozen: Option<String>,
    /// The last published round, protobuf in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published: Option<String>,
    /// The records of all rounds, protobuf in base64.
    #[serde(default)]
    pub rounds: Vec<String>,
}

/// What of [`RankState`] stands outside the section.
#[derive(Debug, Default)]
pub struct MoreRanks {
    pub codes: Vec<u32>,
    pub stakes: Vec<(Address, u64)>,
    pub rounds: Vec<Vec<u8>>,
}

/// Reads the section into the state, after the graph's and the bank's. What is no key comes back:
/// the store takes the codes and the round records. `more`: lists that stand elsewhere; those of
/// the section come first.
pub fn init(
    state: &mut dyn Write,
    section: &RankGenesis,
    prefix: &str,
    stake_denom: &str,
    more: MoreRanks,
) -> Result<Option<GenesisRanks>, Fault> {
    let fault = |text: String| Fault::Genesis(format!("app_state.rank.{text}"));
    let mut params = section.params.clone();
    params.check().map_err(|text| fault(format!("params.{text}")))?;
    let millionth = bank::state::supply(state, stake_denom).0 / 1_000_000;
    let millionth = u64::try_from(millionth).expect("the supply is at most 2^63");
    params.source_stake.get_or_insert(millionth);
    state::set_params(state, &params);
    let Some(warm) = &section.state else {
        return Ok(None);
    };
    for (text, stake) in &warm.stakes {
        let neuron = Address::parse(text, prefix)
            .map_err(|error| fault(format!("state.stakes: '{text}': {error}")))?;
        state::set_stake(state, &neuron, *stake);
    }
    for (neuron, stake) in &more.stakes {
        state::set_stake(state, neuron, *stake);
    }
    let codes: Vec<u32> = warm.codes.iter().chain(&more.codes).copied().collect();
    let mut code_bits = params.code_bits;
    if let Some(text) = &warm.published {
        let published: Published = record(text).map_err(fault)?;
        code_bits = published.code_bits;
        state::set_published(state, &published);
    }
    let particles = state.graph_size().0 .0 as usize;
    if codes.len() != particles {
        let codes = codes.len();
        return Err(fault(format!("state.codes: {codes} codes for {particles} particles")));
    }
    let canonical = |code: &u32| *code == 0 || cyber_kernels::code::is_canonical(*code, code_bits);
    if let Some(at) = codes.iter().position(|code| !canonical(code)) {
        return Err(fault(format!("state.codes[{at}] {} is no code", codes[at])));
    }
    if let Some(text) = &warm.frozen {
        let frozen: Frozen = record(text).map_err(fault)?;
        let (particles, links) = state.graph_size();
        if frozen.particles > particles.0 || frozen.links > links.0 {
            return Err(fault(
                "state.frozen: the running round froze more than the graph holds".into(),
            ));
        }
        state::set_frozen(state, Some(&frozen));
    }
    let rounds = warm.rounds.iter().map(|text| {
        let record = STANDARD.decode(text);
        record.map_err(|error| fault(format!("state.rounds: {error}")))
    });
    let mut rounds = rounds.collect::<Result<Vec<_>, _>>()?;
    rounds.extend(more.rounds);
    let codes = (0..).map(ParticleNumber).zip(codes);
    let codes = codes.filter(|(_, code)| *code != 0).collect();
    Ok(Some(GenesisRanks { code_bits, codes, rounds }))
}

fn record<M: prost::Message + Default>(text: &str) -> Result<M, String> {
    let bytes =
        STANDARD.decode(text).map_err(|error| format!("state: a record in base64: {error}"))?;
    M::decode(bytes.as_slice()).map_err(|error| format!("state: a record in base64: {error}"))
}

/// Writes a record as the section has it.
pub fn text_of(record: &impl prost::Message) -> String {
    STANDARD.encode(record.encode_to_vec())
}
