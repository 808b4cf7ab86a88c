//! `cyberd snapshot`: the state-sync snapshots of a home, and such files on their own.

use super::context::Context;
use super::nodes;
use super::output::{grouped, table, Answer};
use crate::client::{Exit, Failure};
use crate::config::Config;
use crate::engine::APP_VERSION;
use crate::error::Fault;
use crate::modules::params;
use crate::node;
use crate::node::cometbft::genesis::file::GenesisFile;
use crate::node::cometbft::home::CometHome;
use crate::statesync::{file, megabytes, shelf, SnapshotFile};
use crate::store::{Options, Snapshot as State, Store};
use crate::types::Hash;
use serde_json::{json, Value};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// State-sync snapshots as files
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cyberd snapshot list
  cyberd snapshot export 12000 --to 12000.snapshot
  cyberd snapshot verify 12000.snapshot
  cyberd snapshot import 12000.snapshot --app-hash 5F3A…
A node makes one every store.snapshot_interval heights (config/app.toml) and serves it to nodes that
join; list, export and verify work while it runs. All nodes of a network make the same bytes.")]
pub struct Snapshot {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Show the snapshots of this home
    #[command(after_help = "Example:\n  cyberd snapshot list --output json")]
    List,
    Export(Export),
    Import(Import),
    Verify(Verify),
}

/// Copy a snapshot of this home to a file
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  cyberd snapshot export 12000 --to 12000.snapshot")]
struct Export {
    /// The height of the snapshot
    height: u64,
    /// The file to write
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
}

/// Make the state of a file that of this home, and serve the file to nodes that join
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cyberd snapshot import 12000.snapshot
  cyberd snapshot import 12000.snapshot --app-hash 5F3A… --replace
The node must be stopped. For a home whose state was lost or damaged while CometBFT still has its
blocks: the next start replays those after the snapshot's height, and CometBFT compares the app
hash with its blocks. With a snapshot of its own a node does that by itself, at its start. A home
without blocks joins by state sync instead, which fetches by itself (cyberd join).")]
struct Import {
    /// A file that `cyberd snapshot export` wrote
    file: PathBuf,
    /// Refuse any other state: the app_hash in the header one height later, of a node you trust
    #[arg(long, value_name = "HEX")]
    app_hash: Option<String>,
    /// Take it although the home holds a state, which goes, or one that does not open, which is put
    /// aside
    #[arg(long)]
    replace: bool,
}

/// Check every chunk and every root of a file
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  cyberd snapshot verify 12000.snapshot --output json")]
struct Verify {
    /// The file
    file: PathBuf,
}

/// Runs `cyberd snapshot`.
pub fn run(context: &Context, snapshot: &Snapshot) -> Result<Answer, Failure> {
    match &snapshot.command {
        Command::List => list(context),
        Command::Export(ask) => export(context, ask),
        Command::Import(ask) => import(context, ask),
        Command::Verify(ask) => verify(context, &ask.file),
    }
}

fn failure(fault: Fault) -> Failure {
    Failure::local(fault.to_string())
}

/// The settings of this home.
fn config(context: &Context) -> Result<Config, Failure> {
    let home = nodes::absolute(&context.home)?;
    let config = Config::load(&home, &[], std::env::vars());
    config.map_err(|error| Failure::local(error.to_string()))
}

/// The whole snapshots of a folder, by height; those that are none are told of.
fn files(context: &Context, folder: &Path) -> Result<Vec<SnapshotFile>, Failure> {
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let mut files = Vec::new();
    for path in shelf::whole_files(folder).map_err(failure)? {
        match SnapshotFile::open(&path) {
            Ok(file) => files.push(file),
            Err(fault) => context.talk(&fault.to_string()),
        }
    }
    files.sort_by_key(SnapshotFile::height);
    Ok(files)
}

