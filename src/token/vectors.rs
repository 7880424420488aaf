//! Public vectors: the examples of the RFCs, whole, and Wycheproof's signatures, through the keys and
//! the code that tokens are verified by.

use super::algorithm::Algorithm;
use super::compact::decode;
use super::forge::encode;
use super::keys::Key;
use super::strict_json::members_of;
use super::{KeySet, verify_signature};
use serde_json::{Value, json};
use wycheproof::{TestResult, ecdsa, eddsa, rsa_pkcs1_verify as pkcs1, rsa_pss_verify as pss};

/// RFC 7515 appendix A.2.
const A2_KEY: &str = r#"{"kty":"RSA","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ","e":"AQAB"}"#;
const A2: &str = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
/// RFC 7515 appendix A.3.
const A3_KEY: &str = r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#;
const A3: &str = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
/// RFC 7520 §4.1.
const COOKBOOK_KEY: &str = r#"{"kty":"RSA","kid":"bilbo.baggins@hobbiton.example","use":"sig","n":"n4EPtAOCc9AlkeQHPzHStgAbgs7bTZLwUBZdR8_KuKPEHLd4rHVTeT-O-XV2jRojdNhxJWTDvNd7nqQ0VEiZQHz_AJmSCpMaJMRBSFKrKb2wqVwGU_NsYOYL-QtiWN2lbzcEe6XC0dApr5ydQLrHqkHHig3RBordaZ6Aj-oBHqFEHYpPe7Tpe-OfVfHd1E6cS6M1FZcD1NNLYD5lFHpPI9bTwJlsde3uhGqC0ZCuEHg8lhzwOHrtIQbS0FVbb9k3-tVTU4fg_3L_vniUFAKwuCLqKnS2BYwdq_mzSnbLY7h_qixoR7jig3__kRhuaxwUkRz5iaiQkqgc5gHdrNP5zw","e":"AQAB"}"#;
const COOKBOOK: &str = "eyJhbGciOiJSUzI1NiIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9.SXTigJlzIGEgZGFuZ2Vyb3VzIGJ1c2luZXNzLCBGcm9kbywgZ29pbmcgb3V0IHlvdXIgZG9vci4gWW91IHN0ZXAgb250byB0aGUgcm9hZCwgYW5kIGlmIHlvdSBkb24ndCBrZWVwIHlvdXIgZmVldCwgdGhlcmXigJlzIG5vIGtub3dpbmcgd2hlcmUgeW91IG1pZ2h0IGJlIHN3ZXB0IG9mZiB0by4.MRjdkly7_-oTPTS3AXP41iQIGKa80A0ZmTuV5MEaHoxnW2e5CZ5NlKtainoFmKZopdHM1O2U4mwzJdQx996ivp83xuglII7PNDi84wnB-BDkoBwA78185hX-Es4JIwmDLJK3lfWRa-XtL0RnltuYv746iYTh_qHRD68BNt1uSNCrUCTJDt5aAE6x8wW1Kt9eRo4QPocSadnHXFxnt8Is9UzpERV0ePPQdLuW3IS_de3xyIrDaLGdjluPxUAhb6L2aXic1U12podGU0KLUQSE_oI-ZnmKJ3F4uOZDnd6QZWJushZ41Axf_fcIe8u9ipH84ogoree7vjbU5y18kDquDg";
/// A modulus of the generator of CVE-2017-15361: Wycheproof's `json_web_key_test`, case 7.
const BROKEN_MODULUS: &str = "AanFpofbj7KjD4Lf-N2hVMKR7yewSyXhhbirIMTGpfYEhZ_lnt5UoK98DnKIgArXGTu3MaW_HhFw16HGaTDUHqPrId7fe4r11CqRw09yBFuW79V8sYIwHdzCaWflUI6auImYbVfoN9_nD5n8N8SY9DwXw7mwZM9wREPXoDPgOoIWl6q_MPsp7n0zs3Z5ZaiQWOOzl1S9OhwAfSiiOwz6efnXEaxuTEtPd7BjSx7NaFka8Dx9U7YqXy2RFj1O9PjyaDGuRh7YXsX3iMUSP_wSyHQg_c_qHRtKUsNSGCT7OZg0hzm2KphtjnayKJvC64vAbROBR4Ubg6Bxg9IQVZ-QYyE";

