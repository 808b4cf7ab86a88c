//! Particles on the command line: a text or a CID comes in, words go out where they are known.

use super::context::Context;
use super::output::table;
use crate::client::queries::Ranked;
use crate::client::{ContentTable, Failure};
use crate::types::cid::{parse_any_cid, particle_of_text, CidError};
use crate::types::Particle;
use serde_json::{json, Value};

/// Longer texts are cut in lists for people; JSON has them whole.
const SHOWN_CHARACTERS: usize = 72;

/// A particle as the user named it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    pub particle: Particle,
    /// The canonical text, when a text was given.
    pub text: Option<String>,
}

impl Named {
    /// Reads an argument: a CID in any spelling, else a text.
    pub fn parse(argument: &str, always_text: bool) -> Result<Named, Failure> {
        if !always_text {
            match parse_any_cid(argument) {
                Ok(particle) => return Ok(Named { particle, text: None }),
                Err(CidError::NotACid(_)) => {}
                Err(error) => {
                    return Err(Failure::usage(error.to_string())
                        .hint("to mean the characters themselves, add --text"));
                }
            }
        }
        let (text, particle) = particle_of_text(argument);
        match text.is_empty() {
            true => Err(Failure::usage("a text needs more than white space")),
            false => Ok(Named { particle, text: Some(text) }),
        }
    }
}

/// The words of this home.
pub struct Words {
    content: ContentTable,
}

impl Words {
    pub fn open(context: &Context) -> Result<Words, Failure> {
        Ok(Words { content: ContentTable::open(&context.home)? })
    }

    /// The text of a particle, if it is known here.
    pub fn text(&self, particle: &Particle) -> Option<String> {
        self.content.text(particle)
    }

    /// A particle for people: its text, else its CID.
    pub fn show(&self, particle: &Particle) -> String {
        self.text(particle).map_or_else(|| particle.to_cid(), |text| printable(&text))
    }

    /// A named particle for people.
    pub fn show_named(&self, named: &Named) -> String {
        named.text.as_deref().map_or_else(|| self.show(&named.particle), printable)
    }

    /// A particle for programs.
    pub fn json(&self, particle: &Particle) -> Value {
        json!({"particle": particle.to_cid(), "text": self.text(particle)})
    }

    /// A named particle for programs.
    pub fn json_named(&self, named: &Named) -> Value {
        let text = named.text.clone().or_else(|| self.text(&named.particle));
        json!({"particle": named.particle.to_cid(), "text": text})
    }

    /// Remembers the texts that were named.
    pub fn learn(&mut self, named: &[&Named]) -> Result<(), Failure> {
        let texts = named.iter().filter_map(|one| Some((&one.particle, one.text.as_deref()?)));
        self.content.add(texts)
    }

    /// A ranked list for programs.
    pub fn ranked_json(&self, ranked: &Ranked, first: u64) -> Value {
        let row = |(place, (particle, rank)): (u64, &(Particle, u64))| {
            json!({
                "place": place,
                "particle": particle.to_cid(),
                "text": self.text(particle),
                "rank": rank,
            })
        };
        (first..).zip(&ranked.particles).map(row).collect()
    }

    /// A ranked list for people: place, rank, words, CID.
    pub fn ranked_text(&self, ranked: &Ranked, first: u64) -> String {
        let row = |(place, (particle, rank)): (u64, &(Particle, u64))| {
            let known = self.text(particle);
            let words = known.as_deref().map_or_else(|| "(no text here)".to_owned(), printable);
            vec![format!("{place:>4}"), rank_text(*rank), words, particle.to_cid()]
        };
        table(&(first..).zip(&ranked.particles).map(row).collect::<Vec<_>>())
    }
}

/// A rank, which travels in units of 10^-15, as the decimal it stands for.
pub fn rank_text(rank: u64) -> String {
    const ONE: u64 = 1_000_000_000_000_000;
    format!("{}.{:015}", rank / ONE, rank % ONE)
}

/// A text for one line of a terminal: nothing that moves the cursor, not too long.
pub fn printable(text: &str) -> String {
    let clean = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    let mut shown: String = text.chars().take(SHOWN_CHARACTERS).map(clean).collect();
    if text.chars().nth(SHOWN_CHARACTERS).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_argument_is_a_cid_where_it_can_be_and_else_a_text() {
        let cid = particle_of_text("dog").1.to_cid();
        assert_eq!(Named::parse(&cid, false).expect("cid").text, None);
        let text = Named::parse("  dog ", false).expect("text");
        assert_eq!((text.particle.to_cid(), text.text.as_deref()), (cid.clone(), Some("dog")));
        assert_eq!(Named::parse(&cid, true).expect("text").text, Some(cid));
        assert!(Named::parse(" \u{feff}", false).is_err());
    }

    #[test]
    fn a_text_cannot_take_over_the_terminal() {
        assert_eq!(printable("a\u{1b}[2Jb\nc"), "a\u{fffd}[2Jb\u{fffd}c");
        assert_eq!(printable(&"x".repeat(100)).chars().count(), SHOWN_CHARACTERS + 1);
        assert_eq!(rank_text(1_234_000_000_000_000), "1.234000000000000");
    }
}
