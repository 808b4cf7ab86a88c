//! `cosmos.bank.v1beta1.Query`, with the words and statuses of SDK 0.47. No coins are locked on
//! this chain, so what is spendable is what is there.

use super::{keys, state};
use crate::query::page::{self, PageError};
use crate::query::{Context, QueryError, Status};
use crate::state::{codec, Read, StoreName};
use crate::types::coin::check_denom;
use crate::types::{Address, Amount};
use cyber_proto::cosmos::bank::v1beta1 as proto;
use cyber_proto::cosmos::base::query::v1beta1::{PageRequest, PageResponse};
use cyber_proto::cosmos::base::v1beta1::Coin;

/// What an address holds of one denomination; zero is a coin too.
pub fn balance(
    context: &Context<'_>,
    request: proto::QueryBalanceRequest,
) -> Result<proto::QueryBalanceResponse, QueryError> {
    let proto::QueryBalanceRequest { address, denom } = request;
    if address.is_empty() {
        return Err(QueryError::invalid("address cannot be empty"));
    }
    check_named(&denom)?;
    let address = parse(context, &address)?;
    Ok(proto::QueryBalanceResponse { balance: Some(held(context, &address, denom)) })
}

/// Everything an address holds.
pub fn all_balances(
    context: &Context<'_>,
    request: proto::QueryAllBalancesRequest,
) -> Result<proto::QueryAllBalancesResponse, QueryError> {
    if request.address.is_empty() {
        return Err(QueryError::invalid("address cannot be empty"));
    }
    let (balances, pagination) = balances(context, &request.address, request.pagination)?;
    Ok(proto::QueryAllBalancesResponse { balances, pagination: Some(pagination) })
}

/// The same: nothing is locked.
pub fn spendable_balances(
    context: &Context<'_>,
    request: proto::QuerySpendableBalancesRequest,
) -> Result<proto::QuerySpendableBalancesResponse, QueryError> {
    let (balances, pagination) = balances(context, &request.address, request.pagination)?;
    Ok(proto::QuerySpendableBalancesResponse { balances, pagination: Some(pagination) })
}

/// What an address can spend of one denomination.
pub fn spendable_balance_by_denom(
    context: &Context<'_>,
    request: proto::QuerySpendableBalanceByDenomRequest,
) -> Result<proto::QuerySpendableBalanceByDenomResponse, QueryError> {
    let proto::QuerySpendableBalanceByDenomRequest { address, denom } = request;
    let address = parse(context, &address)?;
    check_denom(&denom).map_err(|error| QueryError::invalid(error.to_string()))?;
    let balance = Some(held(context, &address, denom));
    Ok(proto::QuerySpendableBalanceByDenomResponse { balance })
}

/// The supply of every denomination.
pub fn total_supply(
    context: &Context<'_>,
    request: proto::QueryTotalSupplyRequest,
) -> Result<proto::QueryTotalSupplyResponse, QueryError> {
    let range = (StoreName::Bank, &[keys::SUPPLY][..]);
    let (rows, pagination) =
        page::rows(context, range, request.pagination.as_ref()).map_err(internal)?;
    let supply = rows.into_iter().map(coin).collect();
    Ok(proto::QueryTotalSupplyResponse { supply, pagination: Some(pagination) })
}

/// The supply of one denomination; zero is a coin too.
pub fn supply_of(
    context: &Context<'_>,
    request: proto::QuerySupplyOfRequest,
) -> Result<proto::QuerySupplyOfResponse, QueryError> {
    check_named(&request.denom)?;
    let supply = state::supply(context.snapshot, &request.denom);
    Ok(proto::QuerySupplyOfResponse { amount: Some(wire(request.denom, supply)) })
}

/// The module's parameters.
pub fn params(
    context: &Context<'_>,
    _: proto::QueryParamsRequest,
) -> Result<proto::QueryParamsResponse, QueryError> {
    Ok(proto::QueryParamsResponse { params: Some(state::params(context.snapshot)) })
}

/// What is said about one denomination.
pub fn denom_metadata(
    context: &Context<'_>,
    request: proto::QueryDenomMetadataRequest,
) -> Result<proto::QueryDenomMetadataResponse, QueryError> {
    let denom = request.denom;
    check_named(&denom)?;
    let Some(bytes) = context.snapshot.get(StoreName::Bank, &keys::metadata(&denom)) else {
        return Err(QueryError::not_found(format!("client metadata for denom {denom}")));
    };
    let metadata = Some(codec::record("metadata", bytes));
    Ok(proto::QueryDenomMetadataResponse { metadata })
}

