//! Sign-in codes: asked for by a browser, mailed to one address, entered once.
//!
//! Must hold: a code never comes here, only its keyed hash; the bounds on asking and the five tries are counted in the
//! transaction; a code holds for the browser that asked and for no other, and nobody else's asking ends it; whoever types an
//! address uses up neither the codes of its owner's links nor those of other clients. A decoy is counted like any other code, is
//! never mailed and never holds, so that nobody learns which addresses are known.

use async_trait::async_trait;
use sea_orm::sea_query::Condition;
use sea_orm::{
    ColumnTrait as _, EntityTrait as _, PaginatorTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, Set,
};

use super::deed::{Deed, Fault, Tx};
use super::fault::ReadFault;
use super::rows::{session, sign_in_code as rows};
use super::sessions::{self, NewSession};
use super::{Store, audit, foreign_attempts, outbox, slots};
use crate::clock::Stamp;
use crate::domain::audit::{Actor, EventKind, NewEvent};
use crate::domain::canon::Digest;
use crate::domain::ids::{ChainId, SignInId, WorkflowId};
use crate::domain::names::EmailAddress;
use crate::domain::operator::MachineUser;
use crate::domain::sign_in::{
    AT_THE_MACHINE, COUNTED_TOGETHER, Client, Earlier, MOST_TRIES, REMEMBERED, TooOften, Way, may_ask,
};
use crate::domain::time::Timestamp;

/// Is a code mailed, or only counted?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    /// The address is known.
    Mailed,
    /// It is not.
    Decoy,
}

impl Sort {
    const fn word(self) -> &'static str {
        match self {
            Self::Mailed => "mailed",
            Self::Decoy => "decoy",
        }
    }
}

/// A code that is being asked for.
#[derive(Debug, Clone)]
pub struct NewCode {
    /// Its id; the code is made of it.
    pub id: SignInId,
    /// Which workflow's link leads to it, if any; it then belongs to that workflow's chain.
    pub workflow: Option<WorkflowId>,
    /// Whose mailbox proves the person.
    pub address: EmailAddress,
    /// Is it mailed?
    pub sort: Sort,
    /// The browser that asks.
    pub browser: Digest,
    /// Where the asking comes from.
    pub client: Client,
    /// What an entered code is compared with.
    pub code_hash: Digest,
    /// It holds no longer than this.
    pub expires_at: Timestamp,
}

/// A code that was asked for.
#[derive(Debug, Clone)]
pub struct Code {
    /// Its id.
    pub id: SignInId,
    /// Which workflow's link leads to it.
    pub workflow: Option<WorkflowId>,
    /// Whose mailbox proves the person.
    pub address: EmailAddress,
    /// The browser that asked.
    pub browser: Digest,
    /// What an entered code is compared with.
    pub code_hash: Digest,
    /// It holds no longer than this.
    pub expires_at: Timestamp,
    /// May it still be entered, but for its time?
    pub open: bool,
    /// Did a command ask for it?
    pub for_command: bool,
}

/// For whom a browser's code is looked up.
#[derive(Debug, Clone, Copy)]
pub enum Whose<'a> {
    /// For this address: a personal link of this workflow knows it.
    Of(&'a EmailAddress, WorkflowId),
    /// For whichever address was typed.
    Typed,
}

/// The latest code that a browser asked for, if it was neither used nor spent. It may be too old.
pub async fn latest(store: &Store, browser: Digest, whose: Whose<'_>) -> Result<Option<Code>, ReadFault> {
    let mut query = rows::Entity::find()
        .filter(rows::Column::BrowserHash.eq(browser.0.to_vec()))
        .filter(rows::Column::State.eq("open"));
    query = match whose {
        Whose::Of(address, _) => query.filter(rows::Column::AddressKey.eq(address.key())),
        Whose::Typed => query.filter(rows::Column::WorkflowId.is_null()),
    };
    let row = query.order_by_desc(rows::Column::AskedAt).limit(1).one(store.reads()).await?;
    let code = row.map(Code::from_row).transpose()?;
    Ok(code.filter(|code| match whose {
        Whose::Of(address, _) => code.address.mailbox() == address.mailbox(),
        Whose::Typed => true,
    }))
}

/// One code by id.
pub async fn find(store: &Store, id: SignInId) -> Result<Option<Code>, ReadFault> {
    rows::Entity::find_by_id(id.0).one(store.reads()).await?.map(Code::from_row).transpose()
}

