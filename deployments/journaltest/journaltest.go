package journaltest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/serin-cd/serin/deployments"
)

// Partitions is how many a journal under test has.
const Partitions = 4

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

// Run tests a journal. open returns an empty one of Partitions partitions, each time another.
func Run(t *testing.T, open func(t *testing.T) deployments.Journal) {
	for name, f := range map[string]func(*testing.T, deployments.Journal){
		"AnEmptySlotHasTheZeroEntry":            emptySlot,
		"LastIsTheEntryThatWasAppended":         lastIsAppended,
		"AnEntryBehindAnOldOneConflicts":        staleConflicts,
		"SlotsDoNotConflict":                    slotsAreApart,
		"OfManyWritersAtOnceExactlyOneWins":     oneWins,
		"RacingWritersLoseNothing":              racing,
		"WatchBeginsWithTheNewestOfEachSlot":    watchNewest,
		"WatchOfAnEmptyPartitionMarksTheEnd":    watchEmpty,
		"WatchDeliversEveryLaterEntryInOrder":   watchLater,
		"WatchHearsNothingOfOtherPartitions":    watchOwn,
		"WatchClosesItsChannelWhenContextEnded": watchCloses,
	} {
		t.Run(name, func(t *testing.T) { f(t, open(t)) })
	}
}

// Slots returns n slots of one partition.
func Slots(partition, n int) []deployments.Slot {
	var slots []deployments.Slot
	for i := 0; len(slots) < n; i++ {
		s := deployments.Slot{Environment: "production", Service: fmt.Sprintf("service-%d", i)}
		if s.Partition(Partitions) == partition {
			slots = append(slots, s)
		}
	}
	return slots
}

// Entry is a small entry of a slot, to be written behind a sequence.
func Entry(s deployments.Slot, rev, after uint64) deployments.Entry {
	return deployments.Entry{
		V: deployments.EntryVersion, Logic: deployments.Logic, Slot: s, Rev: rev, After: after,
		At: time.Date(2026, 11, 20, 10, 0, int(rev%60), 0, time.UTC), By: "worker-1",
		Op: fmt.Sprintf("%s-%d-%d", s.Service, rev, after), State: deployments.State{Generation: rev},
	}
}

func emptySlot(t *testing.T, j deployments.Journal) {
	e, err := j.Last(t.Context(), Slots(0, 1)[0])
	if err != nil {
		t.Fatal(err)
	}
	same(t, deployments.Entry{}, e)
}

func lastIsAppended(t *testing.T, j deployments.Journal) {
	e := Entry(Slots(0, 1)[0], 1, 0)
	e.Sequence = mustAppend(t, j, e)
	if e.Sequence == 0 {
		t.Error("the sequence of an entry is 0")
	}
	same(t, e, mustLast(t, j, e.Slot))
}

func staleConflicts(t *testing.T, j deployments.Journal) {
	slot := Slots(0, 1)[0]
	first := mustAppend(t, j, Entry(slot, 1, 0))
	second := Entry(slot, 2, first)
	second.Sequence = mustAppend(t, j, second)
	for _, after := range []uint64{0, first, second.Sequence + 1} {
		late := Entry(slot, 3, after)
		if _, err := j.Append(t.Context(), late); !errors.Is(err, deployments.ErrConflict) {
			t.Errorf("append behind %d: %v, want ErrConflict", after, err)
		}
	}
	same(t, second, mustLast(t, j, slot))
}

func slotsAreApart(t *testing.T, j deployments.Journal) {
	for _, slot := range Slots(1, 3) {
		seq := mustAppend(t, j, Entry(slot, 1, 0))
		mustAppend(t, j, Entry(slot, 2, seq))
	}
}

func oneWins(t *testing.T, j deployments.Journal) {
	slot := Slots(0, 1)[0]
	first := mustAppend(t, j, Entry(slot, 1, 0))
	const writers = 16
	outcomes := make(chan error, writers)
	for i := range writers {
		go func() {
			e := Entry(slot, 2, first)
			e.Op = fmt.Sprintf("writer-%d", i)
			_, err := j.Append(t.Context(), e)
			outcomes <- err
		}()
	}
	won := 0
	for range writers {
		switch err := <-outcomes; {
		case err == nil:
			won++
		case !errors.Is(err, deployments.ErrConflict):
			t.Errorf("append: %v, want ErrConflict", err)
		}
	}
	if won != 1 {
		t.Errorf("%d of %d writers won, want 1", won, writers)
	}
}

