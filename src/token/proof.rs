//! Proofs of possession (RFC 9449 §4.3): that who shows a token has the private key it is bound to.
//! A proof is for one request, one token and a short time; that it comes once is for the caller to
//! see, by its id. Its key is good for nothing but the comparison with the token's thumbprint.

use super::algorithm::Algorithm;
use super::claims::ClaimSet;
use super::compact::{Compact, Header, Kind, decode};
use super::keys::Key;
use super::public_key::{is_private, thumbprint};
use super::strict_json::{member, members_of, text};
use super::verify::later;
use super::{MAX_TOKEN_BYTES, TokenError};
use http::Uri;
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use std::time::Duration;

/// How old a proof may be, and how far in the future its clock may be.
const AGE: Duration = Duration::from_secs(60);
const SKEW: Duration = Duration::from_secs(30);
/// How long a proof can be good, from the first clock that takes it to the last.
pub const PROOF_LIFE: Duration = Duration::from_secs(90);
/// No id is longer.
const MAX_ID_BYTES: usize = 256;

/// The request that a proof must be for.
#[derive(Clone, Copy, Debug)]
pub struct ProvenCall<'a> {
    /// The method's exact bytes.
    pub method: &'a str,
    /// The target in origin form; its query is not compared.
    pub target: &'a str,
    /// The host that the client called, with its port where it is not the usual one.
    pub host: &'a str,
    /// Whether it came over TLS to this very door. If not, somebody before may have ended TLS, and
    /// either scheme is taken.
    pub is_https: bool,
    /// The hosts, in lower case, by which clients call us; empty: whichever this one called. A proof that
    /// was shown to somebody else's host could be shown here with that host's name otherwise.
    pub hosts: &'a [Box<str>],
}

/// What names a proof: no two good ones may have the same within [`PROOF_LIFE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ProofId([u8; 16]);

#[cfg(test)]
impl ProofId {
    pub(super) fn numbered(number: u8) -> Self {
        Self([number; 16])
    }
}

/// Verifies that `proof` shows the possession of the key with the thumbprint `key`, for this token and
/// this call, at the time `now`.
///
/// # Errors
/// When it does not.
pub fn verify_proof(proof: &str, token: &[u8], key: &[u8; 32], call: &ProvenCall<'_>, now: Timestamp) -> Result<ProofId, TokenError> {
    if proof.len() > MAX_TOKEN_BYTES {
        return Err(TokenError::Proof("it is too long"));
    }
    let compact = Compact::parse(proof).map_err(|_| TokenError::Proof("it is no signed token in one spelling"))?;
    if compact.header.kind != Kind::Proof {
        return Err(TokenError::Proof("its type is not `dpop+jwt`"));
    }
    let algorithm = compact.header.algorithm.ok_or(TokenError::Proof("its algorithm is not one that is used here"))?;
    require_own_key(&compact, algorithm, key)?;
    let claims = ClaimSet::parse(compact.payload).map_err(|_| TokenError::Proof("its claims are not acceptable"))?;
    require_call(&claims, call)?;
    require_token(&claims, token)?;
    require_time(&claims, now)?;
    id_of(&claims, key)
}

/// Verifies the signature by the key in the header. It must be the one with the thumbprint `bound`,
/// before anything is computed with it: a sender could show one that is dear to compute with.
fn require_own_key(proof: &Compact<'_>, algorithm: Algorithm, bound: &[u8; 32]) -> Result<(), TokenError> {
    let wrong = |_| TokenError::Proof("its header is not acceptable");
    let encoded = proof.signed.split('.').next().unwrap_or_default();
    let decoded = Header::decode(encoded).map_err(wrong)?;
    let header = Header::members(&decoded).map_err(wrong)?;
    let jwk = member(&header, "jwk").and_then(|jwk| members_of(jwk.get())).ok_or(TokenError::Proof("it has no `jwk`"))?;
    if is_private(&jwk) {
        return Err(TokenError::Proof("its `jwk` is not public"));
    }
    if thumbprint(&jwk).as_ref() != Some(bound) {
        return Err(TokenError::Proof("its key is not the one that the token is bound to"));
    }
    let key = Key::parse(&jwk).map_err(|_| TokenError::Proof("its `jwk` cannot be used"))?;
    match key.has_signed(proof.signed.as_bytes(), &proof.signature, algorithm) {
        true => Ok(()),
        false => Err(TokenError::Proof("its signature is wrong")),
    }
}

