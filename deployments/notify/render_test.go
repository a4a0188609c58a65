package notify_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-cd/serin/analysis"
	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/deployments/notify"
	"github.com/serin-cd/serin/steps"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var start = time.Date(2026, 11, 20, 14, 0, 0, 0, time.UTC)

// event is the second step of a rollout of checkout 1.4.2, twelve minutes after its start.
func event(name string, change func(*deployments.Event)) deployments.Event {
	e := deployments.Event{
		ID: "r1/7/" + name, Name: name, Severity: deployments.Info, Time: start.Add(12*time.Minute + 30*time.Second),
		Slot: deployments.Slot{Environment: "production", Service: "checkout"},
		Data: deployments.EventData{
			Service: "checkout", Environment: "production", Version: "1.4.2", Stable: "1.4.1", Rollout: "checkout-1.4.2-7f3a",
			Step: 2, Percent: 25, Confirmed: 25, Author: "ada", RunURL: "https://ci.example/runs/812?a=1&b=2", Started: start,
		},
	}
	if change != nil {
		change(&e)
	}
	return e
}

var errorRate = analysis.Judgement{Rule: "error-rate", Verdict: analysis.Unhealthy, Reason: "above max", Data: true, Reading: analysis.Reading{
	BadQuery:   `sum(increase(http_requests_total{service="checkout",version="1.4.2",code=~"5.."}[2m]))`,
	TotalQuery: `sum(increase(http_requests_total{service="checkout",version="1.4.2"}[2m]))`,
	Window:     2 * time.Minute, Value: new(analysis.Number(0.1820388)), Limit: new(analysis.Number(0.05)), LimitKind: "max",
	Stable: new(analysis.Number(0.004)), Bad: new(analysis.Number(75)), Total: new(analysis.Number(411.99)),
}}

var latency = analysis.Judgement{Rule: "p95", Verdict: analysis.Healthy, Data: true, Reading: analysis.Reading{
	Query: "histogram_quantile(0.95, …)", Window: 2 * time.Minute, Value: new(analysis.Number(0.2123)), Limit: new(analysis.Number(0.3)), LimitKind: "max",
}}

func turnedBack(d *deployments.EventData) {
	d.Percent, d.FromPercent, d.Cause, d.Reason = 0, 25, steps.ByRules, "error-rate failed for 1m"
	d.Evidence = []analysis.Judgement{errorRate, latency}
	d.Actions = []steps.ActionState{{Action: steps.Action{Kind: steps.RollbackAction}, Began: start}}
}

func confirmed(d *deployments.EventData) {
	turnedBack(d)
	d.Confirmed, d.Target, d.From, d.To = 0, "checkout-version", "1.4.2", deployments.BackTo("1.4.1")
	d.Actions[0].Confirmed, d.Actions[0].How = start.Add(12*time.Minute), "evaluated by OpenFeature"
}

// stories are the events of rollouts, by the name of their golden file.
func stories() map[string]deployments.Event {
	return map[string]deployments.Event{
		"started": event("step.started", func(e *deployments.Event) {
			e.Data.Step, e.Data.Percent, e.Data.Confirmed, e.Time = 1, 5, 0, start.Add(time.Second)
		}),
		"held": event("analysis.inconclusive", func(e *deployments.Event) {
			e.Severity, e.Data.Reason = deployments.Warning, "no data for 10m"
			e.Data.Evidence = []analysis.Judgement{{Rule: "error-rate", Verdict: analysis.NoData, Reason: "total is empty", Reading: analysis.Reading{TotalQuery: errorRate.Reading.TotalQuery}}, latency}
		}),
		"approval":    event("approval.requested", nil),
		"failed":      event("rollout.failed", func(e *deployments.Event) { turnedBack(&e.Data) }),
		"rolled_back": event("rollback.completed", func(e *deployments.Event) { confirmed(&e.Data) }),
		"aborted": event("rollout.aborted", func(e *deployments.Event) {
			e.Data.By, e.Data.Cause, e.Data.Reason, e.Data.FromPercent = "grace", steps.ByPerson, "customers <complain> & call", 25
		}),
		"superseded": event("rollback.completed", func(e *deployments.Event) {
			confirmed(&e.Data)
			e.Data.Cause, e.Data.Reason, e.Data.Evidence = steps.BySuperseded, "1.4.3 was released", nil
		}),
		"unconfirmed": event("rollback.failed", func(e *deployments.Event) {
			turnedBack(&e.Data)
			e.Severity, e.Data.Reason = deployments.Page, "not confirmed within 2m: nginx: exit status 1"
		}),
		"first_release": event("rollback.requested", func(e *deployments.Event) {
			turnedBack(&e.Data)
			e.Severity, e.Data.Stable = deployments.Page, ""
		}),
		"flag_off": event("flag.disabled", func(e *deployments.Event) {
			turnedBack(&e.Data)
			e.Data.Target = "flag/new-checkout"
			e.Data.Actions = []steps.ActionState{{Action: steps.Action{Kind: steps.FlagOff, Key: "new-checkout"}, Began: start, Confirmed: start}, {Action: steps.Action{Kind: steps.PublishEvent, Key: "freeze.requested"}}}
		}),
		"lost": event("rollout.failed", func(e *deployments.Event) {
			turnedBack(&e.Data)
			e.Data.Cause, e.Data.Evidence = steps.ByLostData, []analysis.Judgement{{Rule: "error-rate", Verdict: analysis.Unhealthy, Lost: true, Reading: errorRate.Reading}}
		}),
		"promoted": event("rollout.promoted", func(e *deployments.Event) {
			e.Data.Step, e.Data.Percent, e.Data.Confirmed, e.Data.Evidence, e.Time = 4, 100, 100, []analysis.Judgement{latency}, start.Add(85*time.Minute)
		}),
	}
}

