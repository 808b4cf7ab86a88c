//! `cyberd dev` as a newcomer runs it: a chain with one command, links imported and answered,
//! kills survived, everything stopped and continued.

#![allow(clippy::disallowed_methods, reason = "waits for other processes")]

use serde_json::Value;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

const LINKS: &str = "alice\tdog\tcanine\nalice\tdog\tpuppy\nbob\tpuppy\tdog\nbob\tcanine\tmammal\n";

/// A development chain in a folder of its own.
struct Scene {
    folder: tempfile::TempDir,
    port_base: u16,
    dev: Option<Child>,
}

impl Scene {
    fn new() -> Scene {
        let folder = tempfile::tempdir().expect("folder");
        std::fs::write(folder.path().join("links.tsv"), LINKS).expect("links");
        // Rows of ports that other tests of this machine do not use at the same moment.
        let free = |port: &u16| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok();
        let first = 40_000 + (std::process::id() % 2_000) as u16 * 10;
        let bases = (0..200).map(|step| first + step * 10).filter(|base| *base < 65_000);
        let mut fitting = bases.filter(|base| (*base..*base + 6).all(|port| free(&port)));
        let port_base = fitting.next().expect("a free row of ports");
        Scene { folder, port_base, dev: None }
    }

    fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    fn cyberd(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cyberd"));
        command.arg("--home").arg(self.home()).args(arguments);
        command.stdin(Stdio::null()).current_dir(self.folder.path());
        command
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let output = self.cyberd(&[arguments, &["--output", "json"]].concat()).output();
        read_json(&output.expect("cyberd runs"))
    }

    /// Starts `cyberd dev` and waits until it is ready; the description it writes.
    fn start(&mut self, flags: &[&str]) -> Value {
        let ready = self.folder.path().join("ready.json");
        let _ = std::fs::remove_file(&ready);
        let log = std::fs::File::options().create(true).append(true).open(self.log());
        let child = self
            .cyberd(&["dev", "--block-time", "100ms", "--config-out", "ready.json"])
            .args(flags)
            .stderr(log.expect("log"))
            .spawn();
        self.dev = Some(child.expect("cyberd dev starts"));
        // Building CometBFT may be part of it.
        self.until("it is ready", Duration::from_secs(300), |_| ready.exists().then_some(()));
        let text = std::fs::read_to_string(&ready).expect("the description");
        serde_json::from_str(&text).expect("JSON")
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("dev.log")
    }

    /// Waits for something; shows all there is to see when it does not come.
    fn until<T>(&mut self, what: &str, time: Duration, ask: impl Fn(&Scene) -> Option<T>) -> T {
        let start = Instant::now();
        loop {
            if let Some(answer) = ask(self) {
                return answer;
            }
            let dev = self.dev.as_mut().expect("it was started");
            let ended = dev.try_wait().expect("a child of ours");
            if ended.is_some() || start.elapsed() > time {
                let log = std::fs::read_to_string(self.log()).unwrap_or_default();
                panic!("waiting until {what}: ended {ended:?}, its log:\n{log}");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn height(&self) -> Option<u64> {
        self.json(&["status"])["height"].as_u64()
    }

    /// The processes that `cyberd dev` started: application and CometBFT.
    fn children(&self) -> Vec<u32> {
        let parent = self.dev.as_ref().expect("it was started").id();
        let entries = std::fs::read_dir("/proc").expect("/proc").flatten();
        let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        numbers.filter(|process| state(*process).is_some_and(|(_, of)| of == parent)).collect()
    }

    fn signal(&self, signal: &str, process: u32) {
        let status = Command::new("kill").args([signal, &process.to_string()]).status();
        assert!(status.expect("kill runs").success());
    }

    /// Ends `cyberd dev` as Ctrl-C does; its children are gone then too.
    fn stop(&mut self) {
        let children = self.children();
        let begin = Instant::now();
        let mut dev = self.dev.take().expect("it was started");
        self.signal("-INT", dev.id());
        assert!(dev.wait().expect("it ends").success(), "a clean end");
        assert!(begin.elapsed() < Duration::from_secs(6), "{:?}", begin.elapsed());
        for child in children {
            assert!(!lives(child), "{child} lives on");
        }
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        if let Some(mut dev) = self.dev.take() {
            let _ = dev.kill();
            let _ = dev.wait();
        }
    }
}

/// The state letter of a process that lives, and its parent.
fn state(process: u32) -> Option<(char, u32)> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?.chars().next().filter(|state| *state != 'Z')?;
    Some((state, fields.next()?.parse().ok()?))
}

fn lives(process: u32) -> bool {
    state(process).is_some()
}

fn read_json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        let (out, err) = (&output.stdout, &output.stderr);
        panic!("{error}: {} {}", String::from_utf8_lossy(out), String::from_utf8_lossy(err))
    })
}

