package jetstream

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/steps"
)

// old is a data directory whose server is stopped between two uses.
type old struct{ dir string }

// use starts the server, as serin serve does.
func (o old) use(t *testing.T, f func(lab, *Journal)) {
	t.Helper()
	s := embed(t, o.dir, "127.0.0.1:0")
	nc, js := connect(t, s)
	if err := Setup(t.Context(), js, Layout{}); err != nil {
		t.Fatal(err)
	}
	f(lab{s, nc, js}, openJournal(t, js))
	closeAndWait(nc)
	if err := s.Shutdown(); err != nil {
		t.Fatal(err)
	}
}

// copyTo copies to a new server, as serin setup --from does.
func (o old) copyTo(t *testing.T, to lab) (Copied, error) {
	t.Helper()
	s, err := OpenStopped(t.Context(), o.dir, testLog(t))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Shutdown(); err != nil {
			t.Error(err)
		}
	}()
	nc, err := s.Connect(t.Context(), ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer closeAndWait(nc)
	from, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return Copy{From: from, To: to.js, Now: time.Now, Log: testLog(t)}.Run(t.Context())
}

func (o old) copied(t *testing.T, to lab) Copied {
	t.Helper()
	done, err := o.copyTo(t, to)
	if err != nil {
		t.Fatal(err)
	}
	return done
}

var (
	shop = deployments.Slot{Environment: "production", Service: "shop"}
	cart = deployments.Slot{Environment: "staging", Service: "cart"}
)