func TestSlackMessagesAreAsWritten(t *testing.T) {
	for name, e := range stories() {
		t.Run(name, func(t *testing.T) {
			message, ok := notify.Render(e)
			if !ok {
				t.Fatal("not for Slack")
			}
			for _, problem := range problems(message) {
				t.Error(problem)
			}
			golden(t, name+".json", pretty(t, message))
		})
	}
}

func pretty(t *testing.T, v any) string {
	t.Helper()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

// names are all the events there are, and one of a user's own.
var names = []string{
	"release.accepted", "release.duplicate", "release.superseded", "release.queued", "release.rejected", "step.started", "traffic.requested", "traffic.confirmed", "traffic.unconfirmed", "step.passed",
	"rule.failing", "rule.recovered", "analysis.inconclusive", "rollout.paused", "rollout.resumed", "approval.requested", "approval.granted",
	"rollout.failed", "rollout.aborted", "rollback.requested", "rollback.completed", "rollback.failed", "flag.requested", "flag.disabled", "flag.failed",
	"rollout.promoted", "rollout.restored", "freeze.requested",
}

func TestEveryEventHasItsLine(t *testing.T) {
	var lines []string
	for _, name := range names {
		lines = append(lines, notify.Text(event(name, func(e *deployments.Event) {
			switch {
			case strings.HasPrefix(name, "rule."), name == "rollout.failed":
				turnedBack(&e.Data)
				if name == "rule.recovered" {
					e.Data.Target = "p95"
				}
			case name == "rollback.completed":
				confirmed(&e.Data)
			case strings.HasPrefix(name, "flag."):
				e.Data.Target = "flag/new-checkout"
			case name == "rollout.restored":
				e.Data.Restored = start
			case strings.HasPrefix(name, "rollout."), name == "approval.granted":
				e.Data.By = "grace"
			}
		})))
	}
	golden(t, "lines.txt", strings.Join(lines, "\n")+"\n")
}

func TestAnAudienceWithoutAShareIsNamedInPlaceOfZeroPercent(t *testing.T) {
	testers := steps.Audience{{"email": {"*@example.com"}}}
	for name, want := range map[string]string{
		"step.started":       "· production/checkout 1.4.2 started for audience email=*@example.com",
		"traffic.requested":  "· production/checkout 1.4.2: requested for audience email=*@example.com",
		"traffic.confirmed":  "· production/checkout 1.4.2: traffic confirmed for audience email=*@example.com",
		"rollback.completed": "✓ production/checkout 1.4.2 rolled back for audience email=*@example.com",
	} {
		got := notify.Text(event(name, func(e *deployments.Event) {
			e.Data.Step, e.Data.Percent, e.Data.Confirmed, e.Data.Target = 1, 0, 0, ""
			if e.Data.Audience = testers; strings.HasPrefix(name, "rollback") {
				e.Data.Audience, e.Data.FromAudience = nil, testers
			}
		}))
		if got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestSlackGetsDecisionsAlone(t *testing.T) {
	want := map[string]bool{
		"approval.requested": true, "rollout.failed": true, "rollout.aborted": true, "rollback.completed": true, "rollback.failed": true,
		"flag.disabled": true, "rollout.promoted": true,
	}
	for _, name := range names {
		if _, got := notify.Render(event(name, nil)); got != want[name] {
			t.Errorf("%s: for Slack %v", name, got)
		}
		if _, got := notify.Render(event(name, func(e *deployments.Event) { e.Severity = deployments.Page })); !got {
			t.Errorf("%s is not told, and a person must act", name)
		}
	}
}
