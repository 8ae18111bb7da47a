//! The schema of Countersign, one deed a file.
