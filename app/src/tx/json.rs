//! JSON as clients sign it: compact, keys in the order they are written, `&`, `<` and `>` escaped.

use crate::types::Coin;

/// How two families of software spell the same string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spelling {
    /// JavaScript: U+2028 and U+2029 stand as they are.
    JavaScript,
    /// Go: they are escaped.
    Go,
}

/// Writes JSON.
pub struct Writer {
    out: Vec<u8>,
    spelling: Spelling,
}

impl Writer {
    pub fn new(spelling: Spelling) -> Writer {
        Writer { out: Vec::with_capacity(1024), spelling }
    }

    pub fn finish(self) -> Vec<u8> {
        self.out
    }

    /// Syntax, taken as it is.
    pub fn raw(&mut self, text: &str) -> &mut Writer {
        self.out.extend_from_slice(text.as_bytes());
        self
    }

    /// A string.
    pub fn text(&mut self, text: &str) -> &mut Writer {
        self.out.push(b'"');
        for letter in text.chars() {
            self.letter(letter);
        }
        self.out.push(b'"');
        self
    }

    /// An integer, as a string.
    pub fn number(&mut self, number: u64) -> &mut Writer {
        self.raw("\"").raw(&number.to_string()).raw("\"")
    }

    /// A list of coins.
    pub fn coins(&mut self, coins: &[Coin]) -> &mut Writer {
        self.raw("[");
        for (at, coin) in coins.iter().enumerate() {
            self.raw(if at == 0 { "{\"amount\":" } else { ",{\"amount\":" });
            self.text(&coin.amount.to_string()).raw(",\"denom\":").text(&coin.denom).raw("}");
        }
        self.raw("]")
    }

    fn letter(&mut self, letter: char) {
        match letter {
            '"' => self.raw("\\\""),
            '\\' => self.raw("\\\\"),
            '\n' => self.raw("\\n"),
            '\r' => self.raw("\\r"),
            '\t' => self.raw("\\t"),
            '\u{8}' => self.raw("\\b"),
            '\u{c}' => self.raw("\\f"),
            '\0'..='\u{1f}' | '&' | '<' | '>' => self.raw(&escaped(letter)),
            '\u{2028}' | '\u{2029}' if self.spelling == Spelling::Go => self.raw(&escaped(letter)),
            _ => self.raw(letter.encode_utf8(&mut [0; 4])),
        };
    }
}

fn escaped(letter: char) -> String {
    format!("\\u{:04x}", u32::from(letter))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_escaped_as_clients_sign_them() {
        let write = |spelling| {
            let mut out = Writer::new(spelling);
            out.text("a\"\\\n\r\t\u{8}\u{c}\u{1}<&>é\u{2028}\u{7f}");
            String::from_utf8(out.finish()).expect("utf-8")
        };
        let same = "\"a\\\"\\\\\\n\\r\\t\\b\\f\\u0001\\u003c\\u0026\\u003eé";
        assert_eq!(write(Spelling::JavaScript), format!("{same}\u{2028}\u{7f}\""));
        assert_eq!(write(Spelling::Go), format!("{same}\\u2028\u{7f}\""));
    }
}
