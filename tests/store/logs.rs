//! Decisions and the identity log.

use crate::place::{Place, newest, on_both, within};
use doorward::observe::clock;
use doorward::store::{DecisionRow, EventRow, Span};
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

on_both! {
    a_decision_that_is_sent_twice_stays_as_it_was_first
    decisions_are_read_newest_first_and_page_by_page
    events_are_read_in_both_orders_and_by_user
    logs_take_any_number_of_rows
    what_is_old_is_forgotten
}

fn decision(id: &str, at: Timestamp, body: &str) -> DecisionRow {
    DecisionRow { id: id.to_owned(), at, user: "00u1".to_owned(), application: "LUSID".to_owned(), body: body.to_owned() }
}

fn event(id: &str, at: Timestamp, user: Option<&str>) -> EventRow {
    EventRow { id: id.to_owned(), at, user: user.map(str::to_owned), kind: "user.session.start".to_owned(), body: "{}".to_owned() }
}

fn second(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn ids<'r>(ids: impl IntoIterator<Item = &'r String>) -> String {
    ids.into_iter().map(String::as_str).collect::<Vec<_>>().join(" ")
}

async fn a_decision_that_is_sent_twice_stays_as_it_was_first(place: Place) {
    let store = place.open().await;
    let first = decision("a", Timestamp::from_microsecond(1_700_000_000_123_456).unwrap(), r#"{"n":1}"#);
    store.append_decisions(&[first.clone(), decision("a", second(2), "{}")]).await.unwrap();
    store.append_decisions(&[decision("a", second(3), "{}"), decision("b", second(3), "{}")]).await.unwrap();
    assert_eq!(store.decision("a").await.unwrap(), Some(first));
    assert_eq!(store.decision("c").await.unwrap(), None);
    assert_eq!(store.decisions(&newest(10)).await.unwrap().len(), 2);
    store.append_events(&[event("a", second(1), None), event("a", second(2), None)]).await.unwrap();
    store.append_events(&[event("a", second(3), None)]).await.unwrap();
    assert_eq!(store.events(&newest(10), None, true).await.unwrap(), [event("a", second(1), None)]);
}

async fn decisions_are_read_newest_first_and_page_by_page(place: Place) {
    let store = place.open().await;
    let rows: Vec<_> = [("a", 1), ("b", 2), ("d", 3), ("c", 3), ("e", 4)].iter().map(|(id, at)| decision(id, second(*at), "{}")).collect();
    store.append_decisions(&rows).await.unwrap();
    let read = async |span: Span| ids(store.decisions(&span).await.unwrap().iter().map(|row| &row.id));
    assert_eq!(read(newest(10)).await, "e d c b a");
    assert_eq!(read(newest(2)).await, "e d");
    assert_eq!(read(newest(0)).await, "");
    assert_eq!(read(Span { before: Some((second(3), "d".to_owned())), ..newest(2) }).await, "c b");
    assert_eq!(read(Span { from: Some(second(2)), to: Some(second(4)), ..newest(10) }).await, "d c b");
    assert_eq!(read(Span { from: Some(second(5)), ..newest(10) }).await, "");
}

async fn events_are_read_in_both_orders_and_by_user(place: Place) {
    let store = place.open().await;
    let rows: Vec<_> = [("a", 1, Some("00u1")), ("b", 2, None), ("c", 3, Some("00u2")), ("d", 3, Some("00u1")), ("e", 4, Some("00u1"))]
        .iter()
        .map(|(id, at, user)| event(id, second(*at), *user))
        .collect();
    store.append_events(&rows).await.unwrap();
    let read = async |span: Span, user: Option<&str>, is_ascending| ids(store.events(&span, user, is_ascending).await.unwrap().iter().map(|row| &row.id));
    assert_eq!(read(newest(10), None, false).await, "e d c b a");
    assert_eq!(read(newest(10), None, true).await, "a b c d e");
    assert_eq!(read(newest(10), Some("00u1"), true).await, "a d e");
    assert_eq!(read(newest(2), Some("00u1"), false).await, "e d");
    let behind = Span { before: Some((second(3), "c".to_owned())), ..newest(10) };
    assert_eq!(read(behind.clone(), None, true).await, "d e");
    assert_eq!(read(behind.clone(), None, false).await, "b a");
    assert_eq!(read(behind, Some("00u1"), false).await, "a");
    assert_eq!(read(Span { from: Some(second(2)), to: Some(second(4)), ..newest(10) }, None, true).await, "b c d");
}

async fn logs_take_any_number_of_rows(place: Place) {
    let store = place.open().await;
    store.append_decisions(&[]).await.unwrap();
    let rows: Vec<_> = (0..1_234).map(|number| decision(&format!("{number:04}"), second(number), "{}")).collect();
    store.append_decisions(&rows).await.unwrap();
    assert_eq!(store.decisions(&newest(5_000)).await.unwrap().len(), 1_234);
    let rows: Vec<_> = (0..1_234).map(|number| event(&format!("{number:04}"), second(number), None)).collect();
    store.append_events(&rows).await.unwrap();
    assert_eq!(store.events(&newest(5_000), None, false).await.unwrap().len(), 1_234);
}

async fn what_is_old_is_forgotten(place: Place) {
    let store = place.open().await;
    let days = |days: i64| clock::now() - SignedDuration::from_hours(24 * days);
    store.append_decisions(&[decision("old", days(32), "{}"), decision("new", days(30), "{}")]).await.unwrap();
    store.append_events(&[event("old", days(93), None), event("new", days(91), None)]).await.unwrap();
    let background = std::sync::Arc::clone(&store);
    let running = tokio::spawn(async move { background.run().await });
    within(async {
        while store.decisions(&newest(10)).await.unwrap().len() != 1 || store.events(&newest(10), None, true).await.unwrap().len() != 1 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    assert_eq!(store.decisions(&newest(10)).await.unwrap()[0].id, "new");
    assert_eq!(store.events(&newest(10), None, true).await.unwrap()[0].id, "new");
    assert!(!running.is_finished(), "it runs for ever");
    running.abort();
}
