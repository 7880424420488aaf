//! The files that deploy the project are what those who read them take them for: Kubernetes' own schemas,
//! systemd's own judgement, and our own configuration.

use crate::prometheus::{program, project, run};
use doorward::cases::read_yaml;
use doorward::config::Config;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Output;

const SECRETS: &str = "/run/secrets/doorward/";
const CACHE: &str = "/var/lib/doorward/";

fn manifests() -> Vec<PathBuf> {
    let files = std::fs::read_dir(project("config/kubernetes")).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = files.filter(|path| path.extension().is_some_and(|extension| extension == "yaml")).collect();
    files.sort();
    assert_eq!(files.len(), 3, "{files:?}");
    files
}

/// Every resource of every manifest.
fn resources() -> Vec<Value> {
    let texts = manifests().into_iter().map(|path| std::fs::read_to_string(path).unwrap());
    let documents = texts.flat_map(|text| text.split("\n---\n").map(str::to_owned).collect::<Vec<_>>());
    documents.map(|text| read_yaml(&text).unwrap()).collect()
}

fn of_kind(kind: &str) -> Vec<Value> {
    let found: Vec<_> = resources().into_iter().filter(|resource| resource["kind"] == kind).collect();
    assert!(!found.is_empty(), "there is no {kind}");
    found
}

