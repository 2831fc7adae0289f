//! Servers that have each other as upstream, directly and through a third: who notices, and what ends it.

use crate::support;

use serde_json::{Value, json};
use support::Site;
use support::catalog;

fn address(site: &Site) -> String {
    format!("http://{}", site.addr)
}

/// Time goes on everywhere, and each synchronizes once, in this order.
async fn round(sites: &[&Site]) {
    for site in sites {
        site.clock.advance_seconds(60);
    }
    for site in sites {
        let run = site.manage("POST", "sync/now", json!(null)).await["run"].clone();
        let bearer = format!("Bearer {}", site.token());
        let path = format!("/api/v1/sync/progress?run={run}");
        let lines = site.request("GET", &path, &[("Authorization", &bearer)], b"").await.text();
        let last: Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
        assert_eq!(last["ended"]["outcome"], "succeeded", "{last}");
        // What is asked of a server is written a moment later, or when somebody looks.
        for site in sites {
            site.manage("GET", "downstream", json!(null)).await;
        }
    }
}

async fn below(site: &Site, upstream: &Site) {
    site.manage("PUT", "upstream", json!({ "source": address(upstream) })).await;
}

async fn warned(site: &Site) -> Option<String> {
    site.manage("GET", "upstream", json!(null)).await["warning"].as_str().map(str::to_owned)
}

async fn alerted(site: &Site) -> bool {
    let alerts = site.manage("GET", "alerts", json!(null)).await;
    alerts["alerts"].as_array().unwrap().iter().any(|alert| alert["kind"] == "upstream-ring")
}

#[tokio::test]
async fn a_ring_of_two_that_was_put_right_ends_with_the_upstream_named_again_or_when_it_does_not_ask_in_time()
{
    let (a, b) = (Site::start().await, Site::start().await);
    a.import(&catalog::small()).await;
    below(&b, &a).await;
    round(&[&b]).await;
    below(&a, &b).await;
    round(&[&a, &b, &a, &b]).await;
    assert!(warned(&a).await.unwrap().contains("imported at one"));
    assert!(warned(&b).await.is_some());

    b.manage("PUT", "upstream", json!({ "source": null })).await;
    assert!(warned(&b).await.is_none(), "it has none above");
    round(&[&a]).await;
    assert!(warned(&a).await.is_some() && alerted(&a).await, "it may ask again soon");
    // What does not name the upstream says nothing of it.
    a.manage("PUT", "upstream", json!({ "account_name": "west" })).await;
    assert!(warned(&a).await.is_some());
    a.manage("PUT", "upstream", json!({ "source": address(&b), "probe": false })).await;
    assert!(warned(&a).await.is_none() && !alerted(&a).await);

    below(&b, &a).await;
    round(&[&b, &a]).await;
    assert!(warned(&a).await.is_some() && alerted(&a).await, "the ring is there again");
    b.manage("PUT", "upstream", json!({ "source": null })).await;
    a.clock.advance_seconds(2 * 3_600);
    assert!(warned(&a).await.is_some(), "whether it is there is not known");
    round(&[&a]).await;
    assert!(warned(&a).await.is_none() && !alerted(&a).await, "it answered, and had not asked");
}

#[tokio::test]
async fn a_ring_of_three_is_noticed_by_what_servers_tell_of_those_below_them_and_a_line_is_none() {
    let (a, b, c) = (Site::start().await, Site::start().await, Site::start().await);
    c.import(&catalog::small()).await;
    // A line: a below b below c; then c goes to the other end, and b to the top.
    below(&b, &c).await;
    below(&a, &b).await;
    for _ in 0..3 {
        round(&[&b, &a]).await;
    }
    b.manage("PUT", "upstream", json!({ "source": null })).await;
    below(&c, &a).await;
    for _ in 0..3 {
        round(&[&a, &c]).await;
    }
    for site in [&a, &b, &c] {
        assert_eq!(warned(site).await, None);
    }
    below(&b, &c).await;
    for _ in 0..4 {
        round(&[&b, &a, &c]).await;
    }
    for site in [&a, &b, &c] {
        let said = warned(site).await.unwrap();
        assert!(said.contains("through others"), "{said}");
    }
    b.manage("PUT", "upstream", json!({ "source": null })).await;
    for site in [&a, &b, &c] {
        site.clock.advance_seconds(2 * 3_600);
    }
    for _ in 0..3 {
        round(&[&a, &c]).await;
    }
    for site in [&a, &b, &c] {
        assert_eq!(warned(site).await, None);
    }
}
