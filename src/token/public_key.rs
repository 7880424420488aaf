//! A public key made ready once, with its type and strength checked, and the thumbprint that names it.
//! Signatures are verified here; which algorithm may be asked for is decided by others.

use super::algorithm::{Algorithm, KeyType};
use super::compact::decode;
use super::strict_json::{Members, member, text};
use super::{roca, small_order};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384,
    RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaParameters, RsaPublicKeyComponents,
    VerificationAlgorithm,
};
use sha2::{Digest, Sha256};

/// A public key that is ready for every algorithm of its type.
pub(super) struct PublicKey {
    kind: KeyType,
    ready: Vec<(Algorithm, ParsedPublicKey)>,
}

/// Members of a JWK that are not public.
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

const RSA: [(Algorithm, &RsaParameters); 6] = [
    (Algorithm::Rs256, &RSA_PKCS1_2048_8192_SHA256),
    (Algorithm::Rs384, &RSA_PKCS1_2048_8192_SHA384),
    (Algorithm::Rs512, &RSA_PKCS1_2048_8192_SHA512),
    (Algorithm::Ps256, &RSA_PSS_2048_8192_SHA256),
    (Algorithm::Ps384, &RSA_PSS_2048_8192_SHA384),
    (Algorithm::Ps512, &RSA_PSS_2048_8192_SHA512),
];

impl PublicKey {
    /// The key of a JWK.
    ///
    /// # Errors
    /// When it is of no type that is used here, or must not be used.
    pub(super) fn of_jwk(jwk: &Members<'_>) -> Result<Self, &'static str> {
        let bytes = |name: &str| named(jwk, name).and_then(|encoded| decode(&encoded));
        match (named(jwk, "kty").as_deref(), named(jwk, "crv").as_deref()) {
            (Some("RSA"), _) => rsa(bytes("n"), bytes("e")),
            (Some("EC"), Some("P-256")) => elliptic(Algorithm::Es256, &ECDSA_P256_SHA256_FIXED, 32, bytes("x"), bytes("y")),
            (Some("EC"), Some("P-384")) => elliptic(Algorithm::Es384, &ECDSA_P384_SHA384_FIXED, 48, bytes("x"), bytes("y")),
            (Some("OKP"), Some("Ed25519")) => edwards(bytes("x")),
            _ => Err("its type is not one that is used here"),
        }
    }

    pub(super) fn kind(&self) -> KeyType {
        self.kind
    }

    /// Whether `signature` is this key's over `signed`, made with `algorithm`.
    pub(super) fn has_signed(&self, signed: &[u8], signature: &[u8], algorithm: Algorithm) -> bool {
        let ready = self.ready.iter().find(|(own, _)| *own == algorithm);
        ready.is_some_and(|(_, key)| key.verify_sig(signed, signature).is_ok())
    }
}

/// The SHA-256 thumbprint of a JWK (RFC 7638 §3): over its required members in their order. Their values
/// are not escaped: of what is read as a key they are base64url, and nothing else may be taken for one.
pub(super) fn thumbprint(jwk: &Members<'_>) -> Option<[u8; 32]> {
    let required: &[&str] = match named(jwk, "kty")?.as_ref() {
        "RSA" => &["e", "kty", "n"],
        "EC" => &["crv", "kty", "x", "y"],
        "OKP" => &["crv", "kty", "x"],
        _ => return None,
    };
    let members = required.iter().map(|name| Some(format!("\"{name}\":\"{}\"", named(jwk, name)?)));
    let members: Vec<String> = members.collect::<Option<_>>()?;
    Some(Sha256::digest(format!("{{{}}}", members.join(","))).into())
}

/// Whether a JWK has members that are nobody's but its owner's.
pub(super) fn is_private(jwk: &Members<'_>) -> bool {
    PRIVATE.iter().any(|name| member(jwk, name).is_some())
}

fn named<'a>(jwk: &'a Members<'_>, name: &str) -> Option<std::borrow::Cow<'a, str>> {
    member(jwk, name).and_then(|value| text(value.get()))
}

fn rsa(modulus: Option<Vec<u8>>, exponent: Option<Vec<u8>>) -> Result<PublicKey, &'static str> {
    let (Some(modulus), Some(exponent)) = (modulus, exponent) else {
        return Err("its `n` or `e` is not canonical base64url");
    };
    let (n, e) = (without_leading_zeros(&modulus), without_leading_zeros(&exponent));
    let bits = n.first().map_or(0, |first| n.len() * 8 - first.leading_zeros() as usize);
    if !(2048..=8192).contains(&bits) {
        return Err("its modulus is under 2048 bits or over 8192");
    }
    if matches!(e, [] | [0..=2]) || e.len() > 4 || e.last().is_some_and(|last| last % 2 == 0) {
        return Err("its exponent is under 3, even, or over 32 bits");
    }
    if roca::is_marked(n) {
        return Err("its modulus was made by a generator that is broken (CVE-2017-15361)");
    }
    let components = RsaPublicKeyComponents { n, e };
    let ready = RSA.into_iter().map(|(algorithm, parameters)| Ok((algorithm, components.to_parsed_public_key(parameters)?)));
    let ready = ready.collect::<Result<_, aws_lc_rs::error::KeyRejected>>().map_err(|_| "its modulus and exponent make no key")?;
    Ok(PublicKey { kind: KeyType::Rsa, ready })
}

fn without_leading_zeros(mut number: &[u8]) -> &[u8] {
    while let [0, rest @ ..] = number {
        number = rest;
    }
    number
}

fn elliptic(
    algorithm: Algorithm,
    parameters: &'static dyn VerificationAlgorithm,
    size: usize,
    x: Option<Vec<u8>>,
    y: Option<Vec<u8>>,
) -> Result<PublicKey, &'static str> {
    let (Some(x), Some(y)) = (x, y) else { return Err("its `x` or `y` is not canonical base64url") };
    if x.len() != size || y.len() != size {
        return Err("its `x` or `y` does not have the length of its curve");
    }
    let point = [&[4], x.as_slice(), y.as_slice()].concat();
    let ready = ParsedPublicKey::new(parameters, point).map_err(|_| "its point is not on its curve")?;
    Ok(PublicKey { kind: algorithm.key_type(), ready: vec![(algorithm, ready)] })
}

fn edwards(x: Option<Vec<u8>>) -> Result<PublicKey, &'static str> {
    let x = x.filter(|x| x.len() == 32).ok_or("its `x` is not 32 bytes in canonical base64url")?;
    if small_order::is_unfit(&x) {
        return Err("its `x` is not canonical, or a point of small order");
    }
    let ready = ParsedPublicKey::new(&ED25519, x).map_err(|_| "its `x` is not a point")?;
    Ok(PublicKey { kind: KeyType::Ed25519, ready: vec![(Algorithm::EdDsa, ready)] })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::strict_json::members_of;
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    #[test]
    fn the_thumbprints_of_the_rfcs_come_out() {
        // RFC 7638 §3.1 and RFC 8037 appendix A.3.
        let rsa = r#"{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"}"#;
        let okp = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
        for (jwk, expected) in [(rsa, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"), (okp, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k")] {
            let jwk = members_of(jwk).unwrap();
            assert_eq!(URL_SAFE_NO_PAD.encode(thumbprint(&jwk).unwrap()), expected);
        }
    }
}
