package policyfile

// Settings are the keys that a rule may have, and defaults for all rules.
type Settings struct {
	Interval        Interval `yaml:"interval,omitempty" default:"30s" doc:"How often the rule is read: a duration from 100ms, or a cron line such as */5 * * * * or @hourly, in UTC unless it begins with CRON_TZ=ZONE."`
	Window          Duration `yaml:"window,omitempty" default:"2m" doc:"What {{window}} stands for; shorter while the rollout is younger."`
	Warmup          Duration `yaml:"warmup,omitempty" default:"0s" doc:"Readings before so much of a step has gone by count for nothing."`
	For             Duration `yaml:"for,omitempty" default:"1m, and 0s of an alert" doc:"How long the rule must fail without a healthy reading; 0s: the first failure counts."`
	FailuresInARow  Whole    `yaml:"failures_in_a_row,omitempty" doc:"So many failing readings in a row take the release back; for holds beside it only where it is written."`
	FailuresInAStep Whole    `yaml:"failures_in_a_step,omitempty" doc:"So many failing readings of one step take the release back, whatever lies between them."`
	MinSamples      Count    `yaml:"min_samples,omitempty" default:"50" doc:"Events since the step's confirmed start below which a ratio is not judged."`
	OnNoData        string   `yaml:"on_no_data,omitempty" enum:"hold,pass,rollback" default:"hold" doc:"What follows when there is no data."`
	OnError         string   `yaml:"on_error,omitempty" enum:"hold,rollback" default:"hold" doc:"What follows when Prometheus has not answered for fail_after, or for alert_after where that is not written."`
	OnDataLost      string   `yaml:"on_data_lost,omitempty" enum:"rollback,hold" default:"rollback" doc:"What follows when series that were there on this rollout vanish."`
	AlertAfter      Duration `yaml:"alert_after,omitempty" default:"10m, and 5m when Prometheus does not answer" doc:"A person is told of a hold after this."`
	FailAfter       Duration `yaml:"fail_after,omitempty" default:"never" doc:"A hold of this length becomes a failure."`
}

// Defaults are settings of all rules.
type Defaults struct {
	Settings `yaml:",inline"`
}

// Rule is what healthy means: bad and total, query, uses, or alert and expr.
type Rule struct {
	Name          string          `yaml:"name,omitempty" pattern:"^[A-Za-z0-9_.-]{1,63}$" default:"the name of the preset or alert, with - for what no name may have" doc:"1 to 63 letters, digits, _, . and -; unique in the policy."`
	Uses          string          `yaml:"uses,omitempty" doc:"A rule that is written already; its limit is yours."`
	With          *With           `yaml:"with,omitempty" doc:"What a preset is filled with; its defaults depend on the preset."`
	Bad           Query           `yaml:"bad,omitempty" doc:"Selector of the bad events of a counter, or a whole expression that counts them; with total."`
	Total         Query           `yaml:"total,omitempty" doc:"Selector of all events, good and bad; with bad."`
	Query         Query           `yaml:"query,omitempty" doc:"PromQL that yields a number; with min, max or compare. Variables: {{service}}, {{version}}, {{stable_version}}, {{environment}}, {{variant}}, {{flag}}, {{step}}, {{weight}}, {{window}}, {{vars.NAME}}."`
	Alert         string          `yaml:"alert,omitempty" doc:"A Prometheus alerting rule as it stands, with expr: its name."`
	Expr          Query           `yaml:"expr,omitempty" doc:"The alert's expression, with its comparison."`
	KeepFiringFor Duration        `yaml:"keep_firing_for,omitempty" default:"0s" doc:"Of an alert: a series that fired goes on firing so long after its last failing reading."`
	Labels        map[string]Text `yaml:"labels,omitempty" doc:"Labels of an alert: severity is taken over, and action where it is one of the known words."`
	Annotations   map[string]Text `yaml:"annotations,omitempty" doc:"Annotations of an alert: action: auto_rollback, hold or notify say what follows."`
	Compare       *Compare        `yaml:"compare,omitempty" doc:"Limits beside the stable version's value of the same query."`
	Min           Number          `yaml:"min,omitempty" doc:"Healthy from here on, itself included; of a query only."`
	Max           Number          `yaml:"max,omitempty" doc:"Healthy up to here, itself included; 5% is 0.05. A ratio needs it."`
	CriticalMax   Number          `yaml:"critical_max,omitempty" default:"none" doc:"A ratio above it is unhealthy at once: without for, and below min_samples. Above max."`
	CriticalMin   Count           `yaml:"critical_min,omitempty" default:"10" doc:"Bad events that critical_max needs."`
	OnFail        string          `yaml:"on_fail,omitempty" enum:"rollback,hold,notify" default:"rollback" doc:"What follows when the rule has failed."`
	Severity      string          `yaml:"severity,omitempty" enum:"info,warning,critical" doc:"Severity of the event when the rule fails; critical pages."`
	DryRun        Bool            `yaml:"dry_run,omitempty" default:"false" doc:"Measured and shown, and stands against nothing."`
	Steps         []Weight        `yaml:"steps,omitempty,flow" min:"1" default:"all" doc:"Weights of the policy's steps at which the rule is read, as in [25, 50, 100]."`
	Settings      `yaml:",inline"`
}

// Compare are limits of a query's value beside that of the stable version.
type Compare struct {
	To          string `yaml:"to" required:"true" enum:"stable" doc:"What it is compared to."`
	MaxRatio    Number `yaml:"max_ratio,omitempty" doc:"At most so many times stable's value: 1.2 allows a fifth more; from 1 on."`
	MaxIncrease Number `yaml:"max_increase,omitempty" doc:"At most so much above stable's value; from 0 on."`
	IgnoreBelow Number `yaml:"ignore_below,omitempty" default:"0" doc:"A value up to this is healthy, whatever stable's is."`
}

// With is what a preset is filled with.
type With struct {
	Metric   string `yaml:"metric,omitempty" pattern:"^[a-zA-Z_:][a-zA-Z0-9_:]*$" doc:"The metric's name."`
	Selector string `yaml:"selector,omitempty" doc:"Matchers that select the release, as in app=\"{{service}}\",version=\"{{version}}\"."`
	Code     string `yaml:"code,omitempty" pattern:"^[a-zA-Z_][a-zA-Z0-9_]*$" doc:"The label with the status code; of http/error-rate."`
	Quantile Number `yaml:"quantile,omitempty" doc:"The quantile, as in 0.95; of a latency."`
}
