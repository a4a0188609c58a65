package jetstream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/serin-cd/serin/deployments"
)

func sorted(s []string) []string {
	slices.Sort(s)
	return s
}

func publish(t *testing.T, l lab, r deployments.Release) bool {
	t.Helper()
	_, duplicate, err := PublishRelease(t.Context(), l.js, Names{}, r)
	if err != nil {
		t.Fatal(err)
	}
	return duplicate
}

// acceptAll runs an intake that takes everything.
func acceptAll(t *testing.T, l lab) <-chan deployments.Release {
	accepted := make(chan deployments.Release, 2000)
	background(t, func(ctx context.Context) error {
		return Intake{JS: l.js, Log: testLog(t)}.Run(ctx, func(_ context.Context, r deployments.Release) error {
			accepted <- r
			return nil
		})
	})
	return accepted
}

func TestAReleaseArrivesAsItWasPublished(t *testing.T) {
	l := newLab(t)
	want := deployments.Release{Slot: checkout, ID: "run 7", Version: "1.4.2", Commit: "abc", RunURL: "https://ci/7", Extra: []byte(`{"team":"web"}`)}
	before := time.Now()
	publish(t, l, want)
	got := receive(t, acceptAll(t, l))
	if got.Order.Seq != 1 || got.Order.At.Before(before.Add(-time.Minute)) {
		t.Errorf("its order is %+v", got.Order)
	}
	got.Order = deployments.Order{}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
}

func TestTheSameReleaseAgainIsADuplicate(t *testing.T) {
	l := newLab(t)
	r := deployments.Release{Slot: checkout, Version: "1.4.2"}
	if publish(t, l, r) {
		t.Error("the first one is a duplicate")
	}
	if !publish(t, l, r) {
		t.Error("the second one is no duplicate")
	}
	accepted := acceptAll(t, l)
	receive(t, accepted)
	r.Version = "1.4.3"
	publish(t, l, r)
	if got := receive(t, accepted); got.Version != "1.4.3" {
		t.Errorf("version %s arrived twice", got.Version)
	}
}