/// What is told of a file, as JSON.
fn facts(file: &SnapshotFile) -> Value {
    let metadata = file.metadata();
    let sizes = metadata.contents.sizes;
    json!({
        "file": file.path(),
        "height": file.height().0,
        "hash": hex::encode_upper(file.hash()),
        "app_hash": hex::encode_upper(metadata.app_hash()),
        "app_version": metadata.app_version,
        "bytes": metadata.bytes(),
        "chunks": metadata.count(),
        "particles": sizes.particles,
        "links": sizes.links,
        "rounds": sizes.rounds,
    })
}

fn list(context: &Context) -> Result<Answer, Failure> {
    let config = config(context)?;
    let folder = node::snapshot_folder(&config);
    let files = files(context, &folder)?;
    let heading = ["height", "links", "size", "chunks", "hash"].map(str::to_owned).to_vec();
    let row = |file: &SnapshotFile| {
        let metadata = file.metadata();
        vec![
            file.height().to_string(),
            grouped(metadata.contents.sizes.links.into()),
            megabytes(metadata.bytes()),
            metadata.count().to_string(),
            hex::encode_upper(file.hash()),
        ]
    };
    let text = match files.is_empty() {
        true => format!(
            "no snapshot in {}; the node makes one at every height that is a multiple of {}",
            folder.display(),
            config.snapshot_interval
        ),
        false => table(&std::iter::once(heading).chain(files.iter().map(row)).collect::<Vec<_>>()),
    };
    Ok(Answer::new(json!({ "snapshots": files.iter().map(facts).collect::<Vec<_>>() }), text))
}

/// Verifies every chunk of a file and says how far it is.
fn check_chunks(context: &Context, file: &SnapshotFile) -> Result<(), Failure> {
    let (count, total) = (file.metadata().count(), megabytes(file.metadata().bytes()));
    let mut done = 0;
    for index in 0..count {
        done += file.chunk(index).map_err(failure)?.len() as u64;
        context.talk(&format!("chunk {} of {count}, {} of {total}", index + 1, megabytes(done)));
    }
    Ok(())
}

/// Copies a file; under its name there is all of it or nothing.
fn copy(file: &SnapshotFile, to: &Path) -> Result<(), Failure> {
    let part = to.with_extension("part");
    let copied = std::fs::copy(file.path(), &part).and_then(|_| {
        std::fs::File::options().append(true).open(&part)?.sync_all()?;
        std::fs::rename(&part, to)
    });
    copied.map_err(|error| {
        // It may not even have been made.
        let _ = std::fs::remove_file(&part);
        Failure::local(format!("{}: {error}", to.display()))
    })
}

fn export(context: &Context, ask: &Export) -> Result<Answer, Failure> {
    let folder = node::snapshot_folder(&config(context)?);
    let files = files(context, &folder)?;
    let found = files.iter().find(|file| file.height().0 == ask.height);
    let file = found.ok_or_else(|| {
        let there: Vec<String> = files.iter().map(|file| file.height().to_string()).collect();
        let there = if there.is_empty() { "none".to_owned() } else { there.join(", ") };
        Failure::local(format!("no snapshot of height {} here; there are: {there}", ask.height))
    })?;
    check_chunks(context, file)?;
    copy(file, &ask.to)?;
    let mut json = facts(file);
    json["file"] = json!(ask.to);
    let text = format!("{} holds the snapshot of height {}", ask.to.display(), file.height());
    Ok(Answer::new(json, text))
}

/// A file whose every chunk and root came out.
fn checked(context: &Context, path: &Path) -> Result<(SnapshotFile, Arc<State>), Failure> {
    let file = SnapshotFile::open(path).map_err(failure)?;
    check_chunks(context, &file)?;
    context.talk("rebuilding the state and its roots …");
    let state = file.load().map_err(failure)?;
    Ok((file, Arc::new(state)))
}

