package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-cd/serin/analysis"
	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/rules"
	"github.com/serin-cd/serin/steps"
)

// sceneNow is when all scenes are looked at.
var sceneNow = time.Date(2026, 11, 20, 14, 21, 50, 0, time.UTC)

func before(d time.Duration) time.Time { return sceneNow.Add(-d) }

// scene is a rollout of checkout 5 m 50 s into its bake at 25 %, all healthy.
func scene() looked {
	plan := steps.Plan{ConfirmWithin: time.Minute, Recovery: 5 * time.Minute, ReadyWithin: 5 * time.Minute, Steps: []steps.Step{
		{Share: 500, Bake: 5 * time.Minute}, {Share: 2500, Bake: 10 * time.Minute}, {Share: 5000, Bake: 10 * time.Minute, Approval: true}, {Share: steps.All, Bake: 30 * time.Minute},
	}}
	for _, name := range []string{"error-rate", "p95", "saturation"} {
		plan.Rules = append(plan.Rules, rules.Tolerance{Rule: name, For: time.Minute, InARow: 2, OnFail: rules.Rollback, AlertAfter: 10 * time.Minute})
	}
	r := steps.Rollout{ID: "checkout-1.4.2-8c1f", Service: "checkout", Environment: "production", Version: "v1.4.2", Stable: "v1.4.1", Plan: plan,
		Phase: steps.Baking, Since: before(350 * time.Second), StepBegan: before(350 * time.Second), Step: 1, Seq: 3, Want: 2500, Confirmed: 2500,
		FirstExposed: before(12 * time.Minute)}
	for _, t := range plan.Rules {
		r.Rules = append(r.Rules, steps.RuleState{Rule: t.Rule, Seen: true})
	}
	l := looked{Slot: deployments.Slot{Environment: "production", Service: "checkout"}, Rev: 9, Worker: "w-1",
		State: deployments.State{Rollout: &r, Stable: "v1.4.1", Release: &deployments.Release{Version: "v1.4.2", Author: "Ann Example", RunURL: "https://ci.example/runs/42"}}}
	for i := range 24 {
		at := before(time.Duration(24-i) * 30 * time.Second)
		l.read("error-rate", at, analysis.Healthy, 0.004+0.002*float64(i%4), 0.05, "0.4 % ≤ 5 % (4 of 1000 requests)", 12408)
		l.read("p95", at, analysis.Healthy, 0.3+0.01*float64(i%7), 0.5, "0.36 ≤ 0.5", 0)
		if i < 8 || i > 10 { // three readings are missing
			l.read("saturation", at, analysis.Healthy, 0.1*float64(i%5), 0.8, "0.3 ≤ 0.8", 0)
		}
	}
	l.say(8, before(12*time.Minute), "5 % confirmed")
	l.say(9, before(355*time.Second), "requesting 25 %")
	l.say(10, before(350*time.Second), "25 % confirmed")
	return l
}

func num(f float64) *analysis.Number { n := analysis.Number(f); return &n }

// read adds a reading. With samples it is one of a ratio.
func (l *looked) read(rule string, at time.Time, v analysis.Verdict, value, limit float64, reason string, samples float64) {
	j := analysis.Judgement{Rule: rule, Verdict: v, Reason: reason, Data: true, Reading: analysis.Reading{At: at, Value: num(value), Limit: num(limit), LimitKind: "max"}}
	if samples > 0 {
		j.Reading.Total, j.Reading.Samples = num(samples), num(samples)
	}
	l.Readings = append(l.Readings, j)
}

func (l *looked) say(rev uint64, at time.Time, note string) {
	r := *l.State.Rollout
	l.Entries = append(l.Entries, deployments.Entry{Rev: rev, At: at, Note: note, Slot: l.Slot, Rollout: r.ID, State: deployments.State{Rollout: &r}})
}

// noData adds readings of a rule that finds nothing.
func (l *looked) noData(rule string, n int) {
	for i := range n {
		l.Readings = append(l.Readings, analysis.Judgement{Rule: rule, Verdict: analysis.NoData, Reason: "no series",
			Reading: analysis.Reading{At: before(time.Duration(n-1-i) * 10 * time.Second)}})
	}
}

