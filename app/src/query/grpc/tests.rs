//! gRPC over real sockets, asked with a generated-code-free client.

use super::codec::Raw;
use crate::query::served::{Served, BODY_BYTES_MAX};
use bytes::Bytes;
use cyber_proto::cosmos::bank::v1beta1::{QueryBalanceRequest, QueryBalanceResponse};
use prost::Message;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};

fn channel(served: &Served) -> Channel {
    let endpoint = Endpoint::from_shared(format!("http://{}", served.grpc)).expect("a URL");
    served.runtime.block_on(async { endpoint.connect().await }).expect("it listens")
}

/// Asks; the answer's bytes and the height it names.
fn ask(
    served: &Served,
    path: &'static str,
    message: Vec<u8>,
    height: Option<&str>,
) -> Result<(Bytes, String), Status> {
    let mut grpc = tonic::client::Grpc::new(channel(served));
    let mut request = Request::new(message);
    if let Some(height) = height {
        let value = height.parse().expect("a header");
        request.metadata_mut().insert("x-cosmos-block-height", value);
    }
    served.runtime.block_on(async {
        grpc.ready().await.expect("it serves");
        let path = http::uri::PathAndQuery::from_static(path);
        let response = grpc.unary(request, path, Raw).await?;
        let height = response.metadata().get("x-cosmos-block-height").cloned();
        let height = height.map(|it| it.to_str().expect("text").to_owned()).unwrap_or_default();
        Ok((response.into_inner(), height))
    })
}

const BALANCE: &str = "/cosmos.bank.v1beta1.Query/Balance";

#[test]
fn any_query_is_answered_at_any_height_that_is_kept() {
    let served = Served::new();
    let address = served.chain.wallet("alice").bech32();
    let request = QueryBalanceRequest { address, denom: "boot".into() }.encode_to_vec();
    let latest = served.chain.snapshot().height().0;
    for (asked, named) in [
        (None, latest),
        (Some(latest.to_string()), latest),
        (Some((latest - 1).to_string()), latest - 1),
    ] {
        let (bytes, height) =
            ask(&served, BALANCE, request.clone(), asked.as_deref()).expect("an answer");
        assert_eq!(height, named.to_string());
        let answer = QueryBalanceResponse::decode(bytes).expect("a balance");
        assert_eq!(answer.balance.expect("always there").denom, "boot");
    }
    for (height, words) in [("99999", "in the future"), ("-1", "height < 0"), ("x", "no height")] {
        let status = ask(&served, BALANCE, request.clone(), Some(height)).expect_err("refused");
        assert_eq!(status.code(), Code::InvalidArgument, "{height}");
        assert!(status.message().contains(words), "{height}: {}", status.message());
    }
}