/// Asks for a code. The mail is owed in the same deed; the browser's earlier codes hold no more.
pub struct AskForCode {
    /// Time and ids.
    pub stamp: Stamp,
    /// The code.
    pub code: NewCode,
}

#[async_trait]
impl Deed for AskForCode {
    type Done = ();
    type No = TooOften;

    fn name(&self) -> &'static str {
        "ask_for_code"
    }

    fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    async fn perform(&self, tx: &mut Tx) -> Result<(), Fault<TooOften>> {
        let new = &self.code;
        if rows::Entity::find_by_id(new.id.0).one(&tx.inner).await?.is_some() {
            // The deed is run again and had been written after all.
            return Ok(());
        }
        self.count(tx).await?;
        let browser = new.browser.0.to_vec();
        let replaced = rows::ActiveModel { state: Set("replaced".to_owned()), ..Default::default() };
        rows::Entity::update_many()
            .set(replaced)
            .filter(rows::Column::BrowserHash.eq(browser))
            .filter(rows::Column::State.eq("open"))
            .exec(&tx.inner)
            .await?;
        insert(tx, new).await?;
        if new.sort == Sort::Mailed {
            outbox::owe_code(tx, new.id, new.workflow, &new.address).await?;
        }
        Ok(())
    }
}

/// What was asked for lately, in one way.
#[derive(Clone, Copy)]
enum Counted<'a> {
    ForAddress(&'a str),
    ByClient(&'a str),
    ForAddressByClient(&'a str, &'a str),
    FromBrowser(&'a Digest),
}

impl AskForCode {
    /// Refuses what is asked for too often.
    async fn count(&self, tx: &Tx) -> Result<(), Fault<TooOften>> {
        let new = &self.code;
        let (address, client) = (new.address.key(), new.client.as_str());
        // Those who ask at the same moment are counted one after the other.
        let mut names = vec![format!("codes for {address}"), format!("codes from {}", new.browser)];
        let at_the_machine = new.client.is_at_the_machine();
        if new.workflow.is_none() && !at_the_machine {
            names.push(format!("codes for client {client}"));
            names.push("codes for whoever types an address".to_owned());
        }
        slots::lock(tx, &names).await?;
        let from_browser = self.asked(tx, Counted::FromBrowser(&new.browser)).await?;
        let for_address = self.asked(tx, Counted::ForAddress(&address)).await?;
        let judged = if new.workflow.is_some() {
            let way = Way::Link {
                for_address: &for_address,
                for_address_by_client: &self.asked(tx, Counted::ForAddressByClient(&address, client)).await?,
            };
            may_ask(Earlier { from_browser: &from_browser, way }, tx.at)
        } else if at_the_machine {
            let way = Way::Command {
                for_address: &for_address,
                for_address_by_user: &self.asked(tx, Counted::ForAddressByClient(&address, client)).await?,
            };
            may_ask(Earlier { from_browser: &from_browser, way }, tx.at)
        } else {
            let together = rows::Entity::find()
                .filter(rows::Column::AskedAt.gt(tx.at.plus(-COUNTED_TOGETHER).as_utc()))
                .filter(rows::Column::WorkflowId.is_null())
                .filter(in_command().not());
            let way = Way::Typed {
                for_address: &for_address,
                for_address_by_client: &self.asked(tx, Counted::ForAddressByClient(&address, client)).await?,
                by_client: &self.asked(tx, Counted::ByClient(client)).await?,
                by_all: usize::try_from(together.count(&tx.inner).await?).unwrap_or(usize::MAX),
            };
            may_ask(Earlier { from_browser: &from_browser, way }, tx.at)
        };
        judged.map_err(Fault::Refused)
    }

    /// When codes were asked for in the same way as this one: with an address typed, through a link, or for a command.
    async fn asked(&self, tx: &Tx, counted: Counted<'_>) -> Result<Vec<Timestamp>, Fault<TooOften>> {
        let since = tx.at.plus(-REMEMBERED).as_utc();
        let asked = rows::Entity::find().filter(rows::Column::AskedAt.gt(since));
        let asked = match self.code.workflow {
            Some(_) => asked.filter(rows::Column::WorkflowId.is_not_null()),
            None if self.code.client.is_at_the_machine() => asked.filter(in_command()),
            None => asked.filter(rows::Column::WorkflowId.is_null()).filter(in_command().not()),
        };
        let asked = match counted {
            Counted::ForAddress(address) => asked.filter(rows::Column::AddressKey.eq(address)),
            Counted::ByClient(client) => asked.filter(rows::Column::Client.eq(client)),
            Counted::ForAddressByClient(address, client) => {
                asked.filter(rows::Column::AddressKey.eq(address)).filter(rows::Column::Client.eq(client))
            }
            Counted::FromBrowser(browser) => asked.filter(rows::Column::BrowserHash.eq(browser.0.to_vec())),
        };
        let moments: Vec<chrono::DateTime<chrono::Utc>> =
            asked.select_only().column(rows::Column::AskedAt).into_tuple().all(&tx.inner).await?;
        Ok(moments.into_iter().map(Timestamp::from_utc).collect())
    }
}

/// Codes that commands asked for.
fn in_command() -> Condition {
    let begins = format!("{AT_THE_MACHINE}%");
    Condition::all().add(rows::Column::Client.is_not_null()).add(rows::Column::Client.like(begins))
}

async fn insert<No>(tx: &Tx, new: &NewCode) -> Result<(), Fault<No>> {
    let chain = new.workflow.map_or_else(|| ChainId::from(new.id), ChainId::from);
    let row = rows::ActiveModel {
        id: Set(new.id.0),
        chain: Set(chain.0),
        workflow_id: Set(new.workflow.map(|id| id.0)),
        address: Set(new.address.as_str().to_owned()),
        address_key: Set(new.address.key()),
        sort: Set(new.sort.word().to_owned()),
        browser_hash: Set(new.browser.0.to_vec()),
        client: Set(Some(new.client.as_str().to_owned())),
        code_hash: Set(new.code_hash.0.to_vec()),
        state: Set("open".to_owned()),
        tries: Set(0),
        asked_at: Set(tx.at.as_utc()),
        expires_at: Set(new.expires_at.as_utc()),
    };
    rows::Entity::insert(row).exec_without_returning(&tx.inner).await?;
    Ok(())
}

/// Enters a code.
pub struct EnterCode {
    /// Time and ids.
    pub stamp: Stamp,
    /// Which asking is answered.
    pub code: SignInId,
    /// The browser that answers.
    pub browser: Digest,
    /// The keyed hash of what was typed.
    pub typed: Digest,
    /// Behind the link of which workflow it is typed, if behind any. The code may have been asked for elsewhere.
    pub link: Option<WorkflowId>,
    /// What begins with it.
    pub begins: Begins,
}

/// What a code opens.
#[derive(Debug, Clone)]
pub enum Begins {
    /// A session in a browser.
    Session(NewSession),
    /// One command that waits for it, by this user of the machine.
    Command(MachineUser),
}

/// What came of entering a code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entered {
    /// It is the one: the session has begun.
    SignedIn(EmailAddress),
    /// It is another one; so many tries are left.
    Wrong(u32),
    /// No code holds any more: too late, too often, replaced, or asked for by another browser.
    Over,
}

#[async_trait]
impl Deed for EnterCode {
    type Done = Entered;
    type No = std::convert::Infallible;

    fn name(&self) -> &'static str {
        "enter_code"
    }

    fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    async fn perform(&self, tx: &mut Tx) -> Result<Entered, Fault<Self::No>> {
        let row = rows::Entity::find_by_id(self.code.0).lock_exclusive().one(&tx.inner).await?;
        let Some(row) = row else { return Ok(Entered::Over) };
        let code = Code::from_row(row.clone())?;
        if self.is_done(tx, &row, &code).await? {
            return Ok(Entered::SignedIn(code.address));
        }
        if !code.open || code.browser != self.browser {
            return Ok(Entered::Over);
        }
        let in_time = tx.at < code.expires_at;
        let tries = row.tries + 1;
        let last = tries >= i64::from(MOST_TRIES);
        let holds = in_time && row.sort == Sort::Mailed.word() && code.code_hash == self.typed;
        let state = match (holds, last) {
            (true, _) => "used",
            (false, true) => "spent",
            (false, false) => "open",
        };
        let tried = rows::ActiveModel {
            id: Set(row.id),
            tries: Set(tries),
            state: Set(state.to_owned()),
            ..Default::default()
        };
        rows::Entity::update(tried).exec(&tx.inner).await?;
        let chain = ChainId(row.chain);
        if holds {
            match &self.begins {
                Begins::Session(session) => sessions::begin(tx, session, &code.address, chain).await?,
                Begins::Command(user) => {
                    let event = NewEvent::new(EventKind::SignedIn, Actor::Person(code.address.clone()))
                        .text("sign_in", "code")
                        .text("for", "a command")
                        .personal("machine_user", user.in_words());
                    audit::append(tx, chain, event).await?;
                }
            }
            return Ok(Entered::SignedIn(code.address));
        }
        metrics::counter!("countersign_sign_ins_failed_total").increment(1);
        if row.sort == Sort::Mailed.word() {
            let because = if in_time { "the code was wrong" } else { "the code came too late" };
            let event = NewEvent::new(EventKind::SignInFailed, Actor::Countersign)
                .text("because", because)
                .number("tries", tries)
                .personal("whose", code.address.as_str());
            audit::append(tx, chain, event).await?;
            if let Some(workflow) = self.link.or(code.workflow).filter(|_| in_time) {
                let suspicious = last || other_browsers(tx, workflow, &code).await?;
                if suspicious {
                    foreign_attempts::wrong_codes(tx, workflow, &code.address).await?;
                }
            }
        }
        let left = u32::try_from(i64::from(MOST_TRIES) - tries).unwrap_or(0);
        Ok(if in_time && !last { Entered::Wrong(left) } else { Entered::Over })
    }
}

