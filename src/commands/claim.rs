//! Whom `--as` names: an operator by the settings of this moment, who proves the mailbox before anything is done.
//!
//! Must hold: one way for every command that takes `--as`, and the one of the console: a fresh code, mailed to the
//! address, entered by whoever asked for it. Nothing that the machine says of its user stands for it. Questions go to
//! standard error, the answer is read from standard input, and only this process can use the code.

use std::io::Write as _;
use std::process::ExitCode;

use super::failed;
use super::machine_user::machine_user;
use crate::domain::ids::SignInId;
use crate::domain::names::EmailAddress;
use crate::domain::operator::{MachineUser, Operator};
use crate::domain::sign_in::{CODE_HOLDS, Client};
use crate::key::BrowserSecret;
use crate::kit::Kit;
use crate::people::{Role, holder};
use crate::store::WriteFault;
use crate::store::codes::{AskForCode, Begins, EnterCode, Entered, NewCode, Sort};
use crate::store::two_people::OneOfTwo;

/// An address that somebody claims, before the settings are read.
#[derive(Debug, Clone)]
pub(super) struct Claim(EmailAddress);

/// Who gives the command: an operator, who has just entered the code that was mailed to this address.
pub(super) struct Proven {
    pub(super) address: EmailAddress,
    pub(super) user: MachineUser,
}

impl Claim {
    /// Reads what stands behind `--as`.
    pub(super) fn parse(text: &str) -> Result<Self, ExitCode> {
        EmailAddress::parse(text).map(Self).map_err(|_| failed(&"--as: wanted: a mail address"))
    }

    /// Has it proven, if it stands in `[operators] members` now; else the store is closed and the command ends.
    pub(super) async fn proven(self, kit: &Kit) -> Result<Proven, ExitCode> {
        let user = machine_user();
        // To the address as the settings spell it, as on the console.
        let proven = match holder(&kit.settings, &self.0) {
            Some((Role::Operator, address)) => prove(kit, address, &user).await.map(|()| address.clone()),
            Some((Role::Viewer, _)) | None => {
                Err("--as: wanted: an address that stands in members of [operators] in the settings"
                    .to_owned())
            }
        };
        match proven {
            Ok(address) => Ok(Proven { address, user }),
            Err(why) => {
                kit.store.close().await;
                Err(failed(&why))
            }
        }
    }
}

impl Proven {
    /// As one operator.
    pub(super) fn operator(self) -> Operator {
        Operator::AtTheMachine { user: self.user, proven: Some(self.address) }
    }

    /// As one of two people.
    pub(super) fn one_of_two(self, kit: &Kit) -> OneOfTwo {
        let operators = kit.settings.operators.members.clone();
        OneOfTwo { address: self.address, user: Some(self.user), operators }
    }
}

/// So many lines are read before whoever sends them is taken for no person.
const MOST_LINES: usize = 20;

/// A code that was mailed, and may be entered here.
struct Asked {
    id: SignInId,
    secret: BrowserSecret,
}

async fn prove(kit: &Kit, address: &EmailAddress, user: &MachineUser) -> Result<(), String> {
    let asked = ask(kit, address, user).await?;
    let minutes = CODE_HOLDS.num_minutes();
    ask_for(&format!(
        "a sign-in code goes to {address} by the running service; it holds for {minutes} minutes"
    ));
    for _ in 0..MOST_LINES {
        let Some(typed) = read_line().await else {
            return Err("no code was entered; nothing was done".to_owned());
        };
        let typed: String = typed.chars().filter(|sign| !sign.is_whitespace() && *sign != '-').collect();
        if typed.len() != 6 || !typed.bytes().all(|byte| byte.is_ascii_digit()) {
            ask_for("that is no code; it has six digits");
            continue;
        }
        match enter(kit, &asked, &typed, user).await? {
            Entered::SignedIn(_) => return Ok(()),
            Entered::Wrong(left) => ask_for(&format!("that is another code; tries left: {left}")),
            Entered::Over => {
                return Err("this code holds no more; nothing was done. Give the command again".to_owned());
            }
        }
    }
    Err("too many lines that are no code; nothing was done".to_owned())
}

/// What is wanted, for whoever reads standard error.
fn ask_for(words: &str) {
    let mut errors = std::io::stderr();
    let _ = write!(errors, "{words}. Code: ").and_then(|()| errors.flush());
}

async fn ask(kit: &Kit, address: &EmailAddress, user: &MachineUser) -> Result<Asked, String> {
    let (secret, stamp) = (BrowserSecret::made(&kit.world), kit.world.stamp());
    let id = SignInId::made(stamp.at, kit.world.bytes());
    let browser = secret.hash();
    let digits = kit.keys.sign_in_code(id, address, browser);
    let code = NewCode {
        id,
        workflow: None,
        address: address.clone(),
        sort: Sort::Mailed,
        browser,
        client: Client::at_the_machine(&user.called),
        code_hash: kit.keys.sign_in_code_hash(id, digits.reveal()),
        expires_at: stamp.at.plus(CODE_HOLDS),
    };
    let deed = || AskForCode { stamp: stamp.clone(), code: code.clone() };
    let mut written = kit.store.write(deed()).await;
    if matches!(written, Err(WriteFault::Unknown(_))) {
        written = kit.store.write(deed()).await;
    }
    match written {
        Ok(()) => Ok(Asked { id, secret }),
        Err(WriteFault::Refused(often)) => {
            Err(format!("{often}; the next one may be asked for at {}", often.until.in_words()))
        }
        Err(fault) => Err(fault.to_string()),
    }
}

async fn enter(kit: &Kit, asked: &Asked, typed: &str, user: &MachineUser) -> Result<Entered, String> {
    let stamp = kit.world.stamp();
    let deed = || EnterCode {
        stamp: stamp.clone(),
        code: asked.id,
        browser: asked.secret.hash(),
        typed: kit.keys.sign_in_code_hash(asked.id, typed),
        link: None,
        begins: Begins::Command(user.clone()),
    };
    let mut written = kit.store.write(deed()).await;
    if matches!(written, Err(WriteFault::Unknown(_))) {
        written = kit.store.write(deed()).await;
    }
    written.map_err(|fault| match fault {
        WriteFault::Refused(never) => match never {},
        fault => fault.to_string(),
    })
}

/// One line from standard input; nothing at its end.
async fn read_line() -> Option<String> {
    let read = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).ok().filter(|bytes| *bytes > 0).map(|_| line)
    });
    read.await.ok().flatten()
}
