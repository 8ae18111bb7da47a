//! The bare rows, one module a table. Nobody outside the store sees them.

macro_rules! table {
    ($(#[$doc:meta])* $module:ident, $name:literal, { $($(#[$field_doc:meta])* $field:ident: $kind:ty,)* }) => {
        $(#[$doc])*
        pub(super) mod $module {
            use sea_orm::entity::prelude::*;

            #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
            #[sea_orm(table_name = $name)]
            pub struct Model {
                $($(#[$field_doc])* pub $field: $kind,)*
            }

            #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
            pub enum Relation {}

            impl ActiveModelBehavior for ActiveModel {}
        }
    };
}

table!(installation, "installation", {
    #[sea_orm(primary_key, auto_increment = false)]
    name: String,
    value: String,
});

table!(delivery, "deliveries", {
    #[sea_orm(primary_key, auto_increment = false)]
    id: Uuid,
    source: String,
    delivery_key: Option<String>,
    body_hash: Vec<u8>,
    body: Vec<u8>,
    received_at: ChronoDateTimeUtc,
    state: String,
    workflow_id: Option<Uuid>,
    reason: Option<String>,
    cleared_at: Option<ChronoDateTimeUtc>,
});

table!(workflow, "workflows", {
    #[sea_orm(primary_key, auto_increment = false)]
    id: Uuid,
    source: String,
    source_ref: String,
    namespace: String,
    person_ref: String,
    kind: String,
    state: String,
    stalled: Option<String>,
    reason: Option<String>,
    stage: i64,
    target: Option<String>,
    user_name: Option<String>,
    request: Vec<u8>,
    adopted_user_id: Option<i64>,
    plan_number: i64,
    replans: i64,
    vault_awaited_since: Option<ChronoDateTimeUtc>,
    vault_awaited_told: Option<ChronoDateTimeUtc>,
    not_before: Option<ChronoDateTimeUtc>,
    expires_at: Option<ChronoDateTimeUtc>,
    due_at: ChronoDateTimeUtc,
    created_at: ChronoDateTimeUtc,
    updated_at: ChronoDateTimeUtc,
    waits_for: Option<Uuid>,
    fruitless: i64,
    part_of: Option<Uuid>,
    ended_by: Option<Uuid>,
    cancelled_by: Option<String>,
    stop_as: Option<String>,
    stop_for: Option<Uuid>,
    cleared_at: Option<ChronoDateTimeUtc>,
    request_digest: Option<Vec<u8>>,
});

table!(correction, "corrections", {
    #[sea_orm(primary_key, auto_increment = false)]
    delivery_id: Uuid,
    source: String,
    source_ref: String,
    request: Vec<u8>,
    course: String,
    workflow_id: Option<Uuid>,
    request_digest: Option<Vec<u8>>,
});

table!(newest_event, "newest_events", {
    #[sea_orm(primary_key, auto_increment = false)]
    namespace: String,
    #[sea_orm(primary_key, auto_increment = false)]
    person_ref: String,
    #[sea_orm(primary_key, auto_increment = false)]
    family: String,
    #[sea_orm(primary_key, auto_increment = false)]
    source: String,
    sequence: Option<i64>,
    occurred_at: Option<ChronoDateTimeUtc>,
});

table!(leaver_clock, "leaver_clocks", {
    #[sea_orm(primary_key, auto_increment = false)]
    workflow_id: Uuid,
    effective_at: ChronoDateTimeUtc,
    received_at: ChronoDateTimeUtc,
    starts_at: ChronoDateTimeUtc,
    within_seconds: i64,
    told_percent: i64,
    alarm_at: Option<ChronoDateTimeUtc>,
    verified_at: Option<ChronoDateTimeUtc>,
    ended_at: Option<ChronoDateTimeUtc>,
    notice_lag_micros: Option<i64>,
    own_lag_micros: Option<i64>,
});

table!(clock_mark, "clock_marks", {
    #[sea_orm(primary_key, auto_increment = false)]
    replica: Uuid,
    believed_at: ChronoDateTimeUtc,
});

table!(clock_doubt, "clock_doubts", {
    #[sea_orm(primary_key, auto_increment = false)]
    id: Uuid,
    replica: Uuid,
    why: String,
    believed_at: ChronoDateTimeUtc,
    said_at: ChronoDateTimeUtc,
    ended_at: Option<ChronoDateTimeUtc>,
    ended_by: Option<String>,
});

table!(state_count, "state_counts", {
    #[sea_orm(primary_key, auto_increment = false)]
    state: String,
    #[sea_orm(primary_key, auto_increment = false)]
    slot: i64,
    workflows: i64,
});

table!(found_by, "workflow_words", {
    #[sea_orm(primary_key, auto_increment = false)]
    word: String,
    #[sea_orm(primary_key, auto_increment = false)]
    workflow_id: Uuid,
});

table!(plan, "plans", {
    #[sea_orm(primary_key, auto_increment = false)]
    workflow_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    number: i64,
    bytes: Vec<u8>,
    digest: Vec<u8>,
    snapshot: Vec<u8>,
    routing: Vec<u8>,
    voided_by: Option<Vec<u8>>,
    made_at: ChronoDateTimeUtc,
});

table!(step, "steps", {
    #[sea_orm(primary_key, auto_increment = false)]
    workflow_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    plan_number: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    number: i64,
    kind: String,
    state: String,
    reason: Option<String>,
    due_at: ChronoDateTimeUtc,
    acts: i64,
    looks: i64,
    form: Option<String>,
    open_attempt: Option<Uuid>,
    user_id: Option<i64>,
    tried_since: Option<ChronoDateTimeUtc>,
});

table!(attempt, "attempts", {
    #[sea_orm(primary_key, auto_increment = false)]
    id: Uuid,
    workflow_id: Uuid,
    plan_number: i64,
    step_number: i64,
    number: i64,
    purpose: String,
    fence: i64,
    begun_at: ChronoDateTimeUtc,
    ended_at: Option<ChronoDateTimeUtc>,
    outcome: Option<String>,
    report: Option<Vec<u8>>,
    secret_id: Option<Uuid>,
});

table!(ask, "asks", {
    #[sea_orm(primary_key, auto_increment = false)]
    id: Uuid,
    workflow_id: Uuid,
    plan_number: i64,
    stage: i64,
    approver: String,
    approver_key: String,
    link_hash: Vec<u8>,
    asked_at: ChronoDateTimeUtc,
});

table!(decision, "decisions", {
    #[sea_orm(primary_key, auto_increment = false)]
    id: Uuid,
    workflow_id: Uuid,
    plan_number: i64,
    stage: i64,
    approver: String,
    approver_key: String,
    verdict: String,
    comment: String,
    digest: Vec<u8>,
    decided_at: ChronoDateTimeUtc,
});

table!(owed, "owed_messages", {
    #[sea_orm(primary_key, auto_increment = false)]
    id: Uuid,
    workflow_id: Option<Uuid>,
    ask_id: Option<Uuid>,
    kind: String,
    event_id: Option<Uuid>,
    code_id: Option<Uuid>,
    recipient: Option<String>,
    state: String,
    due_at: ChronoDateTimeUtc,
    tries: i64,
    claimed_until: Option<ChronoDateTimeUtc>,
    last_fault: Option<String>,
    created_at: ChronoDateTimeUtc,
    sent_at: Option<ChronoDateTimeUtc>,
    goes_first: i64,
});

table!(person, "people", {
    #[sea_orm(primary_key, auto_increment = false)]
    id: Uuid,
    namespace: String,
    person_ref: String,
});

table!(person_link, "person_links", {
    #[sea_orm(primary_key, auto_increment = false)]
    person_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    target: String,
    user_name: String,
    user_name_key: String,
    vault_user_id: i64,
    workflow_id: Uuid,
    linked_at: ChronoDateTimeUtc,
});

table!(unlink, "unlink_proposals", {
    #[sea_orm(primary_key, auto_increment = false)]
    id: Uuid,
    person_id: Uuid,
    target: String,
    vault_user_id: i64,
    linked_at: ChronoDateTimeUtc,
    reason: String,
    proposed_by: String,
    proposed_key: String,
    proposed_user: String,
    proposed_number: Option<i64>,
    proposed_account: Option<String>,
    proposed_at: ChronoDateTimeUtc,
    confirmed_by: Option<String>,
    confirmed_key: Option<String>,
    confirmed_user: Option<String>,
    confirmed_number: Option<i64>,
    confirmed_at: Option<ChronoDateTimeUtc>,
});

table!(secret, "secrets", {
    #[sea_orm(primary_key, auto_increment = false)]
    id: Uuid,
    workflow_id: Uuid,
    purpose: String,
    state: String,
    sealed: Option<Vec<u8>>,
    made_at: ChronoDateTimeUtc,
    revealed_at: Option<ChronoDateTimeUtc>,
});

table!(hand_over, "hand_overs", {
    #[sea_orm(primary_key, auto_increment = false)]
    secret_id: Uuid,
    workflow_id: Uuid,
    recipient: Option<String>,
    link_hash: Option<Vec<u8>>,
    state: String,
    due_at: ChronoDateTimeUtc,
    revealed_at: Option<ChronoDateTimeUtc>,
    session_hash: Option<Vec<u8>>,
    ended_at: Option<ChronoDateTimeUtc>,
});

table!(sign_in_code, "sign_in_codes", {
    #[sea_orm(primary_key, auto_increment = false)]
    id: Uuid,
    chain: Uuid,
    workflow_id: Option<Uuid>,
    address: String,
    address_key: String,
    sort: String,
    browser_hash: Vec<u8>,
    code_hash: Vec<u8>,
    state: String,
    tries: i64,
    asked_at: ChronoDateTimeUtc,
    expires_at: ChronoDateTimeUtc,
    client: Option<String>,
});

table!(slot, "slots", {
    #[sea_orm(primary_key, auto_increment = false)]
    number: i64,
});

table!(session, "sessions", {
    #[sea_orm(primary_key, auto_increment = false)]
    id_hash: Vec<u8>,
    chain: Uuid,
    address: String,
    address_key: String,
    began_at: ChronoDateTimeUtc,
    ends_at: ChronoDateTimeUtc,
    ended_at: Option<ChronoDateTimeUtc>,
    ended_because: Option<String>,
});

table!(lease, "leases", {
    #[sea_orm(primary_key, auto_increment = false)]
    name: String,
    holder: Uuid,
    fence: i64,
    held_until: ChronoDateTimeUtc,
    workflow_id: Option<Uuid>,
});

table!(event, "audit_events", {
    #[sea_orm(primary_key, auto_increment = false)]
    id: Uuid,
    chain: Uuid,
    position: i64,
    at: ChronoDateTimeUtc,
    kind: String,
    bytes: Vec<u8>,
    hash: Vec<u8>,
});

table!(personal, "audit_personal", {
    #[sea_orm(primary_key, auto_increment = false)]
    event_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    field: String,
    salt: Vec<u8>,
    clear_text: Option<String>,
});

table!(unsealed, "unsealed", {
    #[sea_orm(primary_key)]
    arrival: i64,
    event_id: Uuid,
});

table!(seal, "seals", {
    #[sea_orm(primary_key, auto_increment = false)]
    number: i64,
    event_id: Uuid,
    event_hash: Vec<u8>,
    seal_hash: Vec<u8>,
});

table!(head, "heads", {
    #[sea_orm(primary_key, auto_increment = false)]
    number: i64,
    hash: Vec<u8>,
    signature: Vec<u8>,
    signed_at: ChronoDateTimeUtc,
});

table!(restore, "restores", {
    #[sea_orm(primary_key, auto_increment = false)]
    id: Uuid,
    head_number: i64,
    head_hash: Vec<u8>,
    reached: i64,
    recognised_at: ChronoDateTimeUtc,
    accepted_at: Option<ChronoDateTimeUtc>,
});

table!(reminder, "reminders", {
    #[sea_orm(primary_key, auto_increment = false)]
    workflow_id: Uuid,
    plan_number: i64,
    stage: i64,
    sent: i64,
    most: i64,
    every_seconds: i64,
    due_at: ChronoDateTimeUtc,
});

table!(budget, "budgets", {
    #[sea_orm(primary_key, auto_increment = false)]
    source: String,
});

table!(unapproved, "unapproved_leavers", {
    #[sea_orm(primary_key, auto_increment = false)]
    workflow_id: Uuid,
    source: String,
    approved_at: ChronoDateTimeUtc,
    starts_at: ChronoDateTimeUtc,
});

table!(batch, "batches", {
    #[sea_orm(primary_key, auto_increment = false)]
    id: Uuid,
    source: String,
    opened_at: ChronoDateTimeUtc,
    closed_at: Option<ChronoDateTimeUtc>,
});

table!(batch_alarm, "batch_alarms", {
    #[sea_orm(primary_key, auto_increment = false)]
    batch_id: Uuid,
    leavers: i64,
    told_at: ChronoDateTimeUtc,
});

table!(held, "held_leavers", {
    #[sea_orm(primary_key, auto_increment = false)]
    workflow_id: Uuid,
    batch_id: Uuid,
    held_at: ChronoDateTimeUtc,
    state: String,
    settled_at: Option<ChronoDateTimeUtc>,
});

table!(proposal, "held_proposals", {
    #[sea_orm(primary_key, auto_increment = false)]
    id: Uuid,
    batch_id: Uuid,
    verdict: String,
    digest: Vec<u8>,
    reason: String,
    proposed_by: String,
    proposed_key: String,
    proposed_at: ChronoDateTimeUtc,
    confirmed_by: Option<String>,
    confirmed_key: Option<String>,
    confirmed_at: Option<ChronoDateTimeUtc>,
    proposed_user: Option<String>,
    proposed_number: Option<i64>,
    proposed_account: Option<String>,
    confirmed_user: Option<String>,
    confirmed_number: Option<i64>,
});

table!(cancel_proposal, "cancel_proposals", {
    #[sea_orm(primary_key, auto_increment = false)]
    id: Uuid,
    workflow_id: Uuid,
    reason: String,
    proposed_by: String,
    proposed_key: String,
    proposed_at: ChronoDateTimeUtc,
    proposed_user: Option<String>,
    proposed_number: Option<i64>,
    proposed_account: Option<String>,
    confirmed_by: Option<String>,
    confirmed_key: Option<String>,
    confirmed_at: Option<ChronoDateTimeUtc>,
});

table!(selection, "held_selections", {
    #[sea_orm(primary_key, auto_increment = false)]
    proposal_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    workflow_id: Uuid,
});

table!(watched_name, "watched_names", {
    #[sea_orm(primary_key, auto_increment = false)]
    workflow_id: Uuid,
    target: String,
    user_key: String,
    until_at: ChronoDateTimeUtc,
    due_at: ChronoDateTimeUtc,
    tries: i64,
});
