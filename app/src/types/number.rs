//! One type for every kind of number, so that a height never stands where a link number belongs.

/// Declares a newtype over an unsigned integer with its checked successor and display.
macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[derive(serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl $name {
            /// The number after this one; `None` past the largest.
            pub fn next(self) -> Option<$name> {
                self.0.checked_add(1).map($name)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number! {
    /// A block's height; the genesis state has the height before the first block's.
    Height(u64)
}
number! {
    /// A particle's place in order of first appearance on the chain, from 0. The chain holds
    /// fewer than 2^32 particles; the wire and the logs write it as eight bytes.
    ParticleNumber(u32)
}
number! {
    /// A cyberlink's place in order of acceptance, from 0; fewer than 2^32.
    LinkNumber(u32)
}
number! {
    /// A neuron's place in order of its first accepted link, from 0. Derived from the link log,
    /// private to this node: it never enters a hash or an answer.
    NeuronNumber(u32)
}
number! {
    /// An amount of one denomination, in its smallest unit.
    Amount(u128)
}

impl Height {
    /// The height before this one; that of the first block has none.
    pub fn previous(self) -> Option<Height> {
        self.0.checked_sub(1).map(Height)
    }
}
