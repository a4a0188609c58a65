package jetstream

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// counted are the messages of inputs by what became of them.
type counted struct {
	sync.Mutex
	outcomes map[string]int
}

func (c *counted) count(input, outcome string) {
	c.Lock()
	defer c.Unlock()
	if c.outcomes == nil {
		c.outcomes = map[string]int{}
	}
	c.outcomes[input+" "+outcome]++
}

// settles waits until the messages are counted so.
func (c *counted) settles(t *testing.T, want map[string]int) {
	t.Helper()
	eventually(t, fmt.Sprint(want), func() bool {
		c.Lock()
		defer c.Unlock()
		return maps.Equal(c.outcomes, want)
	})
}

// eventually waits until something holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for deadline := time.Now().Add(patience); !holds(); <-again.C {
		if time.Now().After(deadline) {
			t.Fatalf("%s: that did not happen", what)
		}
	}
}

var deploys = Input{Name: "ci", Subject: "ci.deploys.>", Format: AutoFormat, Map: map[string]string{"service": ".app", "version": ".tag", "environment": "subject.3"},
	Only: map[string][]string{".status": {"success"}}}

func deploy(t *testing.T, js jetstream.JetStream, app, tag, status string) {
	t.Helper()
	if _, err := js.Publish(t.Context(), "ci.deploys.production", fmt.Appendf(nil, `{"app":%q,"tag":%q,"status":%q}`, app, tag, status)); err != nil {
		t.Fatal(err)
	}
}

func makeStream(t *testing.T, js jetstream.JetStream, c jetstream.StreamConfig) {
	t.Helper()
	if _, err := js.CreateStream(t.Context(), c); err != nil {
		t.Fatal(err)
	}
}

func TestMessagesOfAStreamThatIsThereBecomeReleases(t *testing.T) {
	l := newLab(t)
	makeStream(t, l.js, jetstream.StreamConfig{Name: "CI", Subjects: []string{"ci.>"}})
	deploy(t, l.js, "checkout", "1.0.0", "success") // before Serin: somebody else has released it
	in, seen := Inputs{JS: l.js, Inputs: []Input{deploys}, Log: testLog(t)}, &counted{}
	in.Count = seen.count
	if err := in.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	background(t, in.Run)
	accepted := acceptAll(t, l)
	deploy(t, l.js, "checkout", "1.1.0", "success")
	deploy(t, l.js, "checkout", "1.2.0", "failed")
	deploy(t, l.js, "check out", "1.3.0", "success")
	deploy(t, l.js, "checkout", "1.4.0", "success")
	for _, want := range []string{"1.1.0", "1.4.0"} {
		if r := receive(t, accepted); r.Version != want || r.Slot != checkout || !strings.HasPrefix(r.ID, "ci-") {
			t.Errorf("%+v came, want %s", r, want)
		}
	}
	msg := letter(t, l)
	if got, why := msg.Subject(), msg.Headers().Get(HeaderReason); got != "serin.dlq.invalid" || !strings.Contains(why, "is%20not%20a%20name") || msg.Headers().Get(HeaderStream) != "CI" {
		t.Errorf("dead letter on %s of %s: %s", got, msg.Headers().Get(HeaderStream), why)
	}
	seen.settles(t, map[string]int{"ci published": 2, "ci ignored": 1, "ci refused": 1})
	c, err := l.js.Consumer(t.Context(), "CI", "serin_input-ci")
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "every message is acknowledged", func() bool {
		i, err := c.Info(t.Context())
		return err == nil && i.NumPending == 0 && i.NumAckPending == 0
	})
}

func TestAMessageThatComesAgainIsOneRelease(t *testing.T) {
	l := newLab(t)
	makeStream(t, l.js, jetstream.StreamConfig{Name: "CI", Subjects: []string{"ci.>"}})
	in := Inputs{JS: l.js, Inputs: []Input{deploys}, Log: testLog(t)}
	if err := in.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	deploy(t, l.js, "checkout", "1.1.0", "success")
	// A worker publishes it and is killed before it acknowledges.
	c, err := l.js.Consumer(t.Context(), "CI", "serin_input-ci")
	if err != nil {
		t.Fatal(err)
	}
	msg, err := c.Next()
	if err != nil {
		t.Fatal(err)
	}
	rel, err := deploys.release(message{msg.Subject(), msg.Headers(), msg.Data(), ownID(deploys, msg)})
	if err != nil {
		t.Fatal(err)
	}
	publish(t, l, rel)
	if err := msg.Nak(); err != nil {
		t.Fatal(err)
	}
	seen := &counted{}
	in.Count = seen.count
	background(t, in.Run)
	deploy(t, l.js, "checkout", "1.2.0", "success")
	accepted := acceptAll(t, l)
	for _, want := range []string{"1.1.0", "1.2.0"} {
		if r := receive(t, accepted); r.Version != want {
			t.Errorf("%s came, want %s", r.Version, want)
		}
	}
	seen.settles(t, map[string]int{"ci published": 1, "ci duplicate": 1})
}

func TestWorkersShareAnInputAndKeepItsOrder(t *testing.T) {
	l := newLab(t)
	in := Inputs{JS: l.js, Inputs: []Input{deploys}, Log: testLog(t)} // its stream is made
	seen := &counted{}
	in.Count = seen.count
	if err := in.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	const n = 40
	for i := range n {
		deploy(t, l.js, "checkout", fmt.Sprint("1.", i), "success")
	}
	for range 3 {
		background(t, in.Run)
	}
	seen.settles(t, map[string]int{"ci published": n})
	s, err := l.js.Stream(t.Context(), "SERIN_RELEASES")
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		msg, err := s.GetMsg(t.Context(), uint64(i+1))
		if err != nil || !strings.Contains(string(msg.Data), fmt.Sprintf(`"version":"1.%d"`, i)) {
			t.Fatalf("release %d is %s, %v", i, msg.Data, err)
		}
	}
}

