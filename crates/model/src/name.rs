//! Names that are made from other words: a task's from its plan, a branch's from the task's.

use crate::TaskId;

/// The longest name of a task or contract, in characters.
const LONGEST_NAME: usize = 200;
/// The longest slug, in characters.
const LONGEST_SLUG: usize = 40;

/// A task's name where none is given: the first line of its plan that says anything, cut at 80 characters.
pub fn name_from_plan(plan: &str) -> String {
    let line = plan.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("task");
    let line: String = line.chars().filter(|c| !c.is_control()).take(LONGEST_NAME).collect();
    if line.chars().count() <= 80 {
        return line;
    }
    let cut: String = line.chars().take(79).collect();
    format!("{}…", cut.trim_end())
}

/// Lower-case ASCII words of `text` joined by `-`: safe in a branch's name. `task` where there are none.
pub fn slug(text: &str) -> String {
    let mut slug = String::new();
    for word in text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()) {
        let gap = usize::from(!slug.is_empty());
        if slug.len() + gap + word.len() > LONGEST_SLUG {
            // One long word is better cut than lost.
            if slug.is_empty() {
                slug.push_str(&word.to_ascii_lowercase()[..LONGEST_SLUG]);
            }
            break;
        }
        if gap == 1 {
            slug.push('-');
        }
        slug.push_str(&word.to_ascii_lowercase());
    }
    if slug.is_empty() { "task".to_owned() } else { slug }
}

/// The branch of a task: `makima/<slug>-<short id>` (settled points, §1).
pub fn branch_name(name: &str, task: TaskId) -> String {
    format!("makima/{}-{}", slug(name), task.short())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_the_first_line_that_says_something() {
        assert_eq!(name_from_plan("\n  Fix the login \n and more"), "Fix the login");
        assert_eq!(name_from_plan(" \n"), "task");
        let long = name_from_plan(&"word ".repeat(100));
        assert!(long.chars().count() <= 80 && long.ends_with('…'), "{long}");
    }

    #[test]
    fn a_slug_is_safe_and_short() {
        assert_eq!(slug("Fix the login: 2nd try!"), "fix-the-login-2nd-try");
        assert_eq!(slug("ログイン"), "task");
        assert_eq!(slug("../../etc/passwd"), "etc-passwd");
        assert_eq!(slug(&"a".repeat(300)).len(), 40);
        assert_eq!(slug(&"word ".repeat(100)).len(), 39);
    }
}
