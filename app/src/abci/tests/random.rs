//! Random bytes never end the server.

use super::client::*;
use crate::abci::method::Method;
use proptest::collection::vec;
use proptest::prelude::*;
use prost::encoding::encode_varint;

/// A frame whose length is right, so that what is inside gets decoded.
fn plausible() -> impl Strategy<Value = Vec<u8>> {
    let number = prop_oneof![(0..16_usize).prop_map(|at| Method::ALL[at] as u64), 0_u64..200];
    (number, vec(any::<u8>(), 0..200), any::<bool>()).prop_map(|(number, body, has_length)| {
        let mut inner = Vec::new();
        encode_varint(number << 3 | 2, &mut inner);
        if has_length {
            encode_varint(body.len() as u64, &mut inner);
        }
        inner.extend(body);
        let mut out = Vec::new();
        encode_varint(inner.len() as u64, &mut out);
        out.extend(inner);
        out
    })
}

fn pieces() -> impl Strategy<Value = Vec<Vec<u8>>> {
    vec(prop_oneof![3 => plausible(), 1 => vec(any::<u8>(), 0..300)], 1..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn random_bytes_never_end_the_server(pieces in pieces()) {
        use std::sync::OnceLock;
        static STAND: OnceLock<Stand> = OnceLock::new();
        let stand = STAND.get_or_init(Stand::unix);
        let mut client = stand.connect();
        for piece in &pieces {
            if !client.raw(piece) {
                break;
            }
        }
        client.finish();
        while client.receive().is_some() {}
        let mut healthy = stand.connect();
        prop_assert_eq!(healthy.query("any").code, 0);
        prop_assert!(healthy.query("any").height == 9);
    }
}
