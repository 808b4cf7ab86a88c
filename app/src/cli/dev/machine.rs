//! Whether the machine is large enough for so many nodes. It only warns: nothing is decided here.

/// Nodes a core carries without blocks coming late: four pairs on two cores are what the checks
/// of many nodes run with, and have some air.
const NODES_OF_A_CORE: usize = 3;
/// Memory of an idle pair of processes, application and CometBFT, in MB.
const PAIR_MB: u64 = 160;

/// Why so many nodes are too much for this machine, if they are.
pub fn crowded(nodes: usize) -> Option<String> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let free_mb = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| free_mb(&text));
    warning(nodes, cores, free_mb)
}

fn warning(nodes: usize, cores: usize, free_mb: Option<u64>) -> Option<String> {
    let wanted_mb = PAIR_MB * nodes as u64;
    if let Some(free_mb) = free_mb.filter(|free_mb| *free_mb < wanted_mb) {
        return Some(format!(
            "warning: {nodes} nodes want about {wanted_mb} MB of memory, {free_mb} MB are free"
        ));
    }
    (nodes > 1 && nodes > cores * NODES_OF_A_CORE).then(|| {
        format!(
            "warning: {nodes} nodes on {cores} core(s): blocks will come late and heights take \
             several rounds; a longer --block-time helps"
        )
    })
}

/// What Linux says is available.
fn free_mb(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kilobytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kilobytes / 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warns_of_too_many_nodes_and_of_too_little_memory() {
        assert_eq!(warning(1, 1, Some(8_000)), None);
        assert_eq!(warning(4, 2, Some(8_000)), None);
        assert_eq!(warning(6, 2, None), None);
        let late = warning(7, 2, Some(8_000)).expect("too many");
        assert!(late.contains("7 nodes on 2 core(s)"), "{late}");
        let full = warning(4, 2, Some(500)).expect("too little");
        assert!(full.contains("640 MB") && full.contains("500 MB"), "{full}");
        assert_eq!(free_mb("MemFree:  1 kB\nMemAvailable:   2048000 kB\n"), Some(2_000));
        assert_eq!(free_mb("MemAvailable: much"), None);
    }
}
