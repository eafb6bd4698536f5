//! The Dockerfile, read as far as others depend on it.

use std::path::Path;

use crate::stack::Stack;
use crate::text;

/// Its instructions, with continued lines joined.
pub(crate) struct Image(Vec<(String, String)>);

impl Image {
    pub(crate) fn read() -> Self {
        let file = text("Dockerfile");
        let joined = file
            .lines()
            .filter(|line| !line.trim_start().starts_with('#'))
            .collect::<Vec<_>>()
            .join("\n")
            .replace("\\\n", " ");
        let instructions = joined.lines().filter_map(|line| line.split_once(' '));
        Self(
            instructions
                .map(|(name, rest)| (name.to_owned(), rest.trim().to_owned()))
                .collect(),
        )
    }

    /// The image that a name stands for: the default of an argument, or the name itself.
    fn base<'a>(&'a self, name: &'a str) -> &'a str {
        let Some(argument) = name
            .strip_prefix("${")
            .and_then(|rest| rest.strip_suffix('}'))
        else {
            return name;
        };
        let mut arguments = self.0.iter().filter(|(name, _)| name == "ARG");
        let found = arguments.find_map(|(_, rest)| rest.strip_prefix(argument)?.strip_prefix('='));
        found.unwrap_or_else(|| panic!("no argument {argument}"))
    }

    /// The images that stages begin with, those of other stages left out.
    fn bases(&self) -> Vec<&str> {
        let froms = self.0.iter().filter(|(name, _)| name == "FROM");
        let names = froms.map(|(_, rest)| self.base(rest.split(' ').next().unwrap()));
        let own = self.stages();
        names
            .filter(|name| !own.contains(name) && *name != "scratch")
            .collect()
    }

    /// The names of its stages.
    pub(crate) fn stages(&self) -> Vec<&str> {
        let all = self.0.iter().filter(|(name, _)| name == "FROM");
        all.filter_map(|(_, rest)| rest.rsplit_once(" AS ").map(|(_, stage)| stage))
            .collect()
    }

    /// The instructions of one stage.
    pub(crate) fn stage(&self, stage: &str) -> Vec<(&str, &str)> {
        let mut inside = false;
        let mut found = Vec::new();
        for (name, rest) in &self.0 {
            if name == "FROM" {
                inside = rest.ends_with(&format!(" AS {stage}"));
            } else if inside {
                found.push((name.as_str(), rest.as_str()));
            }
        }
        found
    }

    fn last<'a>(&'a self, stage: &str, instruction: &str) -> &'a str {
        let stage = self.stage(stage);
        let found = stage.iter().rfind(|(name, _)| *name == instruction);
        found.unwrap_or_else(|| panic!("no {instruction}")).1
    }

    /// The daemon's program.
    pub(crate) fn entrypoint(&self) -> String {
        let list: Vec<String> = serde_json::from_str(self.last("daemon", "ENTRYPOINT")).unwrap();
        assert_eq!(list.len(), 1);
        list[0].clone()
    }

    /// The daemon's user and group.
    pub(crate) fn user(&self) -> &str {
        self.last("daemon", "USER")
    }
}

#[test]
fn the_daemon_comes_last_and_runs_without_rights() {
    let image = Image::read();
    assert_eq!(image.stages().last(), Some(&"daemon"));
    assert_eq!(image.user(), "65532:65532");
    assert_eq!(image.last("daemon", "STOPSIGNAL"), "SIGTERM");
    let copied = format!(" {}", image.entrypoint());
    assert!(
        image
            .stage("daemon")
            .iter()
            .any(|(name, rest)| *name == "COPY" && rest.ends_with(&copied))
    );
}

#[test]
fn no_copy_sets_a_mode_for_the_folders_that_it_creates() {
    for (name, rest) in &Image::read().0 {
        let sets = matches!(name.as_str(), "ADD" | "COPY") && rest.contains("--chmod");
        assert!(!sets, "{name} {rest}");
    }
}

