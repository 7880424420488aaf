//! What was given out, and is given back, asked about or refused: tokens, keys, addresses.

use super::*;

#[tokio::test]
async fn a_token_is_given_back_by_its_client_and_by_no_other() {
    let plane = plane().await;
    user(&plane, "svc", UserKind::Service, UserStatus::Active).await;
    let given = ask(&plane, &password_form("svc@example.com", ESCAPED)).await;
    let (access, renewal) = (text(&given, "access_token"), text(&given, "refresh_token"));
    let back = async |client: &str, token: &str| read(revoke(State(plane.clone()), request(&format!("token={token}&{client}"))).await).await.status;
    let other = "client_id=other-client&client_secret=other";
    assert_eq!((back(other, access).await, back(other, renewal).await), (400, 400));
    assert_eq!(back("client_id=first-client&client_secret=x", access).await, 401);
    assert_eq!(introspected(&plane, access).await["active"], true);
    assert_eq!((back(CLIENT, access).await, back(CLIENT, "unknown").await), (200, 200));
    assert_eq!(introspected(&plane, access).await["active"], false);
    assert_eq!(introspected(&plane, renewal).await["active"], true);
    assert_eq!(back(CLIENT, renewal).await, 200);
    assert_eq!(refresh(&plane, renewal).await.status, 400);
}

#[tokio::test]
async fn introspection_says_what_a_token_is_worth_now() {
    let plane = plane().await;
    let user = user(&plane, "svc", UserKind::Service, UserStatus::Active).await;
    let given = ask(&plane, &password_form("svc@example.com", ESCAPED)).await;
    let access = text(&given, "access_token");
    let answer = introspected(&plane, access).await;
    assert_eq!((&answer["active"], &answer["sub"], &answer["username"]), (&true.into(), &"00usvc".into(), &"svc@example.com".into()));
    assert_eq!(
        (&answer["client_id"], &answer["aud"], &answer["scope"]),
        (&"first-client".into(), &"lusid-api".into(), &"openid client groups offline_access".into())
    );
    assert_eq!(introspected(&plane, text(&given, "id_token")).await["active"], false, "an id token is no access token");
    assert_eq!(introspected(&plane, "x.y.z").await, serde_json::json!({"active": false}));
    let nobody = read(introspect(State(plane.clone()), request(&format!("token={access}"))).await).await;
    assert_eq!(nobody.status, 401);

    for status in [UserStatus::Suspended, UserStatus::Deprovisioned] {
        change(&plane, |draft| {
            draft.put(User { status, ..(*user).clone() });
            Ok(())
        })
        .await;
        assert_eq!(introspected(&plane, access).await["active"], false);
        assert_eq!(introspected(&plane, text(&given, "refresh_token")).await["active"], false);
    }
}

#[tokio::test]
async fn a_personal_access_token_is_worth_what_its_user_is() {
    let plane = plane().await;
    let user = user(&plane, "svc", UserKind::Service, UserStatus::Active).await;
    let key = |id: &str, text: &str, end: Option<Timestamp>| PersonalAccessToken {
        id: id.into(),
        user_id: user.id.clone(),
        sha256: secrets::sha256(text),
        display_name: id.into(),
        created_date: testing::start(),
        deactivation_date: end,
    };
    change(&plane, |draft| {
        draft.put(key("1", "lasting", None));
        draft.put(key("2", "ended", Some(testing::start().min(draft.now()))));
        Ok(())
    })
    .await;
    let answer = introspected(&plane, "lasting").await;
    assert_eq!((&answer["active"], &answer["sub"]), (&true.into(), &"00usvc".into()));
    assert_eq!(introspected(&plane, "ended").await["active"], false);
    let refused = read(revoke(State(plane.clone()), request(&format!("token=lasting&{CLIENT}"))).await).await;
    assert_eq!((refused.status, text(&refused, "error")), (400, "unsupported_token_type"));
    change(&plane, |draft| {
        draft.put(User { status: UserStatus::Suspended, ..(*user).clone() });
        Ok(())
    })
    .await;
    assert_eq!(introspected(&plane, "lasting").await["active"], false);
}

#[tokio::test]
async fn what_was_ended_is_worth_nothing_and_the_next_sign_in_is() {
    let plane = plane().await;
    user(&plane, "svc", UserKind::Service, UserStatus::Active).await;
    let before = ask(&plane, &password_form("svc@example.com", ESCAPED)).await;
    change(&plane, |draft| {
        sessions::end_all(draft, "00usvc");
        Ok(())
    })
    .await;
    let after = ask(&plane, &password_form("svc@example.com", ESCAPED)).await;
    assert_eq!(introspected(&plane, text(&before, "access_token")).await["active"], false);
    assert_eq!(refresh(&plane, text(&before, "refresh_token")).await.status, 400);
    assert_eq!(introspected(&plane, text(&after, "access_token")).await["active"], true);
}

#[tokio::test]
async fn the_published_keys_can_be_read_by_a_door_and_do_not_change_by_looking() {
    let plane = plane().await;
    keep_keys(&plane).await.unwrap();
    let answer = read(keys(State(plane.clone())).await).await;
    let set = KeySet::parse(answer.json.to_string().as_bytes()).unwrap();
    assert_eq!((answer.status, set.len(), set.warnings().len()), (200, 2, 0));
    assert_eq!(answer.headers[CACHE_CONTROL], "public, max-age=300");
    assert!(!answer.json.to_string().contains("\"d\""));
}

