//! What ails the database, as its last write told it.
//!
//! Must hold: what only a write can tell, such as a full disk, is remembered until a [`Probe`] has gone through, for
//! whoever asks may not write; a deed that found nothing to write shows nothing. The sweeper writes probes while something
//! ails, so that this does not wait for somebody to post.

use std::fmt::Write as _;
use std::sync::Mutex;

use async_trait::async_trait;
use sea_orm::{ColumnTrait as _, DbErr, EntityTrait as _, QueryFilter as _, RuntimeErr, Set};

use super::deed::{Deed, Fault, Tx};
use super::rows::installation;
use crate::clock::Stamp;
use crate::domain::ids::EventId;

/// The part that ails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ailment {
    /// The database is away, or locked by somebody else, or damaged.
    Database,
    /// There is no room, or the disk does not do what it is asked.
    Disk,
}

/// Remembers what ails; see [`Ailment`].
#[derive(Debug, Default)]
pub(super) struct Health(Mutex<Option<Ailment>>);

impl Health {
    /// What the last write told.
    pub(super) fn ailment(&self) -> Option<Ailment> {
        *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// As much as a request needs has been written.
    pub(super) fn is_well(&self) {
        self.set(None);
    }

    /// Writes are waited for and do not come to their end.
    pub(super) fn is_stuck(&self) {
        self.set(Some(Ailment::Database));
    }

    /// A write has failed; one that failed by a rule of its own says nothing.
    pub(super) fn heed(&self, fault: &DbErr) {
        if let Some(ailment) = ailment(fault) {
            self.set(Some(ailment));
        }
    }

    fn set(&self, ailment: Option<Ailment>) {
        *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = ailment;
    }
}

/// Which part a fault speaks of; `None` where the database is well and only says no.
fn ailment(fault: &DbErr) -> Option<Ailment> {
    let inner = match fault {
        DbErr::Conn(RuntimeErr::SqlxError(inner))
        | DbErr::Exec(RuntimeErr::SqlxError(inner))
        | DbErr::Query(RuntimeErr::SqlxError(inner)) => inner,
        DbErr::Conn(_) | DbErr::ConnectionAcquire(_) => return Some(Ailment::Database),
        _ => return None,
    };
    let Some(told) = inner.as_database_error() else {
        // No answer, a connection that broke, none that was free.
        let is_our_own = matches!(
            **inner,
            sqlx::Error::RowNotFound
                | sqlx::Error::ColumnDecode { .. }
                | sqlx::Error::Decode(_)
                | sqlx::Error::ColumnNotFound(_)
        );
        return (!is_our_own).then_some(Ailment::Database);
    };
    let code = told.code()?;
    if code.len() == 5 {
        return of_postgres(&code);
    }
    // An extended SQLite result code keeps the primary one in its low byte (sqlite.org/rescode.html).
    match code.parse::<u32>().ok()? & 0xff {
        // Read-only, input/output error, full, cannot be opened.
        8 | 10 | 13 | 14 => Some(Ailment::Disk),
        // Busy, locked, out of memory, corrupt, no database.
        5..=7 | 11 | 26 => Some(Ailment::Database),
        _ => None,
    }
}

/// Classes of <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
fn of_postgres(code: &str) -> Option<Ailment> {
    match code {
        // Disk full, input/output error.
        "53100" | "58030" => Some(Ailment::Disk),
        // Refused log-ons, a database that is gone, one that is read-only as a stand-by is.
        "28P01" | "28000" | "3D000" | "25006" => Some(Ailment::Database),
        // Connections, resources, an operator's stop, the system's own faults, damage.
        _ if ["08", "53", "57P", "58", "XX"].iter().any(|class| code.starts_with(class)) => {
            Some(Ailment::Database)
        }
        _ => None,
    }
}

/// Finds out whether writes go through again. It needs fresh room, as a request would, and gives back what the one before
/// it took.
pub struct Probe {
    /// Time and ids.
    pub stamp: Stamp,
}

/// What its rows are called.
const PROBE: &str = "probe of the disk";
/// As large as a request with its events.
const PROBE_BYTES: usize = 8 * 1024;

#[async_trait]
impl Deed for Probe {
    type Done = ();
    type No = std::convert::Infallible;

    fn name(&self) -> &'static str {
        "probe"
    }

    fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    fn concerns_others(&self) -> bool {
        false
    }

    fn shows_room(&self) -> bool {
        true
    }

    async fn perform(&self, tx: &mut Tx) -> Result<(), Fault<Self::No>> {
        let name = format!("{PROBE} {}", tx.id(EventId::made));
        // A server makes little of what repeats itself.
        let mut value = String::with_capacity(PROBE_BYTES);
        while value.len() < PROBE_BYTES {
            // Writing to a String cannot fail.
            let _ = write!(value, "{:032x}", u128::from_be_bytes(tx.draw.salt()));
        }
        let row = installation::ActiveModel { name: Set(name.clone()), value: Set(value) };
        installation::Entity::insert(row).exec_without_returning(&tx.inner).await?;
        installation::Entity::delete_many()
            .filter(installation::Column::Name.starts_with(PROBE))
            .filter(installation::Column::Name.ne(name))
            .exec(&tx.inner)
            .await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Ailment;
    use crate::store::tests::stage::{Stage, accept};

    #[test]
    fn the_servers_codes_tell_the_part() {
        for (code, part) in [
            ("53100", Some(Ailment::Disk)),
            ("58030", Some(Ailment::Disk)),
            ("53300", Some(Ailment::Database)),
            ("57P01", Some(Ailment::Database)),
            ("08006", Some(Ailment::Database)),
            ("25006", Some(Ailment::Database)),
            ("23505", None),
            ("40001", None),
            ("55P03", None),
            ("57014", None),
        ] {
            assert_eq!(of_postgres(code), part, "{code}");
        }
    }

    #[test]
    fn what_a_connection_tells_without_a_code_is_about_the_database() {
        let away = DbErr::Conn(RuntimeErr::Internal("no answer".to_owned()));
        assert_eq!(ailment(&away), Some(Ailment::Database));
        assert_eq!(ailment(&DbErr::RecordNotFound("x".to_owned())), None);
    }

    #[tokio::test]
    async fn probes_leave_one_row_and_tell_that_writes_go_through_again() {
        let stage = Stage::sqlite().await;
        stage.store.write(accept(stage.stamp(), "T-1", "T-1")).await.unwrap();
        for _ in 0..3 {
            stage.store.write(Probe { stamp: stage.stamp() }).await.unwrap();
        }
        let rows = "select count(*) from installation where name like 'probe%'";
        assert_eq!(stage.outsider().await.count(rows).await, 1);
        assert_eq!(stage.store.ailment(), None);
    }
}
