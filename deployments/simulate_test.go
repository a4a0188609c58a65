package deployments_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-cd/serin/analysis"
	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/steps"
)

// midnight is when simulations begin.
var midnight = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// oracle judges all requests of an instant alike.
type oracle struct {
	judge func(at time.Duration, r analysis.Request) analysis.Verdict
	holds func(at time.Duration) string
}

func (o oracle) Measure(_ context.Context, rs []analysis.Request, at time.Time) []analysis.Judgement {
	var out []analysis.Judgement
	for _, r := range rs {
		v := o.judge(at.Sub(midnight), r)
		out = append(out, analysis.Judgement{Rule: r.Rule.Name, Verdict: v, Data: v != analysis.Outage, Reason: "so it is", Reading: analysis.Reading{At: at}})
	}
	return out
}

func (o oracle) Shares(_ context.Context, rs []analysis.Request, at time.Time) []analysis.MeasuredShare {
	return make([]analysis.MeasuredShare, len(rs))
}

func (o oracle) Holds(_ context.Context, _ []analysis.Query, at time.Time) string {
	if o.holds == nil {
		return ""
	}
	return o.holds(at.Sub(midnight))
}

func unchanging(v analysis.Verdict) oracle {
	return oracle{judge: func(time.Duration, analysis.Request) analysis.Verdict { return v }}
}