func TestAnInputWithoutAStreamGetsOne(t *testing.T) {
	l := newLab(t)
	n := Names{}
	in := Inputs{JS: l.js, Names: n, Inputs: []Input{deploys}}
	for range 2 {
		if err := in.Open(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	s, err := l.js.Stream(t.Context(), "SERIN_INPUT_ci")
	if err != nil {
		t.Fatal(err)
	}
	if c := s.CachedInfo().Config; c.MaxAge != inputAge || c.Subjects[0] != "ci.deploys.>" {
		t.Errorf("%+v", c)
	}
}

func TestAnInputMayMoveToAnotherSubject(t *testing.T) {
	l := newLab(t)
	makeStream(t, l.js, jetstream.StreamConfig{Name: "CI", Subjects: []string{"ci.>"}})
	for _, subject := range []string{"ci.builds.>", "ci.deploys.>"} {
		moved := deploys
		moved.Subject = subject
		if err := (Inputs{JS: l.js, Inputs: []Input{moved}}).Open(t.Context()); err != nil {
			t.Fatal(err)
		}
		if c, err := l.js.Consumer(t.Context(), "CI", "serin_input-ci"); err != nil || c.CachedInfo().Config.FilterSubject != subject {
			t.Errorf("%v, want %s", err, subject)
		}
	}
}

func TestAnInputThatCannotWorkIsRefusedAtTheStart(t *testing.T) {
	l := newLab(t)
	makeStream(t, l.js, jetstream.StreamConfig{Name: "PART", Subjects: []string{"part.a"}})
	makeStream(t, l.js, jetstream.StreamConfig{Name: "QUEUE", Subjects: []string{"queue.>"}, Retention: jetstream.WorkQueuePolicy})
	if _, err := l.js.CreateConsumer(t.Context(), "QUEUE", jetstream.ConsumerConfig{Durable: "another", AckPolicy: jetstream.AckExplicitPolicy}); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		in   Input
		want string
	}{
		"a loop":               {Input{Name: "x", Subject: "acme.release.>"}, "would come in again"},
		"no such stream":       {Input{Name: "x", Subject: "a.b", Stream: "NONE"}, "stream not found"},
		"another's subjects":   {Input{Name: "x", Subject: "a.b", Stream: "PART"}, "the stream PART keeps part.a, and not all of a.b"},
		"only a part":          {Input{Name: "x", Subject: "part.*"}, "PART keeps a part of them"},
		"a queue of another's": {Input{Name: "x", Subject: "queue.>"}, "consumer"},
	} {
		t.Run(name, func(t *testing.T) {
			err := Inputs{JS: l.js, Names: Names{Prefix: "acme"}, Inputs: []Input{tt.in}}.Open(t.Context())
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "open input x") {
				t.Errorf("%v says nothing of %q", err, tt.want)
			}
		})
	}
}

func TestAnInputsStreamMayGoAndComeBack(t *testing.T) {
	l := newLab(t)
	makeStream(t, l.js, jetstream.StreamConfig{Name: "CI", Subjects: []string{"ci.>"}})
	named := deploys
	named.Stream = "CI"
	in := Inputs{JS: l.js, Inputs: []Input{named}, Log: testLog(t), reopen: 10 * time.Millisecond}
	background(t, in.Run)
	eventually(t, "the consumer is made", func() bool {
		_, err := l.js.Consumer(t.Context(), "CI", "serin_input-ci")
		return err == nil
	})
	if err := l.js.DeleteStream(t.Context(), "CI"); err != nil {
		t.Fatal(err)
	}
	makeStream(t, l.js, jetstream.StreamConfig{Name: "CI", Subjects: []string{"ci.>"}})
	deploy(t, l.js, "checkout", "1.1.0", "success")
	if r := receive(t, acceptAll(t, l)); r.Version != "1.1.0" {
		t.Errorf("%+v", r)
	}
}

func TestAWorkerHasTheRightsOfItsInputsAndNoOthers(t *testing.T) {
	named := deploys
	named.Stream = "CI"
	g := guard(t, Names{}, Scope{}, named)
	makeStream(t, g.admin.js, jetstream.StreamConfig{Name: "CI", Subjects: []string{"ci.>"}})
	w := g.as(t, "worker")
	seen := &counted{}
	in := Inputs{JS: w.js, Inputs: []Input{named}, Log: testLog(t), Count: seen.count}
	if err := in.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	background(t, in.Run)
	deploy(t, g.admin.js, "checkout", "1.1.0", "success")
	deploy(t, g.admin.js, "check out", "1.2.0", "success")
	seen.settles(t, map[string]int{"ci published": 1, "ci refused": 1})
	for _, other := range []Input{{Name: "x", Subject: "ci.>", Stream: "CI"}, {Name: "y", Subject: "nobody.has.it"}} {
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		err := Inputs{JS: w.js, Inputs: []Input{other}}.Open(ctx)
		cancel()
		if err == nil || !strings.Contains(err.Error(), "serin setup --permissions") {
			t.Errorf("%v does not say what helps", err)
		}
	}
	if c := g.as(t, "ci"); c.lets(t, func() error { return c.Publish("ci.deploys.production", nil) }) {
		t.Error("the role ci may publish what inputs read")
	}
	without := guard(t, Names{}, Scope{}).as(t, "worker")
	if without.lets(t, func() error { return without.Publish("serin.release.production.checkout", nil) }) {
		t.Error("a worker without inputs publishes releases")
	}
}
