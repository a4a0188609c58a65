package deployments_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/steps"
)

func TestAReleaseThatIsNotReadyInTimeNeverHasTraffic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.unready = func() string { return "no series" }
		began := time.Now()
		w.release("1.1.0")
		w.run("one", time.Hour)
		w.replay()
		r := w.last().State.Rollout
		if r.Outcome != steps.NeverExposed || r.Cause != steps.NotReady || w.exposes > 0 {
			t.Fatalf("%s %s after %d exposures", r.Outcome, r.Cause, w.exposes)
		}
		if after := r.EndedAt.Sub(began); after < 5*time.Minute || after > 5*time.Minute+time.Second {
			t.Errorf("it ended after %v", after)
		}
		if diff := cmp.Diff([]string{"release.accepted", "rollout.not_ready"}, names(w.events())); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		if e := w.events()[1]; !strings.Contains(e.Data.Reason, "not ready within 5m0s: no series") || e.Severity != deployments.Warning {
			t.Errorf("%s: %s", e.Severity, e.Data.Reason)
		}
		w.unready = nil
		if w.release("1.1.1"); w.last().State.Rollout.Version != "1.1.1" {
			t.Error("the slot is not free for the next release")
		}
	})
}

func TestTheFirstExposureWaitsUntilTheReleaseIsReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		began := time.Now()
		w.unready = func() string {
			if time.Since(began) < 3*time.Minute {
				return "no series"
			}
			return ""
		}
		w.release("1.1.0")
		w.run("one", time.Hour)
		w.replay()
		r := w.last().State.Rollout
		if r.Outcome != steps.Promoted {
			t.Fatalf("%s: %s", r.Phase, w.last().Note)
		}
		if wait := r.FirstExposed.Sub(began); wait < 3*time.Minute || wait > 3*time.Minute+11*time.Second {
			t.Errorf("first exposed after %v", wait)
		}
	})
}

func TestRetryAsksAtOnceWhetherTheReleaseIsReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var asked atomic.Int64
		w.unready = func() string { asked.Add(1); return "no series" }
		w.release("1.1.0")
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- w.worker("one").Run(ctx) }()
		time.Sleep(2*time.Minute + time.Millisecond) // by now ten seconds lie between two questions
		synctest.Wait()
		before := asked.Load()
		if _, err := w.worker("other").Order(ctx, slot, steps.Command{Verb: steps.Retry, By: "ada"}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if asked.Load() == before {
			t.Error("nobody asked")
		}
		cancel()
		<-done
	})
}

func TestReadyAsksAURL(t *testing.T) {
	for version, want := range map[string]struct {
		url     string
		outcome steps.Outcome
	}{
		"1.1.0":        {"http://checkout-1.1.0.internal/healthz", steps.Promoted},
		"1@evil.com:1": {"", steps.NeverExposed},
	} {
		t.Run(version, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.policy += `ready: {http: "http://checkout-{{ version }}.internal/healthz", within: 30s}` + "\n"
				var asked []string
				w.reach = func(_ context.Context, url string) error {
					if asked = append(asked, url); len(asked) < 3 {
						return errors.New("connection refused")
					}
					return nil
				}
				w.release(version)
				w.run("one", time.Hour)
				if r := w.last().State.Rollout; r.Outcome != want.outcome {
					t.Fatalf("%s: %s", r.Phase, w.last().Note)
				}
				if want.url != "" && !slices.Equal(asked, []string{want.url, want.url, want.url}) || want.url == "" && len(asked) > 0 {
					t.Errorf("asked %q", asked)
				}
			})
		})
	}
}

func TestADeployerIsNotGivenAFirstReleaseUnlessThePolicyAllowsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.policy = strings.Replace(w.policy, "version_flag: checkout-version", "event: deployer", 1)
		_, err := w.worker("intake").Accept(t.Context(), deployments.Release{Slot: slot, ID: "first", Version: "1.1.0"})
		if deployments.Refusal(err) != "first_release" || !strings.Contains(err.Error(), "first_release: allow") {
			t.Errorf("refused with %v", err)
		}
		if e := w.last(); e.State.Rollout != nil || !slices.Contains(names(w.events()), "release.rejected") {
			t.Errorf("%+v", e.State.Rollout)
		}
		w.policy += "first_release: allow\n"
		if w.release("1.1.0"); w.last().State.Rollout == nil {
			t.Error("refused although the policy allows it")
		}
	})
}

func TestWhatAPolicySaysAboutReadiness(t *testing.T) {
	if ps, findings := deployments.ParsePolicies("p.yaml", []byte("service: a\ntraffic: {version_flag: a}\nrules: [{name: up, query: up, min: 1}]")); len(findings) > 0 || ps[0].Plan.ReadyWithin != 0 {
		t.Errorf("no rule names the version, and it may take %v to be ready: %v", ps[0].Plan.ReadyWithin, findings)
	}
	for text, want := range map[string]struct {
		within      time.Duration
		query, http string
	}{
		"":                     {5 * time.Minute, "", ""},
		"ready: none":          {0, "", ""},
		"ready: {within: 90s}": {90 * time.Second, "", ""},
		`ready: {query: 'up{version="{{version}}"} == 1'}`:      {5 * time.Minute, `up{version="{{version}}"} == 1`, ""},
		"ready: {http: 'https://x-{{version}}/z', within: 10m}": {10 * time.Minute, "", "https://x-{{version}}/z"},
	} {
		ps, findings := deployments.ParsePolicies("p.yaml", []byte(policyText+text))
		if findings.Err() != nil {
			t.Errorf("%s: %v", text, findings)
			continue
		}
		p := ps[0]
		if p.Plan.ReadyWithin != want.within || p.Ready.Query.Text() != want.query || p.Ready.HTTP != want.http {
			t.Errorf("%s: within %v, query %q, http %q", text, p.Plan.ReadyWithin, p.Ready.Query.Text(), p.Ready.HTTP)
		}
	}
}
