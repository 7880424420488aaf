//! Network zones: from which addresses calls are blocked.

use super::logs::{Target, tell};
use super::zone_verdict::{SessionType, network};
use crate::control::body::Body;
use crate::control::caller::Caller;
use crate::control::plane::Plane;
use crate::control::problem::{Code, Problem};
use crate::control::wire::write_time;
use crate::store::{Draft, NetworkZone, State as Remembered};
use axum::Json;
use axum::extract::{Path, State};
use http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

const ACTIONS: [&str; 3] = ["Block", "Allow", "NoOp"];

pub(super) fn routes() -> OpenApiRouter<Plane> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(read, update, remove))
}

/// An address, or a range of them
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(super) struct IpAddressDefinition {
    /// What kind of value it is; echoed
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 64)]
    kind: Option<String>,
    /// What is there
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 1024)]
    description: Option<String>,
    /// An IPv4 or IPv6 address, or a range in CIDR notation
    #[schema(min_length = 1)]
    value: String,
}

/// Which calls a zone is about
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct NetworkZonesApplyRules {
    /// Console, AccessToken or PersonalAccessToken; empty = all
    #[schema(max_items = 10)]
    session_type: Vec<String>,
    /// Codes of roles, or `scope/code`; empty = all users
    #[schema(max_items = 100)]
    user_roles: Vec<String>,
}

/// The information of a new network zone
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct CreateNetworkZoneRequest {
    /// Its code
    #[schema(min_length = 1, max_length = 64, pattern = r"^[a-zA-Z0-9\-_]+$")]
    code: String,
    /// What it is for
    #[schema(max_length = 1024)]
    description: Option<String>,
    /// Its addresses
    #[serde(rename = "networkZoneIPs")]
    #[schema(max_items = 1000)]
    network_zone_ips: Vec<IpAddressDefinition>,
    /// Block, Allow or NoOp; NoOp if absent
    action: Option<String>,
    /// Which calls it is about
    apply_rules: NetworkZonesApplyRules,
}

/// What becomes of a network zone
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct UpdateNetworkZoneRequest {
    /// What it is for
    #[schema(max_length = 1024)]
    description: Option<String>,
    /// Its addresses
    #[serde(rename = "networkZoneIPs")]
    #[schema(max_items = 1000)]
    network_zone_ips: Vec<IpAddressDefinition>,
    /// Block, Allow or NoOp; NoOp if absent
    action: Option<String>,
    /// Which calls it is about
    apply_rules: NetworkZonesApplyRules,
    /// The place it takes, from 1; past the last one is the last
    #[schema(minimum = 1, maximum = 1_000_000)]
    hierarchy: i64,
}

/// A network zone
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct NetworkZoneDefinitionResponse {
    /// Its code
    code: String,
    /// Its place: the first zone that has an address decides
    hierarchy: i64,
    /// What it is for
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    description: Option<String>,
    /// When it was made
    #[serde(serialize_with = "write_time")]
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it was changed
    #[serde(serialize_with = "write_time")]
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
    /// Its addresses
    #[serde(rename = "networkZoneIPs")]
    #[schema(value_type = Vec<IpAddressDefinition>)]
    network_zone_ips: Vec<serde_json::Value>,
    /// Block, Allow or NoOp
    action: String,
    /// Which calls it is about
    #[schema(value_type = NetworkZonesApplyRules)]
    apply_rules: serde_json::Value,
    /// Who made it
    created_by: String,
    /// Who changed it last
    updated_by: String,
}

impl From<&NetworkZone> for NetworkZoneDefinitionResponse {
    fn from(zone: &NetworkZone) -> Self {
        let NetworkZone { code, hierarchy, description, created_at, updated_at, network_zone_ips, action, apply_rules, created_by, updated_by } = zone.clone();
        Self { code, hierarchy, description, created_at, updated_at, network_zone_ips, action, apply_rules, created_by, updated_by }
    }
}

/// What a request says of a zone, looked at.
struct Content {
    description: Option<String>,
    ips: Vec<serde_json::Value>,
    action: String,
    rules: serde_json::Value,
}