fn require_call(claims: &ClaimSet, call: &ProvenCall<'_>) -> Result<(), TokenError> {
    let named = |name: &str| claims.claim(name).and_then(text);
    if named("htm").as_deref() != Some(call.method) {
        return Err(TokenError::Proof("it is for another method"));
    }
    match named("htu") {
        Some(url) if is_of(&url, call) => Ok(()),
        _ => Err(TokenError::Proof("it is for another URL")),
    }
}

/// Whether `url` is the URL of the call: scheme and host without regard to case, the scheme's own port
/// as if absent, the path byte for byte, and neither query nor fragment compared. The host must be one of ours.
fn is_of(url: &str, call: &ProvenCall<'_>) -> bool {
    let url = url.split_once('#').map_or(url, |(before, _)| before);
    let Ok(url) = url.parse::<Uri>() else { return false };
    let port = match url.scheme_str() {
        Some("https") => ":443",
        Some("http") if !call.is_https => ":80",
        _ => return false,
    };
    let Some(authority) = url.authority().map(http::uri::Authority::as_str) else { return false };
    let without_port = |host: &str| host.strip_suffix(port).unwrap_or(host).to_ascii_lowercase();
    let path = call.target.split_once('?').map_or(call.target, |(path, _)| path);
    let host = without_port(authority);
    let is_ours = call.hosts.is_empty() || call.hosts.iter().any(|ours| without_port(ours) == host);
    !authority.is_empty() && is_ours && host == without_port(call.host) && url.path() == path
}

/// `ath` is the SHA-256 of the token (RFC 9449 §4.2).
fn require_token(claims: &ClaimSet, token: &[u8]) -> Result<(), TokenError> {
    let hash: [u8; 32] = Sha256::digest(token).into();
    let named = claims.claim("ath").and_then(text).and_then(|encoded| decode(&encoded));
    match named.as_deref() == Some(&hash) {
        true => Ok(()),
        false => Err(TokenError::Proof("it is for another token")),
    }
}

fn require_time(claims: &ClaimSet, now: Timestamp) -> Result<(), TokenError> {
    let issued = claims.issued_at.ok_or(TokenError::Proof("when it was made is not said"))?;
    let is_ended = claims.expires_at.is_some_and(|end| end <= now);
    if issued > later(now, SKEW) || claims.not_before.is_some_and(|start| start > later(now, SKEW)) {
        return Err(TokenError::Proof("it was made in the future"));
    }
    match is_ended || later(issued, AGE) <= now {
        true => Err(TokenError::Proof("it is too old")),
        false => Ok(()),
    }
}

