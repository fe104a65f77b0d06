//! What is there and should not be, or is not and should.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use enclave_core::tags::REQUEST_ID;
use serde_json::Value;

use super::{Outside, Owner, Wanted, owner};

impl Outside {
    /// One sentence for each thing that is wrong; nothing when exactly what is wanted exists, the ledger says so too,
    /// and no request is open.
    pub fn violations(&self, wanted: &Wanted) -> Vec<String> {
        let mut found = Vec::new();
        self.check_hosts(wanted, &mut found);
        self.check_launches(&mut found);
        self.check_balancers(wanted, &mut found);
        self.check_ledger(wanted, &mut found);
        found
    }

    fn check_hosts(&self, wanted: &Wanted, found: &mut Vec<String>) {
        let live = self.instances.iter().filter(|(_, instance)| instance.is_live());
        let live: BTreeMap<&String, Option<Owner>> =
            live.map(|(id, instance)| (id, owner(&instance.tags))).collect();
        for (id, owner) in &live {
            match wanted.hosts.get(*id) {
                None => found.push(format!("instance {id} of {owner:?} runs and nobody asked for it")),
                Some(asked) if Some(asked) != owner.as_ref() => {
                    found.push(format!("instance {id} serves {owner:?}, not {asked:?}"));
                }
                Some(_) => {}
            }
        }
        let missing = wanted.hosts.keys().filter(|id| !live.contains_key(id));
        found.extend(missing.map(|id| format!("host {id} was handed over and does not run")));
        // What an instance takes with it when it ends is there until it has ended.
        let there = |id: &Option<String>| {
            let instance = id.as_ref().and_then(|id| self.instances.get(id));
            instance.is_some_and(|instance| instance.state != "terminated")
        };
        let volumes = self.volumes.iter().filter(|(_, attached)| !there(attached));
        found.extend(volumes.map(|(id, attached)| format!("volume {id} is left over from {attached:?}")));
        let interfaces = self.interfaces.iter().filter(|(_, attached)| !there(attached));
        found.extend(interfaces.map(|(id, was)| format!("network interface {id} is left over from {was:?}")));
    }

    /// Whatever became of them, a request never launches more than it asked for, and its object names each.
    fn check_launches(&self, found: &mut Vec<String>) {
        let mut launched: BTreeMap<&str, BTreeSet<&String>> = BTreeMap::new();
        for (id, instance) in &self.instances {
            match instance.tags.get(REQUEST_ID) {
                Some(request) => _ = launched.entry(request).or_default().insert(id),
                None => found.push(format!("instance {id} was launched for no request")),
            }
        }
        for (request, instances) in launched {
            let Some(record) = self.requests.get(request) else {
                found.push(format!(
                    "{instances:?} were launched for request {request}, of which no object tells"
                ));
                continue;
            };
            let asked = order(record)["count"].as_u64().unwrap_or_default();
            if instances.len() as u64 > asked {
                found.push(format!("request {request} asked for {asked} hosts and launched {instances:?}"));
            }
            let untold = instances.iter().filter(|id| record["hosts"].get(id.as_str()).is_none());
            found.extend(untold.map(|id| format!("request {request} launched {id} and does not tell of it")));
        }
    }

