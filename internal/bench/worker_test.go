//go:build unix

package bench

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"runtime/metrics"
	"slices"
	"sync"
	"syscall"
	"time"

	natsjs "github.com/nats-io/nats.go/jetstream"
	prom "github.com/prometheus/client_golang/prometheus"

	"github.com/serin-cd/serin/analysis"
	"github.com/serin-cd/serin/analysis/prometheus"
	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/deployments/jetstream"
	"github.com/serin-cd/serin/steps"
)

// job is what a worker is to do: hold all rollouts, say when it does, and measure itself over some intervals. One that
// Waits holds none at first: it says when it is there, then when it has read its first rollout, and each of them.
type job struct {
	Name       string
	NATS       endpoint
	Prometheus string
	Rollouts   int
	Interval   time.Duration
	Intervals  int
	Waits      bool
	Verbose    bool
}

// holding is told when all rollouts are held.
type holding struct{ After time.Duration }

// usage is what a worker took.
type usage struct {
	CaughtUp         time.Duration // from the start to a first reading of every rule
	Wall, Processor  time.Duration
	Owed, Done       int // evaluations, each of one rule: of the instants in Wall, an interval after it at the latest
	Judged, Unusable int // evaluations in Wall, of whatever instants; those that were not healthy, which all are to be
	P50, P99, Max    time.Duration
	Live, Peak       uint64 // bytes: heap and stacks above those of an empty worker; the process at its most
	Goroutines       int
	Allocated        uint64 // bytes during Wall
	AllocatedObjects uint64
}

// lag is what `serin serve` has.
const lag = 100 * time.Millisecond

// clock is an Analyst that notes when evaluations were judged.
type clock struct {
	deployments.Analyst
	mu       sync.Mutex
	from, to time.Time // what is measured
	done     int
	late     []time.Duration
	unusable int
	ever     int // evaluations of all instants
	read     map[string]bool
	first    time.Time // when the first rollout was read
	last     time.Time // when the last one had been read for the first time
}

func (c *clock) Measure(ctx context.Context, rs []analysis.Request, at time.Time) []analysis.Judgement {
	js := c.Analyst.Measure(ctx, rs, at)
	late := time.Since(at) - lag
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ever += len(js)
	for _, r := range rs {
		if !c.read[r.Vars.Service] {
			c.read[r.Vars.Service], c.last = true, time.Now()
			if len(c.read) == 1 {
				c.first = c.last
			}
		}
	}
	if at.After(c.from) && !at.After(c.to) {
		c.done += len(js)
	}
	if judged := at.Add(late); !judged.Before(c.from) && judged.Before(c.to) {
		for _, j := range js {
			c.late = append(c.late, late)
			if j.Verdict != analysis.Healthy {
				c.unusable++
			}
		}
	}
	return js
}

// work is a worker in a process of its own.
func work() error {
	var j job
	if err := told(&j); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	gone := orphaned()
	go func() {
		<-gone
		cancel()
	}()
	nc, err := jetstream.Connect(ctx, j.NATS.URL, jetstream.ClientOptions{Token: j.NATS.Token})
	if err != nil {
		return err
	}
	defer nc.Close()
	js, err := natsjs.New(nc)
	if err != nil {
		return err
	}
	c := &clock{read: map[string]bool{}}
	w, err := j.worker(ctx, js, c)
	if err != nil {
		return err
	}
	done := make(chan error, 1)
	empty, begin := memory(), time.Now()
	go func() { done <- w.Run(ctx) }()
	if j.Waits {
		err = j.takeOver(ctx, c)
	} else {
		err = j.report(ctx, w, c, begin, empty)
	}
	if err == nil {
		<-ctx.Done()
	}
	cancel()
	if ended := <-done; !errors.Is(ended, context.Canceled) {
		err = errors.Join(err, ended)
	}
	return err
}

