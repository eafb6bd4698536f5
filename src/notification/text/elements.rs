//! The elements that are open, and which tags end them, as browsers have it.

use html5gum::HtmlString;

use super::{
    element::{
        bounds_scope, ends_paragraph, ends_picture, gap_around, holds_only_cells, in_head, is_cell,
        is_formatting, is_heading, is_list, is_special, is_table_part, is_void,
    },
    style::{Shade, Style},
};

/// More elements in each other than browsers allow for. What is deeper is taken as it comes.
const DEPTH_MAX: usize = 512;

/// More lists in each other than anybody follows. Lines do not begin further in.
const INDENTED_MAX: usize = 16;

/// The elements that are open, the outermost first.
#[derive(Default)]
pub(super) struct Elements {
    open: Vec<Element>,
}

struct Element {
    name: HtmlString,
    own: Style,
    context: Context,
}

/// What an element and those around it mean for what stands in it.
#[derive(Clone, Copy, Default)]
pub(super) struct Context {
    pub(super) shade: Shade,
    /// Whether white space is kept.
    pub(super) preformatted: bool,
    /// How many cells are around it. No link reaches into a cell or out of it.
    pub(super) cells: usize,
    /// How many lists are around it.
    pub(super) lists: usize,
    /// Whether it is in an item of the innermost of them.
    pub(super) item: bool,
}

impl Context {
    /// That of an element in this one.
    pub(super) fn with(self, name: &[u8], own: Style) -> Self {
        let list = is_list(name);
        Self {
            shade: self.shade.with(own),
            preformatted: self.preformatted || name == b"pre",
            cells: self.cells + usize::from(is_cell(name)),
            lists: self.lists + usize::from(list),
            item: name == b"li" || (self.item && !list),
        }
    }

    /// How many blanks a line begins with: two for each list in another, and behind the mark of an item.
    pub(super) fn indent(self) -> usize {
        let inner = (self.lists + usize::from(self.item)).saturating_sub(1);
        2 * inner.min(INDENTED_MAX)
    }
}

impl Elements {
    pub(super) fn context(&self) -> Context {
        self.open
            .last()
            .map(|element| element.context)
            .unwrap_or_default()
    }

    /// The context of what comes next: text, or the start of an element. What is in a table and in
    /// none of its cells is shown before the table.
    pub(super) fn context_for(&self, name: Option<&[u8]>) -> Context {
        self.context_above(self.open.len(), name)
    }

    fn context_above(&self, above: usize, name: Option<&[u8]>) -> Context {
        let Some(parent) = above.checked_sub(1).and_then(|at| self.open.get(at)) else {
            return Context::default();
        };
        if parent.context.shade == Shade::default()
            || name.is_some_and(is_table_part)
            || !holds_only_cells(&parent.name)
        {
            return parent.context;
        }
        let tables = self.open[..above].iter();
        let table = tables
            .rev()
            .position(|element| element.name.as_slice() == b"table");
        let around = table.and_then(|table| self.open[..above].iter().rev().nth(table + 1));
        Context {
            shade: around
                .map(|around| around.context.shade)
                .unwrap_or_default(),
            ..parent.context
        }
    }

    /// Adds an element, unless it holds nothing.
    pub(super) fn push(&mut self, name: HtmlString, own: Style) {
        let row = self
            .open
            .last()
            .is_some_and(|last| last.name.as_slice() == b"tr");
        if matches!(name.as_slice(), b"td" | b"th") && !row {
            // Its end tag may follow though it was never begun.
            self.push(HtmlString(b"tr".to_vec()), Style::default());
        }
        let around = self.context_for(Some(&name));
        let context = around.with(&name, own);
        // A style sheet is no text, however deep it stands.
        let hides = context.shade.gone && !around.shade.gone;
        if (self.open.len() < DEPTH_MAX || hides) && !is_void(&name) {
            self.open.push(Element { name, own, context });
        }
    }

    /// The table that is open, and in it no cell, which alone can hold another.
    fn table_around_no_cell(&self) -> Option<usize> {
        self.last(|open| open == b"table", is_cell)
    }

    /// Whether browsers take no notice of the start: of a part of a table where there is none, and of
    /// a form in another or between cells.
    pub(super) fn is_out_of_place(&self, name: &[u8]) -> bool {
        let around = |around: &[u8]| self.last(|open| open == around, |_| false).is_some();
        match name {
            b"form" => around(b"form") || self.table_around_no_cell().is_some(),
            b"table" => false,
            _ => is_table_part(name) && !around(b"table"),
        }
    }