#[test]
fn builder_and_base_are_of_one_debian_release() {
    let image = Image::read();
    let bases = image.bases();
    let builder = bases.iter().find(|base| base.starts_with("rust:")).unwrap();
    let release = builder.split(':').nth(1).unwrap();
    let (version, release) = release.split_once('-').unwrap();
    assert_eq!(release, "trixie");
    let others: Vec<_> = bases
        .iter()
        .filter(|base| base.starts_with("gcr.io/"))
        .collect();
    assert_eq!(others.len() + 1, bases.len(), "{bases:?}");
    for base in others {
        assert!(base.contains("-debian13:nonroot"), "{base}");
    }
    let needed = env!("CARGO_PKG_RUST_VERSION");
    let number = |text: &str| text.split('.').nth(1).unwrap().parse::<u32>().unwrap();
    assert!(
        number(version) >= number(needed),
        "Rust {version} builds nothing that needs {needed}"
    );
}

#[test]
fn the_labels_tell_the_packages_version_and_licence() {
    let image = Image::read();
    let stage = image.stage("daemon");
    let labels = stage.iter().find(|(name, _)| *name == "LABEL").unwrap().1;
    for (label, value) in [
        ("version", env!("CARGO_PKG_VERSION")),
        ("licenses", env!("CARGO_PKG_LICENSE")),
        ("title", env!("CARGO_PKG_NAME")),
    ] {
        let label = format!("org.opencontainers.image.{label}=\"{value}\"");
        assert!(labels.contains(&label), "{label}");
    }
}

#[test]
fn the_production_image_does_not_build_the_local_aws() {
    let image = Image::read();
    for stage in ["dependencies", "build"] {
        let stage = image.stage(stage);
        let builds = stage
            .iter()
            .filter(|(_, rest)| rest.contains("cargo build"));
        let builds: Vec<_> = builds.map(|(_, rest)| rest).collect();
        assert_eq!(builds.len(), 1);
        let only = format!("--package {} ", env!("CARGO_PKG_NAME"));
        assert!(builds[0].contains(&only), "{}", builds[0]);
    }
}

#[test]
fn the_build_has_what_it_copies() {
    let image = Image::read();
    let ignored = text(".dockerignore");
    for (name, rest) in &image.0 {
        if name == "COPY" && !rest.starts_with("--from") {
            let mut paths: Vec<_> = rest.split_whitespace().collect();
            paths.pop();
            for path in paths {
                let mut kept = ignored.lines().filter_map(|line| line.strip_prefix('!'));
                assert!(
                    kept.any(|kept| Path::new(path).starts_with(kept)),
                    ".dockerignore keeps {path} out"
                );
            }
        }
    }
}

#[test]
fn plain_docker_asks_whether_it_lives_as_ecs_does() {
    let image = Image::read();
    let check = image.last("daemon", "HEALTHCHECK");
    let command = format!("CMD [\"{}\", \"healthcheck\"]", image.entrypoint());
    assert!(check.ends_with(&command), "{check}");
    let on_ecs = Stack::with(&[]).container("daemon").unwrap()["HealthCheck"].clone();
    for (flag, key) in [
        ("start-period", "StartPeriod"),
        ("interval", "Interval"),
        ("timeout", "Timeout"),
    ] {
        assert!(
            check.contains(&format!("--{flag}={}s", on_ecs[key])),
            "{flag}: {check}"
        );
    }
}

#[test]
fn the_bases_can_be_given_with_their_digests() {
    let image = Image::read();
    let guide = text("deploy/README.md");
    for argument in ["BUILDER", "RUNTIME"] {
        assert!(!image.base(&format!("${{{argument}}}")).is_empty());
        assert!(
            guide.contains(&format!("--build-arg {argument}=")),
            "{argument}"
        );
    }
    for (name, rest) in image.0.iter().filter(|(name, _)| name == "FROM") {
        let base = rest.split(' ').next().unwrap();
        let known = base.starts_with("${") || base == "scratch" || image.stages().contains(&base);
        assert!(known, "{name} {rest}: no argument names its base");
    }
    for asked in ["--sbom=true", "--provenance=mode=max"] {
        assert!(guide.contains(asked), "{asked}");
    }
}
