//! The stories: what people see of the service, told from outside.
//!
//! Must hold: each story speaks to a running service over real sockets, on SQLite and on PostgreSQL; time moves only
//! when the story moves it; workers are driven by hand, so nothing waits.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a story that cannot go on has failed"
)]

mod stage;

/// Tells a story on both databases. The sentence is the name of an `async fn(Stage)`; `with` says what it wants
/// otherwise.
macro_rules! told_on_both {
    ($($story:ident)*) => { told_on_both! { with crate::stage::Choices::default(); $($story)* } };
    (with $choices:expr; $($story:ident)*) => { $(
        mod $story {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_sqlite() {
                let stage = crate::stage::Stage::with(crate::stage::Database::sqlite(), $choices).await;
                super::$story(stage).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            #[ignore = "needs a PostgreSQL server; tests/all starts one and runs this"]
            async fn on_postgresql() {
                let stage = crate::stage::Stage::with(crate::stage::Database::postgres(), $choices).await;
                super::$story(stage).await;
            }
        }
    )* };
}

/// Tells a story on both databases that begins by itself. The sentence is the name of an `async fn(Database)`.
macro_rules! begun_on_both {
    ($($story:ident)*) => { $(
        mod $story {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_sqlite() {
                super::$story(crate::stage::Database::sqlite()).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            #[ignore = "needs a PostgreSQL server; tests/all starts one and runs this"]
            async fn on_postgresql() {
                super::$story(crate::stage::Database::postgres()).await;
            }
        }
    )* };
}

/// Tells a story on both databases, and of both products.
macro_rules! told_of_both_products {
    ($($story:ident)*) => {
        told_on_both! { $($story)* }
        mod of_a_self_hosted_vault { $(
            mod $story {
                use crate::stage::{Choices, Database, Product, Stage};

                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn on_sqlite() {
                    let choices = Choices { product: Product::SelfHosted, ..Choices::default() };
                    super::super::$story(Stage::with(Database::sqlite(), choices).await).await;
                }
            }
        )* }
    };
}

mod a_backup_is_put_back;
mod a_browser_approves;
mod a_browser_signs_in;
mod a_create_lands_late;
mod a_leaver_is_not_undone;
mod a_leavers_account_is_gone;
mod a_link_grows_old;
mod a_vault_in_our_own_cellar;
mod a_vault_is_gone;
mod a_password_is_handed_over;
mod a_webhook_arrives;
mod anything_may_happen;
mod an_account_is_renamed;
mod an_account_is_somebody_elses;
mod an_approver_decides;
mod a_lost_create_is_resolved;
mod a_number_is_taken_for_a_name;
mod a_refusal_turns_into_a_conflict;
mod an_auditor_looks_back;
mod corrections;
mod an_hr_feed_runs_wild;
mod an_operator_acts;
mod an_operator_checks;
mod an_operator_looks;
mod an_operator_releases;
mod an_operator_starts_it;
mod clocks_are_set;
mod every_change_may_fail;
mod every_step_may_fail;
mod how_long_access_stays;
mod it_is_killed_anywhere;
mod leavers_go_first;
mod nobody_holds_up_the_others;
mod one_person_one_account;
mod privileged_groups_want_more;
mod programs_read_the_contract;
mod senders_prove_themselves;
mod several_replicas;
mod somebody_comes_back;
mod somebody_leaves;
mod somebody_leaves_everything;
mod somebody_moves;
mod somebody_signs_in;
mod the_database_is_ill;
mod the_same_webhook_twice;
mod the_server_is_stopped;
mod the_settings_have_changed;
mod the_service_is_killed;
mod the_vault_changed_before_the_run;
mod the_vault_is_provisioned;
mod the_vault_is_slow;
mod the_vault_misbehaves;
mod time_decides;
mod two_approvers_at_once;
mod what_was_kept_is_cleared;
mod what_we_keep_ourselves_is_broken;
