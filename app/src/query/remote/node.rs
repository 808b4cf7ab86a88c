//! `cosmos.base.tendermint.v1beta1.Service` and `cosmos.base.node.v1beta1.Service`: blocks,
//! validators and what the node says of itself.

use super::Remote;
use crate::engine::QueryRequest;
use crate::modules::params;
use crate::query::{page, QueryError, Status};
use crate::types::Address;
use cyber_proto::cosmos::base::node::v1beta1::{ConfigRequest, ConfigResponse};
use cyber_proto::cosmos::base::query::v1beta1::{PageRequest, PageResponse};
use cyber_proto::cosmos::base::tendermint::v1beta1 as proto;
use cyber_proto::cosmos::crypto::{ed25519, secp256k1};
use cyber_proto::cyberd::v1::QueryLinksOfResponse;
use cyber_proto::tendermint::{p2p, types};
use cyber_proto::{Any, Timestamp};
use futures::future::join_all;
use prost::{Message, Name};
use std::collections::{BTreeMap, BTreeSet};
use tendermint::block::Height;
use tendermint::validator;
use tendermint_proto::v0_38::types as wire;

/// What explorers choose their dialect by.
const SDK_VERSION: &str = "v0.47.12";

impl Remote {
    /// Who this node is and what it runs.
    pub(super) async fn node_info(
        &self,
        _: proto::GetNodeInfoRequest,
    ) -> Result<proto::GetNodeInfoResponse, QueryError> {
        let info = self.cometbft.status().await?.node_info;
        let default_node_info = p2p::DefaultNodeInfo {
            protocol_version: Some(p2p::ProtocolVersion {
                p2p: info.protocol_version.p2p,
                block: info.protocol_version.block,
                app: info.protocol_version.app,
            }),
            default_node_id: info.id.to_string(),
            listen_addr: info.listen_addr.to_string(),
            network: info.network.to_string(),
            version: info.version.to_string(),
            channels: hex::decode(info.channels.to_string()).unwrap_or_default(),
            moniker: info.moniker.to_string(),
            other: Some(p2p::DefaultNodeInfoOther {
                tx_index: if bool::from(info.other.tx_index) { "on" } else { "off" }.to_owned(),
                rpc_address: info.other.rpc_address,
            }),
        };
        let application_version = proto::VersionInfo {
            name: "cyberd".to_owned(),
            app_name: "cyberd".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            git_commit: option_env!("CYBERD_COMMIT").unwrap_or_default().to_owned(),
            cosmos_sdk_version: SDK_VERSION.to_owned(),
            ..proto::VersionInfo::default()
        };
        Ok(proto::GetNodeInfoResponse {
            default_node_info: Some(default_node_info),
            application_version: Some(application_version),
        })
    }

    /// Whether the node still fetches blocks.
    pub(super) async fn syncing(
        &self,
        _: proto::GetSyncingRequest,
    ) -> Result<proto::GetSyncingResponse, QueryError> {
        let syncing = self.cometbft.status().await?.sync_info.catching_up;
        Ok(proto::GetSyncingResponse { syncing })
    }

    /// The newest block.
    pub(super) async fn latest_block(
        &self,
        _: proto::GetLatestBlockRequest,
    ) -> Result<proto::GetLatestBlockResponse, QueryError> {
        let found = self.cometbft.block(None).await?;
        let block = block(found.block);
        Ok(proto::GetLatestBlockResponse {
            block_id: Some(block_id(found.block_id)),
            sdk_block: Some(self.sdk_block(&block)?),
            block: Some(block),
        })
    }

    /// The block of a height.
    pub(super) async fn block_by_height(
        &self,
        request: proto::GetBlockByHeightRequest,
    ) -> Result<proto::GetBlockByHeightResponse, QueryError> {
        let height = self.existing(request.height).await?;
        let found = self.cometbft.block(Some(height)).await?;
        let block = block(found.block);
        Ok(proto::GetBlockByHeightResponse {
            block_id: Some(block_id(found.block_id)),
            sdk_block: Some(self.sdk_block(&block)?),
            block: Some(block),
        })
    }