    /// Ends the elements that cannot be open where this one starts.
    pub(super) fn make_room(&mut self, name: &[u8]) {
        if self.context().shade.gone {
            self.end_unseen(name);
        }
        if self.open.is_empty() {
            return;
        }
        match name {
            b"table" => {
                if let Some(at) = self.table_around_no_cell() {
                    self.open.truncate(at);
                }
                self.make_room_for_block(name);
            }
            _ if is_table_part(name) => self.make_room_in_table(name),
            b"a" | b"nobr" => {
                if let Some(at) = self.last(|open| open == name, is_cell) {
                    self.remove(at);
                }
            }
            b"button" => self.end_at(|open| open == name, bounds_scope),
            _ if ends_paragraph(name) => self.make_room_for_block(name),
            _ => {}
        }
    }

    /// Ends what stands before the next part of a table, and what is in none.
    fn make_room_in_table(&mut self, name: &[u8]) {
        let row = matches!(name, b"tr");
        let cell = matches!(name, b"td" | b"th");
        let around = |open: &[u8]| match open {
            b"table" | b"template" => true,
            b"tbody" | b"thead" | b"tfoot" => row || cell,
            b"tr" => cell,
            _ => false,
        };
        if let Some(at) = self.last(around, |_| false) {
            self.open.truncate(at + 1);
        }
    }

    fn make_room_for_block(&mut self, name: &[u8]) {
        // The next item ends the last, whatever else in it was left open.
        let other = |open: &[u8]| is_special(open) && !matches!(open, b"address" | b"div" | b"p");
        match name {
            b"li" => self.end_at(|open| open == b"li", other),
            b"dd" | b"dt" => self.end_at(|open| matches!(open, b"dd" | b"dt"), other),
            _ => {}
        }
        self.end_at(
            |open| open == b"p",
            |open| bounds_scope(open) || open == b"button",
        );
        if let Some(last) = self.open.last()
            && is_heading(name)
            && is_heading(&last.name)
        {
            self.open.pop();
        }
    }

    /// Ends the elements that hide all they hold where a start tag shows that they are over.
    fn end_unseen(&mut self, name: &[u8]) {
        if !in_head(name) {
            self.end_at(|open| open == b"head", |open| open == b"template");
        }
        while ends_picture(name)
            && let Some(at) = self.last(|open| open == b"svg", |open| open == b"foreignobject")
        {
            self.open.truncate(at);
        }
    }

    /// Ends the element with this end tag, and what is in it, if one is in reach.
    pub(super) fn close(&mut self, name: &[u8]) {
        let same = |open: &[u8]| open == name;
        match name {
            // What comes behind them is in them still.
            b"body" | b"html" => {}
            b"table" | b"tbody" | b"thead" | b"tfoot" | b"tr" | b"td" | b"th" | b"caption" => {
                self.end_at(same, |open| matches!(open, b"table" | b"template"));
            }
            b"li" => self.end_at(same, |open| bounds_scope(open) || is_list(open)),
            b"p" => self.end_at(same, |open| bounds_scope(open) || open == b"button"),
            _ if gap_around(name).is_none() => self.end_at(same, |_| false),
            _ if is_heading(name) => self.end_at(is_heading, bounds_scope),
            _ if is_formatting(name) => {
                if let Some(at) = self.last(same, bounds_scope) {
                    self.remove(at);
                }
            }
            _ if is_special(name) => self.end_at(same, bounds_scope),
            _ => self.end_at(same, is_special),
        }
    }

    /// The innermost element of this kind, unless it is beyond a bound.
    fn last(&self, wanted: impl Fn(&[u8]) -> bool, bound: impl Fn(&[u8]) -> bool) -> Option<usize> {
        for (at, element) in self.open.iter().enumerate().rev() {
            if wanted(&element.name) {
                return Some(at);
            }
            if bound(&element.name) {
                return None;
            }
        }
        None
    }

    fn end_at(&mut self, wanted: impl Fn(&[u8]) -> bool, bound: impl Fn(&[u8]) -> bool) {
        if let Some(at) = self.last(wanted, bound) {
            self.open.truncate(at);
        }
    }

    /// Ends an element that only says how text looks. The blocks in it go on without it.
    fn remove(&mut self, at: usize) {
        let block = self.open[at..]
            .iter()
            .position(|element| is_special(&element.name));
        let end = block.map_or(self.open.len(), |block| at + block);
        self.open.drain(at..end);
        for at in at..self.open.len() {
            let element = &self.open[at];
            let context = self
                .context_above(at, Some(&element.name))
                .with(&element.name, element.own);
            self.open[at].context = context;
        }
    }
}
