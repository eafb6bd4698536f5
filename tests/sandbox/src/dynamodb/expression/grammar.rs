//! The grammar of condition and projection expressions, by recursive descent. From loose to tight: `OR`, `AND`,
//! `NOT`, then comparisons, `BETWEEN` and `IN`. What it makes is what is written; what it means is seen later.

use super::lexer::{Kind, Tokens};

/// How deep parentheses and functions may lie in each other; AWS bounds the operators instead.
const MOST_LEVELS: usize = 150;
/// Operators and functions in one expression, by AWS's documentation.
const MOST_OPERATORS: usize = 300;
/// Bytes of one expression, by AWS's documentation.
const MOST_BYTES: usize = 4096;

const KEYWORDS: [&str; 5] = ["AND", "OR", "NOT", "BETWEEN", "IN"];

/// A piece of a condition as written.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    Path(Vec<Part>),
    /// A `:value` placeholder.
    Value(String),
    Call {
        function: String,
        arguments: Vec<Node>,
    },
    Compare {
        comparator: Comparator,
        left: Box<Node>,
        right: Box<Node>,
    },
    Between {
        value: Box<Node>,
        low: Box<Node>,
        high: Box<Node>,
    },
    In {
        value: Box<Node>,
        list: Vec<Node>,
    },
    Not(Box<Node>),
    And(Vec<Node>),
    Or(Vec<Node>),
}

/// A step of a document path as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    Name(String),
    /// A `#name` placeholder.
    Placeholder(String),
    /// Digits in brackets.
    Index(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Comparator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparator {
    fn read(text: &str) -> Option<Self> {
        let comparator = match text {
            "=" => Self::Equal,
            "<>" => Self::NotEqual,
            "<" => Self::Less,
            "<=" => Self::LessOrEqual,
            ">" => Self::Greater,
            ">=" => Self::GreaterOrEqual,
            _ => return None,
        };
        Some(comparator)
    }

    pub(super) fn written(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "<>",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        }
    }
}

impl Node {
    /// Whether it can stand where a value does, as far as the grammar knows: calls are told apart later.
    fn is_operand(&self) -> bool {
        matches!(self, Self::Path(_) | Self::Value(_) | Self::Call { .. })
    }

    /// Whether it can stand where a condition does, as far as the grammar knows.
    fn is_condition(&self) -> bool {
        !matches!(self, Self::Path(_) | Self::Value(_))
    }
}

/// Reads a condition; the error is AWS's text.
pub(super) fn condition(source: &str) -> Result<Node, String> {
    let mut parser = Parser::of(source)?;
    let condition = parser.or()?.node;
    parser.end()?;
    if !condition.is_condition() {
        return Err(parser.tokens.syntax_error());
    }
    if parser.redundant {
        return Err("The expression has redundant parentheses;".to_owned());
    }
    Ok(condition)
}

/// Reads the paths of a projection; the error is AWS's text.
pub(super) fn projection(source: &str) -> Result<Vec<Vec<Part>>, String> {
    let mut parser = Parser::of(source)?;
    let mut paths = vec![parser.path()?];
    while parser.tokens.take_mark(",") {
        paths.push(parser.path()?);
    }
    parser.end()?;
    Ok(paths)
}

struct Parser<'a> {
    tokens: Tokens<'a>,
    level: usize,
    operators: usize,
    /// Parentheses stood directly in parentheses.
    redundant: bool,
}

/// What was read, and whether parentheses enclose it.
struct Parsed {
    node: Node,
    enclosed: bool,
}

impl From<Node> for Parsed {
    fn from(node: Node) -> Self {
        Self {
            node,
            enclosed: false,
        }
    }
}

impl<'a> Parser<'a> {
    fn of(source: &'a str) -> Result<Self, String> {
        if source.len() > MOST_BYTES {
            return Err(format!(
                "Expression size has exceeded the maximum allowed size; expression size: {}",
                source.len()
            ));
        }
        let tokens = Tokens::of(source);
        if tokens.is_empty() {
            return Err("The expression can not be empty;".to_owned());
        }
        Ok(Self {
            tokens,
            level: 0,
            operators: 0,
            redundant: false,
        })
    }

    fn or(&mut self) -> Result<Parsed, String> {
        self.chain("OR", Self::and, Node::Or)
    }

    fn and(&mut self) -> Result<Parsed, String> {
        self.chain("AND", Self::not, Node::And)
    }

    /// Conditions with the keyword between them; one alone, even a mere operand, is passed on.
    fn chain(
        &mut self,
        keyword: &str,
        link: fn(&mut Self) -> Result<Parsed, String>,
        joined: fn(Vec<Node>) -> Node,
    ) -> Result<Parsed, String> {
        let first = link(self)?;
        if !self.tokens.is_keyword(keyword) {
            return Ok(first);
        }
        let mut links = vec![self.as_condition(first)?];
        while self.tokens.take_keyword(keyword) {
            self.count()?;
            let next = link(self)?;
            links.push(self.as_condition(next)?);
        }
        Ok(joined(links).into())
    }

