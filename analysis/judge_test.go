package analysis

import (
	"errors"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/serin-cd/serin/rules"
)

var nan, inf = math.NaN(), math.Inf(1)

// TestVerdictOfOneRule is the first table of the design: outage, then too little data, then the value.
func TestVerdictOfOneRule(t *testing.T) {
	with := func(r rules.Rule, change func(*rules.Rule)) rules.Rule { change(&r); return r }
	r, q := errorRatio(), latency()
	down := Result{Err: errors.New("connection refused")}
	partial := vector(1)
	partial.Warnings = []string{"store-3 did not answer"}
	hist := Result{Samples: []Sample{{Histogram: true}}}
	stable := func(a Answer) *Answer { return &a }
	young := Window{Length: 2e9, Clipped: true, Proof: ProvesHealth}
	early := Window{Length: 2e9, Proof: ProvesFaults, Why: "window reaches behind the step's start"}
	behind := Window{Why: "window reaches behind the first exposure"}
	type want struct {
		Verdict                 Verdict
		Reason                  string
		Lost, Critical, HasData bool
	}
	for name, c := range map[string]struct {
		rule  rules.Rule
		facts Facts
		want  want
	}{
		// 1. An answer that cannot be used.
		"total does not answer":             {r, Facts{New: ratio(vector(1), down)}, want{Outage, "connection refused", false, false, false}},
		"bad does not answer":               {r, Facts{New: ratio(down, vector(100))}, want{Outage, "connection refused", false, false, false}},
		"a partial answer":                  {q, Facts{New: value(partial)}, want{Outage, "answer with warnings: store-3 did not answer", false, false, false}},
		"an outage comes before the window": {q, Facts{New: value(down), Window: behind}, want{Outage, "connection refused", false, false, false}},
		"the step's samples do not answer":  {r, Facts{New: ratio(vector(9), vector(10)), StepTotal: &down}, want{Outage, "connection refused", false, false, false}},
		// 2. A window that proves nothing.
		"errors from before the exposure":  {r, Facts{New: ratio(vector(90), vector(100)), Window: behind, Seen: true}, want{Inconclusive, behind.Why, false, false, false}},
		"health from before the exposure":  {r, Facts{New: ratio(vector(0), vector(100)), Window: behind}, want{Inconclusive, behind.Why, false, false, false}},
		"silence from before the exposure": {r, Facts{Window: behind, Seen: true, Stable: stable(ratio(vector(1), vector(100)))}, want{Inconclusive, behind.Why, false, false, false}},
		// 3. No data, and lost data.
		"a canary without series":              {r, Facts{}, want{NoData, "no series", false, false, false}},
		"a canary without requests":            {r, Facts{New: ratio(vector(0), vector(0))}, want{NoData, "no requests", false, false, false}},
		"a total of NaN":                       {r, Facts{New: ratio(vector(0), vector(nan))}, want{NoData, "no requests", false, false, false}},
		"a value of NaN":                       {q, Facts{New: value(vector(nan))}, want{NoData, "the value is NaN", false, false, false}},
		"a value that is not there":            {q, Facts{}, want{NoData, "no series", false, false, false}},
		"no data may pass":                     {with(r, func(r *rules.Rule) { r.OnNoData = rules.Pass }), Facts{}, want{Healthy, "no series, and on_no_data is pass", false, false, false}},
		"no data passes inside the step alone": {with(r, func(r *rules.Rule) { r.OnNoData = rules.Pass }), Facts{Window: early}, want{Inconclusive, early.Why, false, false, false}},
		"no data may roll back":                {with(q, func(r *rules.Rule) { r.OnNoData = rules.Rollback }), Facts{}, want{Unhealthy, "no series, and on_no_data is rollback", false, false, false}},
		"no data rolls nothing back at once":   {with(q, func(r *rules.Rule) { r.OnNoData = rules.Rollback }), Facts{Window: young}, want{NoData, "no series since the first exposure", false, false, false}},
		"no data passes nothing at once":       {with(q, func(r *rules.Rule) { r.OnNoData = rules.Pass }), Facts{Window: young}, want{NoData, "no series since the first exposure", false, false, false}},
		"series vanish":                        {r, Facts{Seen: true, Stable: stable(ratio(vector(), vector(100)))}, want{Unhealthy, lostReason, true, false, false}},
		"a value vanishes":                     {q, Facts{Seen: true, Stable: stable(value(vector(0.2)))}, want{Unhealthy, lostReason, true, false, false}},
		"series vanish, and that holds":        {with(r, func(r *rules.Rule) { r.OnDataLost = rules.Hold }), Facts{Seen: true, Stable: stable(ratio(vector(), vector(100)))}, want{NoData, lostReason, true, false, false}},
		"lost is not passed by on_no_data":     {with(r, func(r *rules.Rule) { r.OnNoData = rules.Pass }), Facts{Seen: true, Stable: stable(ratio(vector(), vector(100)))}, want{Unhealthy, lostReason, true, false, false}},
		"lost soon after the exposure":         {r, Facts{Seen: true, Window: young, Stable: stable(ratio(vector(), vector(100)))}, want{Unhealthy, lostReason, true, false, false}},
		"both versions vanish":                 {r, Facts{Seen: true, Stable: stable(ratio(vector(), vector()))}, want{NoData, "no series", false, false, false}},
		"stable is idle":                       {r, Facts{Seen: true, Stable: stable(ratio(vector(), vector(0)))}, want{NoData, "no series", false, false, false}},
		"stable does not answer":               {r, Facts{Seen: true, Stable: stable(ratio(vector(), down))}, want{Outage, "stable version: connection refused", false, false, false}},
		"series vanish on a first release":     {r, Facts{Seen: true}, want{NoData, "no series", false, false, false}},
		"requests stop":                        {r, Facts{Seen: true, New: ratio(vector(0), vector(0)), Stable: stable(ratio(vector(), vector(100)))}, want{NoData, "no requests", false, false, false}},
		"series that never were":               {r, Facts{Stable: stable(ratio(vector(), vector(100)))}, want{NoData, "no series", false, false, false}},
		// 4. Something that is no number.
		"a histogram":          {q, Facts{New: value(hist)}, want{Outage, histogram, false, false, false}},
		"a histogram as bad":   {r, Facts{New: ratio(hist, vector(100))}, want{Outage, histogram, false, false, false}},
		"a histogram as total": {r, Facts{New: ratio(vector(1), hist)}, want{Outage, histogram, false, false, false}},
		"bad is NaN":           {r, Facts{New: ratio(vector(nan), vector(100))}, want{Outage, "bad is NaN, which is no count", false, false, false}},
		"bad is far below 0":   {r, Facts{New: ratio(vector(-20), vector(100))}, want{Outage, "bad is -20, which is no count", false, false, false}},
		"total is below 0":     {r, Facts{New: ratio(vector(1), vector(-3))}, want{Outage, "total is -3, which is no count", false, false, false}},
		"total is infinite":    {r, Facts{New: ratio(vector(1), vector(inf))}, want{Outage, "total is +Inf, which is no count", false, false, false}},
		// 5. Too few samples.
		"few requests":                      {r, Facts{New: ratio(vector(4), vector(12))}, want{Inconclusive, "12 of 50 requests", false, false, true}},
		"one request too few":               {r, Facts{New: ratio(vector(0), vector(49.7))}, want{Inconclusive, "49 of 50 requests", false, false, true}},
		"enough since the step's start":     {r, Facts{New: ratio(vector(4), vector(12)), StepTotal: &Result{Samples: vector(61).Samples}}, want{Unhealthy, "33.3 % > 5 % (4 of 12 requests)", false, false, true}},
		"few since the step's start too":    {r, Facts{New: ratio(vector(4), vector(12)), StepTotal: &Result{Samples: vector(30).Samples}}, want{Inconclusive, "30 of 50 requests", false, false, true}},
		"the step's samples are gone":       {r, Facts{New: ratio(vector(4), vector(12)), StepTotal: &Result{Samples: vector(nan).Samples}}, want{Inconclusive, "12 of 50 requests", false, false, true}},
		"critical with few requests":        {r, Facts{New: ratio(vector(11), vector(12))}, want{Unhealthy, "91.7 % > 50 % (11 of 12 requests)", false, true, true}},
		"critical, but of few bad requests": {r, Facts{New: ratio(vector(9), vector(12))}, want{Inconclusive, "12 of 50 requests", false, false, true}},
		"just not critical":                 {r, Facts{New: ratio(vector(10), vector(20))}, want{Inconclusive, "20 of 50 requests", false, false, true}},
		// 6. The value.
		"no error series at all":        {r, Facts{New: ratio(vector(), vector(406))}, want{Healthy, "0 % ≤ 5 % (0 of 406 requests)", false, false, true}},
		"few errors":                    {r, Facts{New: ratio(vector(2), vector(406))}, want{Healthy, "0.493 % ≤ 5 % (2 of 406 requests)", false, false, true}},
		"exactly the limit":             {r, Facts{New: ratio(vector(5), vector(100))}, want{Healthy, "5 % ≤ 5 % (5 of 100 requests)", false, false, true}},
		"just above the limit":          {r, Facts{New: ratio(vector(5.0001), vector(100))}, want{Unhealthy, "5.0001 % > 5 % (5 of 100 requests)", false, false, true}},
		"errors":                        {r, Facts{New: ratio(vector(74), vector(406))}, want{Unhealthy, "18.2 % > 5 % (74 of 406 requests)", false, false, true}},
		"critical with enough requests": {r, Facts{New: ratio(vector(300), vector(400))}, want{Unhealthy, "75 % > 50 % (300 of 400 requests)", false, true, true}},
		"several elements are summed":   {r, Facts{New: ratio(vector(1, 2, 71), vector(200, 206))}, want{Unhealthy, "18.2 % > 5 % (74 of 406 requests)", false, false, true}},
		"bad a little below 0":          {r, Facts{New: ratio(vector(-0.5), vector(100))}, want{Healthy, "0 % ≤ 5 % (0 of 100 requests)", false, false, true}},
		"more bad than total":           {r, Facts{New: ratio(vector(120), vector(100))}, want{Unhealthy, "120 % > 50 % (120 of 100 requests)", false, true, true}},
		"rates become counts":           {with(r, func(r *rules.Rule) { r.Counts = rules.CountPerSecond }), Facts{New: ratio(vector(0.1), vector(1))}, want{Unhealthy, "10 % > 5 % (12 of 120 requests)", false, false, true}},
		"a value above":                 {q, Facts{New: value(vector(1.3))}, want{Unhealthy, "1.3 > 0.5", false, false, true}},
		"a value below":                 {q, Facts{New: value(vector(0.05))}, want{Unhealthy, "0.05 < 0.1", false, false, true}},
		"a value between":               {q, Facts{New: value(vector(0.45))}, want{Healthy, "0.45 ≤ 0.5", false, false, true}},
		"a value near its min":          {q, Facts{New: value(vector(0.11))}, want{Healthy, "0.11 ≥ 0.1", false, false, true}},
		"a value on its min":            {q, Facts{New: value(vector(0.1))}, want{Healthy, "0.1 ≥ 0.1", false, false, true}},
		"a value of +Inf":               {q, Facts{New: value(vector(inf))}, want{Unhealthy, "+Inf > 0.5", false, false, true}},
		"a value of -Inf":               {q, Facts{New: value(vector(-inf))}, want{Unhealthy, "-Inf < 0.1", false, false, true}},
		"the worst of several":          {q, Facts{New: value(vector(0.2, nan, 0.9, 0.05))}, want{Unhealthy, "0.9 > 0.5", false, false, true}},
		"a rule without limits":         {with(q, func(r *rules.Rule) { r.Min, r.Max = nil, nil }), Facts{New: value(vector(1))}, want{Inconclusive, "the rule has no limit", false, false, true}},
		// 7. The step.
		"health before the step":             {r, Facts{New: ratio(vector(), vector(406)), Window: early}, want{Inconclusive, early.Why, false, false, true}},
		"errors count from the first moment": {r, Facts{New: ratio(vector(74), vector(406)), Window: early}, want{Unhealthy, "18.2 % > 5 % (74 of 406 requests)", false, false, true}},
	} {
		t.Run(name, func(t *testing.T) {
			if c.facts.Window == (Window{}) {
				c.facts.Window = inside
			}
			j := Judge(c.rule, c.facts)
			got := want{j.Verdict, j.Reason, j.Lost, j.Critical, j.Data}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("verdict (-want +got):\n%s", diff)
			}
			if (j.Reading.Error != "") != (j.Verdict == Outage) {
				t.Errorf("verdict %v with error %q in its evidence", j.Verdict, j.Reading.Error)
			}
		})
	}
}

