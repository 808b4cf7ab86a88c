//! Wire types of the chain: one Rust module per protobuf package, such as
//! [`cyber::graph::v1beta1`], generated at build time from the `.proto` files of this crate.
//! Decimals are strings of 18-decimal atomics. No logic, nothing generated is kept.

/// The encoded `FileDescriptorSet` of all files, imports and services included.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

mod generated {
    #![allow(clippy::all, dead_code, missing_docs, rustdoc::all, reason = "generated")]
    include!(concat!(env!("OUT_DIR"), "/packages.rs"));
}

pub use generated::{cosmos, cyber, cyberd, tendermint};
pub use prost_types::{Any, Timestamp};

#[cfg(test)]
mod tests {
    use super::*;
    use prost::{Message, Name};

    #[test]
    fn descriptors_list_the_services_of_every_package() {
        let set = prost_types::FileDescriptorSet::decode(DESCRIPTORS).expect("descriptors");
        let mut services = Vec::new();
        for file in &set.file {
            for service in &file.service {
                services.push(format!("{}.{}", file.package(), service.name()));
            }
        }
        services.sort();
        let expected = [
            "cosmos.auth.v1beta1.Query",
            "cosmos.bank.v1beta1.Msg",
            "cosmos.bank.v1beta1.Query",
            "cosmos.base.node.v1beta1.Service",
            "cosmos.base.tendermint.v1beta1.Service",
            "cosmos.distribution.v1beta1.Query",
            "cosmos.staking.v1beta1.Query",
            "cosmos.tx.v1beta1.Service",
            "cyber.bandwidth.v1beta1.Query",
            "cyber.graph.v1beta1.Msg",
            "cyber.graph.v1beta1.Query",
            "cyber.rank.v1beta1.Query",
            "cyberd.v1.Query",
            "cyberd.v1.Watch",
        ];
        assert_eq!(services, expected);
    }

    #[test]
    fn messages_know_their_type_urls() {
        let url = cyber::graph::v1beta1::MsgCyberlink::type_url();
        assert_eq!(url, "/cyber.graph.v1beta1.MsgCyberlink");
    }

    #[test]
    fn a_plain_cyberlink_response_is_empty_on_the_wire() {
        let plain = cyber::graph::v1beta1::MsgCyberlinkResponse::default();
        assert!(plain.encode_to_vec().is_empty());
    }
}