impl Content {
    fn checked(description: Option<String>, ips: &[IpAddressDefinition], action: Option<String>, rules: &NetworkZonesApplyRules) -> Result<Self, Problem> {
        let mut problem = Problem::invalid();
        for (index, _) in ips.iter().enumerate().filter(|(_, ip)| network(&ip.value).is_none()) {
            problem.report(format!("networkZoneIPs[{index}].value"), "The value is neither an address nor a range in CIDR notation.");
        }
        let action = action.unwrap_or_else(|| "NoOp".to_owned());
        if !ACTIONS.contains(&action.as_str()) {
            problem.report("action", "The action is none of Block, Allow and NoOp.");
        }
        let is_known = |name: &String| SessionType::ALL.iter().any(|session| name.eq_ignore_ascii_case(session.name()));
        for (index, _) in rules.session_type.iter().enumerate().filter(|(_, name)| !is_known(name)) {
            // A rule that nobody understands would be a block that blocks nobody.
            problem.report(format!("applyRules.sessionType[{index}]"), "The value is none of Console, AccessToken and PersonalAccessToken.");
        }
        problem.or_ok(())?;
        let json = |value: Result<serde_json::Value, serde_json::Error>| value.map_err(|_| Problem::of(Code::Internal));
        let ips = ips.iter().map(|ip| json(serde_json::to_value(ip))).collect::<Result<_, _>>()?;
        Ok(Self { description, ips, action, rules: json(serde_json::to_value(rules))? })
    }
}

fn find<'a>(state: &'a Remembered, code: &str) -> Result<&'a Arc<NetworkZone>, Problem> {
    state.network_zones.find(code).ok_or_else(|| Problem::of(Code::NetworkZoneMissing).detail("There is no network zone with this code."))
}

/// All of them, the first one first.
fn in_order(state: &Remembered) -> Vec<NetworkZone> {
    let mut zones: Vec<NetworkZone> = state.network_zones.values().map(|zone| zone.as_ref().clone()).collect();
    zones.sort_by_key(|zone| zone.hierarchy);
    zones
}

/// Writes these zones in this order, those that change their place.
fn number(draft: &mut Draft, zones: Vec<NetworkZone>) {
    for (zone, place) in zones.into_iter().zip(1..) {
        if zone.hierarchy != place {
            draft.put(NetworkZone { hierarchy: place, ..zone });
        }
    }
}

/// Makes a zone behind all others.
fn creation(draft: &mut Draft, user: &str, request: CreateNetworkZoneRequest) -> Result<NetworkZone, Problem> {
    let content = Content::checked(request.description, &request.network_zone_ips, request.action, &request.apply_rules)?;
    if draft.network_zones.has(&request.code) {
        return Err(Problem::of(Code::NetworkZoneExists).detail("There is a network zone with this code already."));
    }
    let now = draft.now();
    let zone = NetworkZone {
        code: request.code,
        hierarchy: in_order(draft).iter().map(|zone| zone.hierarchy).max().unwrap_or(0) + 1,
        description: content.description,
        created_at: now,
        updated_at: now,
        network_zone_ips: content.ips,
        action: content.action,
        apply_rules: content.rules,
        created_by: user.to_owned(),
        updated_by: user.to_owned(),
    };
    draft.put(zone.clone());
    Ok(zone)
}

/// Changes a zone and moves it; those between its old and its new place move up or down.
fn change(draft: &mut Draft, user: &str, code: &str, request: UpdateNetworkZoneRequest) -> Result<NetworkZone, Problem> {
    let content = Content::checked(request.description, &request.network_zone_ips, request.action, &request.apply_rules)?;
    let zone = NetworkZone {
        description: content.description,
        network_zone_ips: content.ips,
        action: content.action,
        apply_rules: content.rules,
        updated_at: draft.now(),
        updated_by: user.to_owned(),
        ..find(draft, code)?.as_ref().clone()
    };
    draft.put(zone.clone());
    let mut zones = in_order(draft);
    zones.retain(|other| other.code != code);
    let place = usize::try_from(request.hierarchy - 1).unwrap_or_default().min(zones.len());
    zones.insert(place, zone);
    number(draft, zones);
    find(draft, code).map(|zone| zone.as_ref().clone())
}

