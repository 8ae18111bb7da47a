//! An approver reads one mail and one page, and decides.