fn accepts(token: &str, key: &str) -> bool {
    verify_signature(token, &Algorithm::ALL, &KeySet::parse(key.as_bytes()).unwrap()).is_ok()
}

#[test]
fn wycheproofs_key_of_the_broken_generator_is_left_out() {
    let key = json!({"kty": "RSA", "kid": "kid-rsa-roca-sign", "use": "sig", "alg": "RS256", "n": BROKEN_MODULUS, "e": "AQAB"});
    let set = KeySet::parse(json!({"keys": [key]}).to_string().as_bytes()).unwrap();
    assert!(set.is_empty() && set.warnings()[0].contains("CVE-2017-15361"), "{:?}", set.warnings());
}

#[test]
fn the_examples_of_the_rfcs_verify_and_no_change_of_them_does() {
    for (token, key) in [(A2, A2_KEY), (A3, A3_KEY), (COOKBOOK, COOKBOOK_KEY)] {
        assert!(accepts(token, key), "{token}");
        let (header, rest) = token.split_once('.').unwrap();
        let (payload, signature) = rest.split_once('.').unwrap();
        for changed in [
            format!("{header}.{payload}."),
            format!("{header}.{payload}"),
            format!("{header}..{signature}"),
            format!("{header}.{signature}"),
            format!(".{payload}.{signature}"),
            format!("{payload}.{signature}"),
            format!(".{payload}."),
            payload.to_owned(),
            format!("{token}."),
            format!("{token}.foo"),
            format!("{header}.X{}.{signature}", payload.split_at(1).1),
            format!("{header}.{payload}.X{}", signature.split_at(1).1),
            format!("{header}.{payload}.{}", signature.split_at(signature.len() - 4).0),
            format!("{header}.{payload}.{signature}AAAA"),
            format!("{header}.{payload}.{signature}=="),
            format!("{header}.{payload} .{signature}"),
            format!("{}.{payload}.", encode(br#"{"alg":"none"}"#)),
            format!("{}.{payload}.{signature}", encode(br#"{"alg":"PS256"}"#)),
            json!({"payload": payload, "protected": header, "signature": signature}).to_string(),
            json!({"payload": payload, "signatures": [{"protected": header, "signature": signature}]}).to_string(),
        ] {
            assert!(!accepts(&changed, key), "{changed}");
        }
        for other in [A2_KEY, A3_KEY, COOKBOOK_KEY].into_iter().filter(|other| *other != key) {
            assert!(!accepts(token, other));
        }
    }
}

#[test]
fn a_signature_of_another_form_or_range_is_refused() {
    let (signed, signature) = A3.rsplit_once('.').unwrap();
    let bytes = decode(signature).unwrap();
    let (r, s) = bytes.split_at(32);
    let der = |part: &[u8]| {
        let sign: &[u8] = if part[0] > 0x7f { &[0] } else { &[] };
        [&[2, (part.len() + sign.len()) as u8], sign, part].concat()
    };
    let body = [der(r), der(s)].concat();
    let as_der = [&[0x30, body.len() as u8], body.as_slice()].concat();
    let zeros = vec![0; 64];
    let order = ["ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"; 2].concat();
    let digits: Vec<u8> = order.chars().map(|digit| digit.to_digit(16).unwrap() as u8).collect();
    let order: Vec<u8> = digits.chunks(2).map(|pair| pair[0] * 16 + pair[1]).collect();
    let padded = [&[0], r, &[0], s].concat();
    for other in [as_der, zeros, order, padded, [s, r].concat(), bytes[..63].to_vec(), [&[0], bytes.as_slice()].concat(), bytes[1..].to_vec()] {
        assert!(!accepts(&format!("{signed}.{}", encode(&other)), A3_KEY), "{other:02x?}");
    }
}

/// What became of a vector, and what should.
fn check(jwk: &Value, algorithm: Algorithm, (message, signature): (&[u8], &[u8]), result: TestResult, what: &str) {
    let jwk = jwk.to_string();
    // A key that is not taken verifies nothing.
    let is_good = Key::parse(&members_of(&jwk).unwrap()).is_ok_and(|key| key.has_signed(message, signature, algorithm));
    match result {
        TestResult::Valid => assert!(is_good, "{what} is refused"),
        TestResult::Invalid => assert!(!is_good, "{what} is accepted"),
        TestResult::Acceptable => {}
    }
}

fn sized(number: &[u8], size: usize) -> String {
    let digits: Vec<u8> = number.iter().copied().skip_while(|byte| *byte == 0).collect();
    encode(&[vec![0; size.saturating_sub(digits.len())], digits].concat())
}

#[test]
fn wycheproofs_ecdsa_signatures_are_told_apart() {
    let sets = [
        (ecdsa::TestName::EcdsaSecp256r1Sha256P1363, Algorithm::Es256, "P-256", 32),
        (ecdsa::TestName::EcdsaSecp384r1Sha384P1363, Algorithm::Es384, "P-384", 48),
    ];
    for (name, algorithm, curve, size) in sets {
        for group in ecdsa::TestSet::load(name).unwrap().test_groups {
            let jwk = json!({"kty": "EC", "crv": curve, "x": sized(&group.key.affine_x, size), "y": sized(&group.key.affine_y, size)});
            for test in group.tests {
                check(&jwk, algorithm, (&test.msg, &test.sig), test.result, &format!("{name:?} {}", test.tc_id));
            }
        }
    }
}

#[test]
fn wycheproofs_ed25519_signatures_are_told_apart() {
    for group in eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap().test_groups {
        let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": encode(&group.key.pk)});
        for test in group.tests {
            check(&jwk, Algorithm::EdDsa, (&test.msg, &test.sig), test.result, &format!("ed25519 {}", test.tc_id));
        }
    }
}

#[test]
fn wycheproofs_rsa_signatures_are_told_apart() {
    use pkcs1::TestName as Name;
    let sets = [
        (Name::Rsa2048Sha256, Algorithm::Rs256),
        (Name::Rsa2048Sha384, Algorithm::Rs384),
        (Name::Rsa2048Sha512, Algorithm::Rs512),
        (Name::Rsa3072Sha256, Algorithm::Rs256),
        (Name::Rsa4096Sha512, Algorithm::Rs512),
    ];
    for (name, algorithm) in sets {
        for group in pkcs1::TestSet::load(name).unwrap().test_groups {
            let jwk = json!({"kty": "RSA", "n": encode(&group.key.n), "e": encode(&group.key.e)});
            for test in group.tests {
                check(&jwk, algorithm, (&test.msg, &test.sig), test.result, &format!("{name:?} {}", test.tc_id));
            }
        }
    }
    use pss::TestName as Pss;
    let sets = [
        (Pss::RsaPss2048Sha256Mgf1SaltLen32, Algorithm::Ps256),
        (Pss::RsaPss2048Sha384Mgf1SaltLen48, Algorithm::Ps384),
        (Pss::RsaPss3072Sha256Mgf1SaltLen32, Algorithm::Ps256),
    ];
    for (name, algorithm) in sets {
        for group in pss::TestSet::load(name).unwrap().test_groups {
            let jwk = json!({"kty": "RSA", "n": encode(&group.key.n), "e": encode(&group.key.e)});
            for test in group.tests {
                check(&jwk, algorithm, (&test.msg, &test.sig), test.result, &format!("{name:?} {}", test.tc_id));
            }
        }
    }
}
