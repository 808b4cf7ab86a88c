//! `cyberd start`: the application alone, for a CometBFT that is run apart.

use super::context::Context;
use super::nodes;
use super::output::Answer;
use crate::client::Failure;
use crate::config::Config;
use crate::error::Fault;
use crate::node;
use serde_json::json;

/// Run the application alone; CometBFT connects to it
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cyberd start
  cyberd start --abci-listen tcp://127.0.0.1:26658
  CYBERD_LOG_LEVEL=debug cyberd start --home /var/lib/cyberd
CometBFT is started apart, with --proxy_app naming the address that the first line of the log
tells. Settings stand in HOME/config/app.toml. SIGTERM or Ctrl-C ends it cleanly; cyberd run is
both processes, supervised.")]
pub struct Start {
    /// Where CometBFT finds the application: unix:///PATH or tcp://127.0.0.1:PORT
    #[arg(long, value_name = "ADDRESS")]
    abci_listen: Option<String>,
    /// Where gRPC and gRPC-web are served; empty: nowhere [default: 127.0.0.1:9090]
    #[arg(long, value_name = "ADDRESS")]
    grpc_listen: Option<String>,
    /// Where REST is served, with the API's page; empty: nowhere [default: 127.0.0.1:1317]
    #[arg(long, value_name = "ADDRESS")]
    rest_listen: Option<String>,
}

/// Runs until a signal ends it.
pub fn run(context: &Context, start: &Start) -> Result<Answer, Failure> {
    let home = nodes::absolute(&context.home)?;
    let flags = [
        ("abci.listen", &start.abci_listen),
        ("api.grpc_listen", &start.grpc_listen),
        ("api.rest_listen", &start.rest_listen),
    ];
    let flags: Vec<(&str, String)> =
        flags.into_iter().filter_map(|(key, flag)| Some((key, flag.clone()?))).collect();
    let config = Config::load(&home, &flags, std::env::vars());
    let config = config.map_err(|error| nodes::failure(Fault::Unfit(error.to_string())))?;
    node::run(&config).map_err(nodes::failure)?;
    Ok(Answer::new(json!({ "stopped": true }), "stopped"))
}
