package eventschema_test

import (
	"bytes"
	"context"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/serin-cd/serin/analysis"
	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/deployments/eventschema"
	"github.com/serin-cd/serin/steps"
)

// complete is a schema that takes no property it does not list: what is published must be listed.
func complete(t *testing.T, text []byte) *jsonschema.Compiler {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	closed(doc)
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("schema.json", doc); err != nil {
		t.Fatal(err)
	}
	return c
}

// closed lets each object have only the properties that its schema lists. Conditions list some of another's.
func closed(v any) {
	switch v := v.(type) {
	case map[string]any:
		if _, object := v["properties"].(map[string]any); object && v["type"] == "object" {
			v["additionalProperties"] = false
		}
		for _, inside := range v {
			closed(inside)
		}
	case []any:
		for _, inside := range v {
			closed(inside)
		}
	}
}

// checker holds the data of events against the schema of their names.
type checker struct {
	t    *testing.T
	c    *jsonschema.Compiler
	seen map[string]int
}

func newChecker(t *testing.T) *checker {
	return &checker{t, complete(t, eventschema.Events()), map[string]int{}}
}

func (c *checker) check(events []deployments.Event) {
	c.t.Helper()
	for _, e := range events {
		part := "data"
		if slices.Contains(eventschema.Names(), e.Name) {
			part = e.Name
		}
		s, err := c.c.Compile("schema.json#/$defs/" + part)
		if err != nil {
			c.t.Fatal(err)
		}
		text, err := json.Marshal(e.Data)
		if err != nil {
			c.t.Fatal(err)
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			c.t.Fatal(err)
		}
		if err := s.Validate(doc); err != nil {
			c.t.Errorf("%s: %v\n%s", e.ID, err, text)
		}
		c.seen[e.Name]++
	}
}

// checkAll holds the events of a journal of one slot against the schema.
func (c *checker) checkAll(entries []deployments.Entry) {
	c.t.Helper()
	prev := deployments.Entry{}
	for _, e := range entries {
		c.check(deployments.Events(prev, e))
		prev = e
	}
}

var began = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// world answers for Prometheus.
type world func(at time.Duration, r analysis.Request) analysis.Verdict

func (w world) Measure(_ context.Context, rs []analysis.Request, at time.Time) []analysis.Judgement {
	n := analysis.Number(0.1)
	var out []analysis.Judgement
	for _, r := range rs {
		v := w(at.Sub(began), r)
		out = append(out, analysis.Judgement{Rule: r.Rule.Name, Verdict: v, Data: v != analysis.Outage, Reason: "so it is", Failing: []string{"a"},
			Annotations: map[string]string{"summary": "x"}, Critical: v == analysis.Unhealthy, Lost: v == analysis.NoData,
			Reading: analysis.Reading{At: at, Query: "q", BadQuery: "b", TotalQuery: "t", Window: time.Minute, Value: &n, Limit: &n, LimitKind: "max", Stable: &n,
				Bad: &n, Total: &n, Samples: &n, Labels: map[string]string{"a": "b"}, Error: "e"}})
	}
	return out
}

func (w world) Shares(_ context.Context, rs []analysis.Request, _ time.Time) []analysis.MeasuredShare {
	return make([]analysis.MeasuredShare, len(rs))
}

func (w world) Holds(_ context.Context, _ []analysis.Query, at time.Time) string {
	if w(at.Sub(began), analysis.Request{}) == analysis.NoData {
		return "not there yet"
	}
	return ""
}

func healthy(time.Duration, analysis.Request) analysis.Verdict { return analysis.Healthy }

// fails is unhealthy from an instant, until another.
func fails(from, until time.Duration) world {
	return func(at time.Duration, _ analysis.Request) analysis.Verdict {
		if at >= from && at < until {
			return analysis.Unhealthy
		}
		return analysis.Healthy
	}
}

func silent(from time.Duration, v analysis.Verdict) world {
	return func(at time.Duration, _ analysis.Request) analysis.Verdict {
		if at >= from {
			return v
		}
		return analysis.Healthy
	}
}

