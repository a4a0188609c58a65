package notify_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/serin-cd/serin/analysis"
	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/deployments/notify"
	"github.com/serin-cd/serin/deployments/notify/slacktest"
)

// office is a Slack, and workers that share a memory and a clock.
type office struct {
	*slacktest.Server
	memory notify.Memory
	token  string
	http   *http.Client

	mu   sync.Mutex
	now  time.Time
	real bool
}

func newOffice(t *testing.T) *office {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 200 * time.Millisecond}
	return &office{Server: slacktest.New(t), memory: &notify.Brief{}, token: file(t, slacktest.Token+"\n"), http: client, now: start}
}

func (o *office) clock() time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.real {
		return time.Now()
	}
	return o.now
}

func (o *office) wait(d time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.now = o.now.Add(d)
}

// worker is a bot as one worker has it.
func (o *office) worker(change ...func(*notify.Receiver)) *notify.Bot {
	r := notify.Receiver{Name: "deploys", Kind: notify.SlackChannel, Channel: "#deploys", TokenFile: o.token, APIURL: o.URL, Group: notify.ByRollout}
	for _, c := range change {
		c(&r)
	}
	return notify.NewBot(r, notify.BotOptions{Memory: o.memory, HTTP: o.http, Now: o.clock})
}

// deliver tells of an event until it is told, as a durable consumer does. It returns the tries.
func (o *office) deliver(t *testing.T, b *notify.Bot, e deployments.Event) int {
	t.Helper()
	const most = 40
	for try := 1; try <= most; try++ {
		err := b.Deliver(t.Context(), e)
		if err == nil {
			return try
		}
		var later interface{ RetryAfter() time.Duration }
		if !errors.As(err, &later) || later.RetryAfter() <= 0 {
			t.Fatalf("%s: %v", e.Name, err)
		}
		if strings.Contains(err.Error(), "s3cret") {
			t.Errorf("the token is told: %v", err)
		}
		o.wait(later.RetryAfter())
	}
	t.Fatalf("%s is not told after %d tries", e.Name, most)
	return 0
}

// at is an event of a revision.
func at(rev uint64, name string, change func(*deployments.Event)) deployments.Event {
	return event(name, func(e *deployments.Event) {
		e.ID, e.Data.Rev = fmt.Sprintf("r1/%d/%s", rev, name), rev
		if change != nil {
			change(e)
		}
	})
}

// story is a rollout that is taken back.
func story() []deployments.Event {
	back := func(e *deployments.Event) { turnedBack(&e.Data) }
	return []deployments.Event{
		at(1, "release.accepted", nil),
		at(2, "step.started", func(e *deployments.Event) { e.Data.Step, e.Data.Percent, e.Data.Confirmed = 1, 5, 0 }),
		at(3, "traffic.confirmed", func(e *deployments.Event) { e.Data.Step, e.Data.Percent, e.Data.Confirmed = 1, 5, 5 }),
		at(4, "step.passed", func(e *deployments.Event) { e.Data.Step, e.Data.Percent, e.Data.Confirmed = 1, 5, 5 }),
		at(4, "step.started", nil),
		at(5, "traffic.confirmed", nil),
		at(6, "rule.failing", func(e *deployments.Event) {
			e.Data.Target, e.Data.Evidence = "error-rate", []analysis.Judgement{errorRate}
		}),
		at(7, "rollout.failed", func(e *deployments.Event) { back(e); e.Severity = deployments.Warning }),
		at(7, "rollback.requested", back),
		at(8, "rollback.completed", func(e *deployments.Event) { confirmed(&e.Data); e.Data.Evidence = nil }),
		at(9, "rule.recovered", func(e *deployments.Event) { confirmed(&e.Data); e.Data.Evidence = nil }),
		at(10, "rollout.restored", func(e *deployments.Event) {
			confirmed(&e.Data)
			e.Data.Evidence, e.Data.Restored = []analysis.Judgement{latency}, start
		}),
	}
}