fn removal(draft: &mut Draft, code: &str) -> Result<(), Problem> {
    find(draft, code)?;
    draft.remove::<NetworkZone>(code);
    let left = in_order(draft);
    number(draft, left);
    Ok(())
}

/// Lists all network zones for a domain
///
/// By their place in the hierarchy.
#[utoipa::path(get, path = "/identity/api/networkzones", operation_id = "ListNetworkZones", tag = "NetworkZones",
    responses((status = 200, body = Vec<NetworkZoneDefinitionResponse>)), extensions(("x-status" = json!("EARLY ACCESS"))))]
async fn list(State(plane): State<Plane>) -> Result<Json<Vec<NetworkZoneDefinitionResponse>>, Problem> {
    let state = plane.state().await?;
    Ok(Json(in_order(&state).iter().map(Into::into).collect()))
}

/// Creates a network zone
///
/// Behind all others. The first zone that has the caller's address, is about the call and says Block or Allow decides; without
/// one the call passes. To admit some addresses only, allow them and block 0.0.0.0/0 and ::/0 behind.
#[utoipa::path(post, path = "/identity/api/networkzones", operation_id = "CreateNetworkZone", tag = "NetworkZones", request_body = CreateNetworkZoneRequest,
    responses((status = 201, body = NetworkZoneDefinitionResponse), (status = 409, description = "There is a zone with this code.")),
    extensions(("x-status" = json!("EARLY ACCESS"))))]
async fn create(
    State(plane): State<Plane>,
    caller: Caller,
    Body(request): Body<CreateNetworkZoneRequest>,
) -> Result<(StatusCode, Json<NetworkZoneDefinitionResponse>), Problem> {
    let zone = plane.write(&caller, |draft| creation(draft, caller.user(), request)).await?;
    tell(&plane, &caller, "zone.create", Target::zone(&zone.code)).await;
    Ok((StatusCode::CREATED, Json((&zone).into())))
}

/// Retrieve a Network Zone
#[utoipa::path(get, path = "/identity/api/networkzones/{code}", operation_id = "GetNetworkZone", tag = "NetworkZones",
    params(("code" = String, Path, description = "The code of the network zone")),
    responses((status = 200, body = NetworkZoneDefinitionResponse), (status = 404, description = "There is none with this code.")),
    extensions(("x-status" = json!("EARLY ACCESS"))))]
async fn read(State(plane): State<Plane>, Path(code): Path<String>) -> Result<Json<NetworkZoneDefinitionResponse>, Problem> {
    let state = plane.state().await?;
    find(&state, &code).map(|zone| Json(zone.as_ref().into()))
}

/// Updates an existing network zone
#[utoipa::path(put, path = "/identity/api/networkzones/{code}", operation_id = "UpdateNetworkZone", tag = "NetworkZones",
    params(("code" = String, Path, description = "The code of the network zone")), request_body = UpdateNetworkZoneRequest,
    responses((status = 200, body = NetworkZoneDefinitionResponse), (status = 404, description = "There is none with this code.")),
    extensions(("x-status" = json!("EARLY ACCESS"))))]
async fn update(
    State(plane): State<Plane>,
    caller: Caller,
    Path(code): Path<String>,
    Body(request): Body<UpdateNetworkZoneRequest>,
) -> Result<Json<NetworkZoneDefinitionResponse>, Problem> {
    let zone = plane.write(&caller, |draft| change(draft, caller.user(), &code, request)).await?;
    tell(&plane, &caller, "zone.update", Target::zone(&code)).await;
    Ok(Json((&zone).into()))
}

/// Deletes a network zone
#[utoipa::path(delete, path = "/identity/api/networkzones/{code}", operation_id = "DeleteNetworkZone", tag = "NetworkZones",
    params(("code" = String, Path, description = "The code of the network zone")),
    responses((status = 204, description = "It is gone."), (status = 404, description = "There is none with this code.")),
    extensions(("x-status" = json!("EARLY ACCESS"))))]
