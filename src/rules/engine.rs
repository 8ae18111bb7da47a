//! The thread on which conditions are compiled and answered.
//!
//! Must hold: nothing of CEL runs on an async thread; the stack is large, a panic is caught, and an evaluation that
//! takes too long is abandoned together with its thread, so that the next one finds a fresh thread. Only `true` and
//! `false` are answers. Deliberately absent: what follows from an answer (profiles, routing).

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use cel::{Context, Env, ExecutionError, Value as CelValue, extensions};
use serde_json::Value;
use tokio::sync::{Mutex, oneshot};

use super::expression::Expression;
use super::fault::RuleFault;

/// The time limit of one evaluation in production.
pub const EVALUATION_LIMIT: Duration = Duration::from_millis(250);
/// Compiling happens at start only; this is for a machine under load.
const COMPILE_LIMIT: Duration = Duration::from_secs(10);
/// The deepest condition that 2,000 bytes can hold, a flat sum, overflows the usual 2 MiB, and in a build without
/// optimisation even 16 MiB; an overflow would end the process. Only what is used becomes real memory.
const STACK_BYTES: usize = 64 * 1024 * 1024;
/// So many threads may exist at once, abandoned ones included.
const MOST_THREADS: usize = 8;

/// What a condition says of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The condition is true.
    Holds,
    /// The condition is false.
    DoesNot,
}

/// Compiles and answers conditions; cheap to clone.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    env: Arc<Env>,
    limit: Duration,
    worker: Mutex<Worker>,
    /// Each thread holds one more of these for as long as it lives.
    alive: Arc<()>,
}

struct Worker {
    jobs: mpsc::Sender<Job>,
    standing: Standing,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// Waits for work.
    Idle,
    /// Was given work whose answer nobody has taken yet.
    Lent,
}

struct Job {
    expression: Expression,
    req: Value,
    answer: oneshot::Sender<Result<Verdict, RuleFault>>,
}

impl Engine {
    /// Starts the first thread. `limit` bounds each evaluation: [`EVALUATION_LIMIT`], but for tests.
    pub fn start(limit: Duration) -> Result<Self, RuleFault> {
        let mut env = Env::stdlib();
        env.add_extension(extensions::strings).map_err(|_| RuleFault::NoInterpreter)?;
        let env = Arc::new(env);
        let alive = Arc::new(());
        let worker = Mutex::new(hire(&env, &alive)?);
        Ok(Self(Arc::new(Inner { env, limit, worker, alive })))
    }

    /// Compiles a condition. Blocks for some milliseconds; meant for the start of the service.
    pub fn compile(&self, source: &str) -> Result<Expression, RuleFault> {
        let env = Arc::clone(&self.0.env);
        let source = source.to_owned();
        let (sender, compiled) = mpsc::channel();
        let work = move || {
            let tried = catch_unwind(AssertUnwindSafe(|| Expression::compile(&env, &source)));
            // Nobody waits any more when the time is over; then the outcome is of no use.
            sender.send(tried.unwrap_or(Err(RuleFault::Crashed))).ok();
        };
        spawn("rules-compile", work)?;
        compiled.recv_timeout(COMPILE_LIMIT).unwrap_or(Err(RuleFault::TooSlow))
    }

