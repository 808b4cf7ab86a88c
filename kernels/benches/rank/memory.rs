//! What the process holds, as Linux tells; 0 elsewhere.

/// Starts the count of the peak anew; bytes held now.
pub fn reset_peak() -> usize {
    // A refusal leaves the peak of before: the figure is too large then, never too small.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
    status("VmRSS:")
}

/// Most bytes held since.
pub fn peak() -> usize {
    status("VmHWM:")
}

/// Bytes of memory the machine has.
pub fn total() -> usize {
    kilobytes("/proc/meminfo", "MemTotal:")
}

fn status(name: &str) -> usize {
    kilobytes("/proc/self/status", name)
}

fn kilobytes(file: &str, name: &str) -> usize {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse::<usize>().ok());
    number.unwrap_or(0) * 1024
}