/// Ids of different keys are different, so that nobody can use up another's.
fn id_of(claims: &ClaimSet, key: &[u8; 32]) -> Result<ProofId, TokenError> {
    let id = claims.token_id.as_deref().filter(|id| !id.is_empty() && id.len() <= MAX_ID_BYTES).ok_or(TokenError::Proof("its `jti` is missing or odd"))?;
    let digest = Sha256::new().chain_update(key).chain_update(id).finalize();
    let (first, _) = digest.split_first_chunk().ok_or(TokenError::Proof("its `jti` is missing or odd"))?;
    Ok(ProofId(*first))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::forge::{Forge, hash};
    use serde_json::{Value, json};
    use std::sync::LazyLock;

    const NOW: i64 = 1_800_000_000;
    const TOKEN: &str = "token";
    static KEY: LazyLock<Forge> = LazyLock::new(|| Forge::p256("k"));
    const CALL: ProvenCall<'static> = ProvenCall { method: "GET", target: "/api/a?b=c", host: "api.example", is_https: true, hosts: &[] };

    fn claims(change: &Value) -> Value {
        let mut claims = json!({"jti": "1", "htm": "GET", "htu": "https://api.example/api/a", "iat": NOW, "ath": hash(TOKEN.as_bytes())});
        for (name, value) in change.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims
    }

    fn judge(header: &Value, claims: &Value, call: &ProvenCall<'_>) -> Result<ProofId, TokenError> {
        let key = decode(&KEY.thumbprint()).unwrap().try_into().unwrap();
        let proof = KEY.sign(&header.to_string(), claims.to_string().as_bytes());
        verify_proof(&proof, TOKEN.as_bytes(), &key, call, Timestamp::from_second(NOW).unwrap())
    }

    fn with(change: Value) -> Result<ProofId, TokenError> {
        judge(&KEY.proof_header(), &claims(&change), &CALL)
    }

    #[test]
    fn a_proof_of_this_call_and_token_is_good() {
        let first = with(json!({})).unwrap();
        assert_eq!(with(json!({"iat": NOW - 59})), Ok(first), "the same id");
        assert_ne!(with(json!({"jti": "2"})).unwrap(), first);
    }

    #[test]
    fn a_proof_is_for_one_call_one_token_and_a_short_time() {
        for change in [
            json!({"htm": "POST"}),
            json!({"htm": "get"}),
            json!({"htm": null}),
            json!({"htu": "https://api.example/api/b"}),
            json!({"htu": "https://api.example/api/a/"}),
            json!({"htu": "https://api.example/api/%61"}),
            json!({"htu": "https://api.example/API/a"}),
            json!({"htu": "https://other.example/api/a"}),
            json!({"htu": "https://api.example:8443/api/a"}),
            json!({"htu": "https://x@api.example/api/a"}),
            json!({"htu": "http://api.example/api/a"}),
            json!({"htu": "ftp://api.example/api/a"}),
            json!({"htu": "/api/a"}),
            json!({"htu": ["https://api.example/api/a"]}),
            json!({"ath": hash(b"other")}),
            json!({"ath": null}),
            json!({"iat": NOW - 60}),
            json!({"iat": NOW + 31}),
            json!({"iat": NOW.to_string()}),
            json!({"exp": NOW}),
            json!({"nbf": NOW + 31}),
            json!({"jti": ""}),
            json!({"jti": 7}),
            json!({"jti": "x".repeat(257)}),
        ] {
            assert!(with(change.clone()).is_err(), "{change}");
        }
        for name in ["htm", "htu", "ath", "iat", "jti"] {
            let mut claims = claims(&json!({}));
            claims.as_object_mut().unwrap().remove(name);
            assert!(judge(&KEY.proof_header(), &claims, &CALL).is_err(), "{name}");
        }
    }

    #[test]
    fn a_proof_that_was_made_for_another_host_is_not_good_under_that_name() {
        let evil = |hosts| {
            let call = ProvenCall { host: "evil.example", hosts, ..CALL };
            judge(&KEY.proof_header(), &claims(&json!({"htu": "https://evil.example/api/a"})), &call)
        };
        assert!(evil(&[]).is_ok(), "nobody said what our names are");
        let ours: [Box<str>; 2] = ["api.example".into(), "api.example:8443".into()];
        assert!(evil(&ours).is_err());
        for host in ["api.example", "API.example:443", "api.example:8443"] {
            let call = ProvenCall { host, hosts: &ours, ..CALL };
            assert!(judge(&KEY.proof_header(), &claims(&json!({"htu": format!("https://{host}/api/a")})), &call).is_ok(), "{host}");
        }
        let call = ProvenCall { host: "api.example:8444", hosts: &ours, ..CALL };
        assert!(judge(&KEY.proof_header(), &claims(&json!({"htu": "https://api.example:8444/api/a"})), &call).is_err(), "another port is another host");
    }

    #[test]
    fn urls_are_the_same_in_every_spelling_of_scheme_host_and_usual_port() {
        for url in ["https://api.example/api/a", "HTTPS://API.example:443/api/a", "https://api.example/api/a?other=1", "https://api.example/api/a#x"] {
            assert!(with(json!({"htu": url})).is_ok(), "{url}");
        }
        let behind = ProvenCall { is_https: false, host: "API.example:443", ..CALL };
        assert!(judge(&KEY.proof_header(), &claims(&json!({})), &behind).is_ok());
        assert!(judge(&KEY.proof_header(), &claims(&json!({"htu": "http://api.example/api/a"})), &behind).is_err(), "443 is not the port of http");
        let plain = ProvenCall { is_https: false, ..CALL };
        assert!(judge(&KEY.proof_header(), &claims(&json!({"htu": "http://api.example:80/api/a"})), &plain).is_ok());
        let root = ProvenCall { target: "/?a", ..CALL };
        assert!(judge(&KEY.proof_header(), &claims(&json!({"htu": "https://api.example"})), &root).is_ok());
    }

    #[test]
    fn a_header_that_is_not_a_proofs_is_refused() {
        let stranger = Forge::p256("k").proof_header();
        let mut private = KEY.proof_header();
        private["jwk"]["d"] = json!("AAAA");
        let mut encryption = KEY.proof_header();
        encryption["jwk"]["use"] = json!("enc");
        let mut symmetric = KEY.proof_header();
        symmetric["jwk"] = json!({"kty": "oct", "k": "AAAA"});
        let mut headers = vec![stranger, private, encryption, symmetric];
        for (name, value) in [
            ("typ", json!("JWT")),
            ("typ", json!(null)),
            ("alg", json!("none")),
            ("alg", json!("HS256")),
            ("alg", json!("EdDSA")),
            ("alg", json!("ES384")),
            ("jwk", json!(null)),
            ("jwk", json!("x")),
            ("crit", json!(["b64"])),
            ("b64", json!(false)),
        ] {
            let mut header = KEY.proof_header();
            header[name] = value;
            headers.push(header);
        }
        for name in ["typ", "alg", "jwk"] {
            let mut header = KEY.proof_header();
            header.as_object_mut().unwrap().remove(name);
            headers.push(header);
        }
        for header in headers {
            assert!(judge(&header, &claims(&json!({})), &CALL).is_err(), "{header}");
        }
    }

    #[test]
    fn nothing_is_computed_with_a_key_that_the_token_is_not_bound_to() {
        let not_bound = Err(TokenError::Proof("its key is not the one that the token is bound to"));
        let mut dear = KEY.proof_header();
        dear["alg"] = json!("RS512");
        dear["jwk"] = json!({"kty": "RSA", "n": crate::token::forge::encode(&[0xff; 1024]), "e": "_____w"});
        assert_eq!(judge(&dear, &claims(&json!({})), &CALL), not_bound);
        // Whoever looked at the signature first would have said that it is wrong.
        let stranger = Forge::p256("k").proof_header();
        assert_eq!(judge(&stranger, &claims(&json!({})), &CALL), not_bound);
    }

    #[test]
    fn a_proof_by_another_key_or_with_another_signature_is_refused() {
        let (own, other) = (Forge::ed25519("a"), Forge::ed25519("a"));
        let key: [u8; 32] = decode(&own.thumbprint()).unwrap().try_into().unwrap();
        let payload = claims(&json!({})).to_string();
        let judge = |proof: &str| verify_proof(proof, TOKEN.as_bytes(), &key, &CALL, Timestamp::from_second(NOW).unwrap());
        let good = own.sign(&own.proof_header().to_string(), payload.as_bytes());
        assert!(judge(&good).is_ok());
        assert!(judge(&other.sign(&other.proof_header().to_string(), payload.as_bytes())).is_err(), "a key of its own");
        assert_eq!(
            judge(&other.sign(&own.proof_header().to_string(), payload.as_bytes())),
            Err(TokenError::Proof("its signature is wrong")),
            "signed by another"
        );
        for broken in [
            format!("{good}="),
            format!("{good}.x"),
            String::new(),
            "a.b.c".into(),
            good.split_at(good.len() - 4).0.into(),
            format!("{good}{}", "A".repeat(17_000)),
        ] {
            assert!(judge(&broken).is_err());
        }
    }
}
