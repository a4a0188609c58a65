//go:build unix

package bench

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	natsjs "github.com/nats-io/nats.go/jetstream"

	"github.com/serin-cd/serin/analysis"
	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/deployments/jetstream"
	"github.com/serin-cd/serin/rules"
	"github.com/serin-cd/serin/steps"
)

// world is what the journal is filled with: live rollouts in their first step, which bakes for a day, some to a file of
// policies.
type world struct {
	Dir      string // of the server
	Rollouts int
	PerFile  int           // policies in one file: they share a hash, and so their instants
	Together bool          // all files share one phase: every rollout is due at the same instant
	Interval time.Duration // of every rule
}

// ruleCount and queryCount are those of one policy.
const ruleCount, queryCount = 3, 4

const policyText = `---
service: svc-%d
traffic: {version_flag: svc-%d-version}
steps: [{weight: 5, bake: 24h}, {weight: 25, bake: 10m}, {weight: 50, bake: 10m}, 100]
defaults: {interval: %s, window: 2m, for: 1m}
rules:
  - name: error-rate
    bad: http_requests_total{service="{{service}}",version="{{version}}",code=~"5.."}
    total: http_requests_total{service="{{service}}",version="{{version}}"}
    max: 5%%
    critical_max: 25%%
  - name: p99
    query: histogram_quantile(0.99, sum by (le) (rate(http_request_duration_seconds_bucket{service="{{service}}",version="{{version}}"}[{{window}}])))
    max: 0.5
  - name: saturation
    query: max(container_memory_working_set_bytes{service="{{service}}",version="{{version}}"} / 1e9)
    max: 0.9
`

// serveNATS is Serin's own server in a process of its own, filled.
func serveNATS() error {
	var w world
	if err := told(&w); err != nil {
		return err
	}
	ctx := context.Background()
	s, err := jetstream.Embed(ctx, jetstream.ServerOptions{Dir: w.Dir, Listen: "127.0.0.1:0"})
	if err != nil {
		return err
	}
	if err = w.fill(ctx, s); err == nil {
		err = tell(endpoint{s.URL(), s.Token()})
	}
	if err == nil {
		<-orphaned()
	}
	return errors.Join(err, s.Shutdown())
}

func (w world) fill(ctx context.Context, s *jetstream.Server) error {
	nc, err := s.Connect(ctx, jetstream.ClientOptions{})
	if err != nil {
		return err
	}
	defer nc.Close()
	js, err := natsjs.New(nc, natsjs.WithPublishAsyncMaxPending(1000))
	if err != nil {
		return err
	}
	if err := jetstream.Setup(ctx, js, jetstream.Layout{}); err != nil {
		return err
	}
	store, err := jetstream.OpenPolicies(ctx, js, jetstream.Names{})
	if err != nil {
		return err
	}
	for first := 0; first < w.Rollouts; first += w.PerFile {
		policies, text := w.file(first)
		if err := store.Put(ctx, policies[0].Hash, text); err != nil {
			return err
		}
		if err := publish(js, policies); err != nil {
			return err
		}
	}
	select {
	case <-js.PublishAsyncComplete():
		return nil
	case <-time.After(patience):
		return errors.New("the journal was not written")
	}
}

// file is a file of policies whose first service has that number.
func (w world) file(first int) ([]deployments.Policy, []byte) {
	var text strings.Builder
	for i := first; i < min(first+w.PerFile, w.Rollouts); i++ {
		fmt.Fprintf(&text, policyText, i, i, w.Interval)
	}
	for nonce := 0; ; nonce++ {
		file := fmt.Appendf(nil, "# %d\n%s", nonce, text.String())
		sum := sha256.Sum256(file)
		if w.Together && rules.Phase("", hex.EncodeToString(sum[:]), w.Interval) != 0 {
			continue
		}
		policies, findings := deployments.ParsePolicies("bench.yaml", file)
		if err := findings.Err(); err != nil {
			panic(err) // the text stands above
		}
		return policies, file
	}
}

// publish writes the last entry of a live rollout for each policy.
func publish(js natsjs.JetStream, policies []deployments.Policy) error {
	began := time.Now().UTC().Add(-10 * time.Minute)
	for _, p := range policies {
		e, err := live(p, began)
		if err != nil {
			return err
		}
		e.By, e.Op = "bench", "op-"+e.Rollout
		data, err := json.Marshal(e)
		if err != nil {
			return err
		}
		if _, err := js.PublishAsync(jetstream.Names{}.Entry(p.Slot.Partition(jetstream.EmbeddedPartitions), p.Slot), data, natsjs.WithStallWait(patience)); err != nil {
			return err
		}
	}
	return nil
}

// live is a rollout by a policy that bakes in its first step, and has read each of its rules once.
func live(p deployments.Policy, at time.Time) (deployments.Entry, error) {
	e := deployments.Entry{Slot: p.Slot, State: deployments.State{Stable: "v1.4.1"}}
	rel := deployments.Release{Slot: p.Slot, ID: "r-" + p.Service, Version: "v1.4.2", Author: "someone", RunURL: "https://ci.example/runs/1042"}
	e, err := e.Admit(at, rel, deployments.Accepted, "", p, false)
	for err == nil {
		r := e.State.Rollout
		if r.Phase == steps.Baking && !slices.ContainsFunc(r.Rules, func(s steps.RuleState) bool { return !s.Seen }) {
			return e, nil
		}
		var changed bool
		if e, changed, err = e.Decide(at, input(*r, p, at)); err == nil && !changed {
			err = fmt.Errorf("%s stays %s", p.Slot, r.Phase)
		}
	}
	return e, err
}

// input is what a rollout waits for.
func input(r steps.Rollout, p deployments.Policy, at time.Time) steps.Input {
	for _, effect := range r.Pending() {
		switch effect := effect.(type) {
		case steps.Probe:
			return steps.Applied{Seq: effect.Seq, Target: steps.Ready, Confirmed: true, How: "its series are there"}
		case steps.Expose:
			return steps.Applied{Seq: effect.Seq, Target: effect.Target, Observed: effect.Exposure.Share, Confirmed: true, How: "read back"}
		case steps.Measure:
			m := steps.Measured{At: at, Seq: effect.Seq}
			for _, rule := range p.Rules {
				m.Verdicts = append(m.Verdicts, analysis.Judgement{Rule: rule.Name, Verdict: analysis.Healthy, Data: true, Reading: analysis.Reading{At: at}})
			}
			return m
		}
	}
	return steps.Tick{}
}
