//! What links would cost a neuron now: the door itself is asked, on an overlay that is dropped.

use super::super::{Context, QueryError};
use super::links::neuron_address;
use crate::ante::{self, Budget, Mode};
use crate::error::{code, Refusal};
use crate::modules::bandwidth::{self, Cost, MICRO};
use crate::modules::graph::handler::{self, Earlier};
use crate::modules::{auth, Rules};
use crate::state::Overlay;
use crate::tx::{self, Msg, Tx};
use crate::types::{Address, Height, Particle};
use cyber_proto::cosmos::crypto::secp256k1::PubKey;
use cyber_proto::cosmos::tx::signing::v1beta1::SignMode;
use cyber_proto::cosmos::tx::v1beta1 as wire;
use cyber_proto::cyber::graph::v1beta1::{Link, MsgCyberlink};
use cyber_proto::cyberd::v1 as proto;
use cyber_proto::Any;
use prost::{Message, Name};

/// More than any parameters allow in a message.
const LINKS_MAX: usize = 1_000;
/// The gas limit of the transaction that is imagined: three bytes, as of any usual one.
const GAS_LIMIT: u64 = 200_000;

/// Costs and effects of links at the next height.
pub fn preview(
    context: &Context<'_>,
    mut request: proto::QueryPreviewRequest,
) -> Result<proto::QueryPreviewResponse, QueryError> {
    if !request.from.is_empty() || !request.to.is_empty() {
        let (from, to) = (request.from.clone(), request.to.clone());
        request.links.push(Link { from, to });
    }
    let asked = request.links.len();
    if asked == 0 || asked > LINKS_MAX {
        let text = format!("{asked} links asked about, 1 to {LINKS_MAX} at once are right");
        return Err(QueryError::invalid(text));
    }
    let neuron = neuron_address(context, &request.neuron)?;
    let snapshot = context.snapshot;
    let height = snapshot.height().next().expect("heights end far away");
    let exists: Vec<bool> =
        request.links.iter().map(|link| exists(context, &neuron, link)).collect();
    let tx = imagined(context, &neuron, &request)?;
    let estimated = u32::try_from(tx.bytes.len()).expect("requests are shorter");
    let tx_bytes = if request.tx_bytes == 0 { estimated } else { request.tx_bytes };
    let rules = Rules::read(snapshot);
    let params = &rules.bandwidth;
    let raw = bandwidth::raw_units(params, cost(context, &tx, tx_bytes));
    let quote = bandwidth::quote(snapshot, &rules, &neuron, height);
    let needed = bandwidth::charge(raw.unwrap_or(u64::MAX), quote.price);
    let refusal = refusal(context, &tx, height, &exists, request.skip_existing);
    let possible = refusal.is_none() && needed <= quote.available;
    let refusal = refusal.unwrap_or(Refusal::new(code::OK, ""));
    let left = if possible { quote.available - needed } else { quote.available };
    let recovered = |micro: u128| {
        let blocks = (micro * u128::from(params.recovery_period)).div_ceil(quote.maximum.max(1));
        height.0.saturating_add(blocks.min(params.recovery_period.into()) as u64)
    };
    let affordable_at = match needed {
        needed if needed <= quote.available => height.0,
        needed if needed <= quote.maximum => recovered(needed - quote.available),
        _ => 0,
    };
    Ok(proto::QueryPreviewResponse {
        exists,
        possible,
        codespace: refusal.code.space.to_owned(),
        code: refusal.code.number,
        reason: refusal.log,
        tx_bytes,
        cost: units(needed),
        available: units(quote.available),
        left: units(left),
        maximum: units(quote.maximum),
        price: quote.price.to_string(),
        affordable_at,
        full_at: recovered(quote.maximum.saturating_sub(left)),
    })
}

fn units(micro: u128) -> String {
    format!("{}.{:06}", micro / MICRO, micro % MICRO)
}

fn exists(context: &Context<'_>, neuron: &Address, link: &Link) -> bool {
    match (Particle::parse(&link.from), Particle::parse(&link.to)) {
        (Ok(from), Ok(to)) => handler::exists(context.snapshot, neuron, &from, &to),
        _ => false,
    }
}

/// The transaction as a wallet would make it: one message, one key, direct mode.
fn imagined(
    context: &Context<'_>,
    neuron: &Address,
    request: &proto::QueryPreviewRequest,
) -> Result<Tx, QueryError> {
    let message = MsgCyberlink {
        neuron: request.neuron.clone(),
        links: request.links.clone(),
        skip_existing: request.skip_existing,
    };
    let any = |type_url, value| Any { type_url, value };
    let body = wire::TxBody {
        messages: vec![any(MsgCyberlink::type_url(), message.encode_to_vec())],
        ..Default::default()
    };
    let account = auth::state::account(context.snapshot, neuron);
    let base = account.as_ref().map(|account| account.base());
    let stored = base.and_then(|base| base.pub_key.clone());
    let absent = any(PubKey::type_url(), PubKey { key: vec![2; 33] }.encode_to_vec());
    let mode = wire::mode_info::Single { mode: SignMode::Direct.into() };
    let signer = wire::SignerInfo {
        public_key: Some(stored.clone().unwrap_or(absent)),
        mode_info: Some(wire::ModeInfo { sum: Some(wire::mode_info::Sum::Single(mode)) }),
        sequence: base.map_or(0, |base| base.sequence),
    };
    let fee = wire::Fee { gas_limit: GAS_LIMIT, ..Default::default() };
    let auth_info =
        wire::AuthInfo { signer_infos: vec![signer], fee: Some(fee), ..Default::default() };
    let tx =
        wire::Tx { body: Some(body), auth_info: Some(auth_info), signatures: vec![vec![1; 64]] };
    let prefix = context.chain().address_prefix;
    let decoded = tx::decode_simulation(tx.encode_to_vec().into(), &prefix);
    let mut decoded = decoded.map_err(|refusal| QueryError::invalid(refusal.log))?;
    if stored.is_none() {
        // Its key is not known yet: a simulation asks for none.
        decoded.signer_infos.iter_mut().for_each(|info| info.public_key = None);
    }
    Ok(decoded)
}

fn cost(context: &Context<'_>, tx: &Tx, tx_bytes: u32) -> Cost {
    let mut cost = Cost { bytes: tx_bytes.into(), ..Cost::default() };
    let mut earlier = Earlier::new();
    for message in &tx.messages {
        let Msg::Cyberlink(message) = message else { continue };
        let counted = handler::count(context.snapshot, message, Some(&mut earlier));
        cost.new_links += counted.new;
        if message.skip_existing {
            cost.passed_over += counted.existing;
        }
    }
    cost
}

/// What the chain would refuse the transaction with.
fn refusal(
    context: &Context<'_>,
    tx: &Tx,
    height: Height,
    exists: &[bool],
    skip_existing: bool,
) -> Option<Refusal> {
    let mut scratch = Overlay::new(context.snapshot);
    let rules = Rules::read(context.snapshot);
    let mut budget = Budget::of_block(&rules);
    let of_door = ante::Context {
        mode: Mode::Simulate,
        rules: &rules,
        height,
        minimum_gas_prices: &[],
        verify: &|_, _, _, _| Ok(()),
    };
    if let Err(refusal) = ante::admit(&mut scratch, tx, &of_door, &mut budget) {
        return Some(refusal);
    }
    let made = exists.iter().position(|exists| *exists).filter(|_| !skip_existing)?;
    let text = format!("link {made}: your cyberlink already exists");
    Some(Refusal::new(code::LINK_EXISTS, text))
}
