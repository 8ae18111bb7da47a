//! Making the account, and finding out whether an earlier attempt made it.
//!
//! Must hold: the name is looked up before anything is sent; a lost answer is unknown and never a reason to send
//! again; a user of that name without our mark is a stranger's until a person says otherwise.

use super::act::Told;
use super::answer::Said;
use super::holder::{Holder, is_marked, made_by, stranger};
use super::pages::id_of;
use super::talk::{Fault, Talk};
use super::users::new_user_body;
use crate::domain::ids::VaultUserId;
use crate::domain::plan::{Description, NewUser};
use crate::domain::step::Outcome;
use crate::target::StepCall;

impl Talk<'_> {
    pub(super) async fn create_user(&mut self, call: &StepCall<'_>, user: &NewUser) -> Result<Told, Fault> {
        match self.holder(call).await? {
            Holder::Nobody => {}
            holder @ (Holder::Ours(_) | Holder::Adopted(_) | Holder::Stranger(_)) => {
                return Ok(held(call, &holder));
            }
        }
        let Some(password) = &call.password else {
            return Err(Fault::NeedsPerson(
                "no initial password was handed over, so nothing was sent".to_owned(),
            ));
        };
        let shape = self.shape(call.plan.dialect.user_shape).await?;
        let body = new_user_body(&call.plan.user_name, user, shape, &call.mark, password);
        match self.post("Users", body).await {
            Ok(answer) => match answer.as_object().and_then(id_of) {
                Some(id) => Ok(self.read_back(call, VaultUserId(id)).await),
                None => self.find_made(call).await.map_err(Fault::after_a_write),
            },
            Err(Fault::AlreadySo(said)) => self.taken(call, &said).await,
            Err(Fault::Refused(said)) if said.status == 409 => self.taken(call, &said).await,
            Err(fault) => Err(fault),
        }
    }

    pub(super) async fn look_for_created(&mut self, call: &StepCall<'_>) -> Result<Told, Fault> {
        Ok(match self.holder(call).await? {
            Holder::Nobody => Told::new(Outcome::NotThere, "no user of that name is in the vault"),
            holder @ (Holder::Ours(_) | Holder::Adopted(_)) => held(call, &holder),
            Holder::Stranger(id) => Told::new(Outcome::NeedsPerson, doubtful(call, id)),
        })
    }

    /// The answer named a number, so the account is ours whatever else can be seen.
    async fn read_back(&mut self, call: &StepCall<'_>, id: VaultUserId) -> Told {
        let account = match self.account(id).await {
            Ok(Some(account)) => account,
            Ok(None) => {
                let words = format!("the vault says it made user number {id}, but it cannot be read yet");
                return Told::about(Outcome::Unknown, id, words);
            }
            Err(fault) => {
                let words =
                    format!("the vault says it made user number {id}, but reading it back failed: {fault}");
                return Told::about(Outcome::Unknown, id, words);
            }
        };
        if !account.user.user_name.eq_ignore_ascii_case(call.plan.user_name.as_str()) {
            let words = format!("the vault says it made user number {id}, but that number has another name");
            return Told::new(Outcome::NeedsPerson, words);
        }
        let marked = match call.plan.dialect.description {
            Description::Kept if !is_marked(call, &account) => {
                "; this vault did not keep the description, which carries our mark, although the settings say it does"
            }
            Description::Kept | Description::NotKept => "",
        };
        Told::about(Outcome::Done, id, format!("made user number {id} and read it back{marked}"))
            .made_by(Some(call.mark.attempt()))
    }

    /// The vault said yes without a number.
    async fn find_made(&mut self, call: &StepCall<'_>) -> Result<Told, Fault> {
        Ok(match self.holder(call).await? {
            Holder::Ours(account) | Holder::Adopted(account) => {
                let id = account.user.id;
                Told::about(Outcome::Done, id, format!("made the user and found it under number {id}"))
                    .made_by(made_by(call, &account))
            }
            Holder::Nobody => {
                Told::new(Outcome::Unknown, "the vault says it made the user, but it cannot be found yet")
            }
            Holder::Stranger(id) => Told::new(Outcome::NeedsPerson, doubtful(call, id)),
        })
    }

    /// The vault said that the name is taken, although it was free a moment ago.
    async fn taken(&mut self, call: &StepCall<'_>, said: &Said) -> Result<Told, Fault> {
        Ok(match self.holder(call).await? {
            holder @ (Holder::Ours(_) | Holder::Adopted(_) | Holder::Stranger(_)) => held(call, &holder),
            Holder::Nobody => Told::new(
                Outcome::NeedsPerson,
                format!("{}; but no user of that name can be seen, perhaps for lack of rights", said.words),
            ),
        })
    }
}

/// The name is held: by whom decides.
fn held(call: &StepCall<'_>, holder: &Holder) -> Told {
    match holder {
        Holder::Ours(account) => {
            let id = account.user.id;
            let words = format!("an earlier attempt of this workflow made user number {id}");
            Told::about(Outcome::Done, id, words).made_by(made_by(call, account))
        }
        Holder::Adopted(account) => {
            let id = account.user.id;
            Told::about(
                Outcome::AlreadySo,
                id,
                format!("user number {id} is there; a person declared it ours"),
            )
        }
        Holder::Stranger(id) => Told::new(Outcome::NeedsPerson, stranger(*id)),
        Holder::Nobody => Told::new(Outcome::NotThere, "no user of that name is in the vault"),
    }
}

/// After a write of ours the holder may be our own user, unrecognised.
fn doubtful(call: &StepCall<'_>, id: VaultUserId) -> String {
    match call.plan.dialect.description {
        Description::Kept => stranger(id),
        Description::NotKept => format!(
            "the name is held by user number {id}; this vault keeps no descriptions, so only a person can say \
             whether our attempt made it"
        ),
    }
}