// scenes are what a person may see, by name.
func scenes() map[string]looked {
	out := map[string]looked{}
	add := func(name string, change func(l *looked, r *steps.Rollout)) {
		l := scene()
		change(&l, l.State.Rollout)
		out[name] = l
	}
	add("nothing", func(l *looked, _ *steps.Rollout) {
		l.State, l.Entries, l.Readings, l.Rev = deployments.State{}, nil, nil, 0
	})
	add("pending", func(l *looked, r *steps.Rollout) {
		*r = steps.Rollout{ID: r.ID, Service: r.Service, Version: r.Version, Plan: r.Plan, Phase: steps.Pending, Since: before(12 * time.Second), Checking: before(12 * time.Second),
			LastError: "no series of version v1.4.2 yet"}
		l.Entries, l.Readings = nil, nil
		l.say(1, before(12*time.Second), "accepted")
	})
	add("frozen", func(l *looked, r *steps.Rollout) {
		r.Plan.Freeze = []steps.Window{{From: before(time.Hour), To: sceneNow.Add(30 * time.Hour)}}
		r.StepBegan = before(11 * time.Minute)
	})
	add("shifting", func(l *looked, r *steps.Rollout) {
		r.Phase, r.Shifted, r.Confirmed, r.StepBegan, r.Unconfirmed = steps.Shifting, before(70*time.Second), 500, time.Time{}, true
		r.LastError = "exec set: exit status 1: connection refused"
	})
	add("baking_healthy", func(*looked, *steps.Rollout) {})
	add("baking_no_data", func(l *looked, r *steps.Rollout) {
		r.StepBegan = before(40 * time.Second)
		l.Readings = nil
		l.noData("error-rate", 4)
	})
	add("failing", func(l *looked, r *steps.Rollout) {
		l.read("error-rate", sceneNow, analysis.Unhealthy, 0.182, 0.05, "18.2 % > 5 % (74 of 406 requests)", 406)
		r.Rules[0].FailingSince, r.Rules[0].InARow = before(30*time.Second), 1
	})
	add("holding", func(l *looked, r *steps.Rollout) {
		r.Hold = &steps.Hold{Verdict: analysis.Outage, Rules: []string{"p95"}, Reason: "dial tcp 10.0.0.7:9090: connect: connection refused", Since: before(3 * time.Minute), StopsBake: true, Told: true}
		l.Readings = append(l.Readings, analysis.Judgement{Rule: "p95", Verdict: analysis.Outage, Reason: "dial tcp 10.0.0.7:9090: connect: connection refused",
			Reading: analysis.Reading{At: sceneNow, Error: "dial tcp"}})
	})
	add("awaiting_approval", func(l *looked, r *steps.Rollout) {
		r.Phase, r.Since, r.Step, r.Want, r.Confirmed = steps.AwaitingApproval, before(3*time.Minute), 2, 5000, 5000
	})
	add("paused", func(_ *looked, r *steps.Rollout) { r.Paused = true })
	add("watching", func(_ *looked, r *steps.Rollout) {
		r.Phase, r.Step, r.Want, r.Confirmed = steps.Watching, 3, steps.All, steps.All
	})
	add("reverting_unconfirmed", func(l *looked, r *steps.Rollout) {
		l.read("error-rate", before(90*time.Second), analysis.Unhealthy, 0.182, 0.05, "18.2 % > 5 % (74 of 406 requests)", 406)
		r.Phase, r.Unconfirmed, r.Outcome, r.LastError, r.Want, r.Shifted = steps.Reverting, true, steps.RestoreUnconfirmed, "the router did not answer", 0, before(80*time.Second)
		r.Failure = &steps.FailureState{Cause: steps.ByRules, Rules: []string{"error-rate"}, Reason: "error-rate: 18.2 % > 5 % (74 of 406 requests)", At: before(80 * time.Second), FromShare: 2500,
			Actions: []steps.ActionState{{Action: steps.Action{Kind: steps.RollbackAction}, Began: before(80 * time.Second)},
				{Action: steps.Action{Kind: steps.FlagOff, Key: "new-checkout"}, Began: before(80 * time.Second), Confirmed: before(79 * time.Second), How: "read back"}}}
	})
	add("promoted", func(l *looked, r *steps.Rollout) {
		r.Phase, r.Step, r.Want, r.Confirmed, r.Outcome, r.EndedAt = steps.Ended, 3, steps.All, steps.All, steps.Promoted, before(26*time.Hour)
		l.say(11, before(26*time.Hour), "promoted")
	})
	add("restored", func(l *looked, r *steps.Rollout) {
		r.Phase, r.Outcome, r.Cause, r.EndedAt, r.Want, r.Confirmed = steps.Ended, steps.Restored, steps.ByPerson, before(5*time.Minute), 0, 0
		r.Failure = &steps.FailureState{Cause: steps.ByPerson, By: "ann", Reason: "the shop is closed", At: before(6 * time.Minute), FromShare: 2500, Restored: before(5 * time.Minute),
			Actions: []steps.ActionState{{Action: steps.Action{Kind: steps.RollbackAction}, Began: before(6 * time.Minute), Confirmed: before(6 * time.Minute), How: "read back"}}}
	})
	add("audience", func(_ *looked, r *steps.Rollout) {
		staff := steps.Audience{{"email": {"*@example.com"}}}
		r.Plan.Steps = append([]steps.Step{{Audience: staff, Bake: 10 * time.Minute, Approval: true}}, r.Plan.Steps...)
		r.Step, r.Want, r.Confirmed, r.Audience, r.ConfirmedAudience = 0, 0, 0, staff, staff
	})
	add("queue", func(l *looked, _ *steps.Rollout) {
		for i, version := range []string{"v1.4.3", "v1.4.4"} {
			l.State.Queue = append(l.State.Queue, deployments.Queued{Release: deployments.Release{Version: version, Author: "Bob"}, At: before(time.Duration(5-i) * time.Minute)})
		}
	})
	add("silent", func(l *looked, _ *steps.Rollout) { l.Silent, l.Heard = before(12*time.Second), before(13*time.Second) })
	add("twelve_rules", func(l *looked, r *steps.Rollout) {
		for i := range 9 {
			name := "rule-" + strings.Repeat("x", 3*i+1)
			r.Plan.Rules = append(r.Plan.Rules, rules.Tolerance{Rule: name})
			for k := range 20 {
				l.read(name, before(time.Duration(20-k)*30*time.Second), analysis.Healthy, float64(k*i), 1e4, "", 0)
			}
		}
	})
	add("wide", func(l *looked, r *steps.Rollout) {
		r.Version, r.Stable = "バージョン一・四・二の非常に長い名前を持つリリース候補版その三十七番目の再構築", "🚀🎉 v1.4.1"
		l.State.Release.Author = "山田太郎 👩‍👩‍👧‍👦 ᄒ \u1112\u1161\u11ab é\u0301\u0302\u0303\u0304"
		r.Plan.Rules[0].Rule = "エラー率が五パーセントを超えないこと"
		for i := range l.Readings {
			if l.Readings[i].Rule == "error-rate" {
				l.Readings[i].Rule = r.Plan.Rules[0].Rule
			}
		}
		l.say(11, before(time.Minute), strings.Repeat("決定", 60))
	})
	add("long", func(l *looked, r *steps.Rollout) {
		l.Slot.Service = strings.Repeat("checkout-", 7)
		r.Version, r.Stable = strings.Repeat("1.4.2-", 20), strings.Repeat("1.4.1+", 20)
		l.State.Release.RunURL = "https://ci.example/" + strings.Repeat("path/", 60)
		r.Plan.Rules[1].Rule = strings.Repeat("p95-of-all-", 9)
		r.LastError = strings.Repeat("no route to host ", 40)
	})
	add("hostile", func(l *looked, r *steps.Rollout) {
		evil := "\x1b[2J\x1b]0;owned\x07\u202egnp.exe\u2066\u200b\u0000\r\n\t\x9b31m\u2028bad\xff"
		r.Version, r.Stable, r.LastError = evil+"v", evil, evil
		l.State.Release.Author, l.State.Release.RunURL = evil, evil
		r.Plan.Rules[0].Rule = evil
		l.Readings[0].Rule, l.Readings[0].Verdict, l.Readings[0].Reason = evil, analysis.Unhealthy, evil
		r.Hold = &steps.Hold{Reason: evil, Rules: []string{evil}, Since: before(time.Minute)}
		r.Failure = &steps.FailureState{Cause: steps.ByPerson, By: evil, Reason: evil, Else: evil, Actions: []steps.ActionState{{Action: steps.Action{Kind: steps.FlagOff, Key: evil}, How: evil, Confirmed: sceneNow}}}
		l.State.Queue = []deployments.Queued{{Release: deployments.Release{Version: evil, Author: evil}}}
		l.say(12, sceneNow, evil)
	})
	return out
}

