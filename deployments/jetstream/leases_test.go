package jetstream

import (
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/serin-cd/serin/deployments/journaltest"
)

// worker holds partitions and tells when a call begins and when it has ended.
type worker struct {
	began, ended chan int
	stop         func()
}

// work runs a worker whose calls last until their context ends.
func work(t *testing.T, l Leases, capacity int) worker {
	t.Helper()
	w := worker{began: make(chan int, 64), ended: make(chan int, 64)}
	var mu sync.Mutex
	running := map[int]bool{}
	set := func(p int, on bool) {
		mu.Lock()
		defer mu.Unlock()
		if running[p] == on {
			t.Errorf("partition %d is called twice at once", p)
		}
		running[p] = on
	}
	w.stop = background(t, func(ctx context.Context) error {
		return l.Hold(ctx, capacity, func(ctx context.Context, p int) {
			set(p, true)
			w.began <- p
			<-ctx.Done()
			set(p, false)
			w.ended <- p
		})
	})
	return w
}

// some is the next n of a channel, sorted.
func some(t *testing.T, c <-chan int, n int) []int {
	t.Helper()
	got := make([]int, n)
	for i := range got {
		got[i] = receive(t, c)
	}
	slices.Sort(got)
	return got
}

var all = []int{0, 1, 2, 3} // the partitions of a lab

func TestAStoppedWorkerHandsItsPartitionsOverAtOnce(t *testing.T) {
	// With this AckWait nothing but handing back is fast enough for the test's patience.
	l := labWith(t, Layout{Partitions: journaltest.Partitions, AckWait: time.Hour})
	first := work(t, Leases{JS: l.js}, 64)
	if diff := cmp.Diff(all, some(t, first.began, 4)); diff != "" {
		t.Fatal(diff)
	}
	_, js := connect(t, l.Server)
	second := work(t, Leases{JS: js}, 64)
	first.stop()
	if diff := cmp.Diff(all, some(t, second.began, 4)); diff != "" {
		t.Error(diff)
	}
	second.stop()
	s, err := l.js.Stream(t.Context(), "SERIN_LEASE")
	if err != nil {
		t.Fatal(err)
	}
	if n := s.CachedInfo().State.Msgs; n != journaltest.Partitions {
		t.Errorf("%d lease messages are left, want %d", n, journaltest.Partitions)
	}
}

func TestWorkersShareThePartitions(t *testing.T) {
	l := labWith(t, Layout{Partitions: journaltest.Partitions, AckWait: time.Hour})
	_, js := connect(t, l.Server)
	first, second := work(t, Leases{JS: l.js}, 2), work(t, Leases{JS: js}, 2)
	got := append(some(t, first.began, 2), some(t, second.began, 2)...)
	slices.Sort(got)
	if diff := cmp.Diff(all, got); diff != "" {
		t.Error(diff)
	}
}

func TestPartitionsOfADeadWorkerFailOver(t *testing.T) {
	l := newLab(t)
	nc, js := connect(t, l.Server)
	dead := work(t, Leases{JS: js}, 64)
	some(t, dead.began, 4)
	nc.Close() // nothing is handed back, nothing renewed
	next := work(t, Leases{JS: l.js}, 64)
	if diff := cmp.Diff(all, some(t, next.began, 4)); diff != "" {
		t.Error(diff)
	}
	// Before another one had them, the dead one knew that it has lost them.
	if n := len(dead.ended); n != 4 {
		t.Errorf("%d calls had ended before the fail-over, want 4", n)
	}
}

func TestPartitionsAreKeptForMuchLongerThanAckWait(t *testing.T) {
	l := labWith(t, Layout{Partitions: 1, AckWait: 400 * time.Millisecond})
	w := work(t, Leases{JS: l.js}, 1)
	some(t, w.began, 1)
	c, err := l.js.Consumer(t.Context(), "SERIN_LEASE", "w")
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		msg, err := c.Next(jetstream.FetchMaxWait(2 * time.Second))
		if err != nil {
			if n := len(w.ended); n != 0 {
				t.Error("the call has ended")
			}
			return
		}
		// On a machine that stands still for so long a lease is lost; then the call must know it.
		receive(t, w.ended)
		if err := msg.Nak(); err != nil {
			t.Fatal(err)
		}
		receive(t, w.began)
	}
	t.Error("other workers get the partition again and again")
}