func simulate(t *testing.T, policy string, o oracle, change func(*deployments.Script)) deployments.Simulated {
	t.Helper()
	policies, findings := deployments.ParsePolicies("p.yaml", []byte(policy))
	if err := findings.Err(); err != nil {
		t.Fatal(err)
	}
	s := deployments.Script{Release: deployments.Release{Slot: slot, ID: "r", Version: "1.1.0"}, Stable: "1.0.0", At: midnight, Until: midnight.Add(time.Hour)}
	if change != nil {
		change(&s)
	}
	out, err := deployments.Simulate(t.Context(), policies[0], o, s)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// told is the story of a simulation: times and notes.
func told(s deployments.Simulated) []string {
	var out []string
	for _, e := range s.Entries {
		out = append(out, fmt.Sprintf("%v %s", e.At.Sub(midnight), e.Note))
	}
	return out
}

func TestASimulationTakesAReleaseThroughItsSteps(t *testing.T) {
	got := told(simulate(t, policyText, unchanging(analysis.Healthy), nil))
	want := []string{
		"0s release 1.1.0 accepted", "0s requesting 5 %", "0s 5 % confirmed", "10s errors has data",
		"1m0s requesting 25 %", "1m0s 25 % confirmed", "2m0s requesting 100 %", "2m0s 100 % confirmed", "3m0s promoted",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestASimulationTakesABadReleaseBack(t *testing.T) {
	bad := oracle{judge: func(at time.Duration, r analysis.Request) analysis.Verdict {
		if at >= 70*time.Second && r.Vars.Version == "1.1.0" {
			return analysis.Unhealthy
		}
		return analysis.Healthy
	}}
	s := simulate(t, policyText, bad, func(s *deployments.Script) { s.ConfirmAfter = 5 * time.Second })
	end := s.Entries[len(s.Entries)-1].State.Rollout
	if end.Outcome != steps.Restored || end.Cause != steps.ByRules || end.EndedAt.Sub(midnight) != 100*time.Second {
		t.Errorf("%s %s at %v:\n%s", end.Outcome, end.Cause, end.EndedAt.Sub(midnight), strings.Join(told(s), "\n"))
	}
}

// A change of the policy's text makes another hash, and a real worker other instants.
func TestInstantsDoNotDependOnThePolicysText(t *testing.T) {
	one := simulate(t, policyText, unchanging(analysis.Healthy), nil)
	two := simulate(t, "# a comment\n"+policyText, unchanging(analysis.Healthy), nil)
	if diff := cmp.Diff(told(one), told(two)); diff != "" {
		t.Errorf("(-one +two):\n%s", diff)
	}
	for _, r := range one.Rounds {
		if r.At.Sub(midnight)%(10*time.Second) != 0 {
			t.Errorf("read at %v", r.At.Sub(midnight))
		}
	}
}

func TestLooksSeeWhatIsDecidedOnAndDecideNothing(t *testing.T) {
	plain := simulate(t, policyText, unchanging(analysis.Healthy), nil)
	looked := simulate(t, policyText, unchanging(analysis.Healthy), func(s *deployments.Script) {
		s.Looks = []time.Time{midnight, midnight.Add(15 * time.Second), midnight.Add(time.Minute), midnight.Add(time.Hour)}
	})
	if diff := cmp.Diff(told(plain), told(looked)); diff != "" {
		t.Errorf("looks changed the course (-plain +looked):\n%s", diff)
	}
	var got []string
	for _, l := range looked.Looks {
		got = append(got, fmt.Sprintf("%v %d %s", l.At.Sub(midnight), len(l.Judgements), l.Why))
	}
	want := []string{"0s 0 the new version has no confirmed traffic yet", "15s 1 ", "1m0s 1 ", "1h0m0s 0 the rollout ended 3m0s after the release, promoted"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAnUnreadyVersionIsAskedAgainUntilItIsTooLate(t *testing.T) {
	late := unchanging(analysis.Healthy)
	late.holds = func(at time.Duration) string {
		if at < 30*time.Second {
			return "no series"
		}
		return ""
	}
	if got := told(simulate(t, policyText, late, nil)); !strings.HasSuffix(got[2], "requesting 5 %") || got[2] < "30s" {
		t.Errorf("story %q", got)
	}
	late.holds = func(time.Duration) string { return "no series" }
	got := told(simulate(t, policyText, late, nil))
	if want := "5m0s never exposed not ready"; got[len(got)-1] != want {
		t.Errorf("story %q", got)
	}
}

func TestOrdersAndNewerReleasesHappenInTheSimulation(t *testing.T) {
	for name, tt := range map[string]struct {
		happening deployments.Happening
		want      steps.Cause
	}{
		"abort":         {deployments.Happening{Command: steps.Command{Verb: steps.Abort, By: "kim"}}, steps.ByPerson},
		"newer release": {deployments.Happening{Release: deployments.Release{Slot: slot, ID: "n", Version: "1.2.0"}}, steps.BySuperseded},
	} {
		t.Run(name, func(t *testing.T) {
			s := simulate(t, policyText, unchanging(analysis.Healthy), func(s *deployments.Script) {
				tt.happening.At = midnight.Add(35 * time.Second)
				s.Happenings = []deployments.Happening{tt.happening}
			})
			end := s.Entries[len(s.Entries)-1].State.Rollout
			if end.Cause != tt.want || end.EndedAt.Sub(midnight) != 35*time.Second {
				t.Errorf("cause %q, want %q:\n%s", end.Cause, tt.want, strings.Join(told(s), "\n"))
			}
		})
	}
}

func TestARefusedReleaseIsAnError(t *testing.T) {
	policies, _ := deployments.ParsePolicies("p.yaml", []byte(strings.Replace(policyText, "version_flag: checkout-version", "event: deployer", 1)))
	_, err := deployments.Simulate(t.Context(), policies[0], unchanging(analysis.Healthy),
		deployments.Script{Release: deployments.Release{Slot: slot, ID: "r", Version: "1.1.0"}, At: midnight, Until: midnight.Add(time.Hour)})
	if deployments.Refusal(err) != "first_release" {
		t.Errorf("error %v", err)
	}
}

func TestACancelledSimulationEnds(t *testing.T) {
	policies, _ := deployments.ParsePolicies("p.yaml", []byte(policyText))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := deployments.Simulate(ctx, policies[0], unchanging(analysis.Healthy),
		deployments.Script{Release: deployments.Release{Slot: slot, ID: "r", Version: "1.1.0"}, At: midnight, Until: midnight.Add(time.Hour)})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}