// toldOnce checks the one message and the answers of the story.
func (o *office) toldOnce(t *testing.T) {
	t.Helper()
	all := o.Messages()
	if len(all) != 1 {
		t.Fatalf("%d messages: %+v", len(all), all)
	}
	m := all[0]
	if m.Text != "↩️ checkout 1.4.2 rolled back at 25 %: the failed rules are healthy again" {
		t.Errorf("the message says %q", m.Text)
	}
	for _, want := range []string{"error-rate* 18.2 % \\u0026gt; 5 % (stable 0.4 %, 412 requests, 2m)", "checkout-version → 1.4.1 ✓ confirmed", `"url":"https://ci.example/runs/812?a=1\u0026b=2"`} {
		if !strings.Contains(m.Body, want) {
			t.Errorf("the message has no %s: %s", want, m.Body)
		}
	}
	var said []string
	for _, a := range o.Answers(m.TS) {
		said = append(said, fmt.Sprint(a.Text, a.Broadcast))
	}
	want := []string{"ℹ️ checkout 1.4.2 passed step 1 at 5 %false", "ℹ️ checkout 1.4.2: error-rate is failing at 25 %false", "❌ checkout 1.4.2 failed at 25 %true",
		"ℹ️ checkout 1.4.2 is being rolled back at 25 %false", "❌ checkout 1.4.2 rolled back at 25 %false", "ℹ️ checkout 1.4.2 rolled back at 25 %: the failed rules are healthy againfalse"}
	if got := strings.Join(said, "\n"); got != strings.Join(want, "\n") {
		t.Errorf("the thread says\n%s", got)
	}
}

func TestARolloutIsOneMessageThatIsEditedAndAThread(t *testing.T) {
	o := newOffice(t)
	b := o.worker()
	for _, e := range story() {
		o.deliver(t, b, e)
	}
	o.toldOnce(t)
}

func TestARestartedWorkerGoesOnWithTheSameMessage(t *testing.T) {
	o := newOffice(t)
	for _, e := range story() {
		o.deliver(t, o.worker(), e)
		o.deliver(t, o.worker(), e) // and again: its acknowledgement was lost
	}
	o.toldOnce(t)
}

func TestAnOlderEventNeverOverwritesANewerState(t *testing.T) {
	o := newOffice(t)
	b := o.worker()
	all := story()
	for _, i := range []int{1, 9, 8, 7, 5, 2, 3, 4, 0, 6} {
		o.deliver(t, b, all[i])
		if text := o.Messages()[0].Text; i != 1 && text != "❌ checkout 1.4.2 rolled back at 25 %" {
			t.Fatalf("after %s: %q", all[i].ID, text)
		}
	}
}

func TestFaultsCostNeitherAMessageNorADuplicate(t *testing.T) {
	for name, f := range map[string]slacktest.Fault{
		"429":                 {Status: 429, RetryAfter: "3"},
		"ratelimited":         {Error: "ratelimited", RetryAfter: "3"},
		"500":                 {Status: 500},
		"internal_error":      {Error: "internal_error"},
		"a closed connection": {Close: true},
		"a lost answer":       {Lost: true},
		"a hang":              {Hang: true},
		"a token replaced":    {Error: "token_revoked"},
	} {
		for _, method := range []string{"chat.postMessage", "chat.update", "conversations.history", "conversations.replies"} {
			t.Run(name+" of "+method, func(t *testing.T) {
				t.Parallel()
				o, f := newOffice(t), f
				channel := func(r *notify.Receiver) { r.Channel = slacktest.Channel }
				for _, e := range story() {
					f.Method = method
					if strings.HasPrefix(method, "conv") {
						o.Fail(slacktest.Fault{Method: "chat.postMessage", Lost: true})
					}
					o.Fail(f)
					o.deliver(t, o.worker(channel), e)
					o.Always(nil)
				}
				o.toldOnce(t)
			})
		}
	}
}

func TestAMessageWhoseAnswerIsLostIsPostedAgainOnlyWhenStaleWhereNobodyMayLook(t *testing.T) {
	o := newOffice(t)
	o.Blind()
	o.Fail(slacktest.Fault{Method: "chat.postMessage", Lost: true})
	began := o.clock()
	o.deliver(t, o.worker(), story()[1])
	if took := o.clock().Sub(began); took < time.Minute || len(o.Messages()) != 2 {
		t.Errorf("%d messages after %s", len(o.Messages()), took)
	}
}