// newOld has three slots: one promoted, one rolled back, and one where a release waits.
func newOld(t *testing.T) old {
	t.Helper()
	o := old{t.TempDir()}
	o.use(t, func(l lab, j *Journal) {
		lived(t, j, checkout, "c-1", "c-2")
		live(t, j, shop, "s-1")
		back := steps.Rollout{ID: "s-1", Version: "s-1", Phase: steps.Ended, Outcome: steps.Restored, Cause: steps.ByRules,
			Failure: &steps.FailureState{Cause: steps.ByRules, Reason: "too many errors"}}
		journal(t, j, shop, back)
		e := lived(t, j, cart, "k-1")
		e.Rev, e.After, e.Op, e.At = e.Rev+1, e.Sequence, "queued", e.At.Add(time.Minute)
		e.State.Stable, e.State.Generation = "k-1", 7
		e.State.Queue = []deployments.Queued{{Release: deployments.Release{Slot: cart, ID: "r", Version: "k-2"}, Policy: "sha256:0123456789abcdef"}}
		e.Input = json.RawMessage(`{"kind":"release","release":{"id":"r","version":"k-2"},"answer":"queues"}`)
		if _, err := j.Append(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		set(t, l, FlagsBucket, "production.checkout-version", "c-2")
		set(t, l, FlagsBucket, "production.gone", "x")
		if err := bucket(t, l, FlagsBucket).Delete(t.Context(), "production.gone"); err != nil {
			t.Fatal(err)
		}
		set(t, l, PoliciesBucket, "hash.0123456789abcdef", "service: cart")
		set(t, l, PoliciesBucket, "slot.staging.cart", "sha256:0123456789abcdef")
		settled(t, l)
	})
	return o
}

func bucket(t *testing.T, l lab, name string) jetstream.KeyValue {
	t.Helper()
	kv, err := l.js.KeyValue(t.Context(), Names{}.Bucket(name))
	if err != nil {
		t.Fatal(err)
	}
	return kv
}

func set(t *testing.T, l lab, name, key, value string) {
	t.Helper()
	if _, err := bucket(t, l, name).PutString(t.Context(), key, value); err != nil {
		t.Fatal(err)
	}
}

func value(t *testing.T, l lab, name, key string) string {
	t.Helper()
	e, err := bucket(t, l, name).Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	return string(e.Value())
}

func lastOf(t *testing.T, l lab, s deployments.Slot) deployments.Entry {
	t.Helper()
	e, err := openJournal(t, l.js).Last(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func newTarget(t *testing.T) lab { return labWith(t, Layout{Partitions: SetupPartitions}) }

func TestWhatIsAtRestIsCarriedToAServerWithMorePartitions(t *testing.T) {
	o, l := newOld(t), newTarget(t)
	done := o.copied(t, l)
	equal(t, "copied", []CopiedPart{{"policies", 2, 0}, {"flags", 1, 0}, {"summaries", 4, 0}, {"slots", 3, 0}}, done.Parts)
	equal(t, "refused", []string(nil), done.Refused)
	equal(t, "flag", "c-2", value(t, l, FlagsBucket, "production.checkout-version"))
	equal(t, "policy", "service: cart", value(t, l, PoliciesBucket, "hash.0123456789abcdef"))

	e := lastOf(t, l, cart)
	equal(t, "queue, stable and generation", []any{"k-2", "k-1", uint64(7)}, []any{e.State.Queue[0].Release.Version, e.State.Stable, e.State.Generation})
	equal(t, "its place", []uint64{6, 0}, []uint64{e.Rev, e.After})
	all, err := openJournal(t, l.js).All(t.Context())
	if err != nil || len(all) != 3 {
		t.Errorf("%d slots, %v", len(all), err)
	}
	sums, err := Summaries{JS: l.js}.Of(t.Context(), checkout, 10)
	if err != nil || len(sums) != 2 || sums[0].Rollout != "c-2" || sums[0].Revs != perRollout {
		t.Errorf("summaries %+v, %v", sums, err)
	}
	back, err := Summaries{JS: l.js}.Of(t.Context(), shop, 10)
	if err != nil || len(back) != 1 || back[0].Reason != "too many errors" {
		t.Errorf("summaries %+v, %v", back, err)
	}
}

func TestWhatWasCarriedOverIsNotToldAgain(t *testing.T) {
	o, l := newOld(t), newTarget(t)
	o.copied(t, l)
	stop := dispatch(t, l, deployments.Events)
	background(t, Summaries{JS: l.js, Journal: openJournal(t, l.js), Log: testLog(t)}.Run)
	for _, name := range []string{dispatchConsumer, summariesConsumer} {
		if err := settledConsumer(t.Context(), durable(t, l, name)); err != nil {
			t.Fatal(err)
		}
	}
	events, err := Events{JS: l.js}.Latest(t.Context())
	if err != nil || events != 0 {
		t.Errorf("%d events were told, %v", events, err)
	}
	sums, err := Summaries{JS: l.js}.Of(t.Context(), checkout, 10)
	if err != nil || len(sums) != 2 || sums[0].Revs != perRollout {
		t.Errorf("summaries %+v, %v", sums, err)
	}
	stop() // a worker that knows of nothing looks back behind the next entry, and finds nothing to tell there either

	last := lastOf(t, l, checkout)
	next := last
	next.Rev, next.After, next.Op, next.At = last.Rev+1, last.Sequence, "next", time.Now()
	r := *last.State.Rollout
	r.ID, r.Version, r.Phase, r.Outcome, r.Seq, r.Want, r.EndedAt = "c-3", "c-3", steps.Shifting, "", 1, steps.Percent(5), time.Time{}
	next.Rollout, next.State.Rollout = r.ID, &r
	if _, err := openJournal(t, l.js).Append(t.Context(), next); err != nil {
		t.Fatal(err)
	}
	heard := follow(t, l, Filter{}, 0)
	dispatch(t, l, deployments.Events)
	for range 2 {
		e := receive(t, heard)
		for e.ID == "" {
			e = receive(t, heard)
		}
		if e.Data.Rollout != "c-3" {
			t.Errorf("told again: %s", e.ID)
		}
	}
}

func TestCopyingAgainCompletesAndNeverGoesBack(t *testing.T) {
	o, l := newOld(t), newTarget(t)
	o.copied(t, l)
	again := o.copied(t, l)
	equal(t, "again", []CopiedPart{{"policies", 0, 2}, {"flags", 0, 1}, {"summaries", 0, 4}, {"slots", 0, 3}}, again.Parts)

	// The old server goes on in one slot, the new one in another: each keeps the newer.
	o.use(t, func(l lab, j *Journal) {
		lived(t, j, shop, "s-2")
		set(t, l, FlagsBucket, "production.shop-version", "s-2")
		settled(t, l)
	})
	newer := lived(t, openJournal(t, l.js), checkout, "c-3")
	set(t, l, FlagsBucket, "production.checkout-version", "c-3")
	done := o.copied(t, l)
	equal(t, "refused", []string(nil), done.Refused)
	equal(t, "the new server's slot", newer.Sequence, lastOf(t, l, checkout).Sequence)
	equal(t, "the new server's flag", "c-3", value(t, l, FlagsBucket, "production.checkout-version"))
	equal(t, "the old server's slot", "s-2", lastOf(t, l, shop).Rollout)
	equal(t, "the old server's flag", "s-2", value(t, l, FlagsBucket, "production.shop-version"))
	stop := dispatch(t, l, func(prev, e deployments.Entry) []deployments.Event {
		if e.Slot == shop {
			return deployments.Events(prev, e)
		}
		return nil
	})
	if err := settledConsumer(t.Context(), durable(t, l, dispatchConsumer)); err != nil {
		t.Fatal(err)
	}
	stop()
	if n, err := (Events{JS: l.js}).Latest(t.Context()); n != 0 || err != nil {
		t.Errorf("%d events of what the old server had told, %v", n, err)
	}
}

func TestACopyThatWasInterruptedIsCompletedByTheNext(t *testing.T) {
	o, l := newOld(t), newTarget(t)
	if err := l.js.DeleteKeyValue(t.Context(), Names{}.Bucket(FlagsBucket)); err != nil {
		t.Fatal(err)
	}
	if _, err := o.copyTo(t, l); err == nil || !strings.Contains(err.Error(), "copy flags, and another run goes on from here") {
		t.Fatalf("in the middle: %v", err)
	}
	if e := lastOf(t, l, checkout); e.Rev != 0 {
		t.Error("a slot is there before its flags")
	}
	if err := Setup(t.Context(), l.js, Layout{}); err != nil {
		t.Fatal(err)
	}
	equal(t, "the second", []CopiedPart{{"policies", 0, 2}, {"flags", 1, 0}, {"summaries", 4, 0}, {"slots", 3, 0}}, o.copied(t, l).Parts)
}

func TestWhatAnotherHistoryHasLeftIsRefusedAndStays(t *testing.T) {
	o, l := newOld(t), newTarget(t)
	theirs := lived(t, openJournal(t, l.js), checkout, "other-1")
	set(t, l, FlagsBucket, "production.checkout-version", "other-1")
	set(t, l, PoliciesBucket, "slot.staging.cart", "sha256:fedcba9876543210")
	done := o.copied(t, l)
	equal(t, "its slot", theirs.Sequence, lastOf(t, l, checkout).Sequence)
	equal(t, "its flag", "other-1", value(t, l, FlagsBucket, "production.checkout-version"))
	if got := strings.Join(done.Refused, "\n"); len(done.Refused) != 2 || !strings.Contains(got, "production/checkout: another one is there: releases were taken in there before") ||
		!strings.Contains(got, "production.checkout-version: another one is there: look at it with serin flags get") {
		t.Errorf("refused:\n%s", got)
	}
	equal(t, "a policy that is offered", "sha256:fedcba9876543210", value(t, l, PoliciesBucket, "slot.staging.cart"))
	equal(t, "other slots", "s-1", lastOf(t, l, shop).Rollout)
}

func TestNothingIsCopiedWhileSomethingIsUnderWay(t *testing.T) {
	for name, c := range map[string]struct {
		begin func(t *testing.T, l lab, j *Journal)
		want  string
	}{
		"a rollout":                   {func(t *testing.T, l lab, j *Journal) { live(t, j, checkout, "c-3"); settled(t, l) }, "production/checkout c-3 (baking, 25 % of the traffic)"},
		"a decision that is not told": {func(t *testing.T, _ lab, j *Journal) { lived(t, j, checkout, "c-3") }, "4 decisions not told yet"},
		"a release that is not taken in": {func(t *testing.T, l lab, _ *Journal) {
			if _, _, err := PublishRelease(t.Context(), l.js, Names{}, deployments.Release{Slot: checkout, Version: "2"}); err != nil {
				t.Fatal(err)
			}
		}, "1 releases are not taken in"},
	} {
		t.Run(name, func(t *testing.T) {
			o, l := newOld(t), newTarget(t)
			o.use(t, func(l lab, j *Journal) { c.begin(t, l, j) })
			_, err := o.copyTo(t, l)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "start serin serve") {
				t.Errorf("%v, want %q", err, c.want)
			}
			if e := lastOf(t, l, checkout); e.Rev != 0 {
				t.Error("something was copied")
			}
		})
	}
}

func TestRolloutsThatEndedJustBeforeTheStopHaveTheirSummaries(t *testing.T) {
	o, l := newOld(t), newTarget(t)
	o.use(t, func(l lab, j *Journal) {
		lived(t, j, checkout, "c-3")
		stop := dispatch(t, l, told)
		if err := settledConsumer(t.Context(), durable(t, l, dispatchConsumer)); err != nil {
			t.Fatal(err)
		}
		stop()
	})
	o.copied(t, l)
	sums, err := Summaries{JS: l.js}.Of(t.Context(), checkout, 10)
	if err != nil || len(sums) != 3 || sums[0].Rollout != "c-3" || sums[0].Revs != perRollout {
		t.Errorf("summaries %+v, %v", sums, err)
	}
}

func TestWhatANotifierHasNotDeliveredIsNamed(t *testing.T) {
	o, l := newOld(t), newTarget(t)
	o.use(t, func(l lab, j *Journal) {
		if err := (Events{JS: l.js}).remember(t.Context(), "SERIN_EVENTS", tellPrefix+"slack"); err != nil {
			t.Fatal(err)
		}
		lived(t, j, checkout, "c-3")
		settled(t, l)
	})
	equal(t, "untold", []string{"slack was not told 4 events"}, o.copied(t, l).Untold)
}

func TestADirectoryIsOpenedOnlyWhenItsServerIsStopped(t *testing.T) {
	dir := t.TempDir()
	if _, err := OpenStopped(t.Context(), filepath.Join(dir, "typo"), nil); err == nil || !strings.Contains(err.Error(), "no serin serve has kept anything there") {
		t.Errorf("a directory that is not there: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "typo")); err == nil {
		t.Error("it was made")
	}
	s := embed(t, dir, "127.0.0.1:0")
	nc, js := connect(t, s)
	if err := Setup(t.Context(), js, Layout{}); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenStopped(t.Context(), dir, nil); err == nil || !strings.Contains(err.Error(), "is in use by process") {
		t.Errorf("while its server runs: %v", err)
	}
	closeAndWait(nc)
	if err := s.Shutdown(); err != nil {
		t.Fatal(err)
	}

	s, err := OpenStopped(t.Context(), dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ReadEndpoint(dir); err == nil {
		t.Error("it tells others where it is")
	}
	if err := s.MarkMoved("nats://user:secret@nats.example:4222", time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := s.Shutdown(); err != nil {
		t.Fatal(err)
	}
	_, err = Embed(context.WithoutCancel(t.Context()), ServerOptions{Dir: dir, Listen: "127.0.0.1:0"})
	if err == nil || !strings.Contains(err.Error(), "was copied to nats://user:xxxxx@nats.example:4222 at ") {
		t.Errorf("a server on a directory that was moved: %v", err)
	}
	if err := os.Remove(filepath.Join(dir, movedFile)); err != nil {
		t.Fatal(err)
	}
	if err := embed(t, dir, "127.0.0.1:0").Shutdown(); err != nil {
		t.Error(err)
	}
}
