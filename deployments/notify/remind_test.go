package notify_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/deployments/notify"
	"github.com/serin-cd/serin/deployments/notify/slacktest"
	"github.com/serin-cd/serin/steps"
)

// inMemory is a transport that answers without a network, as synctest needs it.
type inMemory struct{ http.Handler }

func (h inMemory) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result(), nil
}

// desk is a receiver of a webhook, told by several workers, and the state of a slot.
type desk struct {
	mu    sync.Mutex
	told  []string
	fails bool
	state deployments.State
}

func (d *desk) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var m notify.Message
	_ = json.NewDecoder(r.Body).Decode(&m)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fails {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	d.told = append(d.told, time.Since(epoch).Truncate(time.Minute).String()+" "+m.Text)
}

// epoch is when time begins in a synctest bubble.
var epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

func (d *desk) is(s deployments.State) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.state = s
}

func (d *desk) worker(t *testing.T, memory notify.List) *notify.Teller {
	t.Helper()
	teller, err := notify.Open(notify.Receiver{Name: "deploys", Kind: notify.SlackWebhook, URL: "http://slack.example/hook", Repeat: 30 * time.Minute}, notify.Options{
		Memory: memory, HTTP: &http.Client{Transport: inMemory{d}},
		State: func(context.Context, deployments.Slot) (deployments.State, error) {
			d.mu.Lock()
			defer d.mu.Unlock()
			return d.state, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return teller
}

func awaiting() deployments.State {
	return deployments.State{Rollout: &steps.Rollout{ID: "checkout-1.4.2-7f3a", Phase: steps.AwaitingApproval, Step: 1}}
}

func asked() deployments.Event {
	return event("approval.requested", func(e *deployments.Event) { e.Severity, e.Time = deployments.Warning, time.Now() })
}

// running runs the reminders of workers until the test's time is over.
func running(t *testing.T, workers ...*notify.Teller) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for _, w := range workers {
		all.Go(func() { _ = w.Run(ctx) })
	}
	return func() { cancel(); all.Wait() }
}

// distant is a memory that answers late: others read the same meanwhile.
type distant struct{ *notify.Brief }

func (d distant) Load(ctx context.Context, key string) ([]byte, uint64, error) {
	value, revision, err := d.Brief.Load(ctx, key)
	time.Sleep(10 * time.Millisecond)
	return value, revision, err
}

func TestWhatWaitsForAPersonIsToldAgainByOneOfAllWorkers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, memory := &desk{state: awaiting()}, distant{&notify.Brief{}}
		workers := []*notify.Teller{d.worker(t, memory), d.worker(t, memory), d.worker(t, memory)}
		stop := running(t, workers...)
		if err := workers[0].Deliver(t.Context(), asked()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(45 * time.Minute)
		stop() // all workers are restarted
		stop = running(t, d.worker(t, memory), d.worker(t, memory))
		time.Sleep(50 * time.Minute)
		d.is(deployments.State{Rollout: &steps.Rollout{ID: "checkout-1.4.2-7f3a", Phase: steps.Shifting, Step: 2}})
		time.Sleep(5 * time.Hour)
		stop()
		first, still := "✋ checkout 1.4.2 waits for approval at 25 %", "✋ Still: checkout 1.4.2 waits for approval at 25 %"
		if diff := cmp.Diff([]string{"0s " + first, "30m0s " + still, "1h0m0s " + still, "1h30m0s " + still}, d.told); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if keys, _ := memory.Keys(t.Context(), "waits."); len(keys) > 0 {
			t.Errorf("remembered for ever: %q", keys)
		}
	})
}

func TestAReminderThatIsNotTakenComesWhenItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, memory := &desk{state: awaiting(), fails: true}, &notify.Brief{}
		w := d.worker(t, memory)
		stop := running(t, w)
		defer stop()
		if err := w.Deliver(t.Context(), asked()); err == nil {
			t.Fatal("taken")
		}
		time.Sleep(40 * time.Minute)
		d.mu.Lock()
		d.fails = false
		d.mu.Unlock()
		time.Sleep(50 * time.Minute)
		d.mu.Lock()
		defer d.mu.Unlock()
		if want := []string{"40m0s", "1h10m0s"}; len(d.told) != 2 || d.told[0][:5] != want[0][:5] || d.told[1][:7] != want[1] {
			t.Errorf("told %q", d.told)
		}
	})
}