impl EnterCode {
    /// Was this very deed written before, without its answer having come?
    async fn is_done(
        &self,
        tx: &Tx,
        row: &rows::Model,
        code: &Code,
    ) -> Result<bool, Fault<std::convert::Infallible>> {
        match &self.begins {
            Begins::Session(session) => sessions::has_begun(tx, session.id_hash).await,
            // Nobody but this command knows its secret.
            Begins::Command(_) => {
                Ok(row.state == "used" && code.browser == self.browser && code.code_hash == self.typed)
            }
        }
    }
}

/// Were codes for this address and workflow asked for from another browser than that of this code?
async fn other_browsers<No>(tx: &Tx, workflow: WorkflowId, code: &Code) -> Result<bool, Fault<No>> {
    let browsers: Vec<Vec<u8>> = rows::Entity::find()
        .filter(rows::Column::WorkflowId.eq(workflow.0))
        .filter(rows::Column::AddressKey.eq(code.address.key()))
        .select_only()
        .column(rows::Column::BrowserHash)
        .distinct()
        .into_tuple()
        .all(&tx.inner)
        .await?;
    Ok(browsers.iter().any(|browser| *browser != code.browser.0))
}

/// Forgets codes and sessions that are long over. Nobody can sign in by them, and the trail tells of them.
pub struct Forget {
    /// Time and ids.
    pub stamp: Stamp,
}

