//! Interleaved rounds of ours and of the baseline.

use crate::printer;
use anyhow::Result;

/// Two ways to do the same.
pub(crate) trait Contest {
    /// What both need before a round, not measured.
    async fn prepare(&mut self, round: usize) -> Result<()>;

    /// Does it our way and answers the measure: seconds, or a rate.
    async fn ours(&mut self) -> Result<f64>;

    /// Does it the baseline's way and answers the same measure.
    async fn baseline(&mut self) -> Result<f64>;

    /// Checks, after a round, that both did the same.
    async fn settle(&mut self) -> Result<()>;
}

/// Ours divided by the baseline's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Ratio {
    pub(crate) median: f64,
    pub(crate) lowest: f64,
    pub(crate) highest: f64,
}

impl Ratio {
    /// Of the ratios of rounds, which it sorts.
    pub(crate) fn of(ratios: &mut [f64]) -> Self {
        Self {
            median: median(ratios),
            lowest: ratios.first().copied().unwrap_or(f64::NAN),
            highest: ratios.last().copied().unwrap_or(f64::NAN),
        }
    }
}

/// One round that doesn't count, then `rounds` that do, each time in the other order.
pub(crate) async fn interleaved(what: &str, rounds: usize, contest: &mut impl Contest) -> Result<Ratio> {
    let (mut ratios, mut of_ours, mut of_baseline) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=rounds {
        contest.prepare(round).await?;
        let (ours, baseline) = if round % 2 == 0 {
            let ours = contest.ours().await?;
            (ours, contest.baseline().await?)
        } else {
            let baseline = contest.baseline().await?;
            (contest.ours().await?, baseline)
        };
        contest.settle().await?;
        if round > 0 {
            ratios.push(ours / baseline);
            of_ours.push(ours);
            of_baseline.push(baseline);
        }
    }
    let ratio = Ratio::of(&mut ratios);
    let (ours, baseline) = (median(&mut of_ours), median(&mut of_baseline));
    printer::progress(&format!(
        "  {what}: {:.3} of the baseline ({} against {})",
        ratio.median,
        shown(ours),
        shown(baseline)
    ));
    Ok(ratio)
}

/// Sorts the values and answers the middle one.
fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        length if length % 2 == 1 => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    }
}

/// Less than a thousand is seconds here, more is a rate.
fn shown(measure: f64) -> String {
    if measure < 1000.0 { format!("{:.1} ms", measure * 1e3) } else { format!("{measure:.0} a second") }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Scripted {
        ours: Vec<f64>,
        order: String,
    }

    impl Contest for Scripted {
        async fn prepare(&mut self, _: usize) -> Result<()> {
            self.order.push('|');
            Ok(())
        }

        async fn ours(&mut self) -> Result<f64> {
            self.order.push('o');
            Ok(self.ours.remove(0))
        }

        async fn baseline(&mut self) -> Result<f64> {
            self.order.push('b');
            Ok(2.0)
        }

        async fn settle(&mut self) -> Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn the_first_round_does_not_count_and_the_order_changes_each_time() {
        let mut contest = Scripted { ours: vec![100.0, 1.0, 4.0, 3.0], order: String::new() };
        let ratio = interleaved("test", 3, &mut contest).await.unwrap();
        assert_eq!(ratio, Ratio { median: 1.5, lowest: 0.5, highest: 2.0 });
        assert_eq!(contest.order, "|ob|bo|ob|bo");
    }

    #[test]
    fn the_median_of_an_even_number_is_between_the_middle_two() {
        assert_eq!(median(&mut [4.0, 1.0, 3.0, 2.0]), 2.5);
        assert!(median(&mut []).is_nan());
    }
}