/// What is said about every denomination.
pub fn denoms_metadata(
    context: &Context<'_>,
    request: proto::QueryDenomsMetadataRequest,
) -> Result<proto::QueryDenomsMetadataResponse, QueryError> {
    let range = (StoreName::Bank, &[keys::METADATA][..]);
    let (rows, pagination) =
        page::rows(context, range, request.pagination.as_ref()).map_err(internal)?;
    let metadatas = rows.iter().map(|(_, value)| codec::record("metadata", value)).collect();
    Ok(proto::QueryDenomsMetadataResponse { metadatas, pagination: Some(pagination) })
}

/// Who holds a denomination, by address.
pub fn denom_owners(
    context: &Context<'_>,
    request: proto::QueryDenomOwnersRequest,
) -> Result<proto::QueryDenomOwnersResponse, QueryError> {
    let proto::QueryDenomOwnersRequest { denom, pagination } = request;
    if denom.is_empty() {
        return Err(QueryError::invalid("empty denom"));
    }
    // Another text could begin in the middle of a key.
    check_denom(&denom).map_err(|error| QueryError::invalid(error.to_string()))?;
    let prefix = keys::holders_of(&denom);
    let range = (StoreName::Bank, prefix.as_slice());
    let (rows, pagination) = page::rows(context, range, pagination.as_ref()).map_err(internal)?;
    let owner = |(key, _): (Vec<u8>, Vec<u8>)| {
        // The address has its length before it.
        let address = Address::new(&key[1..]).expect("stored addresses are good");
        let balance = Some(held(context, &address, denom.clone()));
        proto::DenomOwner { address: context.bech32(&address), balance }
    };
    let denom_owners = rows.into_iter().map(owner).collect();
    Ok(proto::QueryDenomOwnersResponse { denom_owners, pagination: Some(pagination) })
}

/// Which denominations have a word of their own about being sent: those asked for, or all.
pub fn send_enabled(
    context: &Context<'_>,
    request: proto::QuerySendEnabledRequest,
) -> Result<proto::QuerySendEnabledResponse, QueryError> {
    let entry = |denom: String, value: &[u8]| proto::SendEnabled { denom, enabled: value == [1] };
    if request.denoms.is_empty() {
        let range = (StoreName::Bank, &[keys::SEND_ENABLED][..]);
        let (rows, pagination) =
            page::rows(context, range, request.pagination.as_ref()).map_err(internal)?;
        let send_enabled = rows.into_iter().map(|(key, value)| entry(text(key), &value)).collect();
        let pagination = Some(pagination);
        return Ok(proto::QuerySendEnabledResponse { send_enabled, pagination });
    }
    let (asked, rows_max) = (request.denoms.len(), context.limits.rows_max);
    if asked > rows_max {
        let text = format!("{asked} denominations asked for, {rows_max} at once are right");
        return Err(QueryError::invalid(text));
    }
    let find = |denom: String| {
        let value = context.snapshot.get(StoreName::Bank, &keys::send_enabled(&denom));
        value.map(|value| entry(denom, value))
    };
    let send_enabled: Vec<_> = request.denoms.into_iter().filter_map(find).collect();
    let total = send_enabled.len() as u64;
    let pagination = Some(PageResponse { next_key: Vec::new(), total });
    Ok(proto::QuerySendEnabledResponse { send_enabled, pagination })
}

/// A page of an address' balances.
fn balances(
    context: &Context<'_>,
    address: &str,
    pagination: Option<PageRequest>,
) -> Result<(Vec<Coin>, PageResponse), QueryError> {
    let prefix = keys::balances_of(&parse(context, address)?);
    let range = (StoreName::Bank, prefix.as_slice());
    let (rows, pagination) = page::rows(context, range, pagination.as_ref())
        .map_err(|error| error.or(|text| QueryError::invalid(format!("paginate: {text}"))))?;
    Ok((rows.into_iter().map(coin).collect(), pagination))
}

fn held(context: &Context<'_>, address: &Address, denom: String) -> Coin {
    let balance = state::balance(context.snapshot, address, &denom);
    wire(denom, balance)
}

fn wire(denom: String, amount: Amount) -> Coin {
    Coin { denom, amount: amount.to_string() }
}

/// A row of a denomination and an amount, which is stored as the text it is sent as.
fn coin((denom, amount): page::Row) -> Coin {
    Coin { denom: text(denom), amount: text(amount) }
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("stored denominations and amounts are ASCII")
}

fn parse(context: &Context<'_>, address: &str) -> Result<Address, QueryError> {
    let address = context.address(address);
    address.map_err(|error| QueryError::invalid(format!("invalid address: {error}")))
}

fn check_named(denom: &str) -> Result<(), QueryError> {
    if denom.is_empty() {
        return Err(QueryError::invalid("invalid denom"));
    }
    Ok(())
}

fn internal(error: PageError) -> QueryError {
    error.or(|text| QueryError::Status(Status::Internal, text.into()))
}
