//! What a turn took, out of what Claude Code tells at its end.

use makima_model::Usage;
use serde_json::Value;

/// The totals of a process, of which each turn is charged its share.
///
/// `model_usage_since_last_result` is a turn's own. Versions without it tell only totals, which begin at nothing in
/// each process (measured with 2.1.197, also after a resume), so the first turn of a process is never charged for an earlier one.
/// Versions whose totals go on over a resume have that field.
#[derive(Debug, Default)]
pub(super) struct Totals {
    usage: Usage,
    cost_usd: f64,
}

impl Totals {
    /// What the turn took that ends with this `result`: tokens, subagents' included, and cost. `None` where it isn't told.
    pub(super) fn turn(&mut self, result: &Value) -> (Option<Usage>, Option<f64>) {
        let total = summed(&result["modelUsage"]).map(|(usage, _)| usage);
        let cost = result["total_cost_usd"].as_f64();
        let own = match summed(&result["model_usage_since_last_result"]) {
            Some((usage, cost)) => (Some(usage), Some(cost)),
            None => (
                total.map(|total| less(total, self.usage)),
                cost.map(|cost| if cost < self.cost_usd { cost } else { cost - self.cost_usd }),
            ),
        };
        self.usage = total.unwrap_or(self.usage);
        self.cost_usd = cost.unwrap_or(self.cost_usd);
        // An interrupted turn of 2.1.197 is told as nothing at all, though its messages have their usage.
        (own.0.filter(|usage| usage.total() > 0), own.1)
    }
}

/// The tokens and the cost of all models.
fn summed(models: &Value) -> Option<(Usage, f64)> {
    let models = models.as_object()?;
    let mut all = (Usage::default(), 0.0);
    for model in models.values() {
        let count = |name: &str| model[name].as_i64().unwrap_or(0);
        all.0 += Usage {
            input_tokens: count("inputTokens"),
            output_tokens: count("outputTokens"),
            cache_read_tokens: count("cacheReadInputTokens"),
            cache_creation_tokens: count("cacheCreationInputTokens"),
        };
        all.1 += model["costUSD"].as_f64().unwrap_or(0.0);
    }
    Some(all)
}

/// What was added to `before`; all of it, if the counts began again.
fn less(total: Usage, before: Usage) -> Usage {
    let began_again = total.total() < before.total();
    let less = |now: i64, before: i64| if began_again { now } else { now.saturating_sub(before).max(0) };
    Usage {
        input_tokens: less(total.input_tokens, before.input_tokens),
        output_tokens: less(total.output_tokens, before.output_tokens),
        cache_read_tokens: less(total.cache_read_tokens, before.cache_read_tokens),
        cache_creation_tokens: less(total.cache_creation_tokens, before.cache_creation_tokens),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn totals(tokens: i64, cost: f64) -> Value {
        json!({"total_cost_usd": cost, "modelUsage": {"a": {"inputTokens": tokens, "costUSD": cost}, "b": {}}})
    }

    fn tokens(taken: (Option<Usage>, Option<f64>)) -> (i64, f64) {
        (taken.0.map_or(0, Usage::total), taken.1.unwrap())
    }

    #[test]
    fn totals_become_the_share_of_each_turn() {
        let mut money = Totals::default();
        assert_eq!(tokens(money.turn(&totals(100, 0.25))), (100, 0.25));
        assert_eq!(tokens(money.turn(&totals(150, 0.75))), (50, 0.5));
        assert_eq!(money.turn(&totals(150, 0.75)), (None, Some(0.0)));
    }

    #[test]
    fn totals_that_begin_again_are_taken_whole() {
        let mut money = Totals::default();
        money.turn(&totals(100, 0.5));
        assert_eq!(tokens(money.turn(&totals(10, 0.125))), (10, 0.125));
    }

    #[test]
    fn a_turns_own_usage_goes_before_totals_that_an_earlier_process_began() {
        let mut result = totals(1000, 10.0);
        result["model_usage_since_last_result"] = json!({"a": {"outputTokens": 7, "costUSD": 0.5}});
        assert_eq!(tokens(Totals::default().turn(&result)), (7, 0.5));
    }
}
