package jetstream

import (
	"context"
	"maps"
	"sync"
	"testing"
	"time"
)

const fairPartitions = 12

// floor is where workers hold partitions: it sees who has what.
type floor struct {
	mu      sync.Mutex
	holders [fairPartitions]map[string]bool
	changed chan struct{} // closed at the next change
}

func newFloor() *floor {
	f := &floor{changed: make(chan struct{})}
	for p := range f.holders {
		f.holders[p] = map[string]bool{}
	}
	return f
}

func (f *floor) set(t *testing.T, name string, p int, on bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if on {
		f.holders[p][name] = true
	} else {
		delete(f.holders[p], name)
	}
	if len(f.holders[p]) > 1 {
		t.Errorf("partition %d is held by %v at once", p, f.holders[p])
	}
	close(f.changed)
	f.changed = make(chan struct{})
}

// counts is how many partitions each worker holds, and a channel that tells of the next change.
func (f *floor) counts() (map[string]int, <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := map[string]int{}
	for _, holders := range f.holders {
		for name := range holders {
			n[name]++
		}
	}
	return n, f.changed
}

// await waits until the workers hold what is wanted, and sees that they keep it.
func (f *floor) await(t *testing.T, want map[string]int) {
	t.Helper()
	f.until(t, func(got map[string]int) bool { return maps.Equal(got, want) })
	_, changed := f.counts()
	select {
	case <-changed:
		t.Errorf("partitions move although the shares are fair: %v", want)
	case <-time.After(400 * time.Millisecond):
	}
}

// until waits for a state.
func (f *floor) until(t *testing.T, reached func(map[string]int) bool) {
	t.Helper()
	limit := time.After(patience)
	for {
		got, changed := f.counts()
		if reached(got) {
			return
		}
		select {
		case <-changed:
		case <-limit:
			t.Fatalf("the workers hold %v", got)
		}
	}
}

// join runs a worker with fair shares, with a connection of its own.
func (f *floor) join(t *testing.T, l lab, name string) (stop func()) {
	t.Helper()
	nc, js := connect(t, l.Server)
	leases := &FairLeases{
		Leases:   Leases{JS: js, Log: testLog(t), pace: 20 * time.Millisecond},
		Presence: Presence{Conn: nc, every: 10 * time.Millisecond}, Name: name, Partitions: fairPartitions,
	}
	silence := background(t, leases.Announce)
	leave := background(t, func(ctx context.Context) error {
		return leases.Hold(ctx, fairPartitions, func(ctx context.Context, p int) {
			f.set(t, name, p, true)
			<-ctx.Done()
			f.set(t, name, p, false)
		})
	})
	return func() { leave(); silence() }
}

func fairLab(t *testing.T) lab {
	t.Helper()
	// With this AckWait no partition changes hands but by handing back.
	return labWith(t, Layout{Partitions: fairPartitions, AckWait: time.Hour})
}

func TestWorkersConvergeToFairShares(t *testing.T) {
	l, f := fairLab(t), newFloor()
	leave := f.join(t, l, "a")
	f.await(t, map[string]int{"a": 12})
	f.join(t, l, "b")
	f.await(t, map[string]int{"a": 6, "b": 6})
	f.join(t, l, "c")
	f.await(t, map[string]int{"a": 4, "b": 4, "c": 4})
	begin := time.Now()
	leave()
	f.until(t, func(n map[string]int) bool { return n["b"]+n["c"] == fairPartitions })
	t.Logf("handed over within %v", time.Since(begin))
	f.await(t, map[string]int{"b": 6, "c": 6})
}

func TestWorkersThatStartTogetherShareFairly(t *testing.T) {
	l, f := fairLab(t), newFloor()
	for _, name := range []string{"a", "b", "c"} {
		f.join(t, l, name)
	}
	f.await(t, map[string]int{"a": 4, "b": 4, "c": 4})
}

func TestPartitionsThatOthersOnlyClaimToTakeAreTaken(t *testing.T) {
	l, f := fairLab(t), newFloor()
	for _, name := range []string{"liar", "other liar"} {
		background(t, func(ctx context.Context) error {
			return Presence{Conn: l.nc, every: 10 * time.Millisecond}.Announce(ctx, func() Report { return Report{Name: name, Capacity: 64} })
		})
	}
	f.join(t, l, "a")
	f.until(t, func(n map[string]int) bool { return n["a"] == fairPartitions })
	f.until(t, func(n map[string]int) bool { return n["a"] < fairPartitions })
	// What it has handed back to them it takes again, and then leaves them alone for a while.
	f.await(t, map[string]int{"a": 12})
}

func TestPartitionsOfAKilledWorkerAreShared(t *testing.T) {
	l, f := labWith(t, Layout{Partitions: fairPartitions, AckWait: 2 * time.Second}), newFloor()
	f.join(t, l, "a")
	f.join(t, l, "b")
	nc, js := connect(t, l.Server)
	killed := &FairLeases{Leases: Leases{JS: js}, Presence: Presence{Conn: nc, every: 10 * time.Millisecond}, Name: "c", Partitions: fairPartitions}
	background(t, killed.Announce)
	background(t, func(ctx context.Context) error {
		return killed.Hold(ctx, fairPartitions, func(ctx context.Context, p int) {
			f.set(t, "c", p, true)
			<-ctx.Done()
			f.set(t, "c", p, false)
		})
	})
	f.until(t, func(n map[string]int) bool { return n["c"] >= 4 && n["a"]+n["b"]+n["c"] == fairPartitions })
	nc.Close() // nothing is said, nothing handed back
	f.until(t, func(n map[string]int) bool { return n["a"]+n["b"] == fairPartitions })
}
