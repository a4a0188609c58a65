package promrules

import (
	"flag"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	promrules "github.com/prometheus/prometheus/rules"

	"github.com/serin-cd/serin/analysis"
	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/internal/lab/promlab"
	"github.com/serin-cd/serin/rules"
	"github.com/serin-cd/serin/rules/importer"
	"github.com/serin-cd/serin/steps"
)

// rule is an alerting rule as a person writes it.
type rule struct {
	expr       string
	wait, keep string
	labels     [][2]string
	every      time.Duration
}

func drawRule(d *dice) rule {
	r := rule{expr: expression(d), every: one(d, 15*time.Second, 30*time.Second, 20*time.Second)}
	r.wait = d.pick("", "", "0s", "15s", "30s", "45s", "1m", "2m")
	r.keep = d.pick("", "", "0s", "30s", "50s", "2m")
	for _, l := range [][2]string{{"severity", "critical"}, {"job", "over"}, {"team", "{{ $labels.job }}"}, {"i", "{{ $labels.i }}"}} {
		if d.chance(12) {
			r.labels = append(r.labels, l)
		}
	}
	return r
}

// yaml is the rule as a rule file.
func (r rule) yaml() string {
	var b strings.Builder
	fmt.Fprintf(&b, "groups:\n- name: g\n  interval: %s\n  rules:\n  - alert: A\n    expr: %q\n", model.Duration(r.every), r.expr)
	if r.wait != "" {
		fmt.Fprintf(&b, "    for: %s\n", r.wait)
	}
	if r.keep != "" {
		fmt.Fprintf(&b, "    keep_firing_for: %s\n", r.keep)
	}
	if len(r.labels) > 0 {
		b.WriteString("    labels:\n")
	}
	for _, l := range r.labels {
		fmt.Fprintf(&b, "      %s: %q\n", l[0], l[1])
	}
	return b.String()
}

// theirs is the rule in Prometheus' rule manager.
type theirs struct {
	*promrules.AlertingRule
	query promrules.QueryFunc
}

func (r rule) theirs(w *world, store *promlab.Store) theirs {
	expr, err := parser.NewParser(parser.Options{}).ParseExpr(r.expr)
	if err != nil {
		panic(err) // the importer has read it
	}
	var pairs []string
	for _, l := range r.labels {
		pairs = append(pairs, l[0], l[1])
	}
	one := promrules.NewAlertingRule("A", expr, duration(r.wait), duration(r.keep), labels.FromStrings(pairs...), labels.EmptyLabels(),
		labels.EmptyLabels(), "", true, slog.New(slog.DiscardHandler))
	return theirs{one, promrules.EngineQueryFunc(w.engine, store)}
}

func duration(text string) time.Duration {
	d, _ := model.ParseDuration(text)
	return time.Duration(d)
}

// fires evaluates the rule, and reports whether any alert of it fires then.
func (p theirs) fires(t *testing.T, at time.Time) (bool, error) {
	_, err := p.Eval(t.Context(), 0, at, p.query, &url.URL{}, 0)
	for _, a := range p.ActiveAlerts() {
		if a.State == promrules.StateFiring {
			return true, err
		}
	}
	return false, err
}

// ours is the rule as Serin has imported it, on the way through a rollout.
type ours struct {
	rollout steps.Rollout
	rule    rules.Rule
	analyst analysis.Analyst
	last    bool // what a rule without `for` said last
}

// imported makes the policy of the rule, and parses it as serin check does. It is false where the importer refuses the rule.
func imported(t *testing.T, text string) (deployments.Policy, bool) {
	report := importer.Prometheus([]importer.File{{Name: "rules.yaml", Text: []byte(text)}}, importer.Options{})
	if report.Count(importer.Converted) == 0 {
		return deployments.Policy{}, false
	}
	policy := report.Policy(importer.Head{Service: "checkout", OnNoData: "pass"})
	ps, findings := deployments.ParsePolicies("policy.yaml", policy)
	if err := findings.Err(); err != nil || len(ps) != 1 || len(ps[0].Rules) != 1 {
		t.Fatalf("what was imported does not pass serin check: %v\n%s", err, policy)
	}
	return ps[0], true
}

func newOurs(t *testing.T, w *world, p deployments.Policy, onFail rules.Response) *ours {
	plan := p.Plan
	plan.Rules = []rules.Tolerance{p.Rules[0].Tolerance}
	plan.Rules[0].OnFail, plan.Rules[0].AlertAfter, plan.ReadyWithin = onFail, 24*time.Hour, 0
	plan.Steps[0].Bake = 24 * time.Hour
	began := epoch.Add(-time.Minute)
	r, err := steps.NewRollout("r1", p.Environment, p.Service, "1.1.0", "1.0.0", plan, began)
	if err != nil {
		t.Fatal(err)
	}
	r, _ = r.Next(began, steps.Tick{})
	r, _ = r.Next(began, steps.Applied{Seq: r.Seq, Target: steps.Traffic, Observed: r.Want, Confirmed: true})
	return &ours{rollout: r, rule: p.Rules[0], analyst: analysis.Analyst{Querier: w.client}}
}