fn verify(context: &Context, path: &Path) -> Result<Answer, Failure> {
    let (file, state) = checked(context, path)?;
    let mut json = facts(&file);
    let roots = state.roots();
    let named = roots.iter().map(|(name, root)| (name.clone(), json!(hex::encode_upper(root))));
    json["roots"] = Value::Object(named.collect());
    let row = |name: &str, value: String| vec![name.to_owned(), value];
    let mut rows = vec![
        row("height", file.height().to_string()),
        row("app hash", hex::encode_upper(state.app_hash())),
        row("hash", hex::encode_upper(file.hash())),
        row("links", grouped(state.sizes().links.into())),
        row("size", megabytes(file.metadata().bytes())),
    ];
    rows.extend(roots.iter().map(|(name, root)| row(name, hex::encode_upper(root))));
    let text = table(&rows);
    Ok(Answer::new(json, format!("{text}\nevery chunk and every root came out")))
}

fn import(context: &Context, ask: &Import) -> Result<Answer, Failure> {
    let config = config(context)?;
    let wanted = ask.app_hash.as_deref().map(app_hash).transpose()?;
    let genesis = CometHome::of(&config.home).genesis();
    let genesis = GenesisFile::read(&genesis)
        .map_err(|fault| failure(fault).hint("cyberd init or cyberd join makes a node's home"))?;
    let _hold = nodes::hold(&config.home)?;
    let (taken, state) = checked(context, &ask.file)?;
    check_state(&taken, &state, wanted, &genesis)?;
    let height = state.height();
    let mut store = open(&config, ask.replace)?;
    if !store.is_empty() && !ask.replace {
        let (own, folder) = (store.latest().height(), node::store_folder(&config));
        let text =
            format!("{} holds the state of height {own}; nothing was changed", folder.display());
        return Err(Failure::local(text).hint("--replace takes the snapshot in its place"));
    }
    store.install(state).map_err(failure)?;
    drop(store);
    let kept = node::snapshot_folder(&config);
    std::fs::create_dir_all(&kept)
        .map_err(|error| Failure::local(format!("{}: {error}", kept.display())))?;
    copy(&taken, &kept.join(file::name(height)))?;
    let mut json = facts(&taken);
    json["home"] = json!(config.home);
    let home = config.home.display();
    let text = format!(
        "{home} holds the state of height {height}\n\
         cyberd run goes on from it: CometBFT replays its blocks after {height}"
    );
    Ok(Answer::new(json, text))
}

/// That a state is one of this home's chain, for this version, and the one that is wanted.
fn check_state(
    taken: &SnapshotFile,
    state: &State,
    wanted: Option<Hash>,
    genesis: &GenesisFile,
) -> Result<(), Failure> {
    let hash = state.app_hash();
    if wanted.is_some_and(|wanted| wanted != hash) {
        let got = hex::encode_upper(hash);
        let text = format!("the state has the app hash {got}, another was asked for");
        return Err(Failure::local(text).hint("take a snapshot of the chain you trust"));
    }
    let (own, theirs) = (&genesis.document["chain_id"], params::state::chain(state).chain_id);
    if *own != theirs.as_str() {
        let text = format!("the snapshot is of the chain {theirs}, this home of {own}");
        return Err(Failure::new(Exit::Error, "wrong-chain", text)
            .hint("take one that a node of this chain exported"));
    }
    taken.metadata().check_version(APP_VERSION).map_err(Failure::local)
}

/// The store of a home. What does not verify is put aside if it is to be replaced.
fn open(config: &Config, replace: bool) -> Result<Store, Failure> {
    let options = Options {
        free_bytes_min: config.free_disk_min_bytes,
        start_over: replace,
        ..Options::default()
    };
    Store::open(&node::store_folder(config), options).map_err(|fault| match fault {
        Fault::Damage(text) => Failure::local(text)
            .hint("--replace puts what is damaged aside and takes the snapshot in its place"),
        other => failure(other),
    })
}

fn app_hash(text: &str) -> Result<Hash, Failure> {
    let mut hash = [0; 32];
    let read = hex::decode_to_slice(text, &mut hash);
    read.map_err(|_| {
        Failure::usage(format!("--app-hash {text}: right are 64 hexadecimal digits"))
    })?;
    Ok(hash)
}