func TestOnlyWhatNeedsAPersonIsToldAgain(t *testing.T) {
	back := &steps.FailureState{}
	for name, c := range map[string]struct {
		event string
		state *steps.Rollout
		want  bool
	}{
		"an approval":                   {"approval.requested", &steps.Rollout{Phase: steps.AwaitingApproval, Step: 1}, true},
		"one that is given":             {"approval.requested", &steps.Rollout{Phase: steps.AwaitingApproval, Step: 1, Approved: true}, false},
		"one of a later step":           {"approval.requested", &steps.Rollout{Phase: steps.AwaitingApproval, Step: 2}, false},
		"one that a failure overtook":   {"approval.requested", &steps.Rollout{Phase: steps.Reverting, Step: 1, Failure: back}, false},
		"a rollback unconfirmed":        {"rollback.failed", &steps.Rollout{Phase: steps.Reverting, Failure: back, Unconfirmed: true}, true},
		"one that is confirmed now":     {"rollback.failed", &steps.Rollout{Phase: steps.Recovering, Failure: back}, false},
		"traffic unconfirmed":           {"traffic.unconfirmed", &steps.Rollout{Phase: steps.Shifting, Unconfirmed: true}, true},
		"and then taken back":           {"traffic.unconfirmed", &steps.Rollout{Phase: steps.Reverting, Failure: back, Unconfirmed: true}, false},
		"no rollout any more":           {"rollback.failed", nil, false},
		"a failure, which is confirmed": {"rollout.failed", &steps.Rollout{Failure: back, Unconfirmed: true}, false},
	} {
		e := event(c.event, nil)
		if c.state != nil {
			c.state.ID = e.Data.Rollout
		}
		if got := notify.Waits(e, deployments.State{Rollout: c.state}); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	var need []string
	for _, name := range names {
		if notify.NeedsPerson(event(name, nil)) {
			need = append(need, name)
		}
	}
	if want := []string{"traffic.unconfirmed", "approval.requested", "rollback.failed"}; !slices.Equal(need, want) {
		t.Errorf("%q", need)
	}
}

func TestAMachineIsNotReminded(t *testing.T) {
	r, found := parse(t, `- {name: a, webhook: {url: "https://x.example", secret_file: f}}`)
	if len(found) > 0 || r[0].Repeat != 0 {
		t.Errorf("%q, %v", found, r[0].Repeat)
	}
}

func TestATestMessageSaysThatItIsOne(t *testing.T) {
	o := newOffice(t)
	for _, r := range []notify.Receiver{
		{Name: "bot", Kind: notify.SlackChannel, Channel: "#deploys", TokenFile: o.token, APIURL: o.URL, Services: []string{"cart"}, Severity: deployments.Page},
		{Name: "hook", Kind: notify.SlackWebhook, URL: o.Webhook},
	} {
		teller, err := notify.Open(r, notify.Options{Memory: &notify.Brief{}, HTTP: o.http})
		if err != nil {
			t.Fatal(err)
		}
		if err := teller.Test(t.Context(), start); err != nil {
			t.Error(err)
		}
		o.Fail(slacktest.Fault{Error: "invalid_auth"})
		if err := teller.Test(t.Context(), start.Add(time.Second)); err == nil || errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", r.Name, err)
		}
	}
	for _, m := range o.Messages() {
		if want := "ℹ️ test 0: a test of the receiver "; len(m.Text) < len(want) || m.Text[:len(want)] != want {
			t.Errorf("%q", m.Text)
		}
	}
	if n := len(o.Messages()); n != 2 {
		t.Errorf("%d messages", n)
	}
}

func TestABotRemindsInTheThreadAndInTheChannel(t *testing.T) {
	slack := slacktest.New(t)
	token := file(t, slacktest.Token)
	synctest.Test(t, func(t *testing.T) {
		memory, d := distant{&notify.Brief{}}, &desk{state: awaiting()}
		var workers []*notify.Teller
		for range 2 {
			w, err := notify.Open(notify.Receiver{Name: "deploys", Kind: notify.SlackChannel, Channel: "#deploys", TokenFile: token, APIURL: "http://slack.example/api", Repeat: 30 * time.Minute},
				notify.Options{Memory: memory, HTTP: &http.Client{Transport: inMemory{slack}}, State: func(context.Context, deployments.Slot) (deployments.State, error) { return d.state, nil }})
			if err != nil {
				t.Fatal(err)
			}
			workers = append(workers, w)
		}
		stop := running(t, workers...)
		if err := workers[0].Deliver(t.Context(), asked()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(65 * time.Minute)
		stop()
	})
	all := slack.Messages()
	if len(all) != 1 || all[0].Text != "✋ checkout 1.4.2 waits for approval at 25 %" {
		t.Fatalf("%+v", all)
	}
	answers := slack.Answers(all[0].TS)
	if len(answers) != 2 {
		t.Errorf("%d reminders", len(answers))
	}
	for _, a := range answers {
		if a.Text != "✋ Still: checkout 1.4.2 waits for approval at 25 %" || !a.Broadcast {
			t.Errorf("%+v", a)
		}
	}
}