/// What a server of the open routes answers to a request, as text.
async fn served(plane: Plane, request: &str) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move { axum::serve(listener, open_routes().with_state(plane)).await });
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.write_all(format!("{request} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    server.abort();
    answer
}

#[tokio::test]
async fn whoever_asks_is_told_where_everything_is() {
    let plane = plane().await;
    let issuer = plane.settings.issuer();
    for name in ["openid-configuration", "oauth-authorization-server"] {
        let answer = served(plane.clone(), &format!("GET /oauth2/default/.well-known/{name}")).await;
        let metadata: Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
        assert_eq!((&metadata["issuer"], &metadata["token_endpoint"]), (&issuer.clone().into(), &format!("{issuer}/v1/token").into()));
        for endpoint in ["token", "revocation", "introspection"] {
            let path = metadata[format!("{endpoint}_endpoint")].as_str().unwrap().strip_prefix("http://127.0.0.1:9910").unwrap().to_owned();
            assert!(served(plane.clone(), &format!("POST {path}")).await.contains("invalid_client"), "{path}");
            assert!(served(plane.clone(), &format!("GET {path}")).await.starts_with("HTTP/1.1 405"), "{path}");
        }
        let keys = metadata["jwks_uri"].as_str().unwrap().strip_prefix("http://127.0.0.1:9910").unwrap().to_owned();
        assert!(served(plane.clone(), &format!("GET {keys}")).await.contains("\"keys\":["));
    }
}

/// A zone of this address that blocks sign-ins and tokens of everybody.
async fn block(plane: &Plane, address: &str) {
    let zone = NetworkZone {
        code: "closed".to_owned(),
        hierarchy: 1,
        description: None,
        created_at: Timestamp::UNIX_EPOCH,
        updated_at: Timestamp::UNIX_EPOCH,
        network_zone_ips: vec![serde_json::json!({ "value": address })],
        action: "Block".to_owned(),
        apply_rules: serde_json::json!({ "sessionType": [], "userRoles": [] }),
        created_by: "00u0".to_owned(),
        updated_by: "00u0".to_owned(),
    };
    change(plane, |draft| {
        draft.put(zone);
        Ok(())
    })
    .await;
}

async fn ask_from(plane: &Plane, address: &str, mut request: Request) -> Answer {
    let peer: SocketAddr = format!("{address}:4711").parse().unwrap();
    request.extensions_mut().insert(ConnectInfo(peer));
    read(token(State(plane.clone()), request).await).await
}

#[tokio::test]
async fn no_token_is_given_to_an_address_that_a_network_zone_blocks() {
    let plane = plane().await;
    let user = user(&plane, "svc", UserKind::Service, UserStatus::Active).await;
    let bound = Application { user_id: Some(user.id.clone()), ..applications::new(&plane.oauth.vault, "bound", "Bound", "secret").unwrap() };
    change(&plane, |draft| {
        draft.put(bound);
        Ok(())
    })
    .await;
    block(&plane, "10.0.0.0/8").await;
    let (right, wrong) = (password_form("svc@example.com", ESCAPED), password_form("svc@example.com", "guess"));
    let by_client = "grant_type=client_credentials&client_id=bound&client_secret=secret";
    let first = ask_from(&plane, "192.168.0.1", request(&right)).await;
    assert_eq!(first.status, 200, "{}", first.json);
    for form in [right.as_str(), &wrong, by_client] {
        let answer = ask_from(&plane, "10.1.2.3", request(form)).await;
        assert_eq!((answer.status, text(&answer, "error")), (400, "invalid_grant"));
        assert_eq!(text(&answer, "error_description"), "the credentials are not valid", "a right password looks like a wrong one");
    }
    assert_eq!(credentials::of(&plane.store.state(), &user.id).failed_attempts, 0, "nothing was looked at");
    assert!(events(&plane).await.iter().any(|event| event.body.contains("BLOCKED_BY_NETWORK_ZONE")));
    assert_eq!(ask_from(&plane, "192.168.0.1", request(by_client)).await.status, 200);
    let refresh_token = text(&first, "refresh_token");
    assert_eq!(ask_from(&plane, "10.1.2.3", refresh_request(refresh_token)).await.status, 400);
    assert_eq!(ask_from(&plane, "192.168.0.1", refresh_request(refresh_token)).await.status, 200, "it was not used up");
}

#[tokio::test]
async fn nobody_signs_in_at_the_console_from_an_address_that_a_network_zone_blocks() {
    let plane = plane().await;
    let user = user(&plane, "ada", UserKind::Personal, UserStatus::Active).await;
    let (logins, passwords) = (["ada@example.com".to_owned()], [PASSWORD.to_owned()]);
    let shown = Shown { logins: &logins, passwords: &passwords, client: "console", request: "", peer: local() };
    assert!(with_password(&plane, shown, SecondFactor::Later).await.unwrap().is_ok());
    block(&plane, "127.0.0.1").await;
    assert_eq!(with_password(&plane, shown, SecondFactor::Later).await.unwrap().unwrap_err(), Refusal::Blocked);
    assert_eq!(with_code(&plane, &user.id, "123456", shown).await.unwrap().unwrap_err(), Refusal::Blocked);
}
