//! No document, however broken, makes loading panic; and what loads can be asked.

use proptest::prelude::*;

use super::*;

/// A document with one of almost everything.
fn full() -> String {
    let conditions = json!([
        { "ifRequestHeaderExpression": { "headerName": "x", "operator": "NotPresent" } },
        { "ifIdentityClaimExpression": { "claimType": "c", "operator": "InCaseInsensitive", "value": "a,b" } },
        { "ifViaApiExpression": { "apiFeatureCodes": ["a/b"], "operator": "In" } },
        { "ifFeatureChainExpression": { "selectors": [all_portfolios()] } },
    ]);
    let dates = json!([
        { "effectiveRange": { "from": "2020-01-01" } },
        { "asAtRangeForSpec": { "from": { "dateTimeOffset": "2020-01-01" }, "to": { "value": "AsAt=Latest" } } },
        { "effectiveDateRelative": { "date": "Now", "adjustment": -7, "unit": "Weeks", "relativeToDateTime": "Before" } },
        { "effectiveDateHasQuality": { "quality": "IsBefore5pm" } },
    ]);
    let policy = with(with(deny(vec![by_id(json!({ "scope": "U*", "code": null })), by_metadata("K", "In", "a")]), "if", conditions), "for", dates);
    let snapshot = Snapshot::of_roles(&[&[policy, allow(all_portfolios())]])
        .plus("policyCollections", json!({ "id": id("c"), "policies": [id("r1-1")] }))
        .plus("accessMetadata", json!({ "entity": "Portfolio", "id": { "scope": "US" }, "metadata": { "K": [{ "value": "v" }] } }))
        .plus("personalAccessTokens", json!({ "sha256": "00".repeat(32), "userId": "u" }))
        .plus("revokedTokens", json!({ "jti": "t" }));
    snapshot.json().to_string()
}

proptest! {
    #[test]
    fn a_mutated_document_never_panics(cuts in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3_u8), 0..4)) {
        let mut bytes = full().into_bytes();
        for (at, byte, how) in cuts {
            let at = at.index(bytes.len());
            match how {
                0 => bytes[at] = byte,
                1 => bytes.truncate(at.max(1)),
                _ => bytes.insert(at, byte),
            }
        }
        match load(&bytes) {
            Ok(policies) => { Ask::default().claimed_by_nobody(&policies); }
            Err(problems) => prop_assert!(!problems.is_empty()),
        }
    }
}

impl Ask<'_> {
    /// Decides without a user.
    fn claimed_by_nobody(&self, policies: &Policies) -> bool {
        let roles: Vec<_> = policies.roles().iter().map(|role| role.id.clone()).collect();
        Ask { claimed: Some((&roles, false)), ..self.clone() }.granted(policies)
    }
}
