//go:build unix

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/serin-cd/serin/internal/chaos"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		os.Exit(1)
	}
}

// options are what a person says.
type options struct {
	dir      string
	duration time.Duration
	rollouts int
	seed     uint64
	only     string
}

func run(ctx context.Context) error {
	var o options
	flag.StringVar(&o.dir, "run", filepath.Join("bin", "chaos"), "directory that keeps what is left; it is emptied first")
	flag.DurationVar(&o.duration, "duration", 2*time.Minute, "of both main phases together")
	flag.IntVar(&o.rollouts, "rollouts", 0, "of both main phases together (default: 2000 for each two minutes)")
	flag.Uint64Var(&o.seed, "seed", uint64(time.Now().UnixNano()%1e6), "of the script and the faults")
	flag.StringVar(&o.only, "only", "", "phases to run, separated by commas (default: all)")
	flag.Parse()
	if o.rollouts == 0 {
		o.rollouts = int(2000 * o.duration / (2 * time.Minute))
	}
	dir, err := filepath.Abs(o.dir)
	if err != nil {
		return err
	}
	o.dir = dir
	if err := empty(dir); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "chaos: SEED=%d, %d rollouts in %s, in %s\n", o.seed, o.rollouts, o.duration, o.dir)
	w := workshop{bin: filepath.Join(dir, "bin")}
	if err := w.tools(ctx); err != nil {
		return err
	}
	main, controls := phases(o)
	for _, p := range main {
		err = errors.Join(err, p.run(ctx, w))
	}
	return errors.Join(err, together(ctx, w, controls))
}

// marker is in every directory that a run has made: no other is emptied.
const marker = ".chaos"

// empty clears the directory of an earlier run, or makes one.
func empty(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if _, err := os.Stat(filepath.Join(dir, marker)); err != nil && len(entries) > 0 {
		return fmt.Errorf("%s is not empty and not of a chaos run: name another directory with RUN=", dir)
	}
	return errors.Join(os.RemoveAll(dir), os.MkdirAll(filepath.Join(dir, "bin"), 0o755), os.WriteFile(filepath.Join(dir, marker), nil, 0o644))
}

// together runs the controls side by side: they wait most of the time.
func together(ctx context.Context, w workshop, controls []phase) error {
	errs := make([]error, len(controls))
	var all sync.WaitGroup
	for i, p := range controls {
		all.Go(func() { errs[i] = p.run(ctx, w) })
	}
	all.Wait()
	return errors.Join(errs...)
}

// phases are the two that must be clean, and the controls that must not.
func phases(o options) (main, controls []phase) {
	length := o.duration / 2
	slots := max(1, min(o.rollouts/4, 500))
	base := phase{seed: o.seed, slots: slots, rollouts: o.rollouts / 2, ramp: length / 6, limit: 2*length + time.Minute, build: "serin"}
	single, cluster := base, base
	single.name, single.servers, single.plan = "single", 1, []chaos.FaultKind{chaos.KillWorker, chaos.StopWorker, chaos.CutWorker, chaos.Outage}
	cluster.name, cluster.servers, cluster.seed = "cluster", 3, o.seed+1
	cluster.plan = []chaos.FaultKind{chaos.KillWorker, chaos.StopWorker, chaos.CutWorker, chaos.KillServer, chaos.Outage}
	main = []phase{single, cluster}
	for _, c := range controlsOf() {
		c.seed, c.servers, c.slots, c.rollouts, c.ramp, c.limit = o.seed, 1, 100, 100, 10*time.Second, 40*time.Second
		controls = append(controls, c)
	}
	if o.only != "" {
		other := func(p phase) bool { return !slices.Contains(strings.Split(o.only, ","), p.name) }
		main, controls = slices.DeleteFunc(main, other), slices.DeleteFunc(controls, other)
	}
	return main, controls
}
