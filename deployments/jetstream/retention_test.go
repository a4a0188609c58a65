package jetstream

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/deployments/journaltest"
	"github.com/serin-cd/serin/steps"
)

// perRollout is how many entries a finished rollout of these tests has.
const perRollout = 4

// live begins a rollout in a slot and takes it to 25 %, in three entries.
func live(t *testing.T, j *Journal, s deployments.Slot, id string) deployments.Entry {
	t.Helper()
	e := journal(t, j, s, steps.Rollout{ID: id, Version: id, Phase: steps.Pending})
	e = journal(t, j, s, steps.Rollout{ID: id, Version: id, Phase: steps.Baking, Confirmed: steps.Percent(5), FirstExposed: e.At})
	return journal(t, j, s, steps.Rollout{ID: id, Version: id, Phase: steps.Baking, Confirmed: steps.Percent(25), FirstExposed: e.At})
}

// lived begins and ends rollouts in a slot, one after the other.
func lived(t *testing.T, j *Journal, s deployments.Slot, ids ...string) (last deployments.Entry) {
	t.Helper()
	for _, id := range ids {
		live(t, j, s, id)
		last = journal(t, j, s, steps.Rollout{ID: id, Version: id, Phase: steps.Ended, Outcome: steps.Promoted, Confirmed: steps.All})
	}
	return last
}

