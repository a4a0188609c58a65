package analysis_test

// Of Kayenta a rule is `compare`, with its tolerance of a tenth as max_ratio: both allow that much more than stable has.
const beside = value + "compare: {to: stable, max_ratio: 1.1}"

// kayentaCases are of kayenta: kayenta-judge's ClassifierSuite and ScorerSuite, and docs/canary-config.md. Where a case
// has many points a side, the answers are the means of these points.
var kayentaCases = []peerCase{
	// ClassifierSuite: Mann-Whitney.
	{"Mann-Whitney: alike", "either", "Pass", beside, answers{value: vec(9.789), stable: vec(9.780)}, "healthy", ""},
	{"Mann-Whitney: higher", "either", "High", beside, answers{value: vec(20.221), stable: vec(9.780)}, "unhealthy", ""},
	{"Mann-Whitney: lower", "either", "Low", beside, answers{value: vec(9.789), stable: vec(19.952)}, "healthy", increases},
	{"Mann-Whitney: lower, an increase is looked for", "increase", "Pass", beside, answers{value: vec(9.789), stable: vec(19.952)}, "healthy", ""},
	{"Mann-Whitney: higher, an increase is looked for", "increase", "High", beside, answers{value: vec(20.221), stable: vec(9.780)}, "unhealthy", ""},
	{"Mann-Whitney: lower, a decrease is looked for", "decrease", "Low", beside, answers{value: vec(9.789), stable: vec(19.952)}, "healthy", increases},
	{"Mann-Whitney: a decrease, as its own limit", "decrease", "Low", value + "min: 18", answers{value: vec(9.789), stable: vec(19.952)}, "unhealthy", ""},
	{"Mann-Whitney: higher, a decrease is looked for", "decrease", "Pass", value + "min: 9", answers{value: vec(20.221), stable: vec(9.780)}, "healthy", ""},
	{"Mann-Whitney: all tied", "decrease", "Pass", beside, answers{value: vec(1), stable: vec(1)}, "healthy", ""},
	{"Mann-Whitney: the same numbers in another order", "decrease", "Pass", beside, answers{value: vec(3), stable: vec(3)}, "healthy", ""},
	{"Mann-Whitney: one zero among ones", "decrease", "Pass", beside, answers{value: vec(0.8), stable: vec(1)}, "healthy", ""},
	{"Mann-Whitney: one ten among ones", "either", "Pass", beside, answers{value: vec(2.8), stable: vec(1)}, "unhealthy", instants},
	{"Mann-Whitney: one ten among ones, by the median", "either", "Pass", beside, answers{value: vec(1), stable: vec(1)}, "healthy", ""},
	{"Mann-Whitney: tens beside ones", "either", "High", beside, answers{value: vec(10), stable: vec(1)}, "unhealthy", ""},
	{"Mann-Whitney: tens beside zeros", "either", "High", beside, answers{value: vec(10), stable: vec(0)}, "unhealthy", ""},
	{"Mann-Whitney: stable is zero", "either, effect size 1.2", "High", beside, answers{value: vec(55.5), stable: vec(0)}, "unhealthy", ""},
	{"Mann-Whitney: the canary is zero", "either, effect size 0.8", "Low", beside, answers{value: vec(0), stable: vec(55.5)}, "healthy", increases},
	{"Mann-Whitney: few errors where stable has none", "critical", "score 0", beside, answers{value: vec(0.045), stable: vec(0)}, "unhealthy", ""},
	{"Mann-Whitney: both are zero", "either", "Pass", beside, answers{value: vec(0), stable: vec(0)}, "healthy", ""},
	// ClassifierSuite: effect sizes are ratios of means, as max_ratio is.
	{"effect size: twelve times, 1.2 allowed", "allowedIncrease 1.2", "High", value + "compare: {to: stable, max_ratio: 1.2}", answers{value: vec(23.6), stable: vec(1.96)}, "unhealthy", ""},
	{"effect size: twelve times, 5 allowed", "allowedIncrease 5", "High", value + "compare: {to: stable, max_ratio: 5}", answers{value: vec(23.6), stable: vec(1.96)}, "unhealthy", ""},
	{"effect size: twelve times, 13 allowed", "allowedIncrease 13", "Pass", value + "compare: {to: stable, max_ratio: 13}", answers{value: vec(23.6), stable: vec(1.96)}, "healthy", ""},
	{"effect size: half, half allowed", "allowedDecrease 0.5", "Pass", beside, answers{value: vec(13.56), stable: vec(23.6)}, "healthy", ""},
	{"effect size: critical", "criticalIncrease 1.2", "score 0", value + "compare: {to: stable, max_ratio: 1.2}", answers{value: vec(23.6), stable: vec(1.96)}, "unhealthy", ""},
	// ClassifierSuite: one side is empty.
	{"missing: the canary", "nanStrategy remove", "Nodata", beside, answers{stable: vec(3)}, "no data", ""},
	{"missing: the canary, of a critical metric", "critical", "score 0", beside, answers{stable: vec(3)}, "no data", noData},
	{"missing: the canary, to be replaced", "nanStrategy replace", "Pass", beside, answers{stable: vec(3)}, "no data", notZero},
	{"missing: the canary, which must have data", "mustHaveData", "Nodata, fails the metric", value + "compare: {to: stable, max_ratio: 1.1}, on_no_data: rollback", answers{stable: vec(3)}, "unhealthy", ""},
	{"missing: stable", "nanStrategy remove", "Nodata", beside, answers{value: vec(3)}, "no data", ""},
	{"missing: stable, to be replaced", "nanStrategy replace", "Pass", beside, answers{value: vec(3)}, "no data", notZero},
	{"missing: both", "nanStrategy remove", "Nodata", beside, answers{}, "no data", ""},
	{"missing: NaN on both sides", "nanStrategy remove", "Nodata", beside, answers{value: vec(nan), stable: vec(nan)}, "no data", ""},
	// ClassifierSuite: the mean inequality.
	{"mean: higher", "either", "High", beside, answers{value: vec(30), stable: vec(3)}, "unhealthy", ""},
	{"mean: lower", "either", "Low", beside, answers{value: vec(3), stable: vec(30)}, "healthy", increases},
	{"mean: the same", "either", "Pass", beside, answers{value: vec(3), stable: vec(3)}, "healthy", ""},
	// ScorerSuite: the pass mark is 75, where a case has none of its own.
	{"score: one metric passes", "score 100", "Pass", beside, answers{value: vec(3), stable: vec(3)}, "healthy", ""},
	{"score: one metric fails", "score 0", "score 0", beside, answers{value: vec(30), stable: vec(3)}, "unhealthy", ""},
	{"score: two groups, the lighter one fails", "score 75", "Pass",
		beside + "\n" + beside + "\n" + value + "max: 2", answers{value: vec(3), stable: vec(3)}, "unhealthy", noScore},
	{"score: a normal one passes, a critical one fails", "score 0", "score 0",
		beside + "\n" + value + "max: 2", answers{value: vec(3), stable: vec(3)}, "unhealthy", ""},
	{"score: one that only reports fails", "score 100", "Pass",
		beside + "\n" + value + "max: 2, dry_run: true", answers{value: vec(3), stable: vec(3)}, "unhealthy", ""},
	{"score: no data at all", "score 0", "score 0", beside, answers{}, "no data", noData},
}
