use super::*;
use crate::cases::read_yaml;

fn load(text: &str) -> Result<ApiMap, Vec<MapProblem>> {
    ApiMap::load(&[("map".to_owned(), read_yaml(text).unwrap())])
}

fn problems(text: &str) -> Vec<String> {
    load(text).err().unwrap_or_default().into_iter().map(|problem| format!("{}: {}", problem.path, problem.message)).collect()
}

fn routes(operations: &[&str]) -> ApiMap {
    let list: String = operations.iter().map(|route| format!("  - {{ feature: f, match: \"{route}\", unfiltered: true }}\n")).collect();
    load(&format!("application: A\noperations:\n{list}")).unwrap()
}

fn found(map: &ApiMap, method: &str, path: &str) -> Option<(String, Vec<String>)> {
    let found = map.find(method, path).unwrap()?;
    Some((found.operation.template.to_string(), found.captures.iter().map(ToString::to_string).collect()))
}

#[test]
fn a_literal_at_the_first_difference_wins() {
    let map = routes(&["GET /a/{x}/c", "GET /a/b/{y}", "GET /{z}/b/c", "GET /a/b"]);
    assert_eq!(found(&map, "GET", "/a/b/c"), Some(("/a/b/{y}".to_owned(), vec!["c".to_owned()])));
    assert_eq!(found(&map, "GET", "/a/x/c"), Some(("/a/{x}/c".to_owned(), vec!["x".to_owned()])));
    assert_eq!(found(&map, "GET", "/q/b/c"), Some(("/{z}/b/c".to_owned(), vec!["q".to_owned()])));
    assert_eq!(found(&map, "GET", "/a/b"), Some(("/a/b".to_owned(), vec![])));
}

#[test]
fn the_search_goes_back_where_a_literal_leads_nowhere() {
    let map = routes(&["GET /a/b/x", "GET /{p}/b/c"]);
    assert_eq!(found(&map, "GET", "/a/b/c"), Some(("/{p}/b/c".to_owned(), vec!["a".to_owned()])));
}

#[test]
fn a_template_takes_no_empty_segment_and_no_trailing_slash() {
    let map = routes(&["GET /a/{x}"]);
    for path in ["/a/", "/a", "/a/b/", "/A/b", "/"] {
        assert_eq!(found(&map, "GET", path), None, "{path}");
    }
}

#[test]
fn head_uses_the_get_operation_unless_it_has_its_own() {
    let map = routes(&["GET /a", "GET /b", "HEAD /b"]);
    assert_eq!(map.find("HEAD", "/a").unwrap().unwrap().operation.method.as_ref(), "GET");
    assert_eq!(map.find("HEAD", "/b").unwrap().unwrap().operation.method.as_ref(), "HEAD");
    assert!(map.find("get", "/a").unwrap().is_none());
}

#[test]
fn a_captured_segment_is_decoded_once_and_strictly() {
    let map = routes(&["GET /a/{x}"]);
    assert_eq!(found(&map, "GET", "/a/%2541%20b").unwrap().1, ["%41 b"]);
    assert_eq!(map.find("GET", "/a/%ff").unwrap_err(), PathError::Encoding);
    assert_eq!(map.find("GET", "/a/x%2Fy").unwrap_err(), PathError::EncodedSlash);
}

#[test]
fn a_bar_inside_a_literal_separates_nothing() {
    let binding = Binding::parse("scope", "/a | query.Scope | 'x | y'", &[]).unwrap();
    assert_eq!(binding.sources[1..], [Source::Query("scope".into()), Source::Literal("x | y".into())]);
}

#[test]
fn all_problems_are_reported_with_their_place() {
    let found = problems(
        r#"
application: LUSID
colour: red
entities:
  Portfolio: { id: { scope: id/scope }, metadata: database }
  Row: { determined_by: Nothing, dates: { effective: /d, when: /x } }
operations:
  - { feature: f, match: "FETCH /a", unfiltered: true }
  - { feature: f, match: "GET /a/{x", unfiltered: true }
  - { feature: f, match: "GET /b" }
  - { feature: f, match: "GET /c", response: [{ items: values, entity: Portfolio }] }
  - { feature: f, match: "GET /d", response: [{ items: /v, entity: Missing }] }
  - { feature: f, match: "GET /e/{s}", targets: [{ entity: Portfolio, id: { scope: path.q } }], unfiltered: true, refused: true }
  - { feature: f, match: "GET /g/{s}", unfiltered: true }
  - { feature: f, match: "GET /g/{t}", unfiltered: true }
  - { match: "GET /h", unfiltered: 1 }
"#,
    );
    let places = [
        "colour:",
        "entities.Portfolio.metadata:",
        "entities.Row.dates.when:",
        "entities.Row.determined_by:",
        "operations[0].match:",
        "operations[1].match:",
        "operations[2]:",
        "operations[3].response[0].items:",
        "operations[4].response[0].entity:",
        "operations[5].targets[0].id.scope:",
        "entities.Portfolio.id.scope:",
        "operations[5]:",
        "operations[7].match:",
        "operations[8].feature:",
        "operations[8].unfiltered:",
    ];
    for place in places {
        assert!(found.iter().any(|problem| problem.starts_with(place)), "no problem at {place}: {found:#?}");
    }
}

