//! Trials of the trail.
