//go:build unix

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/serin-cd/serin/internal/chaos"
	"github.com/serin-cd/serin/internal/chaos/audit"
)

// phase is one run of the script.
type phase struct {
	name            string
	seed            uint64
	servers         int
	slots, rollouts int
	ramp            time.Duration // over which slots begin
	limit           time.Duration // after which what has not ended is not waited for
	build           string        // name of the workers' program
	edits           []edit        // what is broken in it
	expect          audit.Kind    // the counter that must not be 0; "": all three must be
	plan            []chaos.FaultKind
	freezeTwo       bool // a freeze is of two workers, so that there is something to double whoever holds what
}

// run plays the phase and has the audit look at it.
func (p phase) run(ctx context.Context, shop workshop) error {
	if err := shop.serin(ctx, p.build, append(append([]edit(nil), quick...), p.edits...)); err != nil {
		return err
	}
	dir := filepath.Join(filepath.Dir(shop.bin), p.name)
	w := &world{phase: p, shop: shop, dir: dir, logs: filepath.Join(dir, "logs"), script: chaos.Generate(p.name, p.seed, p.slots, p.rollouts)}
	if p.expect != "" {
		w.script = w.script.Promoting()
	}
	if err := w.happen(ctx); err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	return p.audit(ctx, shop, dir)
}

// happen runs the world from its beginning to its end.
func (w *world) happen(ctx context.Context) (err error) {
	if err := os.MkdirAll(w.logs, 0o755); err != nil {
		return err
	}
	if err := chaos.WriteJSON(filepath.Join(w.dir, chaos.ScriptFile), w.script); err != nil {
		return err
	}
	if w.faults, err = chaos.Append(filepath.Join(w.dir, chaos.FaultsFile)); err != nil {
		return err
	}
	defer w.close()
	if err := w.open(ctx); err != nil {
		return err
	}
	run := chaos.Run{Interval: chaos.Interval, Begin: time.Now()}
	if run.Complete, err = w.live(ctx); err != nil {
		return err
	}
	run.End = time.Now()
	fmt.Fprintf(os.Stderr, "chaos: %s: played in %.0f s\n", w.name, run.End.Sub(run.Begin).Seconds())
	if err := chaos.WriteJSON(filepath.Join(w.dir, chaos.RunFile), run); err != nil {
		return err
	}
	w.settle(ctx)
	return w.dump(ctx)
}

// live plays the script and does harm meanwhile.
func (w *world) live(ctx context.Context) (complete bool, err error) {
	playing, stop := context.WithTimeout(ctx, w.limit)
	defer stop()
	harmed := make(chan error, 1)
	go func() { harmed <- w.harm(playing) }()
	complete, err = w.play(playing)
	stop()
	return complete, errors.Join(err, <-harmed, ctx.Err())
}

// audit runs the audit as anybody could.
func (p phase) audit(ctx context.Context, shop workshop, dir string) error {
	var out, said bytes.Buffer
	cmd := exec.CommandContext(ctx, shop.program("audit"), dir)
	cmd.Stdout, cmd.Stderr = &out, &said
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 1) {
		return fmt.Errorf("audit %s: %w\n%s", dir, err, said.Bytes())
	}
	fmt.Print(out.String())
	var result audit.Result
	if err := json.Unmarshal(out.Bytes(), &result); err != nil {
		return err
	}
	if p.expect == "" {
		fmt.Fprint(os.Stderr, said.String())
		if !result.Clean() || !result.Complete {
			return fmt.Errorf("%s: doubled %d, missing %d, silent %d, complete %t", p.name, result.Doubled, result.Missing, result.Silent, result.Complete)
		}
		return nil
	}
	if n := map[audit.Kind]int{audit.Doubled: result.Doubled, audit.Missing: result.Missing, audit.Silent: result.Silent}[p.expect]; n == 0 {
		return fmt.Errorf("%s: the audit finds nothing %s in workers that were broken for it", p.name, p.expect)
	}
	fmt.Fprintf(os.Stderr, "chaos: %s: the audit has noticed\n", p.name)
	return nil
}
