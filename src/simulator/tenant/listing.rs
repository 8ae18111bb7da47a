//! Queries of the list calls: parameters, `filter`, `search`, paging.
//!
//! Must hold: search is "contains, all words, any of the fields", never equality; the client must compare names
//! itself. A list without a limit stops at the tenant's page size.

use url::form_urlencoded;

use super::TenantOptions;
use super::wire::Refusal;

/// The parameters of a query, names in any case.
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    pub(super) fn parse(query: &str) -> Self {
        Self(form_urlencoded::parse(query.as_bytes()).into_owned().collect())
    }

    /// The value, unless it is missing or empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    pub(super) fn says_true(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    fn number(&self, name: &str) -> Result<Option<usize>, Refusal> {
        let wrong = |_| Refusal::invalid(format!("{name} must be a whole number"));
        self.get(name).map(|text| text.parse().map_err(wrong)).transpose()
    }

    /// Offset and limit, in either of the two published spellings.
    pub(super) fn page(&self, options: &TenantOptions) -> Result<(usize, usize), Refusal> {
        let offset = self.number("offset")?.or(self.number("pageOffset")?).unwrap_or(0);
        let limit = self.number("limit")?.or(self.number("pageSize")?).filter(|limit| *limit > 0);
        let limit = limit.unwrap_or(options.page_size);
        Ok((offset, options.silent_page_cap.map_or(limit, |cap| limit.min(cap))))
    }

    /// The conditions of `filter` (`a eq b AND c eq d`), names in lower case.
    pub(super) fn filter(&self) -> Result<Vec<(String, String)>, Refusal> {
        let conditions = self.get("filter").into_iter().flat_map(|text| text.split(" AND "));
        conditions
            .map(|condition| {
                let place = condition.to_ascii_lowercase().find(" eq ");
                let place =
                    place.ok_or_else(|| Refusal::invalid("filter must be written: property eq value"))?;
                let (name, value) = (&condition[..place], &condition[place + 4..]);
                Ok((name.trim().to_ascii_lowercase(), value.trim().to_owned()))
            })
            .collect()
    }

    /// The same query, for the page that begins at `offset`.
    pub(super) fn at(&self, offset: usize, limit: usize) -> String {
        let kept =
            self.0.iter().filter(|(key, _)| !["offset", "limit"].contains(&key.to_lowercase().as_str()));
        form_urlencoded::Serializer::new(String::new())
            .extend_pairs(kept)
            .append_pair("offset", &offset.to_string())
            .append_pair("limit", &limit.to_string())
            .finish()
    }
}

/// Whether every word of `search` occurs in one of the `fields`.
pub(super) fn found(search: Option<&str>, fields: &[&str]) -> bool {
    let fields: Vec<String> = fields.iter().map(|field| field.to_lowercase()).collect();
    let mut words = search.unwrap_or("").split_whitespace();
    words.all(|word| fields.iter().any(|field| field.contains(&word.to_lowercase())))
}
