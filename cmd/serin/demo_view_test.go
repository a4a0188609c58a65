package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-cd/serin/analysis"
	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/deployments/notify"
	"github.com/serin-cd/serin/rules"
	"github.com/serin-cd/serin/steps"
)

func text(rows []row, p painter) string {
	var lines []string
	for _, r := range rows {
		lines = append(lines, r.text(100, p))
	}
	return strings.Join(lines, "\n")
}

// baking is a view of a rollout at 25 %.
func baking() liveView {
	plan := steps.Plan{Rules: []rules.Tolerance{{Rule: "error-rate"}, {Rule: "slow-requests"}}}
	for _, p := range []int{5, 25, 50, 100} {
		plan.Steps = append(plan.Steps, steps.Step{Share: steps.Percent(p), Bake: 5e9})
	}
	r := steps.Rollout{Service: "shop", Version: "1.2.0", Plan: plan, Phase: steps.Baking, Step: 1, Want: 2500, Confirmed: 2500, StepBegan: noon()}
	return liveView{now: after(2), rollout: &r, share: 2240, requests: 9000, failed: 3, readings: []analysis.Judgement{
		errorRate(analysis.Healthy, 0, "0 % ≤ 5 %"), {Rule: "error-rate"}, errorRate(analysis.Unhealthy, 0.0495, ""), errorRate(analysis.Unhealthy, 0.18, "18 % > 5 %"),
	}}
}

