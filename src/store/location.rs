//! Where the store keeps its documents.

use sqlx::postgres::PgConnectOptions;
use std::fmt;
use std::path::PathBuf;

/// A database. `Debug` says where it is, and prints no password.
#[derive(Clone)]
pub enum Location {
    /// A file of SQLite, made where it is missing; `:memory:` = none, and everything is forgotten at the end.
    Sqlite(PathBuf),
    /// `postgres://user:password@host:port/database`.
    Postgres(String),
}

impl fmt::Debug for Location {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(formatter, "sqlite:{}", path.display()),
            Self::Postgres(url) => match url.parse::<PgConnectOptions>() {
                Ok(options) => write!(formatter, "postgres://{}:{}/{}", options.get_host(), options.get_port(), options.get_database().unwrap_or_default()),
                Err(_) => formatter.write_str("postgres://(unreadable)"),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Location;

    #[test]
    fn no_password_is_printed() {
        let location = Location::Postgres("postgres://doorward:canary@db.internal:5433/control?sslmode=require".to_owned());
        assert_eq!(format!("{location:?}"), "postgres://db.internal:5433/control");
        let odd = Location::Postgres("postgres://doorward:canary@db.internal:port/control".to_owned());
        assert_eq!(format!("{odd:?}"), "postgres://(unreadable)");
        assert_eq!(format!("{:?}", Location::Sqlite("doorward.db".into())), "sqlite:doorward.db");
    }
}