func TestAFrozenHolderLosesItsContexts(t *testing.T) {
	l := newLab(t)
	var ahead atomic.Int64
	frozen := Leases{JS: l.js, Now: func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }}
	w := work(t, frozen, 64)
	some(t, w.began, 4)
	ahead.Store(int64(time.Minute)) // as after a SIGSTOP or a machine that slept
	if diff := cmp.Diff(all, some(t, w.ended, 4)); diff != "" {
		t.Error(diff)
	}
	// It takes them again, once the server has given them up.
	if diff := cmp.Diff(all, some(t, w.began, 4)); diff != "" {
		t.Error(diff)
	}
}

func TestPartitionsAreTakenAgainAfterAnOutage(t *testing.T) {
	dir := t.TempDir()
	s := embed(t, dir, "127.0.0.1:0")
	listen, token := strings.TrimPrefix(s.URL(), "nats://"), s.Token()
	_, js := connect(t, s)
	if err := Setup(t.Context(), js, Layout{Partitions: journaltest.Partitions, AckWait: time.Second}); err != nil {
		t.Fatal(err)
	}
	w := work(t, Leases{JS: js}, 64)
	some(t, w.began, 4)
	if err := s.Shutdown(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(all, some(t, w.ended, 4)); diff != "" {
		t.Error(diff)
	}
	s, err := Embed(t.Context(), ServerOptions{Dir: dir, Listen: listen, Token: token})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Shutdown()
	if diff := cmp.Diff(all, some(t, w.began, 4)); diff != "" {
		t.Error(diff)
	}
	w.stop()
}

func TestAPartitionThatIsGivenUpComesBack(t *testing.T) {
	l := labWith(t, Layout{Partitions: 1, AckWait: 400 * time.Millisecond})
	calls := make(chan int, 8)
	background(t, func(ctx context.Context) error {
		return Leases{JS: l.js}.Hold(ctx, 1, func(_ context.Context, p int) {
			select {
			case calls <- p:
			default:
			}
		})
	})
	some(t, calls, 3)
}

func TestACallThatEndsLateIsNotCalledTwiceAtOnce(t *testing.T) {
	l := labWith(t, Layout{Partitions: 1, AckWait: 400 * time.Millisecond})
	var ahead atomic.Int64
	var running, calls atomic.Int32
	lost, goOn, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
	background(t, func(ctx context.Context) error {
		hold := Leases{JS: l.js, Now: func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }}
		return hold.Hold(ctx, 2, func(ctx context.Context, _ int) {
			if running.Add(1) != 1 {
				t.Error("two calls at once")
			}
			if calls.Add(1) == 1 {
				ahead.Store(int64(time.Minute))
				<-ctx.Done()
				close(lost)
				<-goOn // the call winds down slowly, while the server gives the partition to us again
			} else {
				close(done)
				<-ctx.Done()
			}
			running.Add(-1)
		})
	})
	receive(t, lost)
	c, err := l.js.Consumer(t.Context(), "SERIN_LEASE", "w")
	if err != nil {
		t.Fatal(err)
	}
	for again := uint64(0); again < 2; { // delivered once more
		info, err := c.Info(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		again = info.Delivered.Consumer
	}
	close(goOn)
	receive(t, done)
}

func TestLeasesWithoutSetupAreAnError(t *testing.T) {
	s := embed(t, t.TempDir(), "127.0.0.1:0")
	defer s.Shutdown()
	nc, js := connect(t, s)
	defer closeAndWait(nc)
	err := Leases{JS: js}.Hold(t.Context(), 1, func(context.Context, int) {})
	if err == nil || !strings.Contains(err.Error(), "serin setup") {
		t.Errorf("hold: %v, want a hint at serin setup", err)
	}
}