func TestAWorkerThatDiesBetweenClaimAndPostCostsOnlyTime(t *testing.T) {
	for name, posted := range map[string]bool{"before the message": false, "after the message": true} {
		t.Run(name, func(t *testing.T) {
			o := newOffice(t)
			fault := slacktest.Fault{Method: "chat.postMessage", Close: true}
			if posted {
				fault = slacktest.Fault{Method: "chat.postMessage", Lost: true}
			}
			o.Fail(fault)
			channel := func(r *notify.Receiver) { r.Channel = slacktest.Channel }
			dies := &dying{Memory: o.memory, saves: 1} // it writes its claim, and nothing after that
			first := notify.NewBot(notify.Receiver{Name: "deploys", Kind: notify.SlackChannel, Channel: slacktest.Channel, TokenFile: o.token, APIURL: o.URL}, notify.BotOptions{Memory: dies, HTTP: o.http, Now: o.clock})
			if err := first.Deliver(t.Context(), story()[1]); err == nil {
				t.Fatal("it did not die")
			}
			began := o.clock()
			o.deliver(t, o.worker(channel), story()[1])
			if all := o.Messages(); len(all) != 1 {
				t.Errorf("%d messages", len(all))
			}
			if took := o.clock().Sub(began); took > 2*time.Minute {
				t.Errorf("it took %s", took)
			}
		})
	}
}

// dying is a memory whose worker dies after so many writes.
type dying struct {
	notify.Memory
	saves int
}

func (d *dying) Save(ctx context.Context, key string, value []byte, over uint64) (uint64, error) {
	if d.saves--; d.saves < 0 {
		return 0, errors.New("dead")
	}
	return d.Memory.Save(ctx, key, value, over)
}

// atOnce has each event delivered by two workers, all at the same time.
func (o *office) atOnce(t *testing.T, events ...deployments.Event) {
	var all sync.WaitGroup
	for _, e := range events {
		for range 2 {
			all.Go(func() {
				b := o.worker()
				for {
					err := b.Deliver(t.Context(), e)
					if err == nil {
						return
					}
					var later interface{ RetryAfter() time.Duration }
					if !errors.As(err, &later) {
						t.Error(err)
						return
					}
					<-time.After(5 * time.Millisecond)
				}
			})
		}
	}
	all.Wait()
}

func TestTwoWorkersAtOnceMakeOneMessage(t *testing.T) {
	for range 5 {
		o := newOffice(t)
		o.real = true // a lease must not end because the other workers ask often
		all := story()[1:]
		o.atOnce(t, all[:len(all)-1]...)
		o.atOnce(t, all[len(all)-1]) // which makes no message where none of the others came before it
		if n := len(o.Messages()); n != 1 {
			t.Fatalf("%d messages", n)
		}
		m := o.Messages()[0]
		if !strings.Contains(m.Text, "healthy again") {
			t.Errorf("the message says %q", m.Text)
		}
		seen := map[string]bool{}
		for _, a := range o.Answers(m.TS) {
			if seen[a.Text] {
				t.Errorf("twice in the thread: %s", a.Text)
			}
			seen[a.Text] = true
		}
	}
}

func TestAMessageThatIsDeletedIsPostedAnewOnce(t *testing.T) {
	o := newOffice(t)
	b := o.worker()
	all := story()
	o.deliver(t, b, all[1])
	o.Delete(o.Messages()[0].TS)
	o.deliver(t, b, all[2])
	if n := len(o.Messages()); n != 1 {
		t.Fatalf("%d messages", n)
	}
	o.Delete(o.Messages()[0].TS)
	for _, e := range all[3:] {
		o.deliver(t, b, e)
	}
	if n := len(o.Messages()); n != 0 {
		t.Errorf("%d messages that nobody wants", n)
	}
	o.deliver(t, b, at(11, "rollback.failed", func(e *deployments.Event) { e.Severity = deployments.Page; turnedBack(&e.Data) }))
	if n := len(o.Messages()); n != 1 {
		t.Errorf("%d messages, and a person must act", n)
	}
}

