//! `cyberd search`, `backlinks` and `top`: particles by rank, shown as words where they are known.

use super::context::Context;
use super::output::{grouped, Answer};
use super::words::{Named, Words};
use crate::client::queries::{is_unknown_particle, RankList, RankPage};
use crate::client::{Client, Failure};
use crate::types::cid::particle_of_text;
use crate::types::Particle;
use serde_json::json;

/// Which rows.
#[derive(Debug, clap::Args)]
pub struct Page {
    /// Which page
    #[arg(long, value_name = "N", default_value_t = 1)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    page: u32,
    /// Rows on a page
    #[arg(long, value_name = "N", default_value_t = 10)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
}

impl Page {
    fn wire(&self) -> RankPage {
        RankPage { page: self.page - 1, per_page: self.limit }
    }

    /// The place of its first row, from 1.
    fn first(&self) -> u64 {
        u64::from(self.page - 1) * u64::from(self.limit) + 1
    }
}

/// Search: what a text or a particle leads to, best rank first
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cyberd search dog
  cyberd search 'domestic animal' --limit 20 --page 2
  cyberd search QmWATWQ7fVPP2EFGu71UkfnqhYXDYH566qy47CnJDgvs8u --output json")]
pub struct Search {
    /// A text or a CID
    #[arg(value_name = "TEXT|CID")]
    particle: String,
    /// Take it as a text even where it looks like a CID
    #[arg(long)]
    text: bool,
    #[command(flatten)]
    page: Page,
}

/// Show what leads to a text or a particle, best rank first
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cyberd backlinks animal
  cyberd backlinks animal --limit 50 --output json")]
pub struct Backlinks {
    /// A text or a CID
    #[arg(value_name = "TEXT|CID")]
    particle: String,
    /// Take it as a text even where it looks like a CID
    #[arg(long)]
    text: bool,
    #[command(flatten)]
    page: Page,
}

/// Show the best-ranked particles of all
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  cyberd top\n  cyberd top --limit 100 --output json")]
pub struct Top {
    #[command(flatten)]
    page: Page,
}

/// Runs `cyberd search`.
pub fn search(context: &Context, search: &Search) -> Result<Answer, Failure> {
    let named = Named::parse(&search.particle, search.text)?;
    about(context, &named, RankList::Search, &search.page, "leads to")
}

/// Runs `cyberd backlinks`.
pub fn backlinks(context: &Context, backlinks: &Backlinks) -> Result<Answer, Failure> {
    let named = Named::parse(&backlinks.particle, backlinks.text)?;
    about(context, &named, RankList::Backlinks, &backlinks.page, "is led to by")
}

/// Runs `cyberd top`.
pub fn top(context: &Context, top: &Top) -> Result<Answer, Failure> {
    let client = context.client()?;
    let words = Words::open(context)?;
    let page = &top.page;
    let ranked = context.block_on(client.ranked(RankList::Top, page.wire()))?;
    let json = json!({
        "total": ranked.total,
        "page": page.page,
        "limit": page.limit,
        "results": words.ranked_json(&ranked, page.first()),
    });
    let total = grouped(u64::from(ranked.total));
    let text = format!("{total} particles\n{}", words.ranked_text(&ranked, page.first()));
    Ok(Answer::new(json, text))
}

fn about(
    context: &Context,
    named: &Named,
    list: fn(Particle) -> RankList,
    page: &Page,
    relation: &str,
) -> Result<Answer, Failure> {
    let client = context.client()?;
    let words = Words::open(context)?;
    let ranked = context.block_on(async {
        match client.ranked(list(named.particle), page.wire()).await {
            Err(failure) if is_unknown_particle(&failure) => {
                Err(not_found(&client, named, &words.show_named(named), failure).await)
            }
            other => other,
        }
    })?;
    let mut json = words.json_named(named);
    json["total"] = json!(ranked.total);
    json["page"] = json!(page.page);
    json["limit"] = json!(page.limit);
    json["results"] = words.ranked_json(&ranked, page.first());
    let shown = words.show_named(named);
    let total = grouped(u64::from(ranked.total));
    let mut text = format!("{shown} {relation} {total} particle(s)");
    if !ranked.particles.is_empty() {
        text.push_str(&format!("\n{}", words.ranked_text(&ranked, page.first())));
    }
    Ok(Answer::new(json, text))
}

/// The chain does not know the particle: look whether it knows a usual other spelling. It is only
/// suggested, never used.
async fn not_found(client: &Client, named: &Named, shown: &str, failure: Failure) -> Failure {
    let mut known = Vec::new();
    for other in named.text.as_deref().map(spellings).unwrap_or_default() {
        if client.rank(&particle_of_text(&other).1).await.is_ok() {
            known.push(format!("'{other}'"));
        }
    }
    let message = format!("nothing on the chain is linked with '{shown}': particle not found");
    let failure = Failure { message, ..failure };
    match known.is_empty() {
        true => failure.hint("case and spelling count: every text has its own particle"),
        false => failure.hint(format!("did you mean {}?", known.join(" or "))),
    }
}

/// Lower-case and singular spellings of a text, without the text itself.
fn spellings(text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    let mut all = vec![lower.clone()];
    for base in [text, lower.as_str()] {
        if let Some(stem) = base.strip_suffix("ies") {
            all.push(format!("{stem}y"));
        }
        if let Some(stem) = base.strip_suffix("es") {
            all.push(stem.to_owned());
        }
        if let Some(stem) = base.strip_suffix('s') {
            all.push(stem.to_owned());
        }
    }
    let mut seen = std::collections::BTreeSet::from([text.to_owned(), String::new()]);
    all.retain(|one| seen.insert(one.clone()));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lower_case_and_singular_spellings_are_suggested() {
        assert_eq!(spellings("Dogs"), ["dogs", "Dog", "dog"]);
        assert_eq!(spellings("berries"), ["berry", "berri", "berrie"]);
        assert_eq!(spellings("dog"), Vec::<String>::new());
        assert_eq!(spellings("s"), Vec::<String>::new());
    }

    #[test]
    fn pages_count_from_one_for_people_and_from_zero_on_the_wire() {
        let page = Page { page: 3, limit: 20 };
        assert_eq!(page.wire(), RankPage { page: 2, per_page: 20 });
        assert_eq!(page.first(), 41);
    }
}
