//! What CosmJS, Keplr and explorers ask of staking and distribution without asking first whether
//! they are there: the validators of the genesis, and that nobody delegated anything. Goes when
//! the modules come. Words and statuses are those of SDK 0.47.

use super::{address, page, Context, QueryError};
use crate::engine::ValidatorUpdate;
use crate::modules::params as chain_params;
use crate::types::{sha256, Address};
use cyber_proto::cosmos::base::query::v1beta1::PageResponse;
use cyber_proto::cosmos::crypto::ed25519::PubKey;
use cyber_proto::cosmos::distribution::v1beta1 as distribution;
use cyber_proto::cosmos::staking::v1beta1 as proto;
use cyber_proto::{Any, Timestamp};
use prost::{Message, Name};

/// Zero in 18-decimal atomics.
const ZERO: &str = "0";

/// The validators with a status, all without one.
pub fn validators(
    context: &Context<'_>,
    request: proto::QueryValidatorsRequest,
) -> Result<proto::QueryValidatorsResponse, QueryError> {
    let are_wanted = match request.status.as_str() {
        "" | "BOND_STATUS_BONDED" => true,
        "BOND_STATUS_UNBONDED" | "BOND_STATUS_UNBONDING" => false,
        other => return Err(QueryError::invalid(format!("invalid validator status {other}"))),
    };
    let all = if are_wanted { all(context) } else { Vec::new() };
    let (places, pagination) =
        page::numbers(context, all.len() as u64, request.pagination.as_ref())
            .map_err(|error| error.or(QueryError::invalid))?;
    let at = |place: u64| usize::try_from(place).ok().and_then(|place| all.get(place).cloned());
    let validators = places.into_iter().filter_map(at).collect();
    Ok(proto::QueryValidatorsResponse { validators, pagination: Some(pagination) })
}

/// One validator by its operator.
pub fn validator(
    context: &Context<'_>,
    request: proto::QueryValidatorRequest,
) -> Result<proto::QueryValidatorResponse, QueryError> {
    let text = request.validator_addr;
    check_operator(context, &text)?;
    let found = all(context).into_iter().find(|validator| validator.operator_address == text);
    let found =
        found.ok_or_else(|| QueryError::not_found(format!("validator {text} not found")))?;
    Ok(proto::QueryValidatorResponse { validator: Some(found) })
}

/// There is none.
pub fn delegation(
    context: &Context<'_>,
    request: proto::QueryDelegationRequest,
) -> Result<proto::QueryDelegationResponse, QueryError> {
    let proto::QueryDelegationRequest { delegator_addr, validator_addr } = request;
    check_delegator(context, &delegator_addr)?;
    check_operator(context, &validator_addr)?;
    Err(QueryError::not_found(format!(
        "delegation with delegator {delegator_addr} not found for validator {validator_addr}"
    )))
}

/// None.
pub fn delegator_delegations(
    context: &Context<'_>,
    request: proto::QueryDelegatorDelegationsRequest,
) -> Result<proto::QueryDelegatorDelegationsResponse, QueryError> {
    check_delegator(context, &request.delegator_addr)?;
    let pagination = Some(PageResponse::default());
    Ok(proto::QueryDelegatorDelegationsResponse { delegation_responses: Vec::new(), pagination })
}

/// None.
pub fn delegator_unbonding_delegations(
    context: &Context<'_>,
    request: proto::QueryDelegatorUnbondingDelegationsRequest,
) -> Result<proto::QueryDelegatorUnbondingDelegationsResponse, QueryError> {
    check_delegator(context, &request.delegator_addr)?;
    let pagination = Some(PageResponse::default());
    let unbonding_responses = Vec::new();
    Ok(proto::QueryDelegatorUnbondingDelegationsResponse { unbonding_responses, pagination })
}

/// None.
pub fn delegator_validators(
    context: &Context<'_>,
    request: proto::QueryDelegatorValidatorsRequest,
) -> Result<proto::QueryDelegatorValidatorsResponse, QueryError> {
    check_delegator(context, &request.delegator_addr)?;
    let pagination = Some(PageResponse::default());
    Ok(proto::QueryDelegatorValidatorsResponse { validators: Vec::new(), pagination })
}

/// Nothing is bonded.
pub fn pool(
    _: &Context<'_>,
    _: proto::QueryPoolRequest,
) -> Result<proto::QueryPoolResponse, QueryError> {
    let pool = proto::Pool { not_bonded_tokens: ZERO.into(), bonded_tokens: ZERO.into() };
    Ok(proto::QueryPoolResponse { pool: Some(pool) })
}

/// The denomination that counts as stake; the rest is nothing.
pub fn params(
    context: &Context<'_>,
    _: proto::QueryParamsRequest,
) -> Result<proto::QueryParamsResponse, QueryError> {
    let params = proto::Params {
        unbonding_time: Some(Default::default()),
        max_validators: u32::try_from(all(context).len()).unwrap_or(u32::MAX),
        bond_denom: context.chain().stake_denom,
        min_commission_rate: ZERO.into(),
        ..proto::Params::default()
    };
    Ok(proto::QueryParamsResponse { params: Some(params) })
}

/// None.
pub fn delegation_total_rewards(
    context: &Context<'_>,
    request: distribution::QueryDelegationTotalRewardsRequest,
) -> Result<distribution::QueryDelegationTotalRewardsResponse, QueryError> {
    check_delegator(context, &request.delegator_address)?;
    Ok(distribution::QueryDelegationTotalRewardsResponse::default())
}

/// What operators' addresses begin with.
fn operator_prefix(context: &Context<'_>) -> String {
    format!("{}valoper", context.chain().address_prefix)
}

fn all(context: &Context<'_>) -> Vec<proto::Validator> {
    let prefix = operator_prefix(context);
    let all = chain_params::state::validators(context.snapshot);
    all.into_iter().map(|validator| on_the_wire(&validator, &prefix)).collect()
}

fn on_the_wire(validator: &ValidatorUpdate, prefix: &str) -> proto::Validator {
    let operator = Address::first_twenty(sha256(&validator.public_key));
    let key = PubKey { key: validator.public_key.to_vec() };
    let rates = proto::CommissionRates {
        rate: ZERO.into(),
        max_rate: ZERO.into(),
        max_change_rate: ZERO.into(),
    };
    proto::Validator {
        operator_address: operator.to_bech32(prefix),
        consensus_pubkey: Some(Any { type_url: PubKey::type_url(), value: key.encode_to_vec() }),
        jailed: false,
        status: proto::BondStatus::Bonded.into(),
        tokens: validator.power.to_string(),
        delegator_shares: ZERO.into(),
        description: Some(proto::Description::default()),
        unbonding_time: Some(Timestamp::default()),
        commission: Some(proto::Commission {
            commission_rates: Some(rates),
            update_time: Some(Timestamp::default()),
        }),
        min_self_delegation: ZERO.into(),
        ..proto::Validator::default()
    }
}

fn check_delegator(context: &Context<'_>, text: &str) -> Result<(), QueryError> {
    if text.is_empty() {
        return Err(QueryError::invalid("delegator address cannot be empty"));
    }
    context.address(text).map(|_| ()).map_err(QueryError::Plain)
}

fn check_operator(context: &Context<'_>, text: &str) -> Result<(), QueryError> {
    if text.is_empty() {
        return Err(QueryError::invalid("validator address cannot be empty"));
    }
    address::parse(text, &operator_prefix(context)).map(|_| ()).map_err(QueryError::Plain)
}
