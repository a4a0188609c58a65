package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/serin-cd/serin/steps"
)

func TestWaitAttachesToARolloutUnderWayAndLongAfterItsEnd(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	t.Run("with a daemon", func(t *testing.T) {
		o := newOrdered(t)
		exits := func(want int, words string, args ...string) {
			t.Helper()
			if code, said := o.serin(args...); code != want || !strings.Contains(said, words) {
				t.Errorf("serin %s: %d, not %d with %q: %s", strings.Join(args, " "), code, want, words, said)
			}
		}
		exits(exitNotAccepted, "serin history", "wait", "cart")
		exits(exitUsage, "not one of text, json, jsonl", "wait", "cart", "-o", "yaml")
		exits(exitUsage, "has passed already", "wait", "cart", "--timeout", "-5s")
		o.do("flags", "set", "cart-version", "1.0.0")
		exits(exitTimeout, "the rollout goes on", "release", "cart", "1.1.0", "--wait", "--timeout", "1s")
		first := o.until("cart", in(steps.Baking)).Rollout
		o.do("pause", "cart")
		exits(exitPaused, "serin resume cart", "wait", "cart", "--exit-on-pause")
		exits(exitPaused, "serin resume cart", "wait", first, "--exit-on-pause")
		if _, said := o.serin("wait", first, "--exit-on-pause", "-o", "jsonl"); strings.Count(said, "\n") != 1 {
			t.Errorf("what was known is told as news: %s", said)
		}

		live, out := o.env, &strings.Builder{}
		live.Stdout, live.Stderr = out, out
		code := make(chan int, 1)
		go func() { code <- run(t.Context(), []string{"wait", "cart", "--data", "data", "-o", "jsonl"}, live) }()
		o.do("abort", "cart", "--by", "ada", "--reason", "wrong build")
		if got := <-code; got != exitAborted || !strings.Contains(out.String(), `"reason":"wrong build"`) {
			t.Errorf("%d: %s", got, out)
		}
		exits(exitAborted, "wrong build", "wait", "cart")
		o.do("release", "cart", "1.2.0")
		if second := o.until("cart", in(steps.Baking)).Rollout; second == first {
			t.Fatal("no second rollout")
		}
		exits(exitAborted, "wrong build", "wait", first)
		exits(exitNotAccepted, "nothing to wait for", "wait", "cart-1.3.0-00000000")
	})
	t.Run("without one", func(t *testing.T) {
		said := &strings.Builder{}
		env := Env{Stdout: io.Discard, Stderr: said, Getenv: func(string) string { return "" }, Now: time.Now, Dir: t.TempDir()}
		if code := run(t.Context(), []string{"wait", "cart", "--data", "data"}, env); code != exitUnreachable {
			t.Errorf("exit status %d", code)
		}
		killed := filepath.Join(env.Dir, "data")
		if err := errors.Join(os.Mkdir(killed, 0o700), os.WriteFile(filepath.Join(killed, "endpoint.json"), []byte(`{"url":"nats://127.0.0.1:1","token":"x"}`), 0o600)); err != nil {
			t.Fatal(err)
		}
		if code := run(t.Context(), []string{"wait", "cart", "--data", "data"}, env); code != exitUnreachable || !strings.Contains(said.String(), "does serin serve still run on data?") {
			t.Errorf("behind a server that was killed: %d: %s", code, said)
		}
	})
}