// journal appends a rollout's state to its slot.
func journal(t *testing.T, j *Journal, s deployments.Slot, r steps.Rollout) deployments.Entry {
	t.Helper()
	last, err := j.Last(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	e := journaltest.Entry(s, last.Rev+1, last.Sequence)
	e.At = e.At.Add(time.Duration(e.Rev) * time.Minute)
	if r.Phase == steps.Ended {
		r.EndedAt = e.At
	}
	e.Rollout, e.State.Rollout = r.ID, &r
	if e.Sequence, err = j.Append(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	return e
}

// keeper purges as if 401 days had passed.
func keeper(l lab, j *Journal) Retention {
	return Retention{JS: l.js, Journal: j, Keep: DefaultRetention, Now: func() time.Time { return time.Now().Add(401 * 24 * time.Hour) }}
}

func sweepOnce(t *testing.T, r Retention) Swept {
	t.Helper()
	swept, err := r.Sweep(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return swept
}

// settled lets every durable reader of the journal catch up.
func settled(t *testing.T, l lab) {
	t.Helper()
	j := openJournal(t, l.js)
	stops := []func(){dispatch(t, l, told), background(t, Summaries{JS: l.js, Journal: j, Log: testLog(t)}.Run)}
	for _, name := range []string{dispatchConsumer, summariesConsumer} {
		c := durable(t, l, name)
		for info := c.CachedInfo(); info.NumPending+uint64(info.NumAckPending) > 0; {
			var err error
			if info, err = c.Info(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, stop := range stops {
		stop()
	}
}

func durable(t *testing.T, l lab, name string) jetstream.Consumer {
	t.Helper()
	c, err := l.js.Consumer(t.Context(), "SERIN_JOURNAL", name)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// left is the rollouts of a slot's entries, as the journal has them.
func left(t *testing.T, j *Journal, s deployments.Slot) []string {
	t.Helper()
	entries, err := j.History(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, e := range entries {
		ids = append(ids, rolloutOf(e))
	}
	return ids
}

func times(n int, ids ...string) (all []string) {
	for _, id := range ids {
		for range n {
			all = append(all, id)
		}
	}
	return all
}

func equal(t *testing.T, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s: want -, got +:\n%s", what, diff)
	}
}

func TestFinishedRolloutsArePurgedWholeAndASlotsLastOneStays(t *testing.T) {
	l := newLab(t)
	j := openJournal(t, l.js)
	slots := journaltest.Slots(0, 4)
	last := lived(t, j, slots[0], "a-1", "a-2", "a-3")
	lived(t, j, slots[1], "b-1")
	lived(t, j, slots[2], "c-1", "c-2")
	live(t, j, slots[2], "c-3")
	live(t, j, slots[3], "d-1")
	settled(t, l)
	equal(t, "swept", Swept{Rollouts: 4, Slots: 2}, sweepOnce(t, keeper(l, j)))
	equal(t, "the last of three stays", times(perRollout, "a-3"), left(t, j, slots[0]))
	equal(t, "the only one stays", times(perRollout, "b-1"), left(t, j, slots[1]))
	equal(t, "a live one stays", times(3, "c-3"), left(t, j, slots[2]))
	equal(t, "a live one alone stays", times(3, "d-1"), left(t, j, slots[3]))
	now, err := j.Last(t.Context(), slots[0])
	if err != nil || now.Sequence != last.Sequence {
		t.Errorf("last entry %d, %v, want %d", now.Sequence, err, last.Sequence)
	}
	equal(t, "swept again", Swept{}, sweepOnce(t, keeper(l, j)))

	// Slots go on behind what is left, and what they write is told with the entry before it.
	lived(t, j, slots[0], "a-4")
	events := follow(t, l, Filter{Slot: slots[0]}, 0)
	settled(t, l)
	for rev := uint64(1); rev <= 4*perRollout; rev++ {
		e := receive(t, events)
		for e.ID == "" {
			e = receive(t, events)
		}
		if e.Data.Rev != rev || e.Data.Seq != rev-1 {
			t.Errorf("revision %d after %d, want %d", e.Data.Rev, e.Data.Seq, rev)
		}
	}
	equal(t, "the next one is over", Swept{Rollouts: 1, Slots: 1}, sweepOnce(t, keeper(l, j)))
	equal(t, "and the last stays", times(perRollout, "a-4"), left(t, j, slots[0]))
}

func TestWhatIsYoungStays(t *testing.T) {
	l := newLab(t)
	j := openJournal(t, l.js)
	lived(t, j, checkout, "r-1", "r-2", "r-3")
	settled(t, l)
	s, err := l.js.Stream(t.Context(), "SERIN_JOURNAL")
	if err != nil {
		t.Fatal(err)
	}
	for old := uint64(1); old <= 3*perRollout; old++ { // the entries up to old are as old as that
		msg, err := s.GetMsg(t.Context(), max(old, 2*perRollout+1)) // those before are purged, as r-3 grows old
		if old <= 2*perRollout {
			msg, err = s.GetMsg(t.Context(), old)
		}
		if err != nil {
			t.Fatal(err)
		}
		r := keeper(l, j)
		r.Now = func() time.Time { return msg.Time.Add(r.Keep) }
		sweepOnce(t, r)
		want := times(perRollout, "r-1", "r-2", "r-3")[min(old/perRollout, 2)*perRollout:]
		equal(t, fmt.Sprintf("%d old entries", old), want, left(t, j, checkout))
	}
}

func TestRetentionThatIsTooShortIsRefused(t *testing.T) {
	l := newLab(t)
	r := keeper(l, openJournal(t, l.js))
	r.Keep = time.Minute
	if _, err := r.Sweep(t.Context()); err == nil {
		t.Error("a minute is kept, want a refusal")
	}
}

func TestNothingIsPurgedBeforeItIsDispatched(t *testing.T) {
	l := newLab(t)
	j := openJournal(t, l.js)
	const rollouts = 4
	lived(t, j, checkout, "r-1", "r-2", "r-3", "r-4")
	background(t, Summaries{JS: l.js, Journal: j, Log: testLog(t)}.Run)
	for c := durable(t, l, summariesConsumer); ; {
		if info, err := c.Info(t.Context()); err != nil {
			t.Fatal(err)
		} else if info.AckFloor.Stream == rollouts*perRollout {
			break
		}
	}
	equal(t, "with dispatch stopped", Swept{}, sweepOnce(t, keeper(l, j)))
	batch, err := durable(t, l, dispatchConsumer).Fetch(rollouts * perRollout)
	if err != nil {
		t.Fatal(err)
	}
	for msg := range batch.Messages() {
		meta, err := msg.Metadata()
		if err != nil {
			t.Fatal(err)
		}
		if err := msg.DoubleAck(t.Context()); err != nil {
			t.Fatal(err)
		}
		sweepOnce(t, keeper(l, j))
		// What is next has the entry before it still, whole rollouts have gone, and the last one never does.
		gone := int(min((meta.Sequence.Stream-1)/perRollout, rollouts-1)) * perRollout
		want := times(perRollout, "r-1", "r-2", "r-3", "r-4")[gone:]
		equal(t, fmt.Sprintf("dispatched up to %d", meta.Sequence.Stream), want, left(t, j, checkout))
	}
}

func TestEveryDurableReaderOfTheJournalHoldsRetentionBack(t *testing.T) {
	l := newLab(t)
	j := openJournal(t, l.js)
	lived(t, j, checkout, "r-1", "r-2", "r-3")
	audit, err := l.js.CreateConsumer(t.Context(), "SERIN_JOURNAL", jetstream.ConsumerConfig{Durable: "audit", AckPolicy: jetstream.AckExplicitPolicy})
	if err != nil {
		t.Fatal(err)
	}
	settled(t, l)
	equal(t, "before it reads", Swept{}, sweepOnce(t, keeper(l, j)))
	batch, err := audit.Fetch(3 * perRollout)
	if err != nil {
		t.Fatal(err)
	}
	var held jetstream.Msg
	for msg := range batch.Messages() {
		meta, err := msg.Metadata()
		if err != nil {
			t.Fatal(err)
		}
		if meta.Sequence.Stream == perRollout+2 {
			held = msg // one in the middle is still in its hands, those behind it are done
			continue
		}
		if err := msg.DoubleAck(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	sweepOnce(t, keeper(l, j))
	equal(t, "one in hand", times(perRollout, "r-2", "r-3"), left(t, j, checkout))
	if err := held.DoubleAck(t.Context()); err != nil {
		t.Fatal(err)
	}
	sweepOnce(t, keeper(l, j))
	equal(t, "all done", times(perRollout, "r-3"), left(t, j, checkout))
}

func TestAnEntryThatCannotBeReadKeepsWhatIsBehindIt(t *testing.T) {
	l := newLab(t)
	j := openJournal(t, l.js)
	lived(t, j, checkout, "r-1", "r-2")
	if _, err := l.js.Publish(t.Context(), j.subject(checkout), []byte("poison")); err != nil {
		t.Fatal(err)
	}
	settled(t, l)
	equal(t, "swept", Swept{Rollouts: 1, Slots: 1}, sweepOnce(t, keeper(l, j)))
	s, err := l.js.Stream(t.Context(), "SERIN_JOURNAL")
	if err != nil {
		t.Fatal(err)
	}
	if n := s.CachedInfo().State.Msgs; n != perRollout+1 {
		t.Errorf("%d entries are left, want r-2 and what stands behind it", n)
	}
}

// Writers, dispatch, summaries and two sweepers at once: whatever is purged was told, and no write is refused for it.
func TestSweepingBesideWritersLosesNothing(t *testing.T) {
	l := newLab(t)
	j := openJournal(t, l.js)
	const rollouts = 8
	events := follow(t, l, Filter{}, 0)
	dispatch(t, l, told)
	background(t, Summaries{JS: l.js, Journal: j, Log: testLog(t)}.Run)
	for range 2 {
		r := keeper(l, j)
		r.Every, r.Log = time.Millisecond, testLog(t)
		background(t, r.Run)
	}
	slots := journaltest.Slots(1, 3)
	written := make(chan struct{})
	for _, s := range slots {
		go func() {
			defer func() { written <- struct{}{} }()
			for i := range rollouts {
				lived(t, j, s, fmt.Sprintf("%s-%d", s.Service, i))
			}
		}()
	}
	for range slots {
		receive(t, written)
	}
	heard := map[string]bool{}
	for len(heard) < len(slots)*rollouts*perRollout {
		if e := receive(t, events); e.ID != "" {
			heard[e.ID] = true
		}
	}
	settled(t, l)
	sweepOnce(t, keeper(l, j))
	for _, s := range slots {
		equal(t, s.Service, times(perRollout, fmt.Sprintf("%s-%d", s.Service, rollouts-1)), left(t, j, s))
		kept, err := Summaries{JS: l.js}.Of(t.Context(), s, 100)
		if err != nil {
			t.Fatal(err)
		}
		for i, sum := range kept {
			if want := fmt.Sprintf("%s-%d", s.Service, rollouts-1-i); sum.Rollout != want || sum.Revs != perRollout {
				t.Errorf("summary %d is of %s in %d entries, want %s in %d", i, sum.Rollout, sum.Revs, want, perRollout)
			}
		}
		if len(kept) != rollouts {
			t.Errorf("%d summaries of %s, want %d", len(kept), s, rollouts)
		}
	}
}

func TestRetentionSweepsNowAndThen(t *testing.T) {
	l := newLab(t)
	sweeps := make(chan struct{})
	r := keeper(l, openJournal(t, l.js))
	r.Every = time.Millisecond
	now := r.Now
	background(t, func(ctx context.Context) error {
		r.Now = func() time.Time {
			select {
			case sweeps <- struct{}{}:
			case <-ctx.Done():
			}
			return now()
		}
		return r.Run(ctx)
	})
	for range 3 {
		receive(t, sweeps)
	}
}