    fn check_balancers(&self, wanted: &Wanted, found: &mut Vec<String>) {
        let mut served: BTreeMap<Owner, Vec<&String>> = BTreeMap::new();
        for (arn, balancer) in &self.balancers {
            match owner(&balancer.tags) {
                Some(owner) => served.entry(owner).or_default().push(arn),
                None => found.push(format!("load balancer {} serves nobody", balancer.name)),
            }
        }
        for (owner, arns) in &served {
            let Some(asked) = wanted.balancers.get(owner) else {
                found.push(format!("{owner:?} has load balancers {arns:?} and asked for none"));
                continue;
            };
            let [arn] = arns.as_slice() else {
                found.push(format!("{owner:?} has more than one load balancer: {arns:?}"));
                continue;
            };
            let mut endpoints = BTreeSet::new();
            for listener in self.listeners.values().filter(|listener| &listener.balancer == *arn) {
                for group in listener.groups.iter().filter_map(|group| self.groups.get(group)) {
                    endpoints.insert((listener.port, group.port));
                    if group.targets != asked.targets {
                        found.push(format!(
                            "target group {} of {owner:?} has targets {:?}, not {:?}",
                            group.name, group.targets, asked.targets
                        ));
                    }
                }
            }
            if endpoints != asked.endpoints {
                found.push(format!("{owner:?} listens at {endpoints:?}, not {:?}", asked.endpoints));
            }
        }
        let missing = wanted.balancers.keys().filter(|owner| !served.contains_key(owner));
        found.extend(missing.map(|owner| format!("{owner:?} has no load balancer")));
        let listeners = self.listeners.iter().filter(|(_, it)| !self.balancers.contains_key(&it.balancer));
        found.extend(listeners.map(|(arn, _)| format!("listener {arn} is left over")));
        let used: BTreeSet<&String> = self.listeners.values().flat_map(|listener| &listener.groups).collect();
        let groups = self.groups.iter().filter(|(arn, _)| !used.contains(arn));
        found.extend(groups.map(|(_, group)| format!("target group {} is left over", group.name)));
        let services = self.endpoint_services.iter();
        found.extend(services.map(|id| format!("endpoint service {id} is left over")));
    }

    fn check_ledger(&self, wanted: &Wanted, found: &mut Vec<String>) {
        let running = self.hosts.iter().filter(|(_, host)| host["desired"] == "running").map(|(id, _)| id);
        let running: BTreeSet<&String> = running.collect();
        let asked: BTreeSet<&String> = wanted.hosts.keys().collect();
        if running != asked {
            found.push(format!("the ledger wants hosts {running:?}, and {asked:?} were handed over"));
        }
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let present = self.load_balancers.values().filter(|it| it["present"] == true);
        let present: BTreeSet<Owner> =
            present.map(|it| (text(&it["application"]), text(&it["cluster"]))).collect();
        let asked: BTreeSet<Owner> = wanted.balancers.keys().cloned().collect();
        if present != asked {
            found.push(format!("the ledger wants load balancers for {present:?}, not for {asked:?}"));
        }
        let open = self.requests.iter().filter(|(_, request)| request["finished"] != true);
        found.extend(open.map(|(id, _)| format!("request {id} is not finished")));
        let listed = self.line["open"].as_array().is_some_and(|open| !open.is_empty());
        if listed || !self.line["lease"].is_null() {
            found.push(format!("the line is not empty: {}", self.line));
        }
    }
}

