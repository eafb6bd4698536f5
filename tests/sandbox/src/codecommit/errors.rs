//! `CodeCommit`'s refusals; all modelled ones but the encryption ones come with status 400.

use std::path::Path;

use super::super::http::ServiceError;
pub(super) use super::super::http::refuse;

pub(super) fn check_repository_name(name: &str) -> Result<(), ServiceError> {
    let clean = name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    if !clean || name.len() > 100 || has_extension(name, "git") {
        return Err(refuse(
            "InvalidRepositoryNameException",
            "The repository name is not valid. Repository names can be any valid combination of \
             letters, numbers, periods, underscores, and dashes between 1 and 100 characters in \
             length, and cannot end in .git",
        ));
    }
    Ok(())
}

/// Git's rules for reference names, as far as anybody breaks them.
pub(super) fn is_ref_name(name: &str) -> bool {
    let clean = name
        .chars()
        .all(|c| !c.is_control() && !" ~^:?*[\\".contains(c));
    clean
        && !name.is_empty()
        && name.len() <= 256
        && !name.contains("..")
        && !name.contains("@{")
        && !name.ends_with('.')
        && name
            .split('/')
            .all(|part| !part.is_empty() && !part.starts_with('.') && !has_extension(part, "lock"))
}

pub(super) fn check_branch_name(name: &str) -> Result<(), ServiceError> {
    if is_ref_name(name) && !name.starts_with("refs/heads/") {
        return Ok(());
    }
    Err(refuse(
        "InvalidBranchNameException",
        format!("The branch name {name} is not valid"),
    ))
}

/// A path relative to the root, without empty, `.`, `..` and `.git` parts; one leading slash is
/// forgiven.
pub(super) fn check_path(path: &str) -> Result<&str, ServiceError> {
    let relative = path.strip_prefix('/').unwrap_or(path);
    let clean = relative.len() <= 4096
        && !relative.contains('\0')
        && relative
            .split('/')
            .all(|part| !matches!(part, "" | "." | "..") && !part.eq_ignore_ascii_case(".git"));
    if clean {
        return Ok(relative);
    }
    Err(refuse(
        "InvalidPathException",
        format!("The specified path is not valid: {path}"),
    ))
}

pub(super) fn branch_does_not_exist(name: &str) -> ServiceError {
    refuse(
        "BranchDoesNotExistException",
        format!("Branch {name} does not exist"),
    )
}

pub(super) fn branch_name_required() -> ServiceError {
    refuse("BranchNameRequiredException", "Branch name is required")
}

fn has_extension(name: &str, wanted: &str) -> bool {
    Path::new(name)
        .extension()
        .is_some_and(|extension| extension == wanted)
}