#[test]
fn mistakes_have_their_status() {
    let served = Served::new();
    let wrong = QueryBalanceRequest { address: "x".into(), denom: "boot".into() }.encode_to_vec();
    let long = vec![0; BODY_BYTES_MAX + 1];
    let cases: [(&'static str, Vec<u8>, Code, &str); 6] = [
        (BALANCE, wrong, Code::InvalidArgument, "decoding bech32 failed"),
        (BALANCE, vec![255], Code::Unknown, "the request does not decode"),
        (BALANCE, long, Code::ResourceExhausted, "too large"),
        ("/cosmos.bank.v1beta1.Msg/Send", Vec::new(), Code::Unimplemented, "unknown method"),
        ("/no.such.Service/Method", Vec::new(), Code::Unimplemented, "unknown method /no.such"),
        ("/", Vec::new(), Code::Unimplemented, "unknown method"),
    ];
    for (path, message, code, words) in cases {
        let status = ask(&served, path, message, None).expect_err("refused");
        assert_eq!(status.code(), code, "{path}: {}", status.message());
        assert!(status.message().contains(words), "{path}: {}", status.message());
    }
    let status = ask(&served, BALANCE, vec![255], None).expect_err("refused");
    assert!(status.metadata().get("x-cosmos-block-height").is_some());
}

#[test]
fn reflection_lists_every_service_and_health_says_serving() {
    use tonic_health::pb::health_client::HealthClient;
    use tonic_health::pb::{health_check_response::ServingStatus, HealthCheckRequest};
    use tonic_reflection::pb::{v1, v1alpha};
    let served = Served::new();
    let channel = channel(&served);
    served.runtime.block_on(async {
        let mut health = HealthClient::new(channel.clone());
        let answer = health.check(HealthCheckRequest { service: String::new() }).await;
        assert_eq!(answer.expect("healthy").into_inner().status(), ServingStatus::Serving);

        let ask = v1::server_reflection_request::MessageRequest::ListServices(String::new());
        let ask = v1::ServerReflectionRequest { host: String::new(), message_request: Some(ask) };
        let mut client = v1::server_reflection_client::ServerReflectionClient::new(channel.clone());
        let stream = client.server_reflection_info(tokio_stream::once(ask)).await;
        let answer = stream.expect("served").into_inner().message().await.expect("an answer");
        let answer = answer.expect("one").message_response.expect("of a kind");
        let v1::server_reflection_response::MessageResponse::ListServicesResponse(list) = answer
        else {
            panic!("{answer:?}")
        };
        let names: Vec<String> = list.service.into_iter().map(|service| service.name).collect();
        for name in ["cosmos.bank.v1beta1.Msg", "cyber.rank.v1beta1.Query", "cyberd.v1.Watch"] {
            assert!(names.iter().any(|known| known == name), "{names:?}");
        }

        let symbol = "cosmos.tx.v1beta1.Service".to_owned();
        let ask = v1alpha::server_reflection_request::MessageRequest::FileContainingSymbol(symbol);
        let ask =
            v1alpha::ServerReflectionRequest { host: String::new(), message_request: Some(ask) };
        let mut client = v1alpha::server_reflection_client::ServerReflectionClient::new(channel);
        let stream = client.server_reflection_info(tokio_stream::once(ask)).await;
        let answer = stream.expect("served").into_inner().message().await.expect("an answer");
        let answer = answer.expect("one").message_response.expect("of a kind");
        assert!(
            matches!(
                answer,
                v1alpha::server_reflection_response::MessageResponse::FileDescriptorResponse(_)
            ),
            "{answer:?}"
        );
    });
}

#[test]
fn links_and_rounds_come_as_a_stream() {
    use cyber_proto::cyberd::v1::{watch_event::Event, WatchEvent, WatchRequest};
    let served = Served::new();
    let mut grpc = tonic::client::Grpc::new(channel(&served));
    let request = WatchRequest { from_height: 1, ..WatchRequest::default() }.encode_to_vec();
    let kinds: Vec<bool> = served.runtime.block_on(async {
        grpc.ready().await.expect("it serves");
        let path = http::uri::PathAndQuery::from_static(crate::query::watch::PATH);
        let stream = grpc.server_streaming(Request::new(request), path, Raw).await;
        let mut stream = stream.expect("a stream").into_inner();
        let mut kinds = Vec::new();
        for _ in 0..6 {
            let bytes = stream.message().await.expect("no error").expect("more to come");
            let event = WatchEvent::decode(bytes).expect("an event");
            kinds.push(matches!(event.event, Some(Event::Link(_))));
        }
        kinds
    });
    assert_eq!(kinds, [true, true, true, true, true, false]);
}

#[test]
fn a_message_that_does_not_come_is_given_up() {
    let served = Served::new();
    let mut grpc = tonic::client::Grpc::new(channel(&served));
    let status = served.runtime.block_on(async {
        grpc.ready().await.expect("it serves");
        let path = http::uri::PathAndQuery::from_static(BALANCE);
        let never = Request::new(tokio_stream::pending::<Vec<u8>>());
        grpc.client_streaming(never, path, Raw).await.expect_err("given up")
    });
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert_eq!(status.message(), "the message did not come within 10 s");
}