// looks are the ways in which each scene is drawn.
var looks = map[string]struct {
	width  int
	colour bool
}{"80": {80, false}, "120": {120, false}, "80_colour": {80, true}, "120_colour": {120, true}}

func TestEveryStateOfARolloutIsDrawnAsInItsGoldenFile(t *testing.T) {
	drawn := map[string]func(int, bool) string{"all": func(width int, colour bool) string {
		var views []view
		for _, name := range []string{"baking_healthy", "audience", "holding", "reverting_unconfirmed", "promoted", "silent"} {
			views = append(views, newView(sceneNow, scenes()[name]))
		}
		return renderAll(views, width, colour)
	}, "none": func(width int, colour bool) string { return renderAll(nil, width, colour) }}
	for name, l := range scenes() {
		drawn[name] = func(width int, colour bool) string { return render(newView(sceneNow, l), width, colour) }
	}
	for name, draw := range drawn {
		for look, o := range looks {
			got := draw(o.width, o.colour)
			path := filepath.Join("testdata", "get", name+"_"+look+".txt")
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				continue
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("%s, %s: %s", name, look, diff)
			}
		}
	}
}

// uncoloured is a drawing without its colours.
func uncoloured(s string) string {
	for _, c := range []colour{bold, dim, red, green, yellow} {
		s = strings.ReplaceAll(s, "\x1b["+string(c)+"m", "")
	}
	return strings.ReplaceAll(s, "\x1b[0m", "")
}