#[test]
fn a_metadata_route_names_parts_that_its_entity_has() {
    let map = |entities: &str, rule: &str| {
        let operation = format!("{{ feature: f, match: 'GET /a/{{x}}', response: [{{ items: '', entity: P{rule} }}] }}");
        problems(&format!("application: A\nentities:\n{entities}\noperations:\n  - {operation}\n"))
    };
    let own = |parts: &str, route: &str| format!("  P: {{ id: {{ {parts} }}, metadata: 'upstream:{route}' }}");
    assert_eq!(map(&own("scope: /s", "/m/{Scope}"), ""), [""; 0]);
    let wrong = "entities.P.metadata: the metadata route names the part `nope`, which the id of `P` does not have";
    assert_eq!(map(&own("scope: /s", "/m/{nope}"), ""), [wrong]);
    assert_eq!(map(&own("scope: /s", "/m/{nope}"), ", id: { nope: path.x }"), [""; 0], "a rule has it");
    let inherited = format!("{}\n  T: {{ determined_by: P }}", own("scope: /s", "/m/{nope}"));
    assert_eq!(map(&inherited, ""), [wrong], "once is enough");
    let determined = "  P: { id: { scope: /s } }\n  T: { determined_by: P, metadata: 'upstream:/m/{nope}' }";
    assert_eq!(map(determined, ""), [wrong.replace("P.meta", "T.meta").replace("`P`", "`T`")]);
}

#[test]
fn a_feature_has_a_name() {
    let found = problems("application: A\noperations:\n  - { feature: '', match: 'GET /a', unfiltered: true }\n");
    assert_eq!(found, ["operations[0].feature: must name the feature, such as `api-portfolios-listportfolios`"]);
}

#[test]
fn head_and_delete_may_leave_their_answers_unsaid() {
    let map = load("application: A\noperations:\n  - { feature: f, match: DELETE /a }\n  - { feature: f, match: HEAD /a }\n").unwrap();
    assert!(map.operations().iter().all(|operation| operation.answering == Answering::Undeclared));
}

#[test]
fn activities_follow_the_method_unless_they_are_said() {
    let map = routes(&["GET /a", "POST /a", "PUT /a", "PATCH /a", "DELETE /a"]);
    let activities: Vec<&str> = map.operations().iter().map(|operation| operation.activity.as_ref()).collect();
    assert_eq!(activities, ["Read", "Add", "Update", "Update", "Delete"]);
}

#[test]
fn a_rule_is_laid_over_its_entity_part_by_part() {
    let map = load(
        "application: A\nentities:\n  P: { id: { scope: /s, code: /c }, metadata: 'upstream:/m/{scope}/{code}' }\n  T: { determined_by: P }\n\
         operations:\n  - { feature: f, match: 'GET /a/{x}', response: [{ items: /v/*, entity: P, id: { code: \"path.x | 'none'\" } }, { items: /t/*, entity: T, id: { scope: path.x } }] }\n",
    )
    .unwrap();
    let [ResponseRule::Items { item, facts, .. }, ResponseRule::Items { item: determined, .. }] = map.operations()[0].response.as_slice() else { panic!() };
    assert_eq!(item.id[0].sources.len(), 1);
    assert_eq!(item.id[1].sources, [Source::Path(0), Source::Literal("none".into())]);
    assert_eq!(facts.pointers.len(), 1);
    assert_eq!(determined.id.len(), 1, "a determined item has the ids that its operation binds");
    assert!(matches!(determined.metadata, MetadataSource::Upstream(_)));
}

mod never_panics {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn on_any_path(path in "[/a-c{}%0-9]{0,20}", method in "GET|HEAD|POST|x") {
            let map = routes(&["GET /a/{x}/c", "GET /a/b/{y}", "POST /{z}", "GET /"]);
            let _ = map.find(&method, &path);
        }

        #[test]
        fn on_any_document(text in r#"[a-z{}\[\]:,'" /*\n-]{0,60}"#) {
            if let Ok(value) = read_yaml(&text) {
                let _ = ApiMap::load(&[("map".to_owned(), value)]);
            }
        }
    }
}
