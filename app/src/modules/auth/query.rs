//! `cosmos.auth.v1beta1.Query`, with the words and statuses of SDK 0.47.

use super::{state, Account, MODULE_ACCOUNTS};
use crate::query::page;
use crate::query::{Context, QueryError, Status};
use crate::state::{codec, StoreName};
use crate::types::Address;
use cyber_proto::cosmos::auth::v1beta1 as proto;
use cyber_proto::Any;

/// One account.
pub fn account(
    context: &Context<'_>,
    request: proto::QueryAccountRequest,
) -> Result<proto::QueryAccountResponse, QueryError> {
    if request.address.is_empty() {
        return Err(QueryError::invalid("Address cannot be empty"));
    }
    let account = find(context, &request.address)?;
    Ok(proto::QueryAccountResponse { account: Some(state::to_any(&account)) })
}

/// What every kind of account has.
pub fn account_info(
    context: &Context<'_>,
    request: proto::QueryAccountInfoRequest,
) -> Result<proto::QueryAccountInfoResponse, QueryError> {
    if request.address.is_empty() {
        return Err(QueryError::invalid("address cannot be empty"));
    }
    let account = find(context, &request.address)?;
    Ok(proto::QueryAccountInfoResponse { info: Some(account.base().clone()) })
}

fn find(context: &Context<'_>, text: &str) -> Result<Account, QueryError> {
    let address = context.address(text).map_err(QueryError::Plain)?;
    let found = state::account(context.snapshot, &address);
    found.ok_or_else(|| QueryError::not_found(format!("account {text} not found")))
}

/// All accounts, by address.
pub fn accounts(
    context: &Context<'_>,
    request: proto::QueryAccountsRequest,
) -> Result<proto::QueryAccountsResponse, QueryError> {
    let range = (StoreName::Acc, &[state::ACCOUNTS][..]);
    let (rows, pagination) =
        page::rows(context, range, request.pagination.as_ref()).map_err(|error| {
            let internal = |text| QueryError::Status(Status::Internal, format!("paginate: {text}"));
            error.or(internal)
        })?;
    let accounts = rows.iter().map(|(_, value)| codec::record::<Any>("account", value)).collect();
    Ok(proto::QueryAccountsResponse { accounts, pagination: Some(pagination) })
}

/// The address with an account number.
pub fn account_address_by_id(
    context: &Context<'_>,
    request: proto::QueryAccountAddressByIdRequest,
) -> Result<proto::QueryAccountAddressByIdResponse, QueryError> {
    #[allow(deprecated, reason = "who still sends it is told what to send")]
    if request.id != 0 {
        let text = "requesting with id isn't supported, try to request using account-id";
        return Err(QueryError::invalid(text));
    }
    let number = request.account_id;
    let Some(address) = state::address_by_number(context.snapshot, number) else {
        let text = format!("account address not found with account number {number}");
        return Err(QueryError::not_found(text));
    };
    let account_address = context.bech32(&address);
    Ok(proto::QueryAccountAddressByIdResponse { account_address })
}

/// The module's parameters.
pub fn params(
    context: &Context<'_>,
    _: proto::QueryParamsRequest,
) -> Result<proto::QueryParamsResponse, QueryError> {
    Ok(proto::QueryParamsResponse { params: Some(state::params(context.snapshot)) })
}

/// The accounts of modules, by name.
pub fn module_accounts(
    context: &Context<'_>,
    _: proto::QueryModuleAccountsRequest,
) -> Result<proto::QueryModuleAccountsResponse, QueryError> {
    let mut names: Vec<&str> = MODULE_ACCOUNTS.iter().map(|(name, _)| *name).collect();
    names.sort_unstable();
    let accounts: Result<Vec<Any>, QueryError> =
        names.into_iter().map(|name| module(context, name)).collect();
    Ok(proto::QueryModuleAccountsResponse { accounts: accounts? })
}

/// The account of one module.
pub fn module_account_by_name(
    context: &Context<'_>,
    request: proto::QueryModuleAccountByNameRequest,
) -> Result<proto::QueryModuleAccountByNameResponse, QueryError> {
    if request.name.is_empty() {
        return Err(QueryError::invalid("module name is empty"));
    }
    let account = Some(module(context, &request.name)?);
    Ok(proto::QueryModuleAccountByNameResponse { account })
}

fn module(context: &Context<'_>, name: &str) -> Result<Any, QueryError> {
    let known = MODULE_ACCOUNTS.iter().any(|(known, _)| *known == name);
    let account = known.then(|| state::account(context.snapshot, &Address::of_module(name)));
    match account.flatten() {
        Some(account) => Ok(state::to_any(&account)),
        None => Err(QueryError::not_found(format!("account {name} not found"))),
    }
}

/// What addresses of this chain begin with.
pub fn bech32_prefix(
    context: &Context<'_>,
    _: proto::Bech32PrefixRequest,
) -> Result<proto::Bech32PrefixResponse, QueryError> {
    Ok(proto::Bech32PrefixResponse { bech32_prefix: context.chain().address_prefix })
}

/// Spells an address.
pub fn address_bytes_to_string(
    context: &Context<'_>,
    request: proto::AddressBytesToStringRequest,
) -> Result<proto::AddressBytesToStringResponse, QueryError> {
    if request.address_bytes.is_empty() {
        return Err(QueryError::Plain("empty address bytes is not allowed".into()));
    }
    let address = Address::new(&request.address_bytes)
        .map_err(|error| QueryError::Plain(error.to_string()))?;
    Ok(proto::AddressBytesToStringResponse { address_string: context.bech32(&address) })
}

/// Reads an address.
pub fn address_string_to_bytes(
    context: &Context<'_>,
    request: proto::AddressStringToBytesRequest,
) -> Result<proto::AddressStringToBytesResponse, QueryError> {
    let address = context.address(&request.address_string).map_err(QueryError::Plain)?;
    Ok(proto::AddressStringToBytesResponse { address_bytes: address.as_bytes().to_vec() })
}
