//! Waiting for conditions, never for time.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// Between two looks at a condition; short enough not to be felt, long enough not to burn a core.
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);

/// Looks until `probe` answers with something; fails with `what` when `within` has passed.
pub async fn until<T>(
    what: &str,
    within: Duration,
    mut probe: impl AsyncFnMut() -> Result<Option<T>>,
) -> Result<T> {
    let begin = Instant::now();
    loop {
        if let Some(value) = probe().await? {
            return Ok(value);
        }
        if begin.elapsed() >= within {
            bail!("waited {within:?} in vain: {what}");
        }
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
}