    /// Does the condition hold for this request, which it sees as `req`? Evaluations run one after the other.
    pub async fn holds(&self, expression: &Expression, req: &Value) -> Result<Verdict, RuleFault> {
        let mut worker = self.0.worker.lock().await;
        if worker.standing == Standing::Lent {
            // An earlier caller went away, or no thread was to be had then.
            *worker = hire(&self.0.env, &self.0.alive)?;
        }
        let (answer, heard) = oneshot::channel();
        let job = Job { expression: expression.clone(), req: req.clone(), answer };
        worker.standing = Standing::Lent;
        if worker.jobs.send(job).is_err() {
            return Err(RuleFault::Crashed);
        }
        let said = match tokio::time::timeout(self.0.limit, heard).await {
            Ok(Ok(said)) => {
                worker.standing = Standing::Idle;
                return said;
            }
            Ok(Err(_gone)) => RuleFault::Crashed,
            Err(_elapsed) => RuleFault::TooSlow,
        };
        // A thread that is not to be had now is asked for again by the next caller.
        if let Ok(fresh) = hire(&self.0.env, &self.0.alive) {
            *worker = fresh;
        }
        Err(said)
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Engine").field("limit", &self.0.limit).finish_non_exhaustive()
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), RuleFault> {
    let spawned = thread::Builder::new().name(name.to_owned()).stack_size(STACK_BYTES).spawn(work);
    spawned.map(drop).map_err(|_| RuleFault::NoInterpreter)
}

fn hire(env: &Arc<Env>, alive: &Arc<()>) -> Result<Worker, RuleFault> {
    if Arc::strong_count(alive) > MOST_THREADS {
        return Err(RuleFault::Busy);
    }
    let (env, token) = (Arc::clone(env), Arc::clone(alive));
    let (jobs, received) = mpsc::channel::<Job>();
    let work = move || {
        // The loop ends when the worker is replaced, for then its sender is gone.
        while let Ok(job) = received.recv() {
            let Job { expression, req, answer } = job;
            let tried = catch_unwind(AssertUnwindSafe(|| evaluate(&env, &expression, req)));
            answer.send(tried.unwrap_or(Err(RuleFault::Crashed))).ok();
        }
        drop(token);
    };
    spawn("rules", work)?;
    Ok(Worker { jobs, standing: Standing::Idle })
}

fn evaluate(env: &Arc<Env>, expression: &Expression, req: Value) -> Result<Verdict, RuleFault> {
    let mut context = Context::with_env(Arc::clone(env));
    context.add_variable_from_value("req", to_cel(req));
    match expression.program().execute(&context) {
        Ok(CelValue::Bool(true)) => Ok(Verdict::Holds),
        Ok(CelValue::Bool(false)) => Ok(Verdict::DoesNot),
        Ok(other) => Err(RuleFault::NotYesOrNo { found: type_name(&other) }),
        Err(ExecutionError::NoSuchKey(name)) => Err(missing(&name, expression)),
        Err(_) => Err(RuleFault::Unfitting),
    }
}

/// A computed key may be a value of the request, so only a name that stands in the condition is repeated.
fn missing(name: &str, expression: &Expression) -> RuleFault {
    let field = if expression.source().contains(name) { format!("\"{name}\"") } else { "a field".to_owned() };
    RuleFault::MissingField { field }
}

/// By hand, because serde would turn every positive number into an unsigned one.
fn to_cel(value: Value) -> CelValue {
    match value {
        Value::Null => CelValue::Null,
        Value::Bool(value) => CelValue::Bool(value),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => CelValue::Int(whole),
            (None, Some(broken)) => CelValue::Float(broken),
            (None, None) => CelValue::Null,
        },
        Value::String(text) => CelValue::String(Arc::new(text)),
        Value::Array(items) => CelValue::List(Arc::new(items.into_iter().map(to_cel).collect())),
        Value::Object(fields) => {
            let fields: std::collections::HashMap<String, CelValue> =
                fields.into_iter().map(|(name, value)| (name, to_cel(value))).collect();
            fields.into()
        }
    }
}

fn type_name(value: &CelValue) -> &'static str {
    match value {
        CelValue::List(_) => "list",
        CelValue::Map(_) => "map",
        CelValue::Int(_) | CelValue::UInt(_) | CelValue::Float(_) => "number",
        CelValue::String(_) => "text",
        CelValue::Bytes(_) => "byte string",
        CelValue::Bool(_) => "bool",
        CelValue::Duration(_) => "duration",
        CelValue::Timestamp(_) => "timestamp",
        CelValue::Null => "null",
        CelValue::Function(..) | CelValue::Opaque(_) | CelValue::Struct(_) => "value of another type",
    }
}
