//! Links, and where their addresses are written.

use super::{
    element::Gap,
    output::Output,
    symbol::{Symbol, symbols_of},
};

/// The links that are open. One in a cell may stand in another around the table.
#[derive(Default)]
pub(super) struct Links(Vec<Link>);

struct Link {
    /// What a reader can do something with.
    url: Option<Vec<Symbol>>,
    /// How many cells are around it.
    cells: usize,
    /// Where in the output its text begins, or goes on behind a link in it.
    start: usize,
    /// Whether text of it stands there without an address so far.
    pending: bool,
    /// Whether the address has been written, by itself or by a link in it.
    said: bool,
    /// Whether an image without a text of its own is all that is seen of it.
    image: bool,
}

impl Links {
    pub(super) fn open(&mut self, url: Option<Vec<Symbol>>, cells: usize, output: &mut Output) {
        // Links are not in each other, but for those in a cell.
        self.close(cells, output);
        if let Some(around) = self.0.last_mut() {
            around.pending |= output.has_text_since(around.start);
            if url.is_some() && around.url != url {
                around.say(output);
            }
        }
        self.0.push(Link {
            url,
            cells,
            start: output.len(),
            pending: false,
            said: false,
            image: false,
        });
    }

    /// Tells the innermost link of an image that has no text of its own.
    pub(super) fn take_image(&mut self) {
        if let Some(link) = self.0.last_mut() {
            link.image = true;
        }
    }

    /// Ends the link that was opened with as many cells around it.
    pub(super) fn close(&mut self, cells: usize, output: &mut Output) {
        self.end(|link| link.cells == cells, output);
    }

    /// Ends the links in cells that have ended.
    pub(super) fn leave_cells(&mut self, cells: usize, output: &mut Output) {
        while self.end(|link| link.cells > cells, output) {}
    }

    fn end(&mut self, over: impl Fn(&Link) -> bool, output: &mut Output) -> bool {
        let Some(mut link) = self.0.pop_if(|link| over(link)) else {
            return false;
        };
        link.end(output);
        if let Some(around) = self.0.last_mut() {
            around.start = output.len();
            if link.said && link.url == around.url {
                around.said = true;
                around.pending = false;
            }
        }
        true
    }
}

impl Link {
    fn end(&mut self, output: &mut Output) {
        let own = output.has_text_since(self.start);
        if let Some(url) = &self.url
            && !self.said
            && is_address(output.text_since(self.start), url)
        {
            self.said = true;
            output.keep_words_off();
        } else if own || self.pending {
            self.pending = true;
            self.say(output);
        } else if self.image
            && !self.said
            && let Some(url) = &self.url
        {
            output.keep_off(Gap::Space);
            output.folded(url);
            output.keep_off(Gap::Space);
            self.said = true;
        }
    }

    /// Writes the address behind the text, if both are there and it has not been written before.
    fn say(&mut self, output: &mut Output) {
        if let Some(url) = &self.url
            && self.pending
            && !self.said
        {
            let (open, close) = brackets(url);
            output.append(open);
            output.append(url.iter().copied());
            output.append(close);
            output.keep_words_off();
            self.said = true;
        }
        self.pending = false;
    }
}

/// What stands around an address. One of values alone may turn out to be empty.
fn brackets(url: &[Symbol]) -> (Vec<Symbol>, Vec<Symbol>) {
    if url.iter().all(|symbol| matches!(symbol, Symbol::Value(_))) {
        (vec![Symbol::Open], vec![Symbol::Close])
    } else {
        (symbols_of(" (").collect(), symbols_of(")").collect())
    }
}

/// Whether a text is the address itself, but for the slash that addresses of sites may end with.
fn is_address(text: &[Symbol], url: &[Symbol]) -> bool {
    let stem = |symbols: &[Symbol]| {
        let slash = symbols.last() == Some(&Symbol::Char('/'));
        symbols.len() - usize::from(slash)
    };
    text[..stem(text)] == url[..stem(url)] && !text.is_empty()
}
