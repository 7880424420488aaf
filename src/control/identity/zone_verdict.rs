//! What the network zones say to a call: pure, asked before everything else that the control plane
//! does for a caller.

use crate::store::{NetworkZone, State};
use ipnet::IpNet;
use std::net::IpAddr;

/// By what a call is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::control) enum SessionType {
    /// A session at the console.
    Console,
    /// An access token.
    AccessToken,
    /// A personal access token.
    PersonalAccessToken,
}

impl SessionType {
    /// Every one.
    pub(in crate::control) const ALL: [Self; 3] = [Self::Console, Self::AccessToken, Self::PersonalAccessToken];

    /// What `sessionType` calls it.
    pub(in crate::control) const fn name(self) -> &'static str {
        match self {
            Self::Console => "Console",
            Self::AccessToken => "AccessToken",
            Self::PersonalAccessToken => "PersonalAccessToken",
        }
    }
}

/// What the network zones say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::control) enum Verdict {
    /// Nothing stands against it.
    Pass,
    /// The zone of this code blocks it (error 939).
    Blocked(String),
}

/// An address, alone or with all that begin like it.
pub(super) fn network(value: &str) -> Option<IpNet> {
    let net = value.parse::<IpNet>().ok().or_else(|| value.parse::<IpAddr>().ok().map(IpNet::from))?;
    Some(net.trunc())
}

/// Whether a call from there, by that, of a user with these roles (`scope/code`) is blocked: the first zone in the
/// hierarchy that has the address, applies to the call, and blocks or allows decides. No such zone = pass.
pub(in crate::control) fn verdict(state: &State, address: IpAddr, session: SessionType, roles: &[String]) -> Verdict {
    // An IPv4 address is the same one when it comes by way of IPv6.
    let address = address.to_canonical();
    let mut zones: Vec<&NetworkZone> = state.network_zones.values().map(AsRef::as_ref).collect();
    zones.sort_by_key(|zone| zone.hierarchy);
    let decides = |zone: &&&NetworkZone| zone.action != "NoOp" && has(zone, address) && applies(zone, session, roles);
    match zones.iter().find(decides) {
        Some(zone) if zone.action == "Block" => Verdict::Blocked(zone.code.clone()),
        _ => Verdict::Pass,
    }
}

fn has(zone: &NetworkZone, address: IpAddr) -> bool {
    let values = zone.network_zone_ips.iter().filter_map(|ip| ip.get("value")?.as_str());
    values.filter_map(network).any(|net| net.contains(&address))
}

/// Whether the zone is about such a call: an empty list is about all of them. A role is named by its code or by
/// `scope/code`.
fn applies(zone: &NetworkZone, session: SessionType, roles: &[String]) -> bool {
    let listed = |name: &str| {
        let names = zone.apply_rules.get(name).and_then(|names| names.as_array());
        names.into_iter().flatten().filter_map(|name| name.as_str()).collect::<Vec<_>>()
    };
    let (sessions, wanted) = (listed("sessionType"), listed("userRoles"));
    let has_role = |name: &&str| roles.iter().any(|role| role == name || role.split_once('/').is_some_and(|(_, code)| code == *name));
    let is_session = sessions.is_empty() || sessions.iter().any(|name| name.eq_ignore_ascii_case(session.name()));
    is_session && (wanted.is_empty() || wanted.iter().any(has_role))
}

#[cfg(test)]
mod tests {
    use super::super::accounts::tests::{at, draft};
    use super::*;
    use serde_json::json;

    fn zone(code: &str, hierarchy: i64, action: &str, values: &[&str]) -> NetworkZone {
        NetworkZone {
            code: code.to_owned(),
            hierarchy,
            description: None,
            created_at: at("2026-01-01T00:00:00Z"),
            updated_at: at("2026-01-01T00:00:00Z"),
            network_zone_ips: values.iter().map(|value| json!({"value": value})).collect(),
            action: action.to_owned(),
            apply_rules: json!({"sessionType": [], "userRoles": []}),
            created_by: "00u0".to_owned(),
            updated_by: "00u0".to_owned(),
        }
    }

    fn asked(zones: &[NetworkZone], address: &str) -> Verdict {
        let mut draft = draft();
        zones.iter().for_each(|zone| draft.put(zone.clone()));
        verdict(&draft, address.parse().unwrap(), SessionType::AccessToken, &["default/reader".to_owned()])
    }

    fn blocked(code: &str) -> Verdict {
        Verdict::Blocked(code.to_owned())
    }

    #[test]
    fn without_a_zone_everything_passes() {
        assert_eq!(asked(&[], "192.0.2.1"), Verdict::Pass);
        assert_eq!(asked(&[zone("b", 1, "Block", &["192.0.2.0/24"])], "198.51.100.1"), Verdict::Pass);
    }

    #[test]
    fn addresses_and_ranges_of_both_families_are_blocked() {
        let zones = [zone("b", 1, "Block", &["192.0.2.7", "198.51.100.9/24", "2001:db8::/32"])];
        for address in ["192.0.2.7", "198.51.100.1", "2001:db8::1", "::ffff:192.0.2.7"] {
            assert_eq!(asked(&zones, address), blocked("b"), "{address}");
        }
        for address in ["192.0.2.8", "2001:db9::1"] {
            assert_eq!(asked(&zones, address), Verdict::Pass, "{address}");
        }
    }

    #[test]
    fn the_first_zone_of_the_hierarchy_decides_whatever_it_is_called() {
        let allow_first = [zone("z", 1, "Allow", &["192.0.2.0/25"]), zone("a", 2, "Block", &["0.0.0.0/0", "::/0"])];
        assert_eq!(asked(&allow_first, "192.0.2.1"), Verdict::Pass);
        assert_eq!(asked(&allow_first, "192.0.2.200"), blocked("a"));
        let block_first = [zone("z", 2, "Allow", &["192.0.2.0/25"]), zone("a", 1, "Block", &["0.0.0.0/0"])];
        assert_eq!(asked(&block_first, "192.0.2.1"), blocked("a"));
    }

    #[test]
    fn a_zone_without_an_action_decides_nothing() {
        let zones = [zone("n", 1, "NoOp", &["192.0.2.1"]), zone("b", 2, "Block", &["192.0.2.1"])];
        assert_eq!(asked(&zones, "192.0.2.1"), blocked("b"));
    }

    #[test]
    fn a_zone_is_about_the_sessions_and_roles_that_it_names() {
        for (rules, expected) in [
            (json!({"sessionType": ["AccessToken"], "userRoles": []}), blocked("b")),
            (json!({"sessionType": ["Console", "PersonalAccessToken"], "userRoles": []}), Verdict::Pass),
            (json!({"sessionType": [], "userRoles": ["reader"]}), blocked("b")),
            (json!({"sessionType": [], "userRoles": ["default/reader"]}), blocked("b")),
            (json!({"sessionType": [], "userRoles": ["other/reader", "read"]}), Verdict::Pass),
            (json!({"sessionType": ["Console"], "userRoles": ["reader"]}), Verdict::Pass),
        ] {
            let zones = [NetworkZone { apply_rules: rules.clone(), ..zone("b", 1, "Block", &["192.0.2.1"]) }];
            assert_eq!(asked(&zones, "192.0.2.1"), expected, "{rules}");
        }
    }
}
