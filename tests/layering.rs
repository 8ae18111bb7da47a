//! The walls of the house: who may import whom.
//!
//! Must hold: a room imports only rooms above it in the list; stations never import one another; the simulator
//! imports nothing of ours; no two files import each other, over however many corners; no drawer for odds and ends;
//! one file writes decisions.
#![expect(clippy::unwrap_used, reason = "a file that cannot be read is a failed test")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// From the ground up. A room may import the rooms before it, and itself.
const ROOMS: [&str; 24] = [
    "domain",
    "config",
    "clock",
    "key",
    "rules",
    "target",
    "store",
    "witness",
    "worker",
    "kit",
    "web",
    "pages",
    "people",
    "intake",
    "planning",
    "approval",
    "provision",
    "hand_over",
    "notify",
    "console",
    "audit",
    "sweeper",
    "timekeeper",
    "service",
];
const STATIONS: [&str; 10] = [
    "intake",
    "planning",
    "approval",
    "provision",
    "hand_over",
    "notify",
    "console",
    "audit",
    "sweeper",
    "timekeeper",
];

#[test]
fn a_room_imports_only_what_stands_above_it() {
    let mut wrong = Vec::new();
    for file in files() {
        let room = room_of(&file.module);
        let Some(place) = ROOMS.iter().position(|one| *one == room) else { continue };
        for import in &file.imports {
            let other = room_of(import);
            if other == room {
                continue;
            }
            let allowed = ROOMS.iter().position(|one| *one == other).is_some_and(|above| above < place);
            let between_stations = STATIONS.contains(&room) && STATIONS.contains(&other);
            if !allowed || between_stations {
                wrong.push(format!("{} imports {import}", file.path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_simulator_is_a_foreigner() {
    let imports_of_ours: Vec<String> = files()
        .into_iter()
        .filter(|file| room_of(&file.module) == "simulator")
        .flat_map(|file| file.imports)
        .filter(|import| room_of(import) != "simulator")
        .collect();
    assert!(imports_of_ours.is_empty(), "{imports_of_ours:#?}");
    let users: Vec<String> = files()
        .into_iter()
        .filter(|file| !["simulator", "commands"].contains(&room_of(&file.module)))
        .filter(|file| file.imports.iter().any(|import| room_of(import) == "simulator"))
        .map(|file| file.path.display().to_string())
        .collect();
    assert!(users.is_empty(), "{users:#?}");
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let files = files();
    let modules: BTreeSet<String> = files.iter().map(|file| file.module.clone()).collect();
    let mut edges: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in files.iter().filter(|file| !file.is_folder) {
        for import in &file.imports {
            if let Some(target) = nearest(import, &modules)
                && target != file.module
            {
                edges.entry(file.module.clone()).or_default().insert(target);
            }
        }
    }
    let mut circles = Vec::new();
    for start in edges.keys() {
        let mut seen = BTreeSet::new();
        let mut open: Vec<&String> = edges.get(start).into_iter().flatten().collect();
        while let Some(next) = open.pop() {
            if next == start {
                circles.push(start);
                break;
            }
            if seen.insert(next) {
                open.extend(edges.get(next).into_iter().flatten());
            }
        }
    }
    assert!(circles.is_empty(), "imports come back to {circles:#?}");
}

#[test]
fn there_is_no_drawer_for_odds_and_ends() {
    let drawers = ["utils", "util", "common", "helpers", "helper", "misc", "shared"];
    for file in files() {
        for part in file.module.split("::") {
            assert!(!drawers.contains(&part), "{} is a drawer", file.path.display());
        }
    }
}

#[test]
fn one_file_writes_decisions() {
    let writers: Vec<PathBuf> = files()
        .into_iter()
        .filter(|file| {
            let text = std::fs::read_to_string(&file.path).unwrap();
            let otherwise = text.lines().any(|line| line.contains("use ") && line.contains("decision as "));
            assert!(!otherwise, "{} calls the rows of decisions otherwise", file.path.display());
            text.contains("decision::ActiveModel") || text.to_lowercase().contains("insert into decisions")
        })
        .map(|file| file.path)
        .collect();
    assert_eq!(writers.len(), 1, "{writers:#?}");
    assert!(writers.iter().all(|path| path.ends_with("store/decisions.rs")));
}

/// Transactions are open in deeds alone, and deeds stand in the store alone.
#[test]
fn deeds_are_written_in_the_store_alone() {
    let mut deeds = 0;
    for file in files() {
        let text = std::fs::read_to_string(&file.path).unwrap();
        let here = text.lines().filter(|line| line.contains("Deed for ") && line.starts_with("impl")).count();
        deeds += here;
        assert!(here == 0 || room_of(&file.module) == "store", "{} writes a deed", file.path.display());
    }
    assert!(deeds > 20, "only {deeds} deeds were found");
}

/// A deed is given a transaction, so nothing that can wait for somebody else may stand where deeds are written.
#[test]
fn the_store_asks_nobody_but_the_database() {
    let others = [
        "reqwest",
        "hyper",
        "lettre",
        "actix",
        "pvwa",
        "std::net",
        "std::process",
        "tokio::net",
        "tokio::process",
        "tokio::fs",
    ];
    for file in files().into_iter().filter(|file| room_of(&file.module) == "store") {
        let text = std::fs::read_to_string(&file.path).unwrap();
        for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
            let words: Vec<&str> =
                line.split(|sign: char| !(sign.is_alphanumeric() || "_:".contains(sign))).collect();
            let met = others.iter().find(|other| {
                words.iter().any(|word| {
                    *word == **other
                        || word.split("::").any(|part| part == **other)
                        || word.starts_with(&format!("{other}::"))
                })
            });
            assert!(met.is_none(), "{} knows {met:?}: {line}", file.path.display());
        }
        for import in file.imports.iter().filter(|import| room_of(import) == "target") {
            assert_eq!(
                import,
                "target::Adoption",
                "{} knows more of targets than a word",
                file.path.display()
            );
        }
        if text.contains("Deed for ") {
            for wait in ["tokio::time", "tokio::sync", "oneshot", "mpsc", "BoxFuture", "dyn Future"] {
                assert!(!text.contains(wait), "{} has a deed and knows {wait}", file.path.display());
            }
        }
    }
}

#[test]
fn the_top_level_is_what_was_agreed() {
    let agreed = [
        "Cargo.toml",
        "Cargo.lock",
        "LICENSE",
        "README.md",
        "docker",
        "migrations",
        "src",
        "static",
        "templates",
        "tests",
    ];
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let there = std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().file_name());
    let there: BTreeSet<String> = there.map(|name| name.into_string().unwrap()).collect();
    // What a build makes, and a service that was tried out here, are no part of it.
    let made = |name: &str| name == "target" || name.contains(".db") || name.contains(".key");
    let strange: Vec<&String> = there
        .iter()
        .filter(|name| !name.starts_with('.') && !made(name) && !agreed.contains(&name.as_str()))
        .collect();
    assert!(strange.is_empty(), "{strange:?}");
    let missing: Vec<&&str> = agreed.iter().filter(|name| !there.contains(**name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

struct File {
    path: PathBuf,
    module: String,
    is_folder: bool,
    imports: Vec<String>,
}

/// Every source file that ships, without its tests.
fn files() -> Vec<File> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    walk(&root, &mut paths);
    paths
        .into_iter()
        .filter_map(|path| {
            let relative = path.strip_prefix(&root).unwrap().with_extension("");
            let parts: Vec<String> =
                relative.iter().map(|part| part.to_string_lossy().into_owned()).collect();
            let is_test = parts.iter().any(|part| part == "tests");
            let is_folder = parts.last().is_some_and(|last| last == "mod");
            let named: Vec<String> = parts.into_iter().filter(|part| part != "mod").collect();
            let module = named.join("::");
            let text = std::fs::read_to_string(&path).unwrap();
            let shipped = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
            let imports = imports(shipped, &module, is_folder);
            (!is_test && module != "lib" && module != "main").then_some(File {
                path,
                module,
                is_folder,
                imports,
            })
        })
        .collect()
}

fn walk(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            paths.push(path);
        }
    }
}

/// The modules a text names with `crate::`, `self::` or `super::`, in `use` or in the middle of code.
fn imports(text: &str, module: &str, is_folder: bool) -> Vec<String> {
    let code: String =
        text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let own: Vec<&str> = module.split("::").collect();
    let parent = if is_folder { own.clone() } else { own[..own.len() - 1].to_vec() };
    let mut found = Vec::new();
    let above = own[..own.len() - 1].to_vec();
    for (word, base) in [("crate::", Vec::new()), ("super::", above), ("self::", parent)] {
        for (place, _) in code.match_indices(word) {
            let before = code[..place].chars().next_back();
            if before.is_some_and(|sign| sign.is_alphanumeric() || sign == '_' || sign == ':') {
                continue;
            }
            for path in paths_of(&code[place + word.len()..]) {
                let mut full = base.clone();
                for part in path.split("::") {
                    match part {
                        "super" => drop(full.pop()),
                        part => full.push(part),
                    }
                }
                found.push(full.join("::"));
            }
        }
    }
    found
}

/// `a::b::{c, d::e}` as `a::b::c` and `a::b::d::e`; stops where the path ends.
fn paths_of(text: &str) -> Vec<String> {
    let end = text.find(|sign: char| !(sign.is_alphanumeric() || "_:".contains(sign))).unwrap_or(text.len());
    let (head, rest) = text.split_at(end);
    let Some(inner) = rest.strip_prefix('{') else { return vec![head.trim_end_matches(':').to_owned()] };
    let mut depth = 1;
    let close = inner.find(|sign: char| {
        depth += i32::from(sign == '{') - i32::from(sign == '}');
        depth == 0
    });
    let mut depth = 0;
    let list = &inner[..close.unwrap_or(inner.len())];
    list.split(|sign: char| {
        depth += i32::from(sign == '{') - i32::from(sign == '}');
        sign == ',' && depth == 0
    })
    .flat_map(|item| paths_of(item.trim()))
    .filter(|item| !item.is_empty())
    .map(|item| format!("{head}{item}"))
    .collect()
}

/// The file that a path of modules and items leads to.
fn nearest(import: &str, modules: &BTreeSet<String>) -> Option<String> {
    let parts: Vec<&str> = import.split("::").collect();
    (1..=parts.len()).rev().map(|length| parts[..length].join("::")).find(|path| modules.contains(path))
}

fn room_of(module: &str) -> &str {
    module.split("::").next().unwrap_or_default()
}
