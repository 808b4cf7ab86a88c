//! Tells of every rank round as it is published:
//! `cargo run --example watch_rounds -- --grpc http://127.0.0.1:9090 --from-height 1 --rounds 3`.

pub mod flags;

use cyber_proto::cyberd::v1::watch_event::Event;
use cyber_proto::cyberd::v1::WatchRequest;
use cyberd::client::{Failure, Watch};
use flags::Flags;

pub async fn run(flags: &Flags) -> Result<String, Failure> {
    let number = |name, default| {
        let wrong = |error| Failure::usage(format!("--{name}: {error}"));
        flags.or(name, default).parse::<u64>().map_err(wrong)
    };
    let (from_height, mut wanted) = (number("from-height", "0")?, number("rounds", "1000000")?);
    let kinds = vec!["rounds".to_owned()];
    let request = WatchRequest { from_height, kinds, ..WatchRequest::default() };
    let mut watch = Watch::begin(flags.or("grpc", "http://127.0.0.1:9090"), request).await?;

    let mut last = String::new();
    while let Some(seen) = watch.next().await?.filter(|_| wanted > 0) {
        let Some(Event::Round(round)) = seen.event else { continue };
        last = format!(
            "round {} of {} links in block {}: {} ranks changed in {} sweeps",
            round.round, round.links, seen.height, round.ranks_changed, round.sweeps
        );
        println!("{last}");
        wanted -= 1;
        if wanted == 0 {
            break;
        }
    }
    Ok(last)
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    run(&Flags::of_process()?).await.map(drop)
}
