package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/serin-cd/serin/steps"
)

func TestEventsArePrintedAndFollowed(t *testing.T) {
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) }) // after the daemon's own cleanup
	o := newOrdered(t)
	o.do("flags", "set", "checkout-version", "1.0.0")
	o.do("release", "checkout", "1.1.0", "--id", "build-7")

	for _, args := range [][]string{{"events", "checkout", "-f", "-o", "jsonl"}, {"events", "-f", "-o", "jsonl", "--env", "production"}} {
		ctx, stop := context.WithCancel(t.Context())
		lines, stdout := io.Pipe()
		env := o.env
		env.Stdout = stdout
		done := make(chan int, 1)
		go func() {
			done <- run(ctx, append(args, "--data", "data"), env)
			stdout.Close()
		}()
		heard := map[string]eventLine{}
		for scan := bufio.NewScanner(lines); scan.Scan(); {
			var l eventLine
			if err := json.Unmarshal(scan.Bytes(), &l); err != nil {
				t.Fatalf("%v: %s", err, scan.Text())
			}
			heard[l.Event] = l
			if l.Event == "traffic.confirmed" {
				o.until("checkout", in(steps.Baking))
				o.do("pause", "checkout", "--by", "ada")
			}
			if l.Event == "rollout.paused" {
				stop()
			}
		}
		stop()
		if code := <-done; code != exitOK {
			t.Errorf("%v ended with %d", args, code)
		}
		if l := heard["release.accepted"]; l.Data.Release != "build-7" || l.Data.Version != "1.1.0" || l.Severity != "info" {
			t.Errorf("%v: accepted: %+v", args, l)
		}
		o.do("resume", "checkout")
	}

	o.says(exitOK, []string{"  production/checkout     release.accepted       info     · 1.1.0", "traffic.confirmed"}, nil, "events", "checkout")
	o.says(exitOK, []string{"release.accepted"}, nil, "events")
	o.says(exitOK, nil, []string{"release.accepted"}, "events", "--env", "staging")
	o.says(exitOK, nil, []string{"release.accepted"}, "events", "cart")
	o.says(exitUsage, []string{"jsonl"}, nil, "events", "-o", "json")
	o.says(exitUsage, []string{"is not a name"}, nil, "events", "a.b")
	if _, said := o.serin("events", "checkout"); strings.Count(said, "release.accepted") != 1 || strings.Contains(said, "\x1b") {
		t.Errorf("%q", said)
	}
}