func TestPublishRefusesWhatTheIntakeWould(t *testing.T) {
	l := newLab(t)
	for name, r := range map[string]deployments.Release{
		BadName:    {Slot: deployments.Slot{Environment: "production", Service: "check out"}, Version: "1"},
		Invalid:    {Slot: checkout},
		NotAllowed: {Slot: checkout, Version: "1", Extra: []byte(`{"policy":"lax"}`)},
	} {
		if _, _, err := PublishRelease(t.Context(), l.js, Names{}, r); deployments.Refusal(err) != name {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAThousandReleasesAtOnceAreAllAccepted(t *testing.T) {
	l := newLab(t)
	const n = 1000
	accepted := acceptAll(t, l)
	var publishing sync.WaitGroup
	for w := range 10 {
		publishing.Go(func() {
			for i := range n / 10 {
				slot := deployments.Slot{Environment: "production", Service: fmt.Sprintf("s-%d-%d", w, i)}
				if _, _, err := PublishRelease(t.Context(), l.js, Names{}, deployments.Release{Slot: slot, Version: "1"}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	publishing.Wait()
	seen := map[deployments.Slot]bool{}
	for len(seen) < n {
		r := receive(t, accepted)
		if seen[r.Slot] {
			t.Errorf("%s arrived twice", r.Slot)
		}
		seen[r.Slot] = true
	}
}

func TestEveryKindOfGarbageIsDeadLetteredAndHoldsUpNothing(t *testing.T) {
	l := newLab(t)
	for _, g := range []struct{ subject, body string }{
		{"serin.release.production.check€out", `{"version":"1"}`},
		{subject, "\xff\x00"},
		{subject, `{"service":"checkout"}`},
		{subject, `{"version":7}`},
		{subject, `{"version":"1","service":"cart"}`},
		{subject, `{"version":"1","start_step":2}`},
		{subject, `{"version":"1","x":"` + strings.Repeat("x", maxExtra) + `"}`},
	} {
		if _, err := l.js.Publish(t.Context(), g.subject, []byte(g.body), jetstream.WithMsgID(g.body)); err != nil {
			t.Fatal(err)
		}
	}
	publish(t, l, deployments.Release{Slot: checkout, Version: "good"})
	if got := receive(t, acceptAll(t, l)); got.Version != "good" {
		t.Errorf("%q was accepted", got.Version)
	}
	var got []string
	for range 7 {
		msg := letter(t, l)
		got = append(got, msg.Subject())
		if h := msg.Headers(); h.Get(HeaderReason) == "" || h.Get(HeaderSubject) == "" || h.Get(HeaderStream) != "SERIN_RELEASES" || h.Get(HeaderSequence) == "" || h.Get(HeaderID) == "" {
			t.Errorf("headers of %s: %v", msg.Subject(), h)
		}
	}
	want := []string{"serin.dlq.bad_name", "serin.dlq.invalid", "serin.dlq.malformed", "serin.dlq.malformed", "serin.dlq.mismatch", "serin.dlq.not_allowed", "serin.dlq.too_large"}
	if diff := cmp.Diff(want, sorted(got)); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
}

func TestTheLargestMessageOfAServerHasADeadLetterThatFits(t *testing.T) {
	most := int64(1 << 20)
	for name, headers := range map[string]nats.Header{
		"a large body":  {},
		"large headers": {"X-Large": {strings.Repeat("x", 65_000)}}, // a stream takes less than 64 KiB
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			size := int(most)
			for k, v := range headers {
				size -= len("NATS/1.0\r\n\r\n") + len(k) + len(": \r\n") + len(v[0])
			}
			if err := l.js.Conn().PublishMsg(&nats.Msg{Subject: subject, Header: headers, Data: make([]byte, size)}); err != nil {
				t.Fatal(err)
			}
			publish(t, l, deployments.Release{Slot: checkout, Version: "good"})
			if got := receive(t, acceptAll(t, l)); got.Version != "good" {
				t.Errorf("%q was accepted", got.Version)
			}
			msg := letter(t, l)
			cut := size > maxRelease
			if want := min(size, maxRelease); len(msg.Data()) != want || cut != (msg.Headers().Get(HeaderSize) == strconv.Itoa(size)) {
				t.Errorf("%s with %d bytes, %s %q; want %d of %d", msg.Subject(), len(msg.Data()), HeaderSize, msg.Headers().Get(HeaderSize), want, size)
			}
		})
	}
}

func TestTemporaryErrorsAreTriedAgain(t *testing.T) {
	l := newLab(t)
	tries := make(chan int, 10)
	count := 0
	background(t, func(ctx context.Context) error {
		return Intake{JS: l.js, Parallel: 1}.Run(ctx, func(context.Context, deployments.Release) error {
			count++
			tries <- count
			if count < 3 {
				return errors.New("the journal is away")
			}
			return nil
		})
	})
	publish(t, l, deployments.Release{Slot: checkout, Version: "1"})
	for want := 1; want <= 3; want++ {
		if got := receive(t, tries); got != want {
			t.Fatalf("try %d, want %d", got, want)
		}
	}
}

func TestRefusedAndHopelessReleasesAreDeadLettered(t *testing.T) {
	l := newLab(t)
	background(t, func(ctx context.Context) error {
		return Intake{JS: l.js, Attempts: 2}.Run(ctx, func(_ context.Context, r deployments.Release) error {
			if r.Version == "refused" {
				return fmt.Errorf("accept: %w", deployments.Refuse("no_policy", errors.New("there is no policy for checkout")))
			}
			return errors.New("never works")
		})
	})
	for _, version := range []string{"refused", "hopeless"} {
		publish(t, l, deployments.Release{Slot: checkout, Version: version})
	}
	got := map[string]string{}
	for range 2 {
		msg := letter(t, l)
		text, err := percentDecode(msg.Headers().Get(HeaderReason))
		if err != nil {
			t.Error(err)
		}
		got[msg.Subject()] = text
		if _, err := DecodeRelease(msg.Headers().Get(HeaderSubject), msg.Headers(), msg.Data()); err != nil {
			t.Errorf("the dead letter cannot be sent again: %v", err)
		}
	}
	want := map[string]string{"serin.dlq.no_policy": "accept: there is no policy for checkout", "serin.dlq.gave_up": "never works"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
}

func TestAMessageThatIsBuriedTwiceLeavesOneDeadLetter(t *testing.T) {
	l := newLab(t)
	publish(t, l, deployments.Release{Slot: checkout, Version: "1"})
	c, err := l.js.Consumer(t.Context(), "SERIN_RELEASES", "ingest")
	if err != nil {
		t.Fatal(err)
	}
	msg, err := c.Next()
	if err != nil {
		t.Fatal(err)
	}
	if err := bury(t.Context(), l.js, Names{}, msg, Invalid, errors.New("bad")); err != nil {
		t.Fatal(err)
	}
	_ = bury(t.Context(), l.js, Names{}, msg, Invalid, errors.New("bad")) // terminated already
	s, err := l.js.Stream(t.Context(), "SERIN_DLQ")
	if err != nil {
		t.Fatal(err)
	}
	if n := s.CachedInfo().State.Msgs; n != 1 {
		t.Errorf("%d dead letters, want 1", n)
	}
}
