package main

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/deployments/examples"
	"github.com/serin-cd/serin/rules"
	"github.com/serin-cd/serin/steps"
)

func TestTheDemosPolicyHasNothingToBeSaidAgainst(t *testing.T) {
	policies, findings := deployments.ParsePolicies("demo.yaml", []byte(examples.Demo()))
	if len(findings) > 0 {
		t.Fatalf("findings: %v", findings)
	}
	for _, r := range policies[0].Rules {
		if r.For < 2*r.Schedule.Every() {
			t.Errorf("rule %s: for %v is less than two intervals of %v", r.Name, r.For, r.Schedule.Every())
		}
	}
}

func TestSpeedDividesTheTimesOfTheDemosPolicy(t *testing.T) {
	type times struct {
		Bakes                 []time.Duration
		Interval, Window, For time.Duration
		Recovery              time.Duration
	}
	of := func(speed float64) times {
		t.Helper()
		file, err := demoPolicy(speed)
		if err != nil {
			t.Fatal(err)
		}
		p := file.policies[0]
		out := times{Recovery: p.Plan.Recovery}
		for _, s := range p.Plan.Steps {
			out.Bakes = append(out.Bakes, s.Bake)
		}
		for _, r := range p.Rules {
			out.Interval, out.Window, out.For = r.Schedule.Every(), r.Window, r.For
		}
		return out
	}
	tests := map[string]struct {
		speed float64
		want  times
	}{
		"as written": {1, times{[]time.Duration{5 * time.Second, 5 * time.Second, 5 * time.Second, 5 * time.Second}, time.Second, 4 * time.Second, 2 * time.Second, 30 * time.Second}},
		"fastest":    {fastestDemo, times{[]time.Duration{time.Second, time.Second, time.Second, time.Second}, 200 * time.Millisecond, 800 * time.Millisecond, 400 * time.Millisecond, 30 * time.Second}},
		"slower":     {0.5, times{[]time.Duration{10 * time.Second, 10 * time.Second, 10 * time.Second, 10 * time.Second}, 2 * time.Second, 8 * time.Second, 4 * time.Second, 30 * time.Second}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, of(tt.speed)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestNoFaultBeginsBeforeTheSecondStep(t *testing.T) {
	file, err := demoPolicy(1)
	if err != nil {
		t.Fatal(err)
	}
	for name, f := range demoFaults() {
		if first := file.policies[0].Plan.Steps[0].Share; name != "none" && steps.Share(f.FromShare) <= first {
			t.Errorf("%s begins at %d, the first step is %v", name, f.FromShare, first)
		}
	}
	if file.policies[0].Rules[0].OnFail != rules.Rollback {
		t.Error("the first rule does not roll back")
	}
}
