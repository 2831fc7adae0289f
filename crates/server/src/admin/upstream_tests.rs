use super::*;

fn input(value: Value) -> Input {
    Input(value.as_object().unwrap().clone())
}

#[test]
fn a_change_changes_what_it_names_and_null_takes_away() {
    let first = changed(
        &UpstreamSettings::default(),
        &input(json!({
            "source": "http://parent:8530", "mode": "replica", "proxy": "http://proxy:3128",
            "proxy_user": "CORP\\svc", "proxy_password": "hunter2", "ca_file": "/etc/ca.pem",
        })),
    )
    .unwrap();
    let second = changed(&first, &input(json!({ "tls_proxy": "[::1]:8080", "ca_file": null }))).unwrap();
    assert_eq!((&second.source, second.mode), (&first.source, Mode::Replica));
    assert_eq!(second.proxy.credentials, first.proxy.credentials);
    assert_eq!(second.ca_file, None);
    let seen = shown(&second);
    assert_eq!(seen["proxy"], "http://proxy:3128");
    assert_eq!(seen["tls_proxy"], "http://[::1]:8080");
    assert_eq!(seen["proxy_user"], "CORP\\svc");
    assert!(!seen.to_string().contains("hunter2"));
    let none = changed(&second, &input(json!({ "source": null, "proxy_user": null }))).unwrap();
    assert_eq!((none.source, none.mode, none.proxy.credentials), (None, Mode::Autonomous, None));
}

#[test]
fn a_server_with_a_filter_that_becomes_a_replica_is_told_that_it_stays() {
    let parent = json!({ "source": "http://parent:8530", "mode": "replica" });
    let mut replica = changed(&UpstreamSettings::default(), &input(parent)).unwrap();
    assert_eq!(filtered(&replica), "");
    replica.filter.products = sluicegate_policy::hierarchy::Choice::Only([].into());
    assert!(filtered(&replica).contains("stays in force"));
    replica.mode = Mode::Autonomous;
    assert_eq!(filtered(&replica), "");
}

#[test]
fn an_empty_text_takes_nothing_away() {
    for name in [
        "source",
        "mode",
        "proxy",
        "tls_proxy",
        "proxy_user",
        "proxy_password",
        "proxy_password_expires",
        "ca_file",
        "account_name",
    ] {
        for empty in ["", " "] {
            let mut given = input(json!({}));
            given.0.insert(name.to_owned(), json!(empty));
            let error = changed(&UpstreamSettings::default(), &given).unwrap_err();
            assert!(error.message.contains(name) && error.message.contains("none"), "{}", error.message);
        }
    }
    let error = changed(&UpstreamSettings::default(), &input(json!({ "proxy_bypass": [""] }))).unwrap_err();
    assert!(error.message.contains("proxy_bypass"), "{}", error.message);
}

#[test]
fn only_the_mode_of_a_replica_is_lifted_and_naming_a_mode_ends_it() {
    let set = |before: &UpstreamSettings, value: Value| changed(before, &input(value)).unwrap();
    let parent = json!({ "source": "http://parent:8530", "mode": "replica" });
    let replica = set(&UpstreamSettings::default(), parent);
    let lift = json!({ "mode": "autonomous", "keep_decisions": true });
    let lifted = set(&replica, lift.clone());
    assert!(lifted.lifted && lifted.mode == Mode::Autonomous && lifted.decided_by().is_none());
    assert_eq!(set(&lifted, lift.clone()), lifted);
    assert_eq!(set(&lifted, json!({ "ca_file": null })), lifted);
    assert_eq!(set(&lifted, json!({ "mode": "replica" })), replica);
    assert!(!set(&lifted, json!({ "mode": "autonomous" })).lifted);
    assert!(!set(&lifted, json!({ "source": null })).lifted);
    let alone = set(&replica, json!({ "mode": "autonomous" }));
    assert_eq!(set(&alone, lift), alone);
    for wrong in [json!({ "keep_decisions": true }), json!({ "keep_decisions": true, "mode": "replica" })] {
        let error = changed(&alone, &input(wrong)).unwrap_err();
        assert!(error.message.contains("keep_decisions"), "{}", error.message);
    }
}