const policy = `
service: checkout
prometheus: http://p
traffic: {version_flag: checkout-version}
steps: [{weight: 5, bake: 1m}, {weight: 50, bake: 1m}, {weight: 100, bake: 1m}]
defaults: {interval: 10s, window: 10s, for: 20s}
rules: [{name: errors, bad: 'x{version="{{version}}"}', total: 'y{version="{{version}}"}', max: 5%}]
confirm_within: 30s
recovery: 1m
`

func command(after time.Duration, verb steps.Verb) deployments.Happening {
	return deployments.Happening{At: began.Add(after), Command: steps.Command{Verb: verb, By: "ada", Reason: "why not"}}
}

func released(after time.Duration, version string) deployments.Happening {
	return deployments.Happening{At: began.Add(after), Release: deployments.Release{Slot: deployments.Slot{Environment: "production", Service: "checkout"}, ID: "r-" + version, Version: version, Author: "ana", RunURL: "https://ci/1"}}
}

func TestEveryEventOfARolloutFitsItsSchema(t *testing.T) {
	c := newChecker(t)
	for name, tt := range map[string]struct {
		policy  string
		world   world
		happen  []deployments.Happening
		confirm time.Duration
		stable  string
	}{
		"promoted":       {policy: policy + "on_promote: [{event: checkout.promoted}]\n", world: healthy, stable: "1.0.0"},
		"failed":         {policy: policy + "on_failure: {do: [rollback, {event: checkout.failed}]}\n", world: fails(80*time.Second, 150*time.Second), stable: "1.0.0"},
		"first release":  {policy: policy, world: fails(80*time.Second, time.Hour)},
		"a rule wavers":  {policy: policy, world: fails(20*time.Second, 30*time.Second), stable: "1.0.0"},
		"feature off":    {policy: policy + "on_failure: {do: [{flag: new-checkout}], else: [rollback]}\n", world: fails(80*time.Second, time.Hour), stable: "1.0.0"},
		"outage":         {policy: policy + "", world: silent(20*time.Second, analysis.Outage), stable: "1.0.0"},
		"lost":           {policy: policy, world: silent(80*time.Second, analysis.NoData), stable: "1.0.0"},
		"orders":         {policy: policy, world: healthy, stable: "1.0.0", happen: []deployments.Happening{command(20*time.Second, steps.Pause), command(90*time.Second, steps.Resume), command(100*time.Second, steps.Abort)}},
		"approval":       {policy: strings.Replace(policy, "{weight: 50, bake: 1m}", "{weight: 50, bake: 1m, approval: manual}", 1), world: healthy, stable: "1.0.0", happen: []deployments.Happening{command(3*time.Minute, steps.Approve)}},
		"superseded":     {policy: policy, world: healthy, stable: "1.0.0", happen: []deployments.Happening{released(30*time.Second, "1.2.0"), released(31*time.Second, "1.2.0"), released(32*time.Second, "1.3.0")}},
		"queued":         {policy: policy + "on_new_release: queue\n", world: healthy, stable: "1.0.0", happen: []deployments.Happening{released(30*time.Second, "1.2.0"), released(40*time.Second, "1.1.0")}},
		"refused":        {policy: policy + "on_new_release: refuse\n", world: healthy, stable: "1.0.0", happen: []deployments.Happening{released(30*time.Second, "1.2.0")}},
		"not ready":      {policy: policy + "ready: {query: up, within: 1m}\n", world: silent(0, analysis.NoData), stable: "1.0.0"},
		"late":           {policy: policy, world: healthy, stable: "1.0.0", confirm: 45 * time.Second, happen: []deployments.Happening{command(60*time.Second, steps.Abort)}},
		"with testers":   {policy: strings.Replace(policy, "steps: [", "steps: [{audience: {email: '*@example.com'}, bake: 1m}, ", 1), world: fails(80*time.Second, time.Hour), stable: "1.0.0"},
		"testers fail":   {policy: strings.Replace(policy, "steps: [", "steps: [{audience: {email: '*@example.com'}, bake: 5m}, ", 1), world: fails(30*time.Second, time.Hour), stable: "1.0.0"},
		"aborted early":  {policy: policy + "ready: {query: up, within: 5m}\n", world: silent(0, analysis.NoData), stable: "1.0.0", happen: []deployments.Happening{command(20*time.Second, steps.Abort)}},
		"superseded too": {policy: policy + "ready: {query: up, within: 5m}\n", world: silent(0, analysis.NoData), stable: "1.0.0", happen: []deployments.Happening{released(20*time.Second, "1.2.0")}},
	} {
		t.Run(name, func(t *testing.T) {
			policies, findings := deployments.ParsePolicies("p.yaml", []byte(tt.policy))
			if err := findings.Err(); err != nil {
				t.Fatal(err)
			}
			out, err := deployments.Simulate(t.Context(), policies[0], tt.world, deployments.Script{Release: released(0, "1.1.0").Release, Stable: tt.stable, At: began,
				Until: began.Add(time.Hour), ConfirmAfter: tt.confirm, Happenings: tt.happen})
			if err != nil {
				t.Fatal(err)
			}
			c.t = t
			c.checkAll(out.Entries)
		})
	}
	for _, name := range eventschema.Names() {
		if c.seen[name] == 0 && name != "policy.differs" { // a worker tells that by itself
			t.Errorf("no event %s was held against its schema", name)
		}
	}
}

