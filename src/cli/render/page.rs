//! The HTML part in a file, and the preview of it that a browser has open.

use std::{
    fs::{self, Metadata, OpenOptions},
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process,
};

use anyhow::Context;

use crate::cli::session::UsageError;

/// Loads a preview anew. A page from a file cannot ask whether it has changed.
const RELOAD: &str = "<script>setTimeout(() => location.reload(), 1000)</script>";

/// The file for the HTML part.
pub(super) struct Page<'a> {
    path: &'a Path,
    /// The HTML of the last mail.
    last: Option<String>,
}

impl<'a> Page<'a> {
    pub(super) fn new(path: &'a Path) -> Self {
        Self { path, last: None }
    }

    /// Refuses a page that is one of these inputs, under whatever name. One need not be there yet.
    pub(super) fn refuse_to_replace(&self, inputs: &[(&str, &Path)]) -> Result<(), UsageError> {
        let mut inputs = inputs.iter();
        if let Some((named, input)) = inputs.find(|(_, input)| is_same(self.path, input)) {
            let (page, input) = (self.path.display(), input.display());
            return Err(UsageError(format!(
                "--html {page} and {named} {input} are the same file, which the mail would replace"
            )));
        }
        Ok(())
    }

    /// Writes the HTML of a mail.
    pub(super) fn write(&self, html: &str) -> anyhow::Result<()> {
        replace(self.path, html)
            .with_context(|| format!("--html {} cannot be written", self.path.display()))
    }

    /// Shows the HTML of a mail and what may be wrong with it, until the next.
    pub(super) fn preview(&mut self, html: &str, doubts: &[String]) -> anyhow::Result<()> {
        self.last = Some(html.to_owned());
        // Behind what tells browsers by which rules to read the page, and before all that may be unfinished.
        let (kind, rest) = html.split_at(doctype_length(html));
        let doubts = if doubts.is_empty() {
            String::new()
        } else {
            format!(
                "<pre style=\"white-space:pre-wrap;color:#b00\">{}</pre>",
                escaped(&doubts.join("\n"))
            )
        };
        self.write(&format!("{kind}{RELOAD}{doubts}{rest}"))
    }

    /// Shows why there is no mail, until there is one.
    pub(super) fn preview_problem(&self, problem: &str) -> anyhow::Result<()> {
        let problem = escaped(problem);
        self.write(&format!(
            "<!DOCTYPE html><meta charset=\"utf-8\"><title>no mail</title>\n\
             <pre style=\"white-space:pre-wrap;color:#b00\">{problem}</pre>{RELOAD}\n"
        ))
    }

    /// Leaves the HTML of the last mail as it is mailed.
    pub(super) fn end(&self) -> anyhow::Result<()> {
        self.last.as_ref().map_or(Ok(()), |html| self.write(html))
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

/// How long the page's document type is, with the white space before it; zero where it has none.
fn doctype_length(html: &str) -> usize {
    let trimmed = html.trim_start();
    let begins = trimmed
        .get(..9)
        .is_some_and(|start| start.eq_ignore_ascii_case("<!doctype"));
    let end = trimmed.find('>').filter(|_| begins);
    end.map_or(0, |end| html.len() - trimmed.len() + end + 1)
}

/// Whether two paths lead to one file, or would once it is there.
fn is_same(page: &Path, input: &Path) -> bool {
    let is_file = |found: &Metadata| found.is_file();
    match (fs::metadata(page), fs::metadata(input)) {
        (Ok(page), Ok(input)) => {
            is_file(&page) && page.dev() == input.dev() && page.ino() == input.ino()
        }
        (Err(_), Err(_)) => place(page).is_some_and(|page| Some(page) == place(input)),
        _ => false,
    }
}

/// Where a file would stand.
fn place(path: &Path) -> Option<PathBuf> {
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let parent = fs::canonicalize(parent.unwrap_or(Path::new("."))).ok()?;
    Some(parent.join(path.file_name()?))
}

/// Replaces a file at once, so that nobody reads half of it. What is no file, such as a pipe or a device,
/// is written to, and so is a file whose folder takes no other.
fn replace(path: &Path, content: &str) -> io::Result<()> {
    // It makes what is missing, behind a link too, and fails where the file may not be written to.
    let opened = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)?;
    let found = opened.metadata()?;
    drop(opened);
    if !found.is_file() {
        return fs::write(path, content);
    }
    // A link stays one.
    let path = fs::canonicalize(path)?;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.tmp", process::id()));
    let temporary = path.with_file_name(name);
    let replaced = fs::write(&temporary, content)
        .and_then(|()| fs::set_permissions(&temporary, found.permissions()))
        .and_then(|()| fs::rename(&temporary, &path));
    if replaced.is_ok() {
        return Ok(());
    }
    // It may not be there at all.
    fs::remove_file(&temporary).ok();
    fs::write(&path, content)
}

#[cfg(test)]
mod tests {
    use std::{fs::Permissions, os::unix::fs::PermissionsExt};

    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_a_link_stays_a_link() {
        let directory = tempfile::tempdir().unwrap();
        let (file, link) = (directory.path().join("a.html"), directory.path().join("b"));
        fs::write(&file, "old").unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o640)).unwrap();
        let before = fs::File::open(&file).unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        replace(&link, "new").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "new");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        let mode = PermissionsExt::mode(&fs::metadata(&file).unwrap().permissions());
        assert_eq!(mode & 0o777, 0o640);
        // Whoever had it open still reads the old one, and not half of the new.
        assert_eq!(io::read_to_string(before).unwrap(), "old");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_link_to_nothing_leads_to_what_is_made_behind_it() {
        let directory = tempfile::tempdir().unwrap();
        let (file, link) = (directory.path().join("a.html"), directory.path().join("b"));
        std::os::unix::fs::symlink(&file, &link).unwrap();
        replace(&link, "new").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&file).unwrap(), "new");
    }

    #[test]
    fn what_is_not_there_yet_has_one_place_under_all_its_names() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("t.html");
        let other = directory.path().join("./x/../t.html");
        assert!(is_same(&file, &directory.path().join("./t.html")));
        fs::create_dir(directory.path().join("x")).unwrap();
        assert!(is_same(&file, &other));
        assert!(!is_same(&file, &directory.path().join("u.html")));
    }

    #[test]
    fn a_preview_is_loaded_anew_whatever_is_unfinished_in_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.html");
        let mut page = Page::new(&path);
        page.preview("<!DOCTYPE html>\n<p>a<!--", &[]).unwrap();
        let shown = fs::read_to_string(&path).unwrap();
        assert_eq!(shown, format!("<!DOCTYPE html>{RELOAD}\n<p>a<!--"));
        page.preview("<style>", &["a < b".to_owned()]).unwrap();
        let shown = fs::read_to_string(&path).unwrap();
        assert!(shown.starts_with(RELOAD), "{shown}");
        assert!(shown.contains("a &lt; b</pre><style>"), "{shown}");
        page.end().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "<style>");
    }

    #[test]
    fn what_is_no_file_is_written_to() {
        replace(Path::new("/dev/null"), "gone").unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
    }
}