// fits checks what holds of every drawing.
func fits(t *testing.T, drawn string, width int) {
	t.Helper()
	for _, line := range strings.Split(uncoloured(drawn), "\n") {
		if n := displayWidth(line); n > width {
			t.Errorf("%d columns of %d: %q", n, width, line)
		}
		moves := func(r rune) bool { return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) }
		if strings.ContainsFunc(line, moves) {
			t.Errorf("something in %q moves the cursor", line)
		}
	}
}

func TestNoLineIsWiderThanItsTerminal(t *testing.T) {
	for _, l := range scenes() {
		v := newView(sceneNow, l)
		for width := 20; width < 200; width++ {
			for _, colour := range []bool{true, false} {
				drawn := render(v, width, colour)
				fits(t, drawn, width)
				if !colour && strings.Contains(drawn, "\x1b") {
					t.Errorf("without colour there is an escape: %q", drawn)
				}
				fits(t, renderAll([]view{v, v}, width, colour), width)
			}
		}
	}
}

func TestColoursCarryNothingAlone(t *testing.T) {
	for name, l := range scenes() {
		v := newView(sceneNow, l)
		if diff := cmp.Diff(render(v, 100, false), uncoloured(render(v, 100, true))); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func FuzzDrawingsKeepTheirWidth(f *testing.F) {
	f.Add("v1.4.2", "error-rate", "no route to host", 80)
	f.Add("\x1b[2J漢字🚀", "\u202e\u0301\u0301\u0301\u0301", "a\xffb\u2028", 33)
	f.Fuzz(func(t *testing.T, version, rule, reason string, width int) {
		l := scene()
		r := l.State.Rollout
		r.Version, r.Plan.Rules[0].Rule, r.LastError = version, rule, reason
		r.Hold = &steps.Hold{Reason: reason, Rules: []string{rule}, Since: sceneNow}
		r.Failure = &steps.FailureState{Reason: reason, By: version, Actions: []steps.ActionState{{Action: steps.Action{Key: rule}, How: reason}}}
		l.Readings[0].Rule, l.Readings[0].Reason, l.Readings[0].Verdict = rule, reason, analysis.Unhealthy
		width = 20 + max(width, -width)%200
		fits(t, render(newView(sceneNow, l), max(width, 20), true), max(width, 20))
	})
}

func TestAViewIsJSON(t *testing.T) {
	for name, l := range scenes() {
		text, err := json.Marshal(newView(sceneNow, l))
		if err != nil || !json.Valid(text) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
