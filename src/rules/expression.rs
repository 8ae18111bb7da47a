//! Compiling one condition: the parser, and what it is not allowed to contain.
//!
//! Must hold: everything that could run long or grow large is refused here, before a request is ever seen: CEL ends
//! always, but it has no fuel. Deliberately absent: threads and time limits (see `engine.rs`).

use std::fmt;
use std::sync::Arc;

use cel::common::ast::{ComprehensionExpr, EntryExpr, Expr, IdedEntryExpr};
use cel::{Env, IdedExpr, Program};

use super::fault::RuleFault;

/// No condition is longer, in bytes.
pub const MOST_BYTES: usize = 2_000;
/// No condition has more loops.
pub const MOST_LOOPS: usize = 4;
/// No loop lies deeper; 1 is a loop in no other.
pub const DEEPEST_LOOP: usize = 2;

/// The names a condition may use: the request, types for `type(x) == …`, and the door to optional values.
const NAMES: [&str; 12] = [
    "req",
    "optional",
    "bool",
    "bytes",
    "double",
    "int",
    "list",
    "map",
    "null_type",
    "string",
    "type",
    "uint",
];

/// The functions of a condition. Those that make large texts out of small ones (`replace`, `format`) are not here.
const FUNCTIONS: [&str; 44] = [
    "size",
    "contains",
    "startsWith",
    "endsWith",
    "matches",
    "string",
    "int",
    "uint",
    "double",
    "bool",
    "bytes",
    "type",
    "dyn",
    "timestamp",
    "duration",
    "getFullYear",
    "getMonth",
    "getDate",
    "getDayOfMonth",
    "getDayOfYear",
    "getDayOfWeek",
    "getHours",
    "getMinutes",
    "getSeconds",
    "getMilliseconds",
    "of",
    "ofNonZeroValue",
    "none",
    "value",
    "hasValue",
    "or",
    "orValue",
    "optMap",
    "optFlatMap",
    "charAt",
    "indexOf",
    "lastIndexOf",
    "lowerAscii",
    "upperAscii",
    "trim",
    "split",
    "join",
    "substring",
    "reverse",
];

/// A compiled condition; cheap to clone.
#[derive(Clone)]
pub struct Expression {
    program: Arc<Program>,
    source: Arc<str>,
}

impl Expression {
    /// Compiles and judges. Call it on a thread with a large stack and behind `catch_unwind`.
    pub(super) fn compile(env: &Env, source: &str) -> Result<Self, RuleFault> {
        if source.len() > MOST_BYTES {
            return Err(RuleFault::TooLong);
        }
        let program = env.compile(source).map_err(|errors| {
            let place = errors.errors.first().map_or((1, 1), |error| error.pos);
            let from_one = |number: isize| usize::try_from(number).unwrap_or(1).max(1);
            RuleFault::NotCel { line: from_one(place.0), column: from_one(place.1) }
        })?;
        let mut census = Census::default();
        census.walk(program.expression(), 0)?;
        Ok(Self { program: Arc::new(program), source: source.into() })
    }

    /// The text it was compiled from.
    pub fn source(&self) -> &str {
        &self.source
    }

    pub(super) fn program(&self) -> &Program {
        &self.program
    }
}

impl fmt::Debug for Expression {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_tuple("Expression").field(&self.source).finish()
    }
}

/// Counts the loops of an expression and checks each name on the way.
#[derive(Default)]
struct Census<'e> {
    loops: usize,
    own_names: Vec<&'e str>,
}

impl<'e> Census<'e> {
    fn walk(&mut self, part: &'e IdedExpr, depth: usize) -> Result<(), RuleFault> {
        match &part.expr {
            Expr::Unspecified | Expr::Literal(_) => Ok(()),
            Expr::Ident(name) => self.name(name),
            Expr::Select(select) => self.walk(&select.operand, depth),
            Expr::List(list) => list.elements.iter().try_for_each(|item| self.walk(item, depth)),
            Expr::Map(map) => self.entries(&map.entries, depth),
            Expr::Struct(made) => Err(RuleFault::UnknownName { name: made.type_name.clone() }),
            Expr::Call(call) => {
                // Operators are calls, too; their names have signs in them.
                let is_word = call.func_name.chars().all(|sign| sign.is_ascii_alphanumeric() || sign == '_')
                    && call.func_name.starts_with(|sign: char| sign.is_ascii_alphabetic());
                if is_word && !FUNCTIONS.contains(&call.func_name.as_str()) {
                    return Err(RuleFault::UnknownFunction { name: call.func_name.clone() });
                }
                call.target.iter().try_for_each(|target| self.walk(target, depth))?;
                call.args.iter().try_for_each(|argument| self.walk(argument, depth))
            }
            Expr::Comprehension(repeated) => self.repeated(repeated, depth),
        }
    }

    fn entries(&mut self, entries: &'e [IdedEntryExpr], depth: usize) -> Result<(), RuleFault> {
        entries.iter().try_for_each(|entry| match &entry.expr {
            EntryExpr::StructField(field) => self.walk(&field.value, depth),
            EntryExpr::MapEntry(entry) => {
                self.walk(&entry.key, depth)?;
                self.walk(&entry.value, depth)
            }
        })
    }

    fn repeated(&mut self, repeated: &'e ComprehensionExpr, depth: usize) -> Result<(), RuleFault> {
        self.loops += 1;
        if self.loops > MOST_LOOPS {
            return Err(RuleFault::TooManyLoops);
        }
        if depth >= DEEPEST_LOOP {
            return Err(RuleFault::LoopsTooDeep);
        }
        // What is looped over and what is made of the result run once; the rest runs for every item.
        self.walk(&repeated.iter_range, depth)?;
        let before = self.own_names.len();
        self.own_names.extend([repeated.iter_var.as_str(), repeated.accu_var.as_str()]);
        self.own_names.extend(repeated.iter_var2.as_deref());
        self.walk(&repeated.accu_init, depth)?;
        self.walk(&repeated.loop_cond, depth + 1)?;
        self.walk(&repeated.loop_step, depth + 1)?;
        self.walk(&repeated.result, depth)?;
        self.own_names.truncate(before);
        Ok(())
    }

    fn name(&self, name: &str) -> Result<(), RuleFault> {
        if NAMES.contains(&name) || self.own_names.contains(&name) {
            return Ok(());
        }
        Err(RuleFault::UnknownName { name: name.to_owned() })
    }
}
