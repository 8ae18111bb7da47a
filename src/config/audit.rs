//! `[audit]`: where the last head of the log is kept outside the database.

use std::path::{Path, PathBuf};

use super::reader::Section;

/// Reads `[audit]`; without a word of it the head lies beside the key.
pub(super) fn read_audit(section: &Section<'_>, key_file: Option<&Path>) -> Option<PathBuf> {
    let said = section.value("head_file").is_some();
    let file = section
        .read("head_file", "the path of a file that the service may write", |text| {
            (!text.is_empty()).then(|| PathBuf::from(text))
        })
        .filter(|file| {
            let differs = key_file != Some(file.as_path());
            if !differs {
                section.fault("head_file", "wanted: another file than secrets.key_file");
            }
            differs
        });
    section.refuse_unknown();
    if said { file } else { key_file.map(beside) }
}

/// `countersign.key` has its `countersign.head`.
fn beside(key_file: &Path) -> PathBuf {
    if key_file.extension().is_some_and(|extension| extension == "head") {
        return key_file.with_extension("head.log");
    }
    key_file.with_extension("head")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::{GOOD, load};

    #[test]
    fn the_head_lies_beside_the_key_unless_it_is_said_where() {
        let settings = load(GOOD).unwrap();
        assert_eq!(settings.head_file, settings.key_file.with_extension("head"));
        assert_eq!(beside(Path::new("/k/countersign.key")), Path::new("/k/countersign.head"));
        assert_eq!(beside(Path::new("/run/secrets/key")), Path::new("/run/secrets/key.head"));
        assert_eq!(beside(Path::new("/k/my.head")), Path::new("/k/my.head.log"));
        let said = load(&format!("{GOOD}\n[audit]\nhead_file = \"/var/lib/c.head\"\n")).unwrap();
        assert_eq!(said.head_file, Path::new("/var/lib/c.head"));
        let same = format!("{GOOD}\n[audit]\nhead_file = \"{}\"\n", settings.key_file.display());
        assert!(load(&same).unwrap_err().iter().any(|fault| fault.to_string().contains("audit.head_file")));
    }
}