    /// The validators of the newest block.
    pub(super) async fn latest_validators(
        &self,
        request: proto::GetLatestValidatorSetRequest,
    ) -> Result<proto::GetLatestValidatorSetResponse, QueryError> {
        let height = self.cometbft.status().await?.sync_info.latest_block_height;
        let (block_height, validators, pagination) =
            self.validators(height, request.pagination.as_ref()).await?;
        let pagination = Some(pagination);
        Ok(proto::GetLatestValidatorSetResponse { block_height, validators, pagination })
    }

    /// The validators of a height.
    pub(super) async fn validators_at(
        &self,
        request: proto::GetValidatorSetByHeightRequest,
    ) -> Result<proto::GetValidatorSetByHeightResponse, QueryError> {
        let height = self.existing(request.height).await?;
        let (block_height, validators, pagination) =
            self.validators(height, request.pagination.as_ref()).await?;
        let pagination = Some(pagination);
        Ok(proto::GetValidatorSetByHeightResponse { block_height, validators, pagination })
    }

    async fn validators(
        &self,
        height: Height,
        request: Option<&PageRequest>,
    ) -> Result<(i64, Vec<proto::Validator>, PageResponse), QueryError> {
        let found = self.cometbft.validators(height).await?;
        let snapshot = self.queries.at(0).map_err(|refusal| QueryError::Plain(refusal.log))?;
        let context = self.queries.context(&snapshot);
        let (places, pagination) = page::numbers(&context, found.validators.len() as u64, request)
            .map_err(|error| error.or(QueryError::invalid))?;
        let prefix = consensus_prefix(&params::state::chain(&*snapshot).address_prefix);
        let rows = places.into_iter().filter_map(|place| {
            let place = usize::try_from(place).ok()?;
            found.validators.get(place).map(|info| validator(info, &prefix))
        });
        Ok((signed(found.block_height), rows.collect(), pagination))
    }

