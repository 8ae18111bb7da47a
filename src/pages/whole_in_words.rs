//! The parts of one request, as each of them tells of the others.
//!
//! Must hold: that one part is done is never told of another one.

use crate::store::workflows::Workflow;
use crate::web::visible::visible;

/// What to know about the other parts; nothing where there are none.
pub fn whole_in_words(workflow: &Workflow, whole: &[Workflow]) -> Option<String> {
    let others: Vec<String> = whole.iter().filter(|one| one.id != workflow.id).map(told).collect();
    if others.is_empty() {
        return None;
    }
    Some(format!(
        "This is one part of a request that ends access in {} systems, and it says nothing about the others: this one is \
         about {}; also in: {}. Each part is planned, decided and carried out by itself.",
        whole.len(),
        target(workflow),
        others.join(", ")
    ))
}

/// The same for a mail, which may be read much later: without where the others stand.
pub fn also_in(workflow: &Workflow, whole: &[Workflow]) -> Option<String> {
    let others: Vec<String> = whole.iter().filter(|one| one.id != workflow.id).map(target).collect();
    let own = target(workflow);
    (!others.is_empty()).then(|| format!("in {own} (part of one request; also in: {})", others.join(", ")))
}

fn told(part: &Workflow) -> String {
    format!("{} ({})", target(part), part.state.in_words())
}

fn target(part: &Workflow) -> String {
    part.target.as_ref().map_or_else(|| "a system not chosen yet".to_owned(), |name| visible(name.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::WorkflowId;
    use crate::domain::names::TargetName;
    use crate::domain::workflow::State;
    use crate::pages::sample;

    #[test]
    fn each_part_names_the_others_and_where_they_stand() {
        let first = sample::workflow();
        assert_eq!(whole_in_words(&first, std::slice::from_ref(&first)), None);
        let part = Workflow {
            id: WorkflowId::made(sample::now(), [6; 10]),
            target: TargetName::parse("onprem").ok(),
            part_of: Some(first.id),
            state: State::Succeeded,
            ..first.clone()
        };
        let whole = [first, part];
        let told = whole_in_words(&whole[0], &whole).unwrap();
        assert!(told.contains("about vault; also in: onprem (done and verified)"), "{told}");
        let mail = also_in(&whole[1], &whole).unwrap();
        assert_eq!(mail, "in onprem (part of one request; also in: vault)");
    }
}
