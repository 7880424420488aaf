//! The demo's control plane: the real one, on a store that goes with the demo, filled with the company.

use super::DemoError;
use super::company::Company;
use super::directory::Directory;
use super::tokens::{Account, CLIENT_ID, SignIn};
use crate::config::Config;
use crate::control::Control;
use aws_lc_rs::rand;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::task::JoinSet;

/// What the domain owner is called in the demo.
pub(super) const OWNER: &str = "owner";
const OWNER_LOGIN: &str = "owner@harbourline.example";

/// A control plane that runs, and everybody who can sign in to it.
pub(super) struct Running {
    /// Its address.
    pub(super) url: String,
    /// The bearer that may read its snapshot.
    pub(super) sidecar_token: PathBuf,
    pub(super) sign_in: Arc<SignIn>,
    /// The domain owner first, then the company's people; each by its name in the demo.
    pub(super) accounts: Arc<[Account]>,
}

/// Starts the control plane, takes the company over, and gives everybody a password.
///
/// # Errors
/// When it cannot be started or does not do what it is asked.
pub(super) async fn start(directory: &Directory, company: &Company, servers: &mut JoinSet<()>) -> Result<Running, DemoError> {
    let (password, client_secret) = (secret()?, secret()?);
    let sidecar_token = directory.write("sidecar-token", &secret()?)?;
    let text = toml::to_string(&json!({ "control": {
        "listen": ["127.0.0.1:0"],
        "store": format!("sqlite:{}", directory.path().join("control.db").display()),
        "sidecar_tokens": [{ "file": sidecar_token }],
        "bootstrap": {
            "login": OWNER_LOGIN,
            "type": "Service",
            "password": { "file": directory.write("owner-password", &password)? },
            "client_id": CLIENT_ID,
            "client_secret": { "file": directory.write("client-secret", &client_secret)? },
        },
    }}))?;
    let path = directory.write("control.toml", &text)?;
    let config = Config::parse(&path.display().to_string(), &text, [])?.control.ok_or(DemoError::NotReady)?;
    let control = Control::start(&config).await?;
    control.take_over(company.snapshot.to_string().as_bytes()).await?;
    let url = control.public_url().to_owned();
    servers.spawn(control.run(std::future::pending()));

    let sign_in = Arc::new(SignIn::new(url.clone(), client_secret)?);
    let owner = Account { id: OWNER.to_owned(), login: OWNER_LOGIN.to_owned(), password };
    let token = sign_in.token(&owner).await?;
    let mut accounts = vec![owner];
    for person in &company.people {
        let password = sign_in.password(&token, &person.id).await?;
        accounts.push(Account { id: person.id.clone(), login: person.login.clone(), password });
    }
    Ok(Running { url, sidecar_token, sign_in, accounts: accounts.into() })
}

/// A text that nobody can guess.
fn secret() -> Result<String, DemoError> {
    let mut bytes = [0; 18];
    rand::fill(&mut bytes).map_err(|_| DemoError::Randomness)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}