#[test]
fn another_user_does_not_get_the_password_of_the_one_before() {
    let first = changed(
        &UpstreamSettings::default(),
        &input(json!({ "proxy_user": "a", "proxy_password": "secret", "proxy_basic": false })),
    )
    .unwrap();
    let same = changed(&first, &input(json!({ "proxy_user": "a" }))).unwrap();
    assert_eq!(same.proxy.credentials, first.proxy.credentials);
    let other = changed(&first, &input(json!({ "proxy_user": "b" }))).unwrap();
    assert_eq!(other.proxy.credentials.unwrap().password, Password::default());
}

#[test]
fn ntlm_only_stays_whoever_the_user_is_until_basic_is_allowed_again() {
    let mut settings = UpstreamSettings::default();
    assert_eq!(shown(&settings)["proxy_basic"], true);
    for (given, basic) in [
        (json!({ "proxy": "http://proxy:3128", "proxy_basic": false }), false),
        (json!({ "proxy_user": "a", "proxy_password": "x" }), false),
        (json!({ "proxy_user": "b", "proxy_password": "y" }), false),
        (json!({ "proxy_user": null }), false),
        (json!({ "proxy_user": "c", "proxy_password": "z" }), false),
        (json!({ "proxy_basic": true }), true),
        (json!({ "proxy_user": "d" }), true),
    ] {
        settings = changed(&settings, &input(given.clone())).unwrap();
        assert_eq!(shown(&settings)["proxy_basic"], basic, "{given}");
    }
}

#[test]
fn the_last_day_of_a_password_goes_with_the_password() {
    let first = changed(
        &UpstreamSettings::default(),
        &input(json!({ "proxy_user": "a", "proxy_password": "x", "proxy_password_expires": "2026-12-31" })),
    )
    .unwrap();
    assert_eq!(shown(&first)["proxy_password_expires"], "2026-12-31");
    let other = changed(&first, &input(json!({ "proxy_bypass": [".corp"] }))).unwrap();
    assert_eq!(other.proxy.password_expires, first.proxy.password_expires);
    for gone in [
        json!({ "proxy_password": "y" }),
        json!({ "proxy_user": null }),
        json!({ "proxy_password_expires": null }),
    ] {
        assert_eq!(changed(&first, &input(gone)).unwrap().proxy.password_expires, None);
    }
}

#[test]
fn hosts_without_proxy_are_taken_as_lists_too() {
    let given = json!({ "proxy_bypass": ["10.*;<local>", "a.example, *.lab"] });
    let after = changed(&UpstreamSettings::default(), &input(given)).unwrap();
    assert_eq!(after.proxy.bypass, ["10.*", "<local>", "a.example", "*.lab"]);
}

#[test]
fn what_cannot_be_set_is_said() {
    for (given, said) in [
        (json!({ "proxy_password": "x" }), "proxy_user"),
        (json!({ "proxy": "proxy:70000" }), "`70000`"),
        (json!({ "tls_proxy": "proxy:0" }), "`0`"),
        (json!({ "source": "parent" }), "http://"),
        (json!({ "source": "http://127.0.0.1:99999" }), "127.0.0.1:99999"),
        (json!({ "source": "https://parent:0" }), "port"),
        (json!({ "mode": "half" }), "replica"),
        (json!({ "mode": "replica" }), "none is set"),
        (json!({ "source": null, "mode": "replica" }), "none is set"),
        (json!({ "ca_file": "ca.pem" }), "whole path"),
        (json!({ "proxy_bypass": ["parent", "http://10.0.0.1"] }), "10.0.0.0/8"),
        (json!({ "proxy_bypass": ["parent:8530"] }), "`parent:8530`"),
        (json!({ "proxy_bypass": ["none", "parent"] }), "only alone"),
        (json!({ "proxy_password_expires": "2026-12-31" }), "proxy_user"),
        (json!({ "proxy_user": "a", "proxy_password_expires": "soon" }), "2026-12-31"),
    ] {
        let error = changed(&UpstreamSettings::default(), &input(given)).unwrap_err();
        assert!(error.message.contains(said), "{}", error.message);
    }
}
