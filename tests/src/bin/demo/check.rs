//! One promise, and whether it holds.

use std::fmt::Debug;

/// A promise that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Check {
    /// What should be so, one sentence.
    pub(crate) promise: String,
    /// What is not so; none where the promise holds.
    pub(crate) fault: Option<String>,
}

impl Check {
    /// Holds where nothing is found against it.
    pub(crate) fn without<T: Debug>(promise: impl Into<String>, offenders: &[T]) -> Self {
        let fault = (!offenders.is_empty()).then(|| format!("not so for {offenders:?}"));
        Self { promise: promise.into(), fault }
    }

    /// Holds where both are the same.
    pub(crate) fn same<T: PartialEq + Debug>(promise: impl Into<String>, wanted: &T, found: &T) -> Self {
        let fault = (wanted != found).then(|| format!("wanted {wanted:?}, found {found:?}"));
        Self { promise: promise.into(), fault }
    }

    /// Holds where `holds`; `otherwise` says what is so instead.
    pub(crate) fn that(promise: impl Into<String>, holds: bool, otherwise: impl Into<String>) -> Self {
        Self { promise: promise.into(), fault: (!holds).then(|| otherwise.into()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_can_fail() {
        assert_eq!(Check::without::<u8>("none", &[]).fault, None);
        assert_eq!(Check::without("none", &["i-1"]).fault.as_deref(), Some(r#"not so for ["i-1"]"#));
        assert_eq!(Check::same("same", &1, &1).fault, None);
        assert_eq!(Check::same("same", &1, &2).fault.as_deref(), Some("wanted 1, found 2"));
        assert_eq!(Check::that("so", true, "not").fault, None);
        assert_eq!(Check::that("so", false, "not").fault.as_deref(), Some("not"));
    }
}
