//! What the stories of approval need besides: requests told otherwise, whole answers, the content of every table,
//! and a hand in the vault.
//!
//! Must hold: the tables are read over a second connection, so that nothing the service keeps in memory is trusted.

use std::collections::BTreeMap;

use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder};
use sea_orm::{ConnectionTrait as _, DatabaseConnection, Statement};
use serde_json::{Value, json};

use super::actors::Answer;
use super::app::{Choices, Stage};
use super::database::Database;

/// An answer with its headers and its body.
#[derive(Debug, Clone)]
pub struct Whole {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: String,
}

impl Whole {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Is there a form to answer with?
    pub fn asks(&self) -> bool {
        self.body.contains("name=\"decision\"")
    }
}

impl Choices {
    /// The usual ones, but for these lines of the settings.
    pub fn edited(edits: &[(&str, &str)]) -> Self {
        let edits = edits.iter().map(|(this, by)| ((*this).to_owned(), (*by).to_owned())).collect();
        Self { edits, ..Self::default() }
    }
}

/// The line of the rule that asks one of the group, to be replaced by others.
pub const ONE_OF_THE_GROUP: &str = "stages = [{ ask = [\"group:pam-admins\"], quorum = 1 }]";

impl Stage {
    pub async fn whole(&self, request: RequestBuilder) -> Whole {
        let answer = request.send().await.unwrap();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        Whole { status, headers, body: answer.text().await.unwrap() }
    }

    pub async fn open(&self, url: &str) -> Whole {
        self.whole(self.browser.get(url)).await
    }

    /// Sends a form's fields as a page of ours would, or as something else would that names another origin.
    pub async fn send(&self, url: &str, origin: Option<&str>, fields: &[(&str, &str)]) -> Whole {
        let mut request = self.browser.request(Method::POST, url).form(fields);
        if let Some(origin) = origin {
            request = request.header("Origin", origin);
        }
        self.whole(request).await
    }

    /// Hires the usual joiner, whose request is changed in this way; everybody is asked.
    pub async fn hire_told(&self, change: impl FnOnce(&mut Value)) -> String {
        let mut body = self.joiner().body();
        change(&mut body);
        let id = format!("msg_{}", body["source_ref"].as_str().unwrap());
        let answer: Answer = self.post(&id, body.to_string().as_bytes()).await;
        assert_eq!(answer.status, 202, "{}", answer.body);
        self.settle().await;
        answer.workflow()
    }

    /// Hires the usual joiner under another number and name, so that several may live side by side.
    pub async fn hire_another(&self, number: usize) -> String {
        self.hire_told(|body| {
            body["source_ref"] = json!(format!("RITM{number}"));
            body["person_ref"] = json!(format!("E{number}"));
            body["subject"]["username"] = json!(format!("zobrien{number}x"));
            body["effective"]["at"] = json!("2027-03-01");
        })
        .await
    }

    /// The same link at the address where the service listens now.
    pub fn moved(&self, link: &str) -> String {
        let (_, path) = link.split_once("/approve/").unwrap();
        format!("{}/approve/{path}", self.url)
    }

    /// The number of a group in the vault.
    pub fn group_id(&self, name: &str) -> i64 {
        let state = self.simulator.vault.state();
        let groups = state["groups"].as_array().unwrap();
        let group = groups.iter().find(|group| group["groupName"] == name);
        group.unwrap_or_else(|| panic!("no group {name} in {groups:?}"))["id"].as_i64().unwrap()
    }

    /// Somebody deletes a group of the vault and makes a new one of the same name.
    pub fn make_group_anew(&self, name: &str) -> (i64, i64) {
        let old = self.group_id(name);
        self.simulator.vault.remove_group(old).unwrap();
        (old, self.simulator.vault.add_group(name).unwrap())
    }

    /// Every row of every table, as text.
    pub async fn tables(&self) -> BTreeMap<String, Vec<String>> {
        let connection = self.database.second_connection(self.folder.path()).await;
        let names = match &self.database {
            Database::Sqlite => "select name from sqlite_master where type = 'table' order by 1".to_owned(),
            Database::Postgres { schema, .. } => format!(
                "select table_name::text from information_schema.tables where table_schema = '{schema}' order by 1"
            ),
        };
        let mut tables = BTreeMap::new();
        for table in texts(&connection, names).await {
            let row = match &self.database {
                Database::Sqlite => {
                    let columns = format!("select name from pragma_table_info('{table}')");
                    let columns = texts(&connection, columns).await;
                    let quoted: Vec<String> =
                        columns.iter().map(|column| format!("quote(\"{column}\")")).collect();
                    quoted.join(" || ' | ' || ")
                }
                Database::Postgres { .. } => format!("\"{table}\"::text"),
            };
            let rows = texts(&connection, format!("select {row} from \"{table}\" order by 1")).await;
            tables.insert(table, rows);
        }
        connection.close().await.unwrap();
        tables
    }

    /// How often this was decided, by the database.
    pub async fn decisions(&self) -> usize {
        self.tables().await["decisions"].len()
    }
}

async fn texts(connection: &DatabaseConnection, question: String) -> Vec<String> {
    let asked = Statement::from_string(connection.get_database_backend(), question);
    let rows = connection.query_all_raw(asked).await.unwrap();
    rows.iter().map(|row| row.try_get_by_index::<String>(0).unwrap()).collect()
}
