//! What is said of the issuer to whoever asks: its endpoints (OpenID Connect Discovery, RFC 8414) and its keys.

use super::claims::SCOPES;
use crate::token::Algorithm;
use serde_json::{Value, json};

/// The metadata of the issuer.
pub(super) fn metadata(issuer: &str, algorithm: Algorithm) -> Value {
    let endpoint = |name: &str| format!("{issuer}/v1/{name}");
    let authentication = ["client_secret_post", "client_secret_basic"];
    json!({
        "issuer": issuer,
        "token_endpoint": endpoint("token"),
        "jwks_uri": endpoint("keys"),
        "revocation_endpoint": endpoint("revoke"),
        "introspection_endpoint": endpoint("introspect"),
        "scopes_supported": SCOPES,
        "response_types_supported": [],
        "grant_types_supported": ["password", "refresh_token", "client_credentials"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [algorithm.name()],
        "token_endpoint_auth_methods_supported": authentication,
        "revocation_endpoint_auth_methods_supported": authentication,
        "introspection_endpoint_auth_methods_supported": authentication,
        "claims_supported": ["iss", "aud", "sub", "uid", "cid", "scp", "jti", "iat", "exp", "groups", "auth_time", "preferred_username", "name", "email"],
    })
}
