//! Every query the chain answers, on one screen: path → handler.

use super::{absent, own, tx, Context, QueryError};
use crate::modules::{auth, bandwidth, bank, graph, rank};
use prost::Message;

/// A path and what answers it, from the request's bytes to the response's.
pub struct Route {
    pub path: &'static str,
    pub handler: fn(&Context<'_>, &[u8]) -> Result<Vec<u8>, QueryError>,
}

/// The route of a path.
pub fn find(path: &str) -> Option<&'static Route> {
    ROUTES.iter().find(|route| route.path == path)
}

/// Reads the request, asks the handler, writes the response.
fn serve<Request: Message + Default, Response: Message>(
    context: &Context<'_>,
    bytes: &[u8],
    handler: fn(&Context<'_>, Request) -> Result<Response, QueryError>,
) -> Result<Vec<u8>, QueryError> {
    let request = Request::decode(bytes)
        .map_err(|error| QueryError::Plain(format!("the request does not decode: {error}")))?;
    handler(context, request).map(|response| response.encode_to_vec())
}

/// `"service" { "Method" => handler, … }`
macro_rules! routes {
    ($($service:literal { $($method:literal => $handler:path),* $(,)? })*) => {
        /// All of them.
        pub static ROUTES: &[Route] = &[$($(Route {
            path: concat!("/", $service, "/", $method),
            handler: |context, bytes| serve(context, bytes, $handler),
        }),*),*];
    };
}

routes! {
    "cyber.graph.v1beta1.Query" {
        "GraphStats" => graph::query::graph_stats,
    }
    "cyber.rank.v1beta1.Query" {
        "Params" => rank::query::params,
        "Rank" => rank::query::rank,
        "Search" => rank::query::search,
        "Backlinks" => rank::query::backlinks,
        "Top" => rank::query::top,
        "IsLinkExist" => rank::query::is_link_exist,
        "IsAnyLinkExist" => rank::query::is_any_link_exist,
        "ParticleNegentropy" => rank::query::particle_negentropy,
        "Negentropy" => rank::query::negentropy,
        "Karma" => rank::query::karma,
    }
    "cyber.bandwidth.v1beta1.Query" {
        "Load" => bandwidth::query::load,
        "Price" => bandwidth::query::price,
        "TotalBandwidth" => bandwidth::query::total_bandwidth,
        "NeuronBandwidth" => bandwidth::query::neuron_bandwidth,
        "Params" => bandwidth::query::params,
    }
    "cosmos.auth.v1beta1.Query" {
        "Accounts" => auth::query::accounts,
        "Account" => auth::query::account,
        "AccountAddressByID" => auth::query::account_address_by_id,
        "Params" => auth::query::params,
        "ModuleAccounts" => auth::query::module_accounts,
        "ModuleAccountByName" => auth::query::module_account_by_name,
        "Bech32Prefix" => auth::query::bech32_prefix,
        "AddressBytesToString" => auth::query::address_bytes_to_string,
        "AddressStringToBytes" => auth::query::address_string_to_bytes,
        "AccountInfo" => auth::query::account_info,
    }
    "cosmos.bank.v1beta1.Query" {
        "Balance" => bank::query::balance,
        "AllBalances" => bank::query::all_balances,
        "SpendableBalances" => bank::query::spendable_balances,
        "SpendableBalanceByDenom" => bank::query::spendable_balance_by_denom,
        "TotalSupply" => bank::query::total_supply,
        "SupplyOf" => bank::query::supply_of,
        "Params" => bank::query::params,
        "DenomMetadata" => bank::query::denom_metadata,
        "DenomsMetadata" => bank::query::denoms_metadata,
        "DenomOwners" => bank::query::denom_owners,
        "SendEnabled" => bank::query::send_enabled,
    }
    "cosmos.tx.v1beta1.Service" {
        "Simulate" => tx::simulate,
        "TxDecode" => tx::decode,
        "TxEncode" => tx::encode,
    }
    "cyberd.v1.Query" {
        "Rounds" => own::rounds,
        "Deltas" => own::deltas,
        "Roots" => own::roots,
        "Proofs" => own::proofs::proofs,
        "Neighbourhood" => own::neighbourhood::neighbourhood,
        "LinksOf" => own::links::links_of,
        "Exists" => own::links::exists,
        "Preview" => own::preview::preview,
        "Explain" => own::explain::explain,
    }
    "cosmos.staking.v1beta1.Query" {
        "Validators" => absent::validators,
        "Validator" => absent::validator,
        "Delegation" => absent::delegation,
        "DelegatorDelegations" => absent::delegator_delegations,
        "DelegatorUnbondingDelegations" => absent::delegator_unbonding_delegations,
        "DelegatorValidators" => absent::delegator_validators,
        "Pool" => absent::pool,
        "Params" => absent::params,
    }
    "cosmos.distribution.v1beta1.Query" {
        "DelegationTotalRewards" => absent::delegation_total_rewards,
    }
}