/// The texts that a search shows, in order.
fn texts(answer: &Value) -> Vec<&str> {
    let rows = answer["results"].as_array().expect("rows");
    rows.iter().filter_map(|row| row["text"].as_str()).collect()
}

#[test]
fn a_chain_is_made_answers_survives_kills_and_is_continued() {
    let mut scene = Scene::new();
    let base = scene.port_base.to_string();
    let made = scene.start(&["--links", "links.tsv", "--port-base", &base]);
    assert_eq!(made["chain_id"], "cyberd-dev");
    assert_eq!(made["rpc"], format!("http://127.0.0.1:{base}"));
    assert_eq!(made["home"], scene.home().to_str().expect("UTF-8"));
    let accounts = made["accounts"].as_array().expect("accounts");
    assert_eq!(accounts.len(), 8);
    assert_eq!(accounts[0]["name"], "alice");
    assert_eq!(accounts[0]["mnemonic"].as_str().expect("words").split(' ').count(), 24);
    assert_eq!(accounts[0]["balance"]["denom"], "boot");

    // A second one of the same home is refused; the ports of a running one too.
    let second = scene.cyberd(&["dev"]).output().expect("runs");
    assert!(String::from_utf8_lossy(&second.stderr).contains("runs the node"), "{second:?}");

    // What was imported is answered in words.
    let mut found = texts(&scene.json(&["search", "dog"])).join(" ");
    assert!(found == "canine puppy" || found == "puppy canine", "{found}");

    // Both processes killed: they come back by themselves and go on.
    for _ in 0..3 {
        let before = scene.height().expect("a height");
        for child in scene.children() {
            scene.signal("-KILL", child);
        }
        scene.until("there are new blocks", Duration::from_secs(60), |scene| {
            scene.height().filter(|height| *height > before + 2)
        });
    }
    scene.stop();

    // Continued without a flag: the same chain, nothing imported again.
    let again = scene.start(&[]);
    assert_eq!(again["accounts"], made["accounts"]);
    assert_eq!(again["rpc"], made["rpc"]);
    found = texts(&scene.json(&["search", "puppy"])).join(" ");
    assert_eq!(found, "dog");
    let log = std::fs::read_to_string(scene.log()).expect("log");
    assert!(log.contains("is continued, at height"), "{log}");

    // Killed itself, it leaves nothing behind that would keep the ports.
    let children = scene.children();
    assert_eq!(children.len(), 2);
    let mut dev = scene.dev.take().expect("it runs");
    dev.kill().expect("it runs");
    dev.wait().expect("it ended");
    let start = Instant::now();
    while children.iter().any(|child| lives(*child)) {
        assert!(start.elapsed() < Duration::from_secs(10), "they live on");
        std::thread::sleep(Duration::from_millis(20));
    }
    scene.start(&[]);
    scene.stop();

    // Flags that contradict the chain: exit code 2 and the two commands.
    let contradiction = scene.cyberd(&["dev", "--accounts", "9"]).output().expect("runs");
    assert_eq!(contradiction.status.code(), Some(2));
    let text = String::from_utf8_lossy(&contradiction.stderr).into_owned();
    assert!(text.contains("--reset --accounts 9"), "{text}");
}