func TestTheEventsOfAKeptJournalFitTheirSchemas(t *testing.T) {
	text, err := os.ReadFile("../testdata/journal.v1.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	var entries []deployments.Entry
	for line := range bytes.Lines(text) {
		var e deployments.Entry
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatal(err)
		}
		entries = append(entries, e)
	}
	c := newChecker(t)
	c.checkAll(entries)
	if len(c.seen) < 5 {
		t.Errorf("only %v", c.seen)
	}
}

// eventName is a name as the code that makes events writes it.
var eventName = regexp.MustCompile(`^(policy|release|step|traffic|rule|analysis|approval|rollout|rollback|flag|worker)\.[a-z_]+$`)

func TestEveryEventThatTheCodeNamesHasASchema(t *testing.T) {
	files, err := filepath.Glob("../events*.go")
	if err != nil || len(files) < 2 {
		t.Fatal(files, err)
	}
	made := []string{}
	for _, answer := range []deployments.Answer{deployments.Accepted, deployments.Duplicate, deployments.Rejected} {
		made = append(made, "release."+string(answer))
	}
	for _, file := range append(files, "../../cmd/serin/offers.go") {
		tree, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(tree, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				if name, err := strconv.Unquote(lit.Value); err == nil && eventName.MatchString(name) {
					made = append(made, name)
				}
			}
			return true
		})
	}
	slices.Sort(made)
	if made = slices.Compact(made); !slices.Equal(made, eventschema.Names()) {
		t.Errorf("the code makes\n%v\nthere are schemas of\n%v", made, eventschema.Names())
	}
}

func TestAPropertyThatTheSchemaDoesNotListIsFound(t *testing.T) {
	s, err := complete(t, eventschema.Events()).Compile("schema.json#/$defs/rollout.promoted")
	if err != nil {
		t.Fatal(err)
	}
	good := map[string]any{"service": "a", "environment": "b", "version": "1", "step": 1, "percent": 5.0, "confirmed_percent": 5.0, "release": "r", "rollout": "x", "rev": 1,
		"phase": "ended", "started_at": "2026-01-01T00:00:00Z", "outcome": "promoted"}
	if err := s.Validate(good); err != nil {
		t.Fatal(err)
	}
	for what, change := range map[string]func(map[string]any){
		"an unknown property": func(m map[string]any) { m["more"] = 1 },
		"one inside": func(m map[string]any) {
			m["actions"] = []any{map[string]any{"kind": "flag", "began": "2026-01-01T00:00:00Z", "more": 1}}
		},
		"no outcome":         func(m map[string]any) { delete(m, "outcome") },
		"an unknown outcome": func(m map[string]any) { m["outcome"] = "fine" },
		"no time":            func(m map[string]any) { m["started_at"] = "yesterday" },
	} {
		m := maps.Clone(good)
		change(m)
		if s.Validate(m) == nil {
			t.Errorf("%s is not found", what)
		}
	}
}