func (j job) worker(ctx context.Context, js natsjs.JetStream, c *clock) (*deployments.Worker, error) {
	log := slog.New(slog.DiscardHandler)
	if j.Verbose {
		log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	journal, err := jetstream.OpenJournal(ctx, js, jetstream.Names{}, log)
	if err != nil {
		return nil, err
	}
	policies, err := jetstream.OpenPolicies(ctx, js, jetstream.Names{})
	if err != nil {
		return nil, err
	}
	c.Analyst = analysis.Analyst{Querier: &prometheus.Client{Default: &analysis.Source{URL: j.Prometheus}}}
	return &deployments.Worker{Name: j.Name, Journal: journal, Policies: policies, Analyst: c, Exposers: map[steps.MoverKind]deployments.Exposer{},
		Leases: jetstream.Leases{JS: js}, Metrics: deployments.NewMetrics(prom.NewRegistry()), Now: time.Now, Log: log,
		Capacity: jetstream.EmbeddedPartitions, Lag: lag}, nil
}

// report tells when all rollouts are held, then what they take.
func (j job) report(ctx context.Context, w *deployments.Worker, c *clock, begin time.Time, empty uint64) error {
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for w.Rollouts() < j.Rollouts {
		select {
		case <-poll.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if err := tell(holding{time.Since(begin)}); err != nil {
		return err
	}
	// A worker that takes over reads the instant that was missed: what is measured begins after that.
	for limit := time.Now().Add(patience / 2); c.judgedEver() < j.Rollouts*ruleCount && time.Now().Before(limit); {
		if err := until(ctx, time.Now().Add(5*time.Millisecond)); err != nil {
			return err
		}
	}
	u := usage{Owed: j.Rollouts * ruleCount * j.Intervals, CaughtUp: time.Since(begin)}
	c.mu.Lock()
	c.from = time.Now()
	c.to = c.from.Add(time.Duration(j.Intervals) * j.Interval)
	c.late = make([]time.Duration, 0, u.Owed)
	c.mu.Unlock()
	before := takenSoFar()
	if err := until(ctx, c.to.Add(lag)); err != nil {
		return err
	}
	after := takenSoFar()
	u.Wall, u.Processor = after.at.Sub(before.at), after.processor-before.processor
	u.Allocated, u.AllocatedObjects = after.bytes-before.bytes, after.objects-before.objects
	// Whatever is late still comes; what has not come an interval later never will.
	for end := c.to.Add(j.Interval); c.judged() < u.Owed && time.Now().Before(end); {
		if err := until(ctx, time.Now().Add(50*time.Millisecond)); err != nil {
			return err
		}
	}
	c.sum(&u)
	u.Goroutines, u.Peak = runtime.NumGoroutine(), peak()
	u.Live = memory() - empty
	return tell(u)
}

// takenOver is told when a worker has read all that another one held.
type takenOver struct{ First, Last time.Time }

func (j job) takeOver(ctx context.Context, c *clock) error {
	if err := tell(holding{}); err != nil {
		return err
	}
	for {
		c.mu.Lock()
		read, t := len(c.read), takenOver{c.first, c.last}
		c.mu.Unlock()
		if read == j.Rollouts {
			return tell(t)
		}
		if err := until(ctx, time.Now().Add(5*time.Millisecond)); err != nil {
			return err
		}
	}
}

func (c *clock) judged() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.done
}

func (c *clock) judgedEver() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ever
}

func (c *clock) sum(u *usage) {
	c.mu.Lock()
	defer c.mu.Unlock()
	u.Done, u.Judged, u.Unusable = c.done, len(c.late), c.unusable
	slices.Sort(c.late)
	if n := len(c.late); n > 0 {
		u.P50, u.P99, u.Max = c.late[n/2], c.late[n*99/100], c.late[n-1]
	}
	c.late = nil
}

// until waits for a time.
func until(ctx context.Context, at time.Time) error {
	timer := time.NewTimer(time.Until(at))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// taken is what the process has taken since it began.
type taken struct {
	at             time.Time
	processor      time.Duration
	bytes, objects uint64
}

func takenSoFar() taken {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(fmt.Sprint("getrusage: ", err))
	}
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}, {Name: "/gc/heap/allocs:objects"}}
	metrics.Read(s)
	return taken{time.Now(), time.Duration(u.Utime.Nano() + u.Stime.Nano()), s[0].Value.Uint64(), s[1].Value.Uint64()}
}

// memory is what is in use: the heap after a collection, and the stacks.
func memory() uint64 {
	runtime.GC()
	runtime.GC() // what finalizers have let go
	s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/stacks:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64() + s[1].Value.Uint64()
}

// peak is the most memory that the process has had from the system, in bytes.
func peak() uint64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(fmt.Sprint("getrusage: ", err))
	}
	unit := int64(1 << 10)
	if runtime.GOOS == "darwin" {
		unit = 1
	}
	return uint64(u.Maxrss * unit)
}