func TestWhatSlackRefusesForGoodIsRefused(t *testing.T) {
	for _, word := range []string{"channel_not_found", "not_in_channel", "invalid_blocks", "msg_too_long", "is_archived", "no_such_word_yet"} {
		o := newOffice(t)
		o.Fail(slacktest.Fault{Error: word})
		err := o.worker().Deliver(t.Context(), story()[1])
		if deployments.Refusal(err) == "" || !strings.Contains(err.Error(), word) {
			t.Errorf("%s: %v", word, err)
		}
		o.deliver(t, o.worker(), story()[1]) // mended, and asked for again
		if n := len(o.Messages()); n != 1 {
			t.Errorf("%s: %d messages", word, n)
		}
	}
}

func TestAnEventAboutAnotherReleaseIsNoStateOfTheRollout(t *testing.T) {
	o := newOffice(t)
	every := func(r *notify.Receiver) { r.Events = []string{"*"} }
	o.deliver(t, o.worker(every), story()[1])
	o.deliver(t, o.worker(every), at(3, "release.rejected", func(e *deployments.Event) { e.Data.Version, e.Data.Target = "1.4.3", "r-9" }))
	if all := o.Messages(); len(all) != 2 || all[0].Text != "🚀 checkout 1.4.2 started at 5 %" || all[0].Edits != 0 {
		t.Errorf("%+v", all)
	}
}

func TestEventsThatShareNothingAreMessagesOfTheirOwn(t *testing.T) {
	o := newOffice(t)
	each := func(r *notify.Receiver) { r.Group, r.Events = notify.ByEvent, []string{"step.*", "rollout.*"} }
	for _, e := range story() {
		o.deliver(t, o.worker(each), e)
		o.deliver(t, o.worker(each), e)
	}
	var said []string
	for _, m := range o.Messages() {
		said = append(said, m.Text)
	}
	if len(said) != 5 {
		t.Errorf("%q", said)
	}
}

func TestNothingIsSaidToAChannelThatIsNotConcerned(t *testing.T) {
	o := newOffice(t)
	for _, change := range []func(*notify.Receiver){
		func(r *notify.Receiver) { r.Services = []string{"cart"} },
		func(r *notify.Receiver) { r.Severity = deployments.Page },
	} {
		for _, e := range story() {
			o.deliver(t, o.worker(change), e)
		}
	}
	if calls := o.Calls(); len(calls) > 0 {
		t.Errorf("calls %q", calls)
	}
}

func TestAMessageThatLandsLateIsNotPostedTwice(t *testing.T) {
	o := newOffice(t)
	b := o.worker(func(r *notify.Receiver) { r.Channel = slacktest.Channel })
	land := make(chan struct{})
	o.Fail(slacktest.Fault{Method: "chat.postMessage", Until: land})
	for range 2 { // the answer does not come, and then the message is not there
		if err := b.Deliver(t.Context(), story()[1]); err == nil {
			t.Fatal("told")
		}
		o.wait(10 * time.Second)
	}
	close(land)
	landed(t, func() bool { return len(o.Messages()) == 1 })
	o.deliver(t, b, story()[1])
	if n := len(o.Messages()); n != 1 {
		t.Errorf("%d messages", n)
	}
}

// landed waits for what happens on its own.
func landed(t *testing.T, done func() bool) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	for !done() {
		select {
		case <-deadline:
			t.Fatal("nothing happened")
		case <-time.After(time.Millisecond):
		}
	}
}

func TestAnEditThatIsUnderWayIsNeverOvertakenByANewerOne(t *testing.T) {
	o := newOffice(t)
	o.http.Timeout = 10 * time.Second
	o.deliver(t, o.worker(), story()[1])
	land := make(chan struct{})
	o.Fail(slacktest.Fault{Method: "chat.update", Until: land})
	first := make(chan error, 1)
	go func() { first <- o.worker().Deliver(t.Context(), story()[2]) }()
	landed(t, func() bool { return slices.Contains(o.Calls(), "chat.update") })
	err := o.worker().Deliver(t.Context(), story()[5])
	var turn interface{ WaitsItsTurn() bool }
	if !errors.As(err, &turn) || !turn.WaitsItsTurn() {
		t.Errorf("a second edit at once: %v", err)
	}
	close(land)
	if err := <-first; err != nil {
		t.Error(err)
	}
	o.deliver(t, o.worker(), story()[5])
	if text := o.Messages()[0].Text; text != "🚀 checkout 1.4.2: traffic confirmed at 25 %" {
		t.Errorf("%q", text)
	}
}