fn told(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn validated(files: &[PathBuf]) -> Output {
    let mut arguments = vec!["--strict"];
    arguments.extend(files.iter().map(|path| path.to_str().unwrap()));
    run("kubernetes-validate", &arguments)
}

#[test]
fn the_manifests_are_valid_by_kubernetes_own_schemas() {
    let output = validated(&manifests());
    assert!(output.status.success(), "{}", told(&output));
    assert_eq!(told(&output).matches(" passed ").count(), resources().len());
    // The judge is one: a member that nobody knows is found.
    let folder = tempfile::tempdir().unwrap();
    let wrong = folder.path().join("wrong.yaml");
    std::fs::write(&wrong, std::fs::read_to_string(project("config/kubernetes/sidecar.yaml")).unwrap().replace("readOnlyRootFilesystem", "readOnlyRoot"))
        .unwrap();
    assert!(!validated(&[wrong]).status.success());
}

#[test]
fn every_configuration_in_the_manifests_is_one_of_ours() {
    let folder = tempfile::tempdir().unwrap();
    for secret in ["sidecar.token", "encryption.key", "owner.password", "client.secret"] {
        std::fs::write(folder.path().join(secret), "0123456789abcdef0123456789abcdef\n").unwrap();
    }
    let mut seen = Vec::new();
    for map in of_kind("ConfigMap") {
        for (name, text) in map["data"].as_object().unwrap() {
            let text = text.as_str().unwrap();
            let path = folder.path().join(name);
            let here = format!("{}/", folder.path().display());
            std::fs::write(&path, text.replace(SECRETS, &here).replace(CACHE, &here)).unwrap();
            let config = Config::load(&path, []).unwrap_or_else(|error| panic!("{error}"));
            let output = std::process::Command::new(env!("CARGO_BIN_EXE_doorward"))
                .args(["check", "--config"])
                .arg(&path)
                .current_dir(env!("CARGO_MANIFEST_DIR"))
                .output()
                .unwrap();
            assert!(output.status.success(), "{name}: {}", told(&output));
            seen.push(name.clone());
            // What the pod is given to end must be enough for what the configuration takes.
            let grace = (config.process.notice + config.process.grace).as_secs() + 5;
            for workload in of_kind("Deployment").iter().filter(|workload| workload.to_string().contains(&format!("/{name}"))) {
                let given = workload["spec"]["template"]["spec"]["terminationGracePeriodSeconds"].as_u64().unwrap();
                assert!(config.control.is_some() || given > grace, "{name}: {given} seconds for {grace}");
            }
        }
    }
    seen.sort();
    assert_eq!(seen, ["control.toml", "doorward.toml"]);
}

#[test]
fn no_container_is_root_writes_its_image_or_keeps_a_capability() {
    for workload in [of_kind("Deployment"), of_kind("StatefulSet")].concat() {
        let pod = &workload["spec"]["template"]["spec"];
        assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
        assert_eq!(pod["automountServiceAccountToken"], false);
        for container in pod["containers"].as_array().unwrap() {
            let security = &container["securityContext"];
            assert_eq!(security["readOnlyRootFilesystem"], true, "{container}");
            assert_eq!(security["allowPrivilegeEscalation"], false, "{container}");
            assert_eq!(security["capabilities"]["drop"][0], "ALL", "{container}");
            assert!(container["resources"]["limits"]["memory"].is_string(), "{container}");
            let is_probed = container["name"] == "api" || container["readinessProbe"].is_object() && container["livenessProbe"].is_object();
            assert!(is_probed, "{container}");
        }
    }
}

#[test]
fn every_file_and_secret_that_a_container_is_told_of_is_mounted() {
    for workload in of_kind("Deployment") {
        let pod = &workload["spec"]["template"]["spec"];
        let name = |value: &Value| value["name"].as_str().unwrap().to_owned();
        let volumes: Vec<_> = pod["volumes"].as_array().unwrap().iter().map(name).collect();
        for container in pod["containers"].as_array().unwrap() {
            let mounts: Vec<&Value> = container["volumeMounts"].as_array().into_iter().flatten().collect();
            assert!(mounts.iter().all(|mount| volumes.contains(&name(mount))), "{container}");
            let paths = container["args"].as_array().into_iter().flatten().filter_map(Value::as_str).filter(|argument| argument.starts_with('/'));
            for path in paths {
                let is_mounted = mounts.iter().any(|mount| path.starts_with(mount["mountPath"].as_str().unwrap()));
                assert!(is_mounted, "{path}");
            }
        }
    }
}

fn units() -> Vec<(&'static str, PathBuf)> {
    ["doorward.service", "doorward-control.service", "doorward.socket"].map(|name| (name, project("config/systemd").join(name))).to_vec()
}

/// The units with the program that was just built, in a folder of their own.
fn placed(folder: &Path) -> Vec<PathBuf> {
    let place = |(name, path): (&str, PathBuf)| {
        let text = std::fs::read_to_string(path).unwrap().replace("/usr/local/bin/doorward", env!("CARGO_BIN_EXE_doorward"));
        let placed = folder.join(name);
        std::fs::write(&placed, text).unwrap();
        placed
    };
    units().into_iter().map(place).collect()
}

#[test]
fn systemd_finds_no_fault_in_the_units_and_little_that_they_expose() {
    let folder = tempfile::tempdir().unwrap();
    let units = placed(folder.path());
    let analyze = |arguments: &[&str], unit: &Path| std::process::Command::new(program("systemd-analyze")).args(arguments).arg(unit).output().unwrap();
    for unit in &units {
        let output = analyze(&["verify", "--man=no"], unit);
        assert!(output.status.success() && !told(&output).contains(&unit.display().to_string()), "{}", told(&output));
    }
    for unit in units.iter().filter(|unit| unit.extension().is_some_and(|extension| extension == "service")) {
        // Of 100, where 100 is a service without any bounds.
        let output = analyze(&["security", "--offline=yes", "--no-pager", "--threshold=20"], unit);
        assert!(output.status.success(), "{}", told(&output));
    }
    // The judge is one.
    let wrong = folder.path().join("wrong.service");
    std::fs::write(&wrong, "[Service]\nType=notify\nExecStart=/nowhere/doorward\n").unwrap();
    assert!(!analyze(&["verify", "--man=no"], &wrong).status.success());
    assert!(!analyze(&["security", "--offline=yes", "--no-pager", "--threshold=20"], &wrong).status.success());
}

#[test]
fn the_image_runs_as_nobody_special_and_asks_itself_how_it_does() {
    let text = std::fs::read_to_string(project("Dockerfile")).unwrap();
    let last_stage = text.rsplit("\nFROM ").next().unwrap();
    let has = |line: &str| last_stage.lines().any(|candidate| candidate.starts_with(line));
    for line in ["USER 10001:10001", "STOPSIGNAL SIGTERM", "HEALTHCHECK ", "VOLUME /var/lib/doorward", "ENTRYPOINT [\"doorward\"]"] {
        assert!(has(line), "{line} is missing");
    }
    let user = last_stage.find("\nUSER ").unwrap();
    assert!(!last_stage[user..].lines().any(|line| line.starts_with("RUN ") || line.starts_with("COPY ")), "something runs after the user is chosen");
    // Every file that it copies is there.
    for line in text.lines().filter_map(|line| line.strip_prefix("COPY config")) {
        let source = format!("config{}", line.split(' ').next().unwrap());
        assert!(project(&source).exists(), "{source}");
    }
}
