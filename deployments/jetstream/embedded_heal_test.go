package jetstream

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestAServerThatCannotWriteStartsAgainWhenThereIsRoom(t *testing.T) {
	l := newLab(t)
	last := write(t, l, checkout, 3)
	room := filepath.Join(l.dir, "room")
	if err := os.Mkdir(room, 0o700); err != nil { // in the way of the trial
		t.Fatal(err)
	}
	before := l.running()
	l.healer.broken <- "JetStream stream critical write error: no space left on device"
	until(t, "the fault", func() bool { return l.Fault() != "" })
	if e := lastOf(t, l, checkout); e.Sequence != last || l.running() != before {
		t.Error("it is not read from any more")
	}

	if err := os.Remove(room); err != nil {
		t.Fatal(err)
	}
	until(t, "the end of the fault", func() bool { return l.Fault() == "" })
	if l.running() == before {
		t.Error("the same server runs")
	}
	until(t, "the connection", l.nc.IsConnected)
	if e := lastOf(t, l, checkout); e.Sequence != last {
		t.Errorf("last entry %d, want %d", e.Sequence, last)
	}
	if next := write(t, l, shop, 1); next != last+1 {
		t.Errorf("written as %d behind %d", next, last)
	}
	if _, err := os.Stat(room); err == nil {
		t.Error("the trial's file is left")
	}
}

func TestAServerThatCannotWriteStopsAtOnce(t *testing.T) {
	s := embed(t, t.TempDir(), "127.0.0.1:0")
	if err := os.Mkdir(filepath.Join(s.dir, "room"), 0o700); err != nil {
		t.Fatal(err)
	}
	s.healer.broken <- "critical write error"
	until(t, "the fault", func() bool { return s.Fault() != "" })
	began := time.Now()
	if err := s.Shutdown(); err != nil || time.Since(began) > patience/2 {
		t.Errorf("it stopped after %v: %v", time.Since(began), err)
	}
}

// until looks again until something is so.
func until(t *testing.T, what string, so func() bool) {
	t.Helper()
	over := time.Now().Add(patience)
	for !so() {
		if time.Now().After(over) {
			t.Fatalf("waited in vain for %s", what)
		}
		if err := pause(t.Context(), 10*time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
}