const lostReason = "the series have vanished, the stable version still has data"

// TestVerdictOverAllRules is the second table of the design.
func TestVerdictOverAllRules(t *testing.T) {
	for name, c := range map[string]struct {
		of   []Verdict
		want Verdict
	}{
		"no rules":                             {nil, NoData},
		"all healthy":                          {[]Verdict{Healthy, Healthy}, Healthy},
		"one is inconclusive":                  {[]Verdict{Healthy, Inconclusive, Healthy}, Inconclusive},
		"no data over inconclusive":            {[]Verdict{Inconclusive, NoData, Healthy}, NoData},
		"outage over no data":                  {[]Verdict{NoData, Outage, Inconclusive}, Outage},
		"unhealthy over everything":            {[]Verdict{Outage, Unhealthy, NoData, Inconclusive, Healthy}, Unhealthy},
		"unhealthy is not hidden by an outage": {[]Verdict{Unhealthy, Outage}, Unhealthy},
	} {
		t.Run(name, func(t *testing.T) {
			var js []Judgement
			for _, v := range c.of {
				js = append(js, Judgement{Verdict: v})
			}
			if got := Overall(js); got != c.want {
				t.Errorf("Overall(%v) = %v, want %v", c.of, got, c.want)
			}
		})
	}
}

func TestWorseIsAStrictOrder(t *testing.T) {
	order := []Verdict{Healthy, Inconclusive, NoData, Outage, Unhealthy}
	for i, v := range order {
		for k, w := range order {
			if v.Worse(w) != (i > k) {
				t.Errorf("%v.Worse(%v) = %v", v, w, v.Worse(w))
			}
		}
		text, err := v.MarshalText()
		var back Verdict
		if err := errors.Join(err, back.UnmarshalText(text)); err != nil || back != v {
			t.Errorf("%v becomes %q becomes %v (%v)", v, text, back, err)
		}
	}
	if err := new(Verdict).UnmarshalText([]byte("fine")); err == nil {
		t.Error("an unknown verdict was read")
	}
}