func TestTheBlockShowsStepSharesAndRules(t *testing.T) {
	const want = `
  shop 1.2.0  baking for 2.0 of 5.0 s
  ●━━━━━━━━━◉┈┈┈┈┈┈┈┈┈○┈┈┈┈┈┈┈┈┈○
  5 %       25 %      50 %      100 %     
  traffic  requested 25 %, confirmed 25 %, the flag's answers 22.4 %
  error-rate         18 % of at most 5 %                  ▁·▄█  unhealthy, 18 % > 5 %
  slow-requests  not read yet
  users    9000 requests, 3 failed`
	if diff := cmp.Diff(want, text(liveBlock(baking()), false)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTheBlockShowsTheWayBack(t *testing.T) {
	v := baking()
	v.rollout.Phase, v.rollout.Want, v.rollout.Failure = steps.Reverting, 0, &steps.FailureState{}
	const want = `
  shop 1.2.0  reverting
  ●━━━━━━━━━✗┈┈┈┈┈┈┈┈┈○┈┈┈┈┈┈┈┈┈○
  5 %       25 %      50 %      100 %     
  traffic  requested 0 %, confirmed 25 %, the flag's answers 22.4 %`
	if diff := cmp.Diff(want, text(liveBlock(v)[:5], false)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestBetweenReleasesTheBlockShowsTheUsers(t *testing.T) {
	if got := text(liveBlock(liveView{requests: 7}), false); got != "\n  users    7 requests, 0 failed" {
		t.Errorf("%q", got)
	}
}

func TestRowsAreCutToTheTerminal(t *testing.T) {
	r := row{{"ab", bold}, {"çdé", green}, {"never", red}}
	tests := map[string]struct {
		width int
		paint painter
		want  string
	}{
		"wide enough":     {20, false, "abçdénever"},
		"cut":             {4, false, "abç…"},
		"cut, in colours": {4, true, "\x1b[1mab\x1b[0m\x1b[32mç…\x1b[0m"},
		"cut at a border": {5, false, "abçdé…"},
		"no room":         {0, false, "…"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := r.text(tt.width, tt.paint); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

func TestATerminalIsDrawnAnewAndLinesStayAboveTheBlock(t *testing.T) {
	var out bytes.Buffer
	s := &screen{out: &out, now: noon, began: noon(), size: func() (int, int) { return 80, 3 }}
	s.draw([]row{{{"one", none}}, {{"two", none}}, {{"three is below the screen", none}}})
	s.say("news")
	s.draw(nil)
	const want = "one\ntwo\n" + "\x1b[2A\r\x1b[Jnews\none\ntwo\n" + "\x1b[2A\r\x1b[J"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWithoutATerminalThereAreOnlyLines(t *testing.T) {
	var out bytes.Buffer
	s := newScreen(Env{Stdout: &out, Now: noon, Getenv: func(string) string { return "" }}, demoOptions{})
	s.draw([]row{{{"block", none}}})
	s.event(deployments.Event{Name: "traffic.requested"})
	s.event(deployments.Event{Name: "rollout.promoted", Data: deployments.EventData{Service: "shop", Version: "1.1\x1b[2J"}})
	if got := out.String(); got != "  0.0s  ✓ shop 1.1[2J promoted\n" {
		t.Errorf("%q", got)
	}
}

func TestSlackMessagesAreShownAsText(t *testing.T) {
	e := deployments.Event{Name: "rollout.failed", Data: deployments.EventData{Service: "shop", Version: "1.2.0", Environment: "production",
		Step: 2, Percent: 25, Cause: steps.ByRules, Reason: "too many", Evidence: []analysis.Judgement{errorRate(analysis.Unhealthy, 0.18, "")}}}
	m, _ := notify.Render(e)
	m.Attachments[0].Blocks = append(m.Attachments[0].Blocks, notify.Block{Elements: []notify.TextObject{{Text: "\x1b[31mred"}}})
	want := []string{
		"❌ shop 1.2.0 failed at 25 %",
		"Environment production · Step 2 at 25 %",
		"✗ error-rate 18 % > 5 % (stable 0 %, 412 requests)",
		"a rule failed: too many",
		`bad{v="1"}`, `total{v="1"}`,
		"\uFFFD[31mred",
	}
	if diff := cmp.Diff(want, slackText(m)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTheSummaryIsATable(t *testing.T) {
	r := demoResult{Fault: "errors", OK: true, Seconds: 61, Releases: []demoRelease{
		{Version: "1.1.0", Outcome: "promoted", Weights: []float64{5, 100}},
		{Version: "1.2.0", Outcome: "restored", Cause: "lost_data", Weights: []float64{0.5}, demoFailure: &demoFailure{
			FailedRule: "error-rate", Value: number(0.1812), Limit: number(0.05), Samples: number(49.9), FlagConfirmed: true, Off: noon(), DecisionToOff: 21, FaultToOff: 3150,
			RollbackEvent: true, Reason: "it is so", At: noon(), Queries: []string{"a{b='c'}\n+ 1"}}},
	}, Keep: &demoKept{NATS: "nats://n", TokenFile: "/d/endpoint.json", Prometheus: "http://p", Metrics: "http://m/metrics", Service: []string{"http://s/metrics"}, Data: "/d"}}
	const want = `
release  outcome               confirmed %  failed rule  value   limit  samples  flag           decision → off  fault → off
1.1.0    promoted              5 → 100
1.2.0    restored (lost data)  0.5          error-rate   18.1 %  5 %    49       confirmed off  21 ms           3.1 s

1.2.0: it is so
       requests to it after the switch: 0; rollback event on the stream: yes; alert in Slack: NO
As expected with --fault errors, in 61 s.

Everything goes on until you press Ctrl-C:
  NATS        nats://n   (token in /d/endpoint.json)
  Prometheus  http://p/api/v1/query
  metrics     http://m/metrics   (of Serin)
              http://s/metrics   (of the service)
  data        /d   (stays; serin status --data /d)

What the rollback of 1.2.0 rests on, asked again:
  curl -sG http://p/api/v1/query --data-urlencode 'query=a{b='\''c'\''} + 1' --data-urlencode time=2026-05-01T12:00:00Z`
	if diff := cmp.Diff(want, strings.Join(summary(r), "\n")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	r.OK, r.Why = false, "so\x1b"
	if got := strings.Join(summary(r), "\n"); !strings.Contains(got, "NOT as expected with --fault errors: so\uFFFD\n") {
		t.Error(got)
	}
}