    fn not(&mut self) -> Result<Parsed, String> {
        if !self.tokens.take_keyword("NOT") {
            return self.comparison();
        }
        self.count()?;
        let negated = self.comparison()?;
        let negated = self.as_condition(negated)?;
        Ok(Node::Not(Box::new(negated)).into())
    }

    fn comparison(&mut self) -> Result<Parsed, String> {
        let value = self.primary()?;
        if self.tokens.kind() == Kind::Comparator {
            let left = self.as_operand(value)?;
            let Some(comparator) = Comparator::read(self.tokens.text()) else {
                return Err(self.tokens.syntax_error());
            };
            self.tokens.take();
            self.count()?;
            let right = self.operand()?;
            return Ok(Node::Compare {
                comparator,
                left,
                right,
            }
            .into());
        }
        if self.tokens.is_keyword("BETWEEN") {
            let value = self.as_operand(value)?;
            self.tokens.take();
            self.count()?;
            let low = self.operand()?;
            if !self.tokens.take_keyword("AND") {
                return Err(self.tokens.syntax_error());
            }
            let high = self.operand()?;
            return Ok(Node::Between { value, low, high }.into());
        }
        if self.tokens.is_keyword("IN") {
            let value = self.as_operand(value)?;
            self.tokens.take();
            self.count()?;
            self.mark("(")?;
            let list = self.arguments()?;
            return Ok(Node::In { value, list }.into());
        }
        Ok(value)
    }

    /// What parentheses enclose, a call, a value or a path.
    fn primary(&mut self) -> Result<Parsed, String> {
        if self.tokens.take_mark("(") {
            self.descend()?;
            let inner = self.or()?;
            self.mark(")")?;
            self.level -= 1;
            self.redundant |= inner.enclosed;
            return Ok(Parsed {
                node: inner.node,
                enclosed: true,
            });
        }
        let node = match self.tokens.kind() {
            Kind::ValuePlaceholder => Node::Value(self.tokens.take().to_owned()),
            Kind::Word if self.tokens.second_is("(") && !self.is_keyword() => {
                let function = self.tokens.take().to_owned();
                self.count()?;
                self.mark("(")?;
                self.descend()?;
                let arguments = self.arguments()?;
                self.level -= 1;
                Node::Call {
                    function,
                    arguments,
                }
            }
            _ => Node::Path(self.path()?),
        };
        Ok(node.into())
    }

    /// Operands up to the closing parenthesis.
    fn arguments(&mut self) -> Result<Vec<Node>, String> {
        let mut arguments = vec![*self.operand()?];
        while self.tokens.take_mark(",") {
            arguments.push(*self.operand()?);
        }
        self.mark(")")?;
        Ok(arguments)
    }

    fn operand(&mut self) -> Result<Box<Node>, String> {
        let operand = self.primary()?;
        self.as_operand(operand)
    }

    fn path(&mut self) -> Result<Vec<Part>, String> {
        let mut path = vec![self.name()?];
        loop {
            if self.tokens.take_mark(".") {
                path.push(self.name()?);
            } else if self.tokens.take_mark("[") {
                if self.tokens.kind() != Kind::Digits {
                    return Err(self.tokens.syntax_error());
                }
                path.push(Part::Index(self.tokens.take().to_owned()));
                self.mark("]")?;
            } else {
                return Ok(path);
            }
        }
    }

    fn name(&mut self) -> Result<Part, String> {
        match self.tokens.kind() {
            Kind::NamePlaceholder => Ok(Part::Placeholder(self.tokens.take().to_owned())),
            Kind::Word if !self.is_keyword() && !self.tokens.text().starts_with('_') => {
                Ok(Part::Name(self.tokens.take().to_owned()))
            }
            _ => Err(self.tokens.syntax_error()),
        }
    }

    fn is_keyword(&self) -> bool {
        KEYWORDS
            .iter()
            .any(|keyword| self.tokens.is_keyword(keyword))
    }

    fn mark(&mut self, mark: &str) -> Result<(), String> {
        if self.tokens.take_mark(mark) {
            Ok(())
        } else {
            Err(self.tokens.syntax_error())
        }
    }

    fn end(&self) -> Result<(), String> {
        match self.tokens.kind() {
            Kind::End => Ok(()),
            _ => Err(self.tokens.syntax_error()),
        }
    }

    fn as_condition(&self, parsed: Parsed) -> Result<Node, String> {
        if parsed.node.is_condition() {
            Ok(parsed.node)
        } else {
            Err(self.tokens.syntax_error())
        }
    }

    fn as_operand(&self, parsed: Parsed) -> Result<Box<Node>, String> {
        if parsed.node.is_operand() {
            Ok(Box::new(parsed.node))
        } else {
            Err(self.tokens.syntax_error())
        }
    }

    fn descend(&mut self) -> Result<(), String> {
        self.level += 1;
        if self.level > MOST_LEVELS {
            return Err("The expression is nested too deeply;".to_owned());
        }
        Ok(())
    }

    fn count(&mut self) -> Result<(), String> {
        self.operators += 1;
        if self.operators > MOST_OPERATORS {
            return Err(format!(
                "The expression contains too many operators; operator count: {}",
                self.operators
            ));
        }
        Ok(())
    }
}
