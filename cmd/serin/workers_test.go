package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/serin-cd/serin/analysis"
	"github.com/serin-cd/serin/deployments/jetstream"
)

func TestWorkersAreListedWithWhatIsUnheldOrHeldTwice(t *testing.T) {
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	all := []jetstream.Report{
		{Name: "a-1", Version: "v1.2.0", Since: now.Add(-time.Hour), Partitions: []int{0, 1, 1, 2}, Rollouts: 12},
		{Name: "b\x1b-2", Since: now.Add(-time.Second), Partitions: []int{2, 4, 99, -1}, Draining: true},
	}
	s := newStaff(all, 9)
	if diff := cmp.Diff(staff{Workers: all, Partitions: 9, Unheld: []int{3, 5, 6, 7, 8}, Twice: []int{2}}, s); diff != "" {
		t.Error(diff)
	}
	var out strings.Builder
	if err := s.print(&out, now); err != nil {
		t.Fatal(err)
	}
	want := `WORKER  VERSION  PARTITIONS  ROLLOUTS  SINCE   STATE
a-1     v1.2.0   4           12        1h0m0s  serving
b�-2    -        4           0         1s      draining
5 of 9 partitions are held by nobody: 3, 5-8
1 of 9 partitions are held twice: 2
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}

func TestTheWorkersOfARunningDaemonAreListed(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	dir := t.TempDir()
	var out strings.Builder
	env := Env{Stdout: &out, Stderr: &out, Getenv: func(string) string { return "" }, Now: time.Now, Dir: dir}
	d, err := newDaemon(t.Context(), daemonConfig{NATS: natsFlags{data: "data"}, Listen: "127.0.0.1:0", HTTP: "127.0.0.1:0",
		Prometheus: &analysis.Source{URL: "http://127.0.0.1:1"}, Log: slog.New(slog.DiscardHandler), Env: env})
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	look := func() (staff, int) {
		out.Reset()
		code := run(t.Context(), []string{"workers", "--data", "data", "-o", "json"}, env)
		var s staff
		if err := json.NewDecoder(strings.NewReader(out.String())).Decode(&s); err != nil {
			t.Fatalf("%v: %s", err, out.String())
		}
		return s, code
	}
	if s, code := look(); code != exitNo || len(s.Workers) != 0 || len(s.Unheld) != s.Partitions || !strings.Contains(out.String(), "no worker is heard") {
		t.Errorf("while nobody serves: status %d, %s", code, out.String())
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx) }()
	for s, code := look(); ; s, code = look() {
		if code == exitOK && len(s.Workers) == 1 && len(s.Unheld) == 0 {
			if w := s.Workers[0]; w.Name != d.worker.Name || w.Version != buildInfo().Version || len(w.Partitions) != s.Partitions || w.Draining || len(s.Twice) != 0 {
				t.Errorf("it says %s", out.String())
			}
			break
		}
		if t.Context().Err() != nil {
			t.Fatal(out.String())
		}
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