async fn remove(State(plane): State<Plane>, caller: Caller, Path(code): Path<String>) -> Result<StatusCode, Problem> {
    plane.write(&caller, |draft| removal(draft, &code)).await?;
    tell(&plane, &caller, "zone.delete", Target::zone(&code)).await;
    Ok(StatusCode::NO_CONTENT)
}

#[cfg(test)]
mod tests {
    use super::super::accounts::tests::draft;
    use super::*;
    use serde_json::json;

    fn request(code: &str, more: serde_json::Value) -> serde_json::Value {
        let mut body = json!({"code": code, "networkZoneIPs": [{"type": "IP", "value": "192.0.2.1"}], "action": "Block", "applyRules": {"sessionType": [], "userRoles": []}});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    }

    fn create(draft: &mut Draft, code: &str, more: serde_json::Value) -> Result<NetworkZone, Problem> {
        creation(draft, "00u1", serde_json::from_value(request(code, more)).unwrap())
    }

    fn order(draft: &Draft) -> Vec<(String, i64)> {
        in_order(draft).into_iter().map(|zone| (zone.code, zone.hierarchy)).collect()
    }

    fn ranked(codes: [&str; 3]) -> Vec<(String, i64)> {
        codes.into_iter().map(str::to_owned).zip(1..).collect()
    }

    #[test]
    fn places_are_dense_however_zones_move_and_go() {
        let mut draft = draft();
        for code in ["c", "a", "b"] {
            create(&mut draft, code, json!({})).unwrap();
        }
        assert_eq!(order(&draft), ranked(["c", "a", "b"]));
        let mut move_to = |code: &str, place: i64| {
            let body = request(code, json!({"hierarchy": place}));
            let zone = change(&mut draft, "00u2", code, serde_json::from_value(body).unwrap()).unwrap();
            assert_eq!(zone.updated_by, "00u2");
            order(&draft)
        };
        assert_eq!(move_to("b", 1), ranked(["b", "c", "a"]));
        assert_eq!(move_to("b", 2), ranked(["c", "b", "a"]));
        assert_eq!(move_to("c", 1000), ranked(["b", "a", "c"]));
        removal(&mut draft, "a").unwrap();
        assert_eq!(order(&draft), [("b".to_owned(), 1), ("c".to_owned(), 2)]);
        assert_eq!(create(&mut draft, "d", json!({})).unwrap().hierarchy, 3);
    }

    #[test]
    fn what_is_no_address_is_named_by_its_place() {
        let mut draft = draft();
        let values = ["192.0.2.1", "192.0.2.0/24", "2001:db8::/32", "192.0.2.256", "192.0.2.0/33", "example.com", "192.0.2.1-192.0.2.9"];
        let ips: Vec<_> = values.iter().map(|value| json!({"value": value})).collect();
        let wrong = json!({"networkZoneIPs": ips, "action": "Deny", "applyRules": {"sessionType": ["Carrier"], "userRoles": []}});
        let problem = create(&mut draft, "z", wrong).unwrap_err();
        let expected =
            ["action", "applyRules.sessionType[0]", "networkZoneIPs[3].value", "networkZoneIPs[4].value", "networkZoneIPs[5].value", "networkZoneIPs[6].value"];
        assert_eq!(problem.errors().keys().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn an_answer_says_what_was_sent() {
        let mut draft = draft();
        let zone = create(&mut draft, "office", json!({"description": "Our office", "action": null})).unwrap();
        let answer = serde_json::to_value(NetworkZoneDefinitionResponse::from(&zone)).unwrap();
        let expected = json!({
            "code": "office", "hierarchy": 1, "description": "Our office",
            "createdAt": "2026-11-21T12:00:00.0000000+00:00", "updatedAt": "2026-11-21T12:00:00.0000000+00:00",
            "networkZoneIPs": [{"type": "IP", "value": "192.0.2.1"}], "action": "NoOp", "applyRules": {"sessionType": [], "userRoles": []},
            "createdBy": "00u1", "updatedBy": "00u1"
        });
        assert_eq!(answer, expected);
        assert_eq!(create(&mut draft, "office", json!({})).unwrap_err().code(), Code::NetworkZoneExists);
        assert_eq!(removal(&mut draft, "home").unwrap_err().code(), Code::NetworkZoneMissing);
    }
}