// numbers draws the values that Prometheus may answer, odd ones often.
var numbers = rapid.OneOf(rapid.SampledFrom([]float64{0, 1, 49, 50, nan, inf, -inf, -1}), rapid.Float64Range(0, 1000))

func drawResult(t *rapid.T, name string) Result {
	r := Result{}
	for _, v := range rapid.SliceOfN(numbers, 0, 3).Draw(t, name) {
		r.Samples = append(r.Samples, Sample{Value: v, Histogram: rapid.IntRange(0, 20).Draw(t, name+" histogram") == 0})
	}
	if rapid.IntRange(0, 10).Draw(t, name+" fails") == 0 {
		r.Err = errors.New("down")
	}
	return r
}

func drawFacts(t *rapid.T) Facts {
	f := Facts{At: noon, Window: inside, Seen: rapid.Bool().Draw(t, "seen"),
		New: Answer{Value: drawResult(t, "value"), Bad: drawResult(t, "bad"), Total: drawResult(t, "total")}}
	f.Window.Proof = rapid.SampledFrom([]Proof{ProvesNothing, ProvesFaults, ProvesHealth}).Draw(t, "proof")
	f.Window.Clipped = rapid.Bool().Draw(t, "clipped")
	if rapid.Bool().Draw(t, "asked stable") {
		f.Stable = &Answer{Value: drawResult(t, "stable value"), Bad: drawResult(t, "stable bad"), Total: drawResult(t, "stable total")}
	}
	if rapid.Bool().Draw(t, "asked step") {
		r := drawResult(t, "step")
		f.StepTotal, f.StepWindow = &r, 2*inside.Length
	}
	return f
}