// measure gives the rollout its next reading.
func (o *ours) measure(t *testing.T, at time.Time) analysis.Judgement {
	long := epoch.AddDate(-1, 0, 0) // windows that reach behind the release are another test's business
	j := o.analyst.Measure(t.Context(), []analysis.Request{{Rule: o.rule, Since: long, Inside: long, Seen: o.rollout.Rules[0].Seen,
		Vars: rules.Vars{Service: "checkout", Version: "1.1.0", StableVersion: "1.0.0"}}}, at)
	o.rollout, _ = o.rollout.Next(at, steps.Measured{At: at, Seq: o.rollout.Seq, Verdicts: j})
	return j[0]
}

// fires reports whether the rule has failed: for its `for`, or still, by its keep_firing_for. An outage changes nothing.
func (o *ours) fires(j analysis.Judgement) bool {
	if !o.rule.PerSeries {
		if j.Verdict != analysis.Outage {
			o.last = j.Verdict == analysis.Unhealthy
		}
		return o.last
	}
	for _, s := range o.rollout.Rules[0].Series {
		if s.Fired {
			return true
		}
	}
	return false
}

var (
	cases = flag.Int("cases", 500, "how many random rules are tried")
	seed  = flag.Uint64("seed", 1, "of the first case; each further one has the next")
)

// TestAnImportedAlertFiresExactlyWhenPrometheusWould runs both side by side on random rules and series.
func TestAnImportedAlertFiresExactlyWhenPrometheusWould(t *testing.T) {
	w := newWorld(t)
	var seen tally
	wrong := 0
	for s := *seed; s < *seed+uint64(*cases) && wrong < 10; s++ {
		if err := seen.compare(t, w, newDice(s)); err != nil {
			wrong++
			t.Errorf("case %d: %v", s, err)
		}
	}
	t.Log(seen)
	if *cases >= 100 && (seen.firing == 0 || seen.firing == seen.cases || seen.errors == 0) {
		t.Errorf("the cases show too little: %v", seen)
	}
}

// compare tries one case. One rollout holds, so that it can be compared at every instant; another rolls back, and must do so at
// the first instant at which Prometheus fires.
func (s *tally) compare(t *testing.T, w *world, d *dice) error {
	r := drawRule(d)
	return s.holds(t, w, d, r, series(d))
}

// holds compares one rule on one case's series.
func (s *tally) holds(t *testing.T, w *world, d *dice, r rule, all []source) error {
	policy, ok := imported(t, r.yaml())
	if !ok {
		s.refused++
		return nil
	}
	s.cases++
	prom := r.theirs(w, w.fill(d, all))
	holding, rolling := newOurs(t, w, policy, rules.Hold), newOurs(t, w, policy, rules.Rollback)
	fired := false
	for at := epoch; at.Before(epoch.Add(during * scrape)); at = at.Add(r.every) {
		want, err := prom.fires(t, at)
		j := holding.measure(t, at)
		if want && !fired {
			fired = true
			s.firing++
		}
		if rolling.rollout.Failure == nil {
			rolling.measure(t, at)
		}
		s.count(want, err, j)
		if got := holding.fires(j); got != want {
			return fmt.Errorf("%s after the start Prometheus fires: %t (%v), Serin: %t, %v: %s\n%s", at.Sub(epoch), want, fmt.Sprint(err), got, j.Verdict, j.Reason, r.yaml())
		}
		if got := rolling.rollout.Failure != nil; got != fired {
			return fmt.Errorf("%s after the start Prometheus has fired: %t (%v), Serin has turned back: %t, %v: %s\n%s", at.Sub(epoch), fired, fmt.Sprint(err), got, j.Verdict, j.Reason, r.yaml())
		}
	}
	return nil
}

// tally says what the cases were like.
type tally struct{ cases, refused, firing, instants, fires, errors, noData int }

func (s *tally) count(fires bool, err error, j analysis.Judgement) {
	s.instants++
	if fires {
		s.fires++
	}
	if err != nil {
		s.errors++
	}
	if !j.Data {
		s.noData++
	}
}

func (s tally) String() string {
	return fmt.Sprintf("%d cases (%d refused by the importer), %d of them fire; %d instants, %d firing, %d errors, %d without data",
		s.cases, s.refused, s.firing, s.instants, s.fires, s.errors, s.noData)
}