func racing(t *testing.T, j deployments.Journal) {
	slot := Slots(0, 1)[0]
	const writers, each = 4, 10
	var running sync.WaitGroup
	for w := range writers {
		running.Go(func() {
			for i := 0; i < each; {
				last, err := j.Last(t.Context(), slot)
				if err != nil {
					t.Error(err)
					return
				}
				e := Entry(slot, last.Rev+1, last.Sequence)
				e.Op = fmt.Sprintf("writer-%d-%d-%d", w, i, last.Rev)
				switch _, err := j.Append(t.Context(), e); {
				case err == nil:
					i++
				case !errors.Is(err, deployments.ErrConflict):
					t.Error(err)
					return
				}
			}
		})
	}
	running.Wait()
	if rev := mustLast(t, j, slot).Rev; rev != writers*each {
		t.Errorf("the last revision is %d, want %d", rev, writers*each)
	}
}

// next is the next entry of a watch.
func next(t *testing.T, entries <-chan deployments.Entry) deployments.Entry {
	t.Helper()
	select {
	case e, ok := <-entries:
		if !ok {
			t.Fatal("the watch has ended")
		}
		return e
	case <-time.After(patience):
		t.Fatal("nothing was delivered")
	}
	return deployments.Entry{}
}

func watch(t *testing.T, j deployments.Journal, partition int) <-chan deployments.Entry {
	t.Helper()
	entries, err := j.Watch(t.Context(), partition)
	if err != nil {
		t.Fatal(err)
	}
	// The context of a test ends before its cleanups: no watch outlives its test.
	t.Cleanup(func() {
		for range entries {
		}
	})
	return entries
}

func watchNewest(t *testing.T, j deployments.Journal) {
	want := map[deployments.Slot]deployments.Entry{}
	for _, slot := range Slots(2, 3) {
		seq := mustAppend(t, j, Entry(slot, 1, 0))
		e := Entry(slot, 2, seq)
		e.Sequence = mustAppend(t, j, e)
		want[slot] = e
	}
	got := map[deployments.Slot]deployments.Entry{}
	entries := watch(t, j, 2)
	for e := next(t, entries); e.Sequence != 0; e = next(t, entries) {
		if _, twice := got[e.Slot]; twice {
			t.Errorf("%s was delivered twice", e.Slot)
		}
		got[e.Slot] = e
	}
	same(t, want, got)
}

func watchEmpty(t *testing.T, j deployments.Journal) {
	same(t, deployments.Entry{}, next(t, watch(t, j, 3)))
}

func watchLater(t *testing.T, j deployments.Journal) {
	slot := Slots(1, 1)[0]
	seq := mustAppend(t, j, Entry(slot, 1, 0))
	entries := watch(t, j, 1)
	if e := next(t, entries); e.Sequence != seq {
		t.Fatalf("the first entry is %d, want %d", e.Sequence, seq)
	}
	same(t, deployments.Entry{}, next(t, entries))
	var want, got []deployments.Entry
	for rev := uint64(2); rev < 200; rev++ {
		e := Entry(slot, rev, seq)
		seq = mustAppend(t, j, e)
		e.Sequence = seq
		want = append(want, e)
		if rev%40 == 0 { // the watcher lags behind, and catches up
			for len(got) < len(want) {
				got = append(got, next(t, entries))
			}
		}
	}
	for len(got) < len(want) {
		got = append(got, next(t, entries))
	}
	same(t, want, got)
}

func watchOwn(t *testing.T, j deployments.Journal) {
	other, own := Slots(0, 1)[0], Slots(1, 1)[0]
	seq := mustAppend(t, j, Entry(other, 1, 0))
	entries := watch(t, j, 1)
	same(t, deployments.Entry{}, next(t, entries))
	mustAppend(t, j, Entry(other, 2, seq))
	e := Entry(own, 1, 0)
	e.Sequence = mustAppend(t, j, e)
	same(t, e, next(t, entries))
}

func watchCloses(t *testing.T, j deployments.Journal) {
	ctx, cancel := context.WithCancel(t.Context())
	entries, err := j.Watch(ctx, 0)
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	cancel()
	for range entries {
	}
}

func mustAppend(t *testing.T, j deployments.Journal, e deployments.Entry) uint64 {
	t.Helper()
	seq, err := j.Append(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	return seq
}

func mustLast(t *testing.T, j deployments.Journal, s deployments.Slot) deployments.Entry {
	t.Helper()
	e, err := j.Last(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func same(t *testing.T, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
}