func drawRule(t *rapid.T) rules.Rule {
	r := rapid.SampledFrom([]rules.Rule{errorRatio(), latency()}).Draw(t, "rule")
	r.OnNoData = rapid.SampledFrom([]rules.Response{"", rules.Hold, rules.Pass, rules.Rollback}).Draw(t, "on_no_data")
	r.OnDataLost = rapid.SampledFrom([]rules.Response{"", rules.Hold, rules.Rollback}).Draw(t, "on_data_lost")
	return r
}

func TestWhatIsNotKnownIsNeverHealthy(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rule, f := drawRule(t), drawFacts(t)
		j := Judge(rule, f)
		switch {
		case j.Verdict != Healthy:
			return
		case f.Window.Proof != ProvesHealth:
			t.Fatalf("healthy over a window with proof %v", f.Window.Proof)
		case !j.Data && rule.OnNoData != rules.Pass:
			t.Fatalf("healthy without data: %+v", j)
		case j.Data && (j.Reading.Value == nil || math.IsNaN(float64(*j.Reading.Value)) || j.Reading.Limit == nil):
			t.Fatalf("healthy without a value or a limit: %+v", j.Reading)
		case rule.Ratio() && j.Data && float64(*j.Reading.Samples) < rule.MinSamples:
			t.Fatalf("healthy with too few samples: %+v", j.Reading)
		}
	})
}

func TestTheOrderOfJudgingHolds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rule, f := drawRule(t), drawFacts(t)
		j := Judge(rule, f)
		faulty := f.New.fault() != "" || f.StepTotal != nil && f.StepTotal.fault() != ""
		switch {
		case faulty && j.Verdict != Outage:
			t.Fatalf("%v in spite of a query error", j.Verdict)
		case !faulty && f.Window.Proof == ProvesNothing && j.Verdict != Inconclusive:
			t.Fatalf("%v from a window that proves nothing", j.Verdict)
		case j.Critical && (j.Verdict != Unhealthy || float64(*j.Reading.Bad) < rule.CriticalMin):
			t.Fatalf("critical: %+v", j)
		case j.Lost && (!f.Seen || f.Stable == nil || j.Data):
			t.Fatalf("lost: %+v", j)
		case j.Verdict == Unhealthy && j.Data && !j.Critical && rule.Ratio() && float64(*j.Reading.Samples) < rule.MinSamples:
			t.Fatalf("unhealthy with too few samples: %+v", j)
		}
	})
}