    /// A query over ABCI, answered here.
    pub(super) async fn abci_query(
        &self,
        request: proto::AbciQueryRequest,
    ) -> Result<proto::AbciQueryResponse, QueryError> {
        let proto::AbciQueryRequest { data, path, height, prove } = request;
        let queries = self.queries.clone();
        let request = QueryRequest { path, data: data.into(), height, prove };
        let answered = tokio::task::spawn_blocking(move || queries.answer(request)).await;
        let answer = answered
            .map_err(|error| QueryError::Status(Status::Internal, format!("panic: {error}")))?;
        let op = |(r#type, key, data)| proto::ProofOp { r#type, key, data };
        let ops: Vec<_> = answer.proof.into_iter().map(op).collect();
        Ok(proto::AbciQueryResponse {
            code: answer.code,
            log: answer.log,
            info: String::new(),
            index: 0,
            key: answer.key.to_vec(),
            value: answer.value.to_vec(),
            proof_ops: (!ops.is_empty()).then_some(proto::ProofOps { ops }),
            height: answer.height,
            codespace: answer.codespace,
        })
    }

    /// An answer of `cyberd.v1.Query/LinksOf` with the times of the links' blocks, as far as
    /// CometBFT has the blocks.
    pub async fn with_times(&self, answer: Vec<u8>) -> Vec<u8> {
        let Ok(mut links) = QueryLinksOfResponse::decode(answer.as_slice()) else { return answer };
        let heights: BTreeSet<u64> = links.links.iter().map(|link| link.height).collect();
        let time = |height| async move {
            let at = Height::try_from(height).expect("heights of links are small");
            (height, self.cometbft.time(at).await.ok())
        };
        let times = join_all(heights.into_iter().map(time)).await;
        let times: BTreeMap<u64, Option<tendermint::Time>> = times.into_iter().collect();
        for link in &mut links.links {
            link.time = times.get(&link.height).copied().flatten().map(timestamp);
        }
        links.encode_to_vec()
    }

    /// What this node asks for: `0.01boot`, several with commas.
    pub(super) async fn config(&self, _: ConfigRequest) -> Result<ConfigResponse, QueryError> {
        let price = |price: &crate::config::GasPrice| format!("{}{}", price.amount, price.denom);
        let prices: Vec<String> = self.minimum_gas_prices.iter().map(price).collect();
        Ok(ConfigResponse { minimum_gas_price: prices.join(",") })
    }

    /// A height there is a block of.
    async fn existing(&self, height: i64) -> Result<Height, QueryError> {
        let latest = self.cometbft.latest_height().await?;
        let asked = u64::try_from(height).unwrap_or(0);
        if asked > latest {
            return Err(QueryError::invalid(
                "requested block height is bigger then the chain length",
            ));
        }
        match Height::try_from(asked) {
            Ok(found) if asked > 0 => Ok(found),
            _ => Err(QueryError::invalid(format!("there is no height {height}, the first is 1"))),
        }
    }

    /// The same block with its proposer spelled as an address.
    fn sdk_block(&self, block: &types::Block) -> Result<proto::Block, QueryError> {
        let snapshot = self.queries.at(0).map_err(|refusal| QueryError::Plain(refusal.log))?;
        let prefix = consensus_prefix(&params::state::chain(&*snapshot).address_prefix);
        let header = block.header.clone().map(|header| proto::Header {
            version: header.version,
            chain_id: header.chain_id,
            height: header.height,
            time: header.time,
            last_block_id: header.last_block_id,
            last_commit_hash: header.last_commit_hash,
            data_hash: header.data_hash,
            validators_hash: header.validators_hash,
            next_validators_hash: header.next_validators_hash,
            consensus_hash: header.consensus_hash,
            app_hash: header.app_hash,
            last_results_hash: header.last_results_hash,
            evidence_hash: header.evidence_hash,
            proposer_address: bech32(&header.proposer_address, &prefix),
        });
        Ok(proto::Block {
            header,
            data: block.data.clone(),
            evidence: block.evidence.clone(),
            last_commit: block.last_commit.clone(),
        })
    }
}

/// What addresses of consensus keys begin with.
fn consensus_prefix(prefix: &str) -> String {
    format!("{prefix}valcons")
}

fn bech32(bytes: &[u8], prefix: &str) -> String {
    Address::new(bytes).map_or_else(|_| String::new(), |address| address.to_bech32(prefix))
}

fn validator(info: &validator::Info, prefix: &str) -> proto::Validator {
    let key = info.pub_key.to_bytes();
    let pub_key = match info.pub_key {
        tendermint::PublicKey::Ed25519(_) => Any {
            type_url: ed25519::PubKey::type_url(),
            value: ed25519::PubKey { key }.encode_to_vec(),
        },
        _ => Any {
            type_url: secp256k1::PubKey::type_url(),
            value: secp256k1::PubKey { key }.encode_to_vec(),
        },
    };
    proto::Validator {
        address: bech32(info.address.as_bytes(), prefix),
        pub_key: Some(pub_key),
        voting_power: i64::try_from(info.power()).unwrap_or(i64::MAX),
        proposer_priority: info.proposer_priority.value(),
    }
}

fn signed(height: Height) -> i64 {
    i64::try_from(height.value()).unwrap_or(i64::MAX)
}

fn timestamp(time: tendermint::Time) -> Timestamp {
    let time = tendermint_proto::google::protobuf::Timestamp::from(time);
    Timestamp { seconds: time.seconds, nanos: time.nanos }
}

/// A block in our own types, by its bytes.
pub(super) fn block(block: tendermint::Block) -> types::Block {
    let bytes = wire::Block::from(block).encode_to_vec();
    types::Block::decode(bytes.as_slice()).expect("one wire format in both")
}

/// A block's name in our own types.
pub(super) fn block_id(id: tendermint::block::Id) -> types::BlockId {
    let bytes = wire::BlockId::from(id).encode_to_vec();
    types::BlockId::decode(bytes.as_slice()).expect("one wire format in both")
}
