//! Who may be credited again when.
//!
//! A credit is reserved before it is given and released if it fails, so requests that come at once
//! do not pass each other. Memory is bounded by what was credited within the time.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;
use tokio::time::Instant;

/// Credits of the last while.
pub struct Limits {
    every: Duration,
    per_source: usize,
    addresses: BTreeMap<(String, String), Instant>,
    sources: BTreeMap<IpAddr, Vec<Instant>>,
}

/// A credit that counts until it is released.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reserved {
    key: (String, String),
    source: IpAddr,
    at: Instant,
}

/// Why not, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    pub reason: String,
    pub wait: Duration,
}

impl Limits {
    /// An address once in `every`, a source `per_source` times.
    pub fn new(every: Duration, per_source: usize) -> Limits {
        Limits { every, per_source, addresses: BTreeMap::new(), sources: BTreeMap::new() }
    }

    /// Reserves a credit.
    pub fn reserve(
        &mut self,
        address: &str,
        denom: &str,
        source: IpAddr,
        now: Instant,
    ) -> Result<Reserved, Refused> {
        self.forget(now);
        let source = network(source);
        let every = self.every;
        let left = |at: &Instant| every.saturating_sub(now.saturating_duration_since(*at));
        let key = (address.to_owned(), denom.to_owned());
        if let Some(at) = self.addresses.get(&key) {
            let wait = left(at);
            let reason =
                format!("{address} got {denom} already; again in {} s", wait.as_secs() + 1);
            return Err(Refused { reason, wait });
        }
        let of_source = self.sources.entry(source).or_default();
        if of_source.len() >= self.per_source {
            let wait = of_source.first().map_or(every, left);
            let reason = format!(
                "{source} asked {} times already; again in {} s",
                of_source.len(),
                wait.as_secs() + 1
            );
            return Err(Refused { reason, wait });
        }
        of_source.push(now);
        self.addresses.insert(key.clone(), now);
        Ok(Reserved { key, source, at: now })
    }

    /// Takes a credit back that failed.
    pub fn release(&mut self, reserved: &Reserved) {
        self.addresses.remove(&reserved.key);
        if let Some(of_source) = self.sources.get_mut(&reserved.source) {
            if let Some(place) = of_source.iter().position(|at| *at == reserved.at) {
                of_source.remove(place);
            }
        }
    }

    fn forget(&mut self, now: Instant) {
        let every = self.every;
        let counts = |at: &Instant| now.saturating_duration_since(*at) < every;
        self.addresses.retain(|_, at| counts(at));
        self.sources.retain(|_, of_source| {
            of_source.retain(counts);
            !of_source.is_empty()
        });
    }
}

/// A household has many IPv6 addresses: its network of 64 bits is the source.
fn network(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V4(_) => source.to_canonical(),
        IpAddr::V6(six) => IpAddr::V6((u128::from(six) >> 64 << 64).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn an_address_is_credited_once_in_a_denomination_until_its_time_is_over() {
        let (mut limits, now) = (Limits::new(HOUR, 9), Instant::now());
        let one = ip("10.0.0.1");
        let first = limits.reserve("a", "boot", one, now).expect("the first");
        let refused = limits.reserve("a", "boot", ip("10.0.0.2"), now + HOUR / 2);
        assert_eq!(refused.expect_err("too early").wait, HOUR / 2);
        assert!(limits.reserve("a", "coin", one, now).is_ok());
        limits.release(&first);
        assert!(limits.reserve("a", "boot", one, now).is_ok(), "what failed is not counted");
        assert!(limits.reserve("a", "boot", one, now + HOUR).is_ok());
    }

    #[test]
    fn a_source_is_credited_so_often_whatever_addresses_it_names() {
        let (mut limits, now) = (Limits::new(HOUR, 2), Instant::now());
        let mut ask =
            |name: &str, from: &str, at| limits.reserve(name, "boot", ip(from), at).is_ok();
        assert!(ask("a", "2001:db8::1", now) && ask("b", "2001:db8::ffff:2", now));
        assert!(!ask("c", "2001:db8::3", now), "the same network");
        assert!(ask("c", "2001:db8:0:1::3", now));
        assert!(ask("d", "::ffff:10.0.0.1", now) && ask("e", "10.0.0.1", now));
        assert!(!ask("f", "10.0.0.1", now));
        assert!(ask("f", "10.0.0.1", now + HOUR));
    }
}
