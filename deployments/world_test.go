package deployments_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/serin-cd/serin/analysis"
	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/deployments/journaltest"
	"github.com/serin-cd/serin/flags"
	"github.com/serin-cd/serin/flags/flagstest"
	"github.com/serin-cd/serin/steps"
)

var slot = deployments.Slot{Environment: "production", Service: "checkout"}

const policyText = `service: checkout
traffic: {version_flag: checkout-version}
steps: [{weight: 5, bake: 1m}, {weight: 25, bake: 1m}, {weight: 100, bake: 1m}]
defaults: {interval: 10s, window: 20s, for: 20s}
rules:
  - name: errors
    bad: http_requests_total{service="{{service}}",version="{{version}}",code=~"5.."}
    total: http_requests_total{service="{{service}}",version="{{version}}"}
    max: 5%
`

// world is everything outside the workers. It outlives them.
type world struct {
	t       *testing.T
	journal *journaltest.Memory
	flags   *flagstest.Memory
	policy  string
	verdict func(version string, share int) analysis.Judgement
	share   func() (float64, bool) // the measured share of the new version
	unready func() string          // why a condition does not hold
	reach   func(context.Context, string) error

	mu      sync.Mutex
	exposes int
	onCall  func(n int) error // after the nth expose
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, journal: &journaltest.Memory{}, flags: &flagstest.Memory{}, policy: policyText}
	w.verdict = func(string, int) analysis.Judgement { return analysis.Judgement{Verdict: analysis.Healthy, Data: true} }
	f, err := flags.Parse("checkout-version", []byte(`{"state":"ENABLED","variants":{"1.0.0":"1.0.0"},"defaultVariant":"1.0.0","targeting":{}}`))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.flags.Update(t.Context(), "production.checkout-version", f, 0); err != nil {
		t.Fatal(err)
	}
	return w
}

// worker is a new worker on the world.
func (w *world) worker(name string) *deployments.Worker {
	return &deployments.Worker{
		Name: name, Journal: w.journal, Leases: always{}, Reach: w.reach, Policies: policies{w}, Analyst: analyst{w},
		Exposers: map[steps.MoverKind]deployments.Exposer{
			steps.VersionFlag: counting{w, deployments.FlagExposer{Open: w.ownFlags}},
			steps.FeatureFlag: counting{w, deployments.FlagExposer{Open: w.ownFlags}},
			steps.EventMover:  asked{},
			steps.Observe:     asked{},
		},
		Metrics: deployments.NewMetrics(prometheus.NewRegistry()), Now: time.Now, Log: slog.New(slog.DiscardHandler), Capacity: 1,
	}
}

// served is the flag's share of a version and its default.
func (w *world) served(version string) (share int, def string) {
	f, _, err := w.flags.Get(w.t.Context(), "production.checkout-version")
	if err != nil {
		w.t.Fatal(err)
	}
	def, _ = f.Default()
	if m := f.Mark(); m.Variant == version {
		share = m.Share
	}
	return share, def
}

func (w *world) last() deployments.Entry {
	e, err := w.journal.Last(context.Background(), slot)
	if err != nil {
		w.t.Fatal(err)
	}
	return e
}

// events are those of the whole journal.
func (w *world) events() []deployments.Event {
	var out []deployments.Event
	prev := deployments.Entry{}
	for _, e := range w.journal.Entries() {
		out = append(out, deployments.Events(prev, e)...)
		prev = e
	}
	return out
}

// always hands out its one partition for as long as it is wanted.
type always struct{}

func (always) Hold(ctx context.Context, _ int, hold func(context.Context, int)) error {
	var wg sync.WaitGroup
	for p := range journaltest.Partitions {
		wg.Go(func() { hold(ctx, p) })
	}
	wg.Wait()
	return nil
}

type policies struct{ w *world }

func (policies) Put(context.Context, string, []byte) error { return nil }
func (p policies) Policy(context.Context, string) ([]byte, error) {
	return []byte(p.w.policy), nil
}
func (policies) Offer(context.Context, deployments.Slot, string) error { return nil }
func (p policies) Offered(_ context.Context, s deployments.Slot) (string, error) {
	ps, findings := deployments.ParsePolicies("policy.yaml", []byte(p.w.policy))
	if err := findings.Err(); err != nil {
		return "", err
	}
	if s != slot {
		return "", deployments.ErrNoPolicy
	}
	return ps[0].Hash, nil
}

// analyst judges as the world says, by what the flag serves at that moment.
type analyst struct{ w *world }

func (a analyst) Measure(_ context.Context, rs []analysis.Request, at time.Time) []analysis.Judgement {
	out := make([]analysis.Judgement, len(rs))
	for i, r := range rs {
		share, _ := a.w.served(r.Vars.Version)
		out[i] = a.w.verdict(r.Vars.Version, share)
		out[i].Rule, out[i].Reading.At = r.Rule.Name, at
	}
	return out
}

func (a analyst) Shares(_ context.Context, rs []analysis.Request, at time.Time) []analysis.MeasuredShare {
	out := make([]analysis.MeasuredShare, len(rs))
	for i := range rs {
		out[i] = analysis.MeasuredShare{At: at, Window: time.Minute, Why: "not measured here"}
		if a.w.share != nil {
			out[i].Share, out[i].OK = a.w.share()
		}
	}
	return out
}

func (a analyst) Holds(_ context.Context, conditions []analysis.Query, _ time.Time) string {
	if len(conditions) == 0 || a.w.unready == nil {
		return ""
	}
	return a.w.unready()
}

// counting counts calls, and may fail after them.
type counting struct {
	w *world
	deployments.FlagExposer
}

func (c counting) Expose(ctx context.Context, w deployments.Wish) (steps.Observed, error) {
	o, err := c.FlagExposer.Expose(ctx, w)
	c.w.mu.Lock()
	c.w.exposes++
	n, hook := c.w.exposes, c.w.onCall
	c.w.mu.Unlock()
	if hook != nil {
		if err := hook(n); err != nil {
			return steps.Observed{}, err
		}
	}
	return o, err
}

// ownFlags are those of Serin, whatever the policy says.
func (w *world) ownFlags(*flags.Source) (flags.Store, flags.Confirmer, error) {
	return w.flags, reread{w.flags}, nil
}

// reread confirms from the store: the path of its own is tested where it exists.
type reread struct{ store flags.Store }

func (r reread) Confirm(ctx context.Context, key string, want flags.Want) (flags.Confirmation, error) {
	f, revision, err := r.store.Get(ctx, key)
	if err != nil {
		return flags.Confirmation{}, err
	}
	if m := f.Mark(); revision < want.Revision || m.Share != want.Share || m.Base != want.Base {
		return flags.Confirmation{Outcome: flags.Mismatch, Detail: "something else is served"}, nil
	}
	return flags.Confirmation{Outcome: flags.Confirmed, Share: want.Share, Users: 64}, nil
}

// asked is a deployer that says nothing by itself.
type asked struct{}

func (asked) Expose(context.Context, deployments.Wish) (steps.Observed, error) {
	return steps.Observed{}, nil
}

var errCrash = errors.New("the worker is dead")