/// So long both are kept after their end.
const KEPT: chrono::TimeDelta = chrono::TimeDelta::days(2);

#[async_trait]
impl Deed for Forget {
    type Done = ();
    type No = std::convert::Infallible;

    fn name(&self) -> &'static str {
        "forget_sign_ins"
    }

    fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    async fn perform(&self, tx: &mut Tx) -> Result<(), Fault<Self::No>> {
        let before = tx.at.plus(-KEPT).as_utc();
        rows::Entity::delete_many().filter(rows::Column::AskedAt.lte(before)).exec(&tx.inner).await?;
        session::Entity::delete_many().filter(session::Column::EndsAt.lte(before)).exec(&tx.inner).await?;
        Ok(())
    }
}

/// When there is something to forget.
pub async fn next_to_forget(store: &Store) -> Result<Option<Timestamp>, ReadFault> {
    let code = rows::Entity::find().order_by_asc(rows::Column::AskedAt).limit(1).one(store.reads()).await?;
    let ended =
        session::Entity::find().order_by_asc(session::Column::EndsAt).limit(1).one(store.reads()).await?;
    let moments = [code.map(|row| row.asked_at), ended.map(|row| row.ends_at)];
    Ok(moments.into_iter().flatten().min().map(|moment| Timestamp::from_utc(moment).plus(KEPT)))
}

impl Code {
    fn from_row(row: rows::Model) -> Result<Self, ReadFault> {
        let wrong =
            |wrong| ReadFault::Inconsistent { table: "sign_in_codes", row: row.id.to_string(), wrong };
        Ok(Self {
            id: SignInId(row.id),
            workflow: row.workflow_id.map(WorkflowId),
            address: EmailAddress::parse(&row.address).map_err(|_| wrong("not a mail address"))?,
            browser: audit::digest("sign_in_codes", row.id, &row.browser_hash)?,
            code_hash: audit::digest("sign_in_codes", row.id, &row.code_hash)?,
            expires_at: Timestamp::from_utc(row.expires_at),
            open: row.state == "open",
            for_command: row.client.is_some_and(|client| client.starts_with(AT_THE_MACHINE)),
        })
    }
}
