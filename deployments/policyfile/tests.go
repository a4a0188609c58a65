package policyfile

// Tests is a file of tests of one policy: what `serin test` runs.
type Tests struct {
	Policy      string   `yaml:"policy" required:"true" doc:"The policy's file, as seen from this one."`
	Service     Name     `yaml:"service,omitempty" doc:"Which policy of the file, where it has several."`
	Environment Name     `yaml:"environment,omitempty" doc:"Which policy of the file, where it has several."`
	Interval    Duration `yaml:"interval,omitempty" default:"1m" doc:"Time between the samples of a series."`
	Release     *Release `yaml:"release,omitempty" doc:"The release of all tests that have none of their own."`
	InputSeries []Series `yaml:"input_series,omitempty" doc:"Series of all tests; one with the same labels in a test stands in place of it."`
	Tests       []Test   `yaml:"tests" required:"true" min:"1" doc:"The tests."`
}

// Release is the release that a test takes through the policy.
type Release struct {
	Version Text   `yaml:"version" required:"true" doc:"The new version."`
	Stable  Text   `yaml:"stable,omitempty" default:"none: it is a first release" doc:"The stable version."`
	At      string `yaml:"at,omitempty" default:"2026-01-01T00:00:00Z" doc:"When it is released, as in 2026-03-02T09:00:00Z."`
}

// Series is one input series, as in promtool.
type Series struct {
	Series string `yaml:"series" required:"true" doc:"Name and labels, as in http_requests_total{version=\"1.1.0\"}."`
	Values Text   `yaml:"values" required:"true" doc:"Samples in promtool's notation, as in 0+10x40, or 1 2 _ 4 stale."`
	Start  Signed `yaml:"start,omitempty" default:"the test's start" doc:"When the samples begin, since the release; -10m is before it."`
}

// Test is one release, the world it meets, and what is expected. Times count from the release.
type Test struct {
	Name         Text       `yaml:"name" required:"true" doc:"What is expected, as a sentence; unique in the file."`
	Interval     Duration   `yaml:"interval,omitempty" default:"the file's" doc:"Time between the samples of a series."`
	Start        Signed     `yaml:"start,omitempty" default:"0s" doc:"When the samples of its series begin; -10m is before the release."`
	InputSeries  []Series   `yaml:"input_series,omitempty" doc:"Series of this test, beside those of the file."`
	Release      *Release   `yaml:"release,omitempty" default:"the file's" doc:"The release of this test."`
	ConfirmAfter Duration   `yaml:"confirm_after,omitempty" default:"0s" doc:"How long the mover takes until a share is confirmed."`
	Commands     []Happen   `yaml:"commands,omitempty" doc:"Orders by a person, and newer releases."`
	Outages      []Outage   `yaml:"outages,omitempty" doc:"Times in which Prometheus does not answer."`
	Until        Duration   `yaml:"until,omitempty" default:"the last sample, or the last time that is named" doc:"When the test ends."`
	Within       Duration   `yaml:"within,omitempty" default:"0s" doc:"By how much times of the course may differ."`
	Verdicts     []Verdicts `yaml:"verdicts,omitempty" doc:"What rules say at times."`
	Course       []Moment   `yaml:"course,omitempty" min:"1" doc:"Everything that people see happening to the rollout, in its order."`
	Outcome      string     `yaml:"outcome,omitempty" enum:"promoted,restored,restore_unconfirmed,never_exposed,running" doc:"How the rollout ends; running: not at all."`
	Cause        string     `yaml:"cause,omitempty" enum:"rules,lost_data,hold_timeout,person,superseded,not_ready" doc:"Why it ends without being promoted."`
	Failed       []string   `yaml:"failed,omitempty" doc:"The rules that failed."`
	Ended        Duration   `yaml:"ended,omitempty" doc:"When it ends."`
}

// Happen is an order by a person, or a newer release.
type Happen struct {
	At      Duration `yaml:"at" required:"true" doc:"When."`
	Do      string   `yaml:"do" required:"true" enum:"approve,promote,promote_full,pause,resume,abort,retry,release" doc:"What is ordered; release: a newer version comes."`
	Version Text     `yaml:"version,omitempty" doc:"The newer version; of do: release."`
}

// Outage is a time in which Prometheus does not answer.
type Outage struct {
	From Duration `yaml:"from" required:"true" doc:"From here."`
	To   Duration `yaml:"to" required:"true" doc:"Until before here."`
}

// Verdicts is what rules are expected to say at a time.
type Verdicts struct {
	At    Duration            `yaml:"at" required:"true" doc:"When; the last reading until then counts."`
	Rules map[string]Expected `yaml:"rules" required:"true" doc:"A verdict, or a mapping, by the name of the rule."`
}

// Expected is what is expected of a rule: its verdict alone, or more.
type Expected struct {
	Verdict string `yaml:"verdict,omitempty" enum:"unhealthy,outage,no data,no_data,inconclusive,healthy" doc:"The verdict."`
	Reason  Text   `yaml:"reason,omitempty" doc:"A part of the verdict's reason."`
	Lost    Bool   `yaml:"lost,omitempty" doc:"Whether data were lost."`
	Value   Number `yaml:"value,omitempty" doc:"The value of the reading."`
	Limit   Number `yaml:"limit,omitempty" doc:"The limit that counts."`
	Stable  Number `yaml:"stable,omitempty" doc:"The stable version's value."`
	Samples Number `yaml:"samples,omitempty" doc:"How many samples the step has."`
	Bad     Number `yaml:"bad,omitempty" doc:"The bad events."`
	Total   Number `yaml:"total,omitempty" doc:"All events."`
}

// Moment is something that people see happening to a rollout.
type Moment struct {
	At     Duration `yaml:"at" required:"true" doc:"When."`
	Step   Reached  `yaml:"step,omitempty" doc:"A share of traffic is confirmed, in percent; audience: an audience without a share; 0: the release is taken back."`
	Hold   string   `yaml:"hold,omitempty" enum:"unhealthy,outage,no data,no_data,inconclusive,healthy,none" doc:"The rollout does not advance, for this verdict; none: it does again."`
	Awaits string   `yaml:"awaits,omitempty" enum:"approval" doc:"It waits for a person."`
	Off    string   `yaml:"off,omitempty" doc:"A flag is turned off, and confirmed."`
}

// Reached is a share of traffic in percent, or the word audience.
type Reached string

func (Reached) shape(n *node) {
	least, weight := 0.0, &node{}
	Weight("").shape(weight)
	weight.ExclusiveMinimum, weight.Minimum = nil, &least
	*n = node{AnyOf: []*node{weight, {Type: "string", Enum: []any{"audience"}}}}
}

// Signed is a duration that may lie before the release.
type Signed string

func (Signed) shape(n *node) { n.Type, n.Pattern = []string{"string", "integer"}, signedForm }

func (Expected) shape(n *node) {
	object := *n
	verdict := n.Properties["verdict"].Enum
	for _, key := range []string{"value", "limit", "stable", "samples", "bad", "total"} {
		number := object.Properties[key]
		number.Pattern = numberForm + `|` + notFinite
	}
	*n = node{AnyOf: []*node{{Type: "string", Enum: verdict}, &object}}
}

func (Moment) shape(n *node) {
	n.OneOf = []*node{needs("step"), needs("hold"), needs("awaits"), needs("off")}
}

const (
	signedForm = `^-?` + anyDuration
	notFinite  = `^[+-]?\.?([nN][aA][nN]|[iI][nN][fF])$`
)
