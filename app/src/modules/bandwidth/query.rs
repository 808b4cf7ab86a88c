//! `cyber.bandwidth.v1beta1.Query`, in whole units, rounded down.

use super::{quote, state, MICRO};
use crate::modules::Rules;
use crate::query::{Context, QueryError};
use crate::types::Decimal;
use cyber_proto::cyber::bandwidth::v1beta1 as proto;

/// The raw units of the last recovery period over what the network offers.
pub fn load(
    context: &Context<'_>,
    _: proto::QueryLoadRequest,
) -> Result<proto::QueryLoadResponse, QueryError> {
    let total = state::ring_total(context.snapshot);
    let offered = state::params(context.snapshot).network_bandwidth;
    let load = Decimal::ratio(total.into(), offered.into());
    let load = load.expect("at least one unit is offered, and 2^64 · 10^18 fits 128 bits");
    Ok(proto::QueryLoadResponse { load: load.atomics().to_string() })
}

/// The price of a raw unit.
pub fn price(
    context: &Context<'_>,
    _: proto::QueryPriceRequest,
) -> Result<proto::QueryPriceResponse, QueryError> {
    let price = state::price(context.snapshot);
    Ok(proto::QueryPriceResponse { price: price.atomics().to_string() })
}

/// What the network offers in a recovery period.
pub fn total_bandwidth(
    context: &Context<'_>,
    _: proto::QueryTotalBandwidthRequest,
) -> Result<proto::QueryTotalBandwidthResponse, QueryError> {
    let total_bandwidth = state::params(context.snapshot).network_bandwidth;
    Ok(proto::QueryTotalBandwidthResponse { total_bandwidth })
}

/// What a neuron has, settled at the height asked for; zeros for one that nobody knows.
pub fn neuron_bandwidth(
    context: &Context<'_>,
    request: proto::QueryNeuronBandwidthRequest,
) -> Result<proto::QueryNeuronBandwidthResponse, QueryError> {
    let address = context.address(&request.neuron).map_err(QueryError::Plain)?;
    let (snapshot, height) = (context.snapshot, context.snapshot.height());
    let quote = quote(snapshot, &Rules::read(snapshot), &address, height);
    let units = |micro: u128| u64::try_from(micro / MICRO).unwrap_or(u64::MAX);
    let bandwidth = proto::NeuronBandwidth {
        neuron: request.neuron,
        remained_value: units(quote.available),
        last_updated_block: height.0,
        max_value: units(quote.maximum),
    };
    Ok(proto::QueryNeuronBandwidthResponse { neuron_bandwidth: Some(bandwidth) })
}

/// The module's parameters.
pub fn params(
    context: &Context<'_>,
    _: proto::QueryParamsRequest,
) -> Result<proto::QueryParamsResponse, QueryError> {
    let params = state::params(context.snapshot).to_proto();
    Ok(proto::QueryParamsResponse { params: Some(params) })
}