/// The order in a request's object, as it was signed.
fn order(record: &Value) -> Value {
    let envelope = serde_json::from_str::<Value>(record["envelope"].as_str().unwrap_or_default());
    let payload = envelope.ok().and_then(|envelope| STANDARD.decode(envelope["payload"].as_str()?).ok());
    let request = payload.and_then(|payload| serde_json::from_slice::<Value>(&payload).ok());
    request.map(|mut request| request["order"].take()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::outside::{Group, Instance, Listener, Tagged, WantedBalancer};

    /// Puts one thing wrong.
    type Spoil = Box<dyn Fn(&mut Outside, &mut Wanted)>;

    fn tags(cluster: &str) -> BTreeMap<String, String> {
        let pairs = [
            ("enclave:application", "acme.shop.default"),
            ("enclave:cluster", cluster),
            ("enclave:request-id", "r1"),
        ];
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
    }

    fn instance(state: &str) -> Instance {
        Instance { state: state.to_owned(), client_token: "t".to_owned(), tags: tags("content") }
    }

    /// One host behind one balancer, as asked for.
    fn right() -> (Outside, Wanted) {
        let order = json!({ "order": { "action": "provision_hosts", "count": 1 } });
        let envelope = json!({ "payload": STANDARD.encode(order.to_string()) }).to_string();
        let request =
            json!({ "envelope": envelope, "finished": true, "hosts": { "i-1": { "stage": "ready" } } });
        let owner = ("acme.shop.default".to_owned(), "content".to_owned());
        let balancer = json!({ "application": owner.0, "cluster": owner.1, "present": true });
        let name = |name: &str| name.to_owned();
        let outside = Outside {
            instances: [(name("i-1"), instance("running"))].into(),
            volumes: [(name("vol-1"), Some(name("i-1")))].into(),
            interfaces: [(name("eni-1"), Some(name("i-1")))].into(),
            balancers: [(name("lb"), Tagged { name: name("lb"), tags: tags("content") })].into(),
            listeners: [(
                name("l"),
                Listener { balancer: name("lb"), port: 443, groups: [name("g")].into() },
            )]
            .into(),
            groups: [(
                name("g"),
                Group { name: name("g"), tags: tags("content"), port: 4443, targets: [name("i-1")].into() },
            )]
            .into(),
            requests: [(name("r1"), request)].into(),
            hosts: [(name("i-1"), json!({ "desired": "running" }))].into(),
            load_balancers: [(name("lb"), balancer)].into(),
            line: json!({ "open": [] }),
            ..Outside::default()
        };
        let asked = WantedBalancer { endpoints: [(443, 4443)].into(), targets: [name("i-1")].into() };
        let wanted =
            Wanted { hosts: [(name("i-1"), owner.clone())].into(), balancers: [(owner, asked)].into() };
        (outside, wanted)
    }

    #[test]
    fn what_is_as_asked_for_violates_nothing_and_each_thing_else_is_named() {
        let (outside, wanted) = right();
        assert_eq!(outside.violations(&wanted), [""; 0]);
        let name = |name: &str| name.to_owned();
        let ways: Vec<(&str, Spoil)> = vec![
            ("nobody asked for it", Box::new(|_, wanted| wanted.hosts.clear())),
            (
                "does not run",
                Box::new(move |o, _| _ = o.instances.insert(name("i-1"), instance("terminated"))),
            ),
            ("serves", Box::new(|o, _| o.instances.get_mut("i-1").unwrap().tags = tags("search"))),
            ("for no request", Box::new(|o, _| o.instances.get_mut("i-1").unwrap().tags.clear())),
            ("no object tells", Box::new(|o, _| o.requests.clear())),
            ("does not tell of it", Box::new(|o, _| o.requests.get_mut("r1").unwrap()["hosts"] = json!({}))),
            (
                "asked for 1 hosts and launched",
                Box::new(|o, _| _ = o.instances.insert("i-2".to_owned(), instance("terminated"))),
            ),
            ("volume", Box::new(|o, _| _ = o.volumes.insert("vol-2".to_owned(), None))),
            ("volume", Box::new(|o, _| _ = o.volumes.insert("vol-2".to_owned(), Some("i-9".to_owned())))),
            ("network interface", Box::new(|o, _| _ = o.interfaces.insert("eni-2".to_owned(), None))),
            ("asked for none", Box::new(|_, wanted| wanted.balancers.clear())),
            ("has no load balancer", Box::new(|o, _| o.balancers.clear())),
            ("serves nobody", Box::new(|o, _| o.balancers.get_mut("lb").unwrap().tags.clear())),
            (
                "more than one load balancer",
                Box::new(|o, _| {
                    let copy = o.balancers["lb"].clone();
                    o.balancers.insert("lb-2".to_owned(), copy);
                }),
            ),
            ("listens at", Box::new(|o, _| o.listeners.get_mut("l").unwrap().port = 80)),
            ("has targets", Box::new(|o, _| o.groups.get_mut("g").unwrap().targets.clear())),
            ("target group", Box::new(|o, _| o.listeners.clear())),
            ("listener", Box::new(|o, _| o.listeners.get_mut("l").unwrap().balancer = "x".to_owned())),
            ("endpoint service", Box::new(|o, _| _ = o.endpoint_services.insert("vpce-svc-1".to_owned()))),
            ("the ledger wants hosts", Box::new(|o, _| o.hosts.clear())),
            ("the ledger wants load balancers", Box::new(|o, _| o.load_balancers.clear())),
            (
                "is not finished",
                Box::new(|o, _| o.requests.get_mut("r1").unwrap()["finished"] = json!(false)),
            ),
            ("the line is not empty", Box::new(|o, _| o.line = json!({ "open": [{}] }))),
            ("the line is not empty", Box::new(|o, _| o.line["lease"] = json!({}))),
        ];
        for (says, spoil) in ways {
            let (mut outside, mut wanted) = right();
            spoil(&mut outside, &mut wanted);
            let found = outside.violations(&wanted);
            assert!(found.iter().any(|sentence| sentence.contains(says)), "{says}: {found:#?}");
        }
    }
}
