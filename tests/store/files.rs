//! What is special about SQLite: a file, its mode, its one process, its copy.

use crate::killed::hold;
use crate::place::{Place, names, newest, set, setting};
use doorward::observe::clock;
use doorward::store::{Location, Store, StoreError};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

fn path(place: &Place) -> &Path {
    let Location::Sqlite(path) = &place.location else { panic!("a file was expected") };
    path
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn only_the_owner_reads_and_writes_the_files() {
    let place = Place::sqlite().await;
    // As a careless copy would have left it.
    std::fs::write(path(&place), "").unwrap();
    std::fs::set_permissions(path(&place), std::fs::Permissions::from_mode(0o644)).unwrap();
    let store = place.open().await;
    set(&store, "a", 1).await;
    let folder = path(&place).parent().unwrap();
    let files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() >= 3, "{files:?}");
    for file in files {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
}

#[tokio::test]
async fn a_second_process_is_refused() {
    let place = Place::sqlite().await;
    let mut first = hold(&place.location).await;
    let error = Store::open(&place.location, clock::now).await.unwrap_err();
    assert!(matches!(error, StoreError::Occupied(_)), "{error}");
    assert!(error.to_string().contains("is in use by another process"), "{error}");
    // By another name it is the same file.
    let other = path(&place).with_file_name("other.db");
    symlink(path(&place), &other).unwrap();
    let error = Store::open(&Location::Sqlite(other.clone()), clock::now).await.unwrap_err();
    assert!(matches!(error, StoreError::Occupied(_)), "{error}");
    first.kill().unwrap();
    first.wait().unwrap();
    let store = Store::open(&Location::Sqlite(other), clock::now).await.unwrap();
    set(&store, "a", 1).await;
}

#[tokio::test]
async fn a_file_that_cannot_be_made_is_named() {
    let place = Place::sqlite().await;
    let nowhere = path(&place).with_file_name("missing").join("doorward.db");
    let error = Store::open(&Location::Sqlite(nowhere.clone()), clock::now).await.unwrap_err();
    assert!(error.to_string().starts_with(&format!("`{}`: ", nowhere.display())), "{error}");
}

#[tokio::test]
async fn what_is_no_database_is_refused_and_left_alone() {
    let place = Place::sqlite().await;
    let text = "this is a letter, not a database; it is long enough to be read as one. ".repeat(10);
    std::fs::write(path(&place), &text).unwrap();
    assert!(Store::open(&place.location, clock::now).await.is_err());
    assert_eq!(std::fs::read_to_string(path(&place)).unwrap(), text);
}

#[tokio::test]
async fn a_backup_is_whole_and_private_and_opens() {
    let place = Place::sqlite().await;
    let store = place.open().await;
    set(&store, "a", 1).await;
    let copy = path(&place).with_file_name("it's a copy.db");
    store.backup(&copy).await.unwrap();
    set(&store, "a", 2).await;
    assert_eq!(mode(&copy), 0o600);
    let restored = Store::open(&Location::Sqlite(copy.clone()), clock::now).await.unwrap();
    assert_eq!((restored.state().sequence, setting(&restored.state(), "a")), (1, Some(1)));
    assert_eq!(restored.audit(&newest(10)).await.unwrap().len(), 1);
    drop(restored);
    let error = store.backup(&copy).await.unwrap_err();
    assert!(matches!(error, StoreError::File { .. }), "{error}");
    assert!(copy.exists(), "what was there is left alone");
    assert_eq!(setting(&store.state(), "a"), Some(2));
}

#[tokio::test]
async fn a_store_in_memory_makes_no_file() {
    let location = Location::Sqlite(":memory:".into());
    let (one, other) = (Store::open(&location, clock::now).await.unwrap(), Store::open(&location, clock::now).await.unwrap());
    set(&one, "a", 1).await;
    assert_eq!((one.current().await.unwrap().sequence, other.current().await.unwrap().sequence), (1, 0));
    assert_eq!((one.audit(&newest(10)).await.unwrap().len(), names(&one.state()).len()), (1, 1));
    assert!(!Path::new(":memory:").exists() && !Path::new(":memory:.lock").exists());
}

#[tokio::test]
async fn postgresql_is_backed_up_by_its_own_tool() {
    let place = Place::postgres().await;
    let error = place.open().await.backup(Path::new("/nowhere")).await.unwrap_err();
    assert!(error.to_string().contains("`pg_dump`"), "{error}");
}
