package main

import (
	"bytes"
	"context"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	natsjs "github.com/nats-io/nats.go/jetstream"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/deployments/jetstream"
	"github.com/serin-cd/serin/steps"
)

var ten = time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)

// past is a journal in a data directory, which commands find by --data.
type past struct {
	t    *testing.T
	dir  string
	env  Env
	out  *bytes.Buffer
	js   natsjs.JetStream
	j    *jetstream.Journal
	last deployments.Entry
}

func newPast(t *testing.T) *past {
	p := &past{t: t, dir: t.TempDir(), out: &bytes.Buffer{}}
	p.env = Env{Stdout: p.out, Stderr: p.out, Getenv: func(string) string { return "" }, Now: func() time.Time { return ten.Add(2 * time.Hour) }, Dir: p.dir}
	s, err := jetstream.Embed(t.Context(), jetstream.ServerOptions{Dir: filepath.Join(p.dir, "data"), Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Shutdown() })
	nc, err := s.Connect(t.Context(), jetstream.ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	if p.js, err = natsjs.New(nc); err != nil {
		t.Fatal(err)
	}
	if err = jetstream.Setup(t.Context(), p.js, jetstream.Layout{}); err != nil {
		t.Fatal(err)
	}
	if p.j, err = jetstream.OpenJournal(t.Context(), p.js, jetstream.Names{}, nil); err != nil {
		t.Fatal(err)
	}
	return p
}

// write appends a state of a rollout of checkout, minutes after ten.
func (p *past) write(minute int, r steps.Rollout) {
	p.t.Helper()
	at := ten.Add(time.Duration(minute) * time.Minute)
	if r.Phase == steps.Ended {
		r.EndedAt = at
	}
	e := deployments.Entry{V: deployments.EntryVersion, Logic: deployments.Logic, Slot: deployments.Slot{Environment: "production", Service: "checkout"},
		Rev: p.last.Rev + 1, After: p.last.Sequence, At: at, Op: at.String(), Rollout: r.ID, State: deployments.State{Rollout: &r}}
	var err error
	if e.Sequence, err = p.j.Append(p.t.Context(), e); err != nil {
		p.t.Fatal(err)
	}
	p.last = e
}

// story is a release that is promoted, one that is taken back at 25 %, and the fix, which is on its way.
func (p *past) story() {
	good := steps.Rollout{ID: "checkout-1.0-aa", Version: "1.0", Phase: steps.Pending}
	p.write(0, good)
	good.Phase, good.Confirmed = steps.Ended, steps.All
	good.Outcome = steps.Promoted
	p.write(10, good)
	bad := steps.Rollout{ID: "checkout-1.1-bb", Version: "1.1", Stable: "1.0", Phase: steps.Pending}
	p.write(20, bad)
	bad.Phase, bad.Confirmed = steps.Baking, steps.Percent(5)
	p.write(21, bad)
	bad.Confirmed = steps.Percent(25)
	p.write(25, bad)
	bad.Failure = &steps.FailureState{Cause: steps.ByRules, Rules: []string{"error-rate"}, Reason: "18 % > 5 %", At: ten}
	bad.Phase, bad.Confirmed, bad.Outcome, bad.Cause = steps.Ended, 0, steps.Restored, steps.ByRules
	p.write(31, bad)
	fix := steps.Rollout{ID: "checkout-1.2-cc", Version: "1.2", Stable: "1.0", Phase: steps.Pending}
	p.write(60, fix)
	fix.Phase, fix.Confirmed = steps.Baking, steps.Percent(5)
	p.write(61, fix)
}

// dispatched lets the daemon's parts catch up: events first, then summaries.
func (p *past) dispatched() {
	p.t.Helper()
	ctx, cancel := context.WithCancel(p.t.Context())
	done := make(chan error, 2)
	dispatch := jetstream.Dispatch{JS: p.js, Journal: p.j}
	go func() { done <- dispatch.Run(ctx, deployments.Events) }()
	go func() { done <- jetstream.Summaries{JS: p.js, Journal: p.j}.Run(ctx) }()
	for {
		owed := uint64(0)
		s, err := p.js.Stream(ctx, "SERIN_JOURNAL")
		if err != nil {
			p.t.Fatal(err)
		}
		consumers := s.ListConsumers(ctx)
		for c := range consumers.Info() {
			owed += c.NumPending + uint64(c.NumAckPending)
		}
		if consumers.Err() == nil && owed == 0 {
			break
		}
	}
	cancel()
	<-done
	<-done
}

func (p *past) history(args ...string) string {
	p.t.Helper()
	p.out.Reset()
	if code := run(p.t.Context(), append([]string{"history", "checkout", "--data", "data"}, args...), p.env); code != exitOK {
		p.t.Fatalf("exit status %d: %s", code, p.out)
	}
	return p.out.String()
}

const pastOfCheckout = `BEGAN (UTC)          VERSION  FROM  OUTCOME       CAUSE  REACHED   TOOK    RESTORE  FAILED RULES
2026-11-20 11:00:00  1.2      1.0   live: baking  -      5 %       1h0m0s  -        -
2026-11-20 10:20:00  1.1      1.0   restored      rules  5 → 25 %  11m0s   -        error-rate
2026-11-20 10:00:00  1.0      -     promoted      -      100 %     10m0s   -        -
`

func TestHistoryTellsTheSameAfterThePurge(t *testing.T) {
	p := newPast(t)
	p.story()
	p.dispatched()
	if diff := cmp.Diff(pastOfCheckout, p.history()); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
	r := jetstream.Retention{JS: p.js, Journal: p.j, Keep: jetstream.DefaultRetention, Now: func() time.Time { return time.Now().Add(401 * 24 * time.Hour) }}
	swept, err := r.Sweep(t.Context())
	if err != nil || swept.Rollouts != 2 {
		t.Fatalf("%+v, %v, want 2 purged", swept, err)
	}
	if diff := cmp.Diff(pastOfCheckout, p.history()); diff != "" {
		t.Errorf("after the purge: want -, got +:\n%s", diff)
	}
	var all []deployments.Summary
	if err := json.Unmarshal([]byte(p.history("-o", "json", "-n", "2")), &all); err != nil {
		t.Fatal(err)
	}
	if len(all) != 2 || all[0].Phase != steps.Baking || all[1].Reason != "18 % > 5 %" {
		t.Errorf("as JSON: %+v", all)
	}
}

func TestHistoryShowsARolloutThatHasJustEndedOnce(t *testing.T) {
	p := newPast(t)
	r := steps.Rollout{ID: "checkout-1.0-aa", Version: "1.0", Phase: steps.Pending}
	p.write(0, r)
	r.Phase, r.Outcome = steps.Ended, steps.NeverExposed
	r.Failure = &steps.FailureState{Cause: steps.ByPerson, By: "ana", Reason: "wrong image", At: ten}
	p.write(1, r)
	before := p.history() // no summary is written yet
	p.dispatched()
	if after := p.history(); before != after || strings.Count(after, "never_exposed") != 1 {
		t.Errorf("before its summary:\n%safter:\n%s", before, after)
	}
}

func TestHistoryRefusesWhatItCannotTell(t *testing.T) {
	p := newPast(t)
	for _, tt := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"history", "checkout", "--data", "data"}, exitNo, "production/checkout has had no rollouts yet"},
		{[]string{"history", "checkout", "--data", "data", "-o", "json"}, exitOK, "[]"},
		{[]string{"history", "checkout", "--data", "data", "-n", "0"}, exitUsage, "show at least 1"},
		{[]string{"history", "checkout", "-o", "xml"}, exitUsage, "not one of text, json"},
		{[]string{"history", "check out"}, exitUsage, "is not a name"},
		{[]string{"history", "checkout", "--data", "elsewhere"}, exitUnreachable, "no serin runs on"},
		{[]string{"history"}, exitUsage, "accepts 1 arg"},
	} {
		p.out.Reset()
		if code := run(t.Context(), tt.args, p.env); code != tt.code || !strings.Contains(p.out.String(), tt.says) {
			t.Errorf("%v: exit status %d, want %d: %s", tt.args, code, tt.code, p.out)
		}
	}
}

func TestRetentionIsReadInDays(t *testing.T) {
	for text, want := range map[string]time.Duration{"400d": jetstream.DefaultRetention, "1h": time.Hour, "0": 0, "1y": 365 * 24 * time.Hour} {
		if d, err := keepFor(text); err != nil || d != want {
			t.Errorf("%s: %v, %v, want %v", text, d, err, want)
		}
	}
	for _, text := range []string{"", "400", "-1d", "59m", "forever"} {
		if d, err := keepFor(text); err == nil {
			t.Errorf("%q is %v, want a refusal", text, d)
		}
	}
}
