//go:build e2e && linux

package e2e

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// smallDisk is a file system of 24 MB; "" where this user may not mount one.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=24m,mode=0700"); err != nil {
		t.Log("not tried, no small disk can be mounted: ", err) // not skipped: no package could be installed against it
		return ""
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// fill writes until nothing more fits, and returns what takes it away again.
func fill(t *testing.T, dir string) (makeRoom func()) {
	t.Helper()
	path := filepath.Join(dir, "ballast")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := io.CopyN(f, zeros{}, 1<<30); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("fill the disk: %v", err)
	}
	return func() {
		if err := os.Remove(path); err != nil {
			t.Error(err)
		}
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}

func TestAFullDiskStopsWhatItMustAndLosesNothing(t *testing.T) {
	t.Parallel()
	dir := smallDisk(t)
	if dir == "" {
		return
	}
	w := emptyWorld(t, policy(byVersionFlag), "1.0.0", "1.1.0", "1.2.0")
	w.nats = []string{"--data", filepath.Join(dir, "data")}
	listen := freeAddress(t)
	d := w.serve(t, "--listen", listen)
	w.reachEmbedded(t)
	w.do(t, "flags", "set", "checkout-version", "1.0.0")
	w.usersByFlag(t)
	waits := w.release(t, "1.1.0")
	w.story.await(t, patience, "1.1.0", "traffic.confirmed", 5)

	makeRoom := fill(t, dir)
	eventually(t, patience, func() error {
		if status, body := d.readiness(); status != http.StatusServiceUnavailable || body != "the data directory cannot be written" {
			return fmt.Errorf("/readyz says %d %s", status, body)
		}
		return nil
	})
	w.versions["1.1.0"].fault(t, "errors=1")
	if code, said := w.run(t, "status", "checkout"); code != 0 || !strings.Contains(said, "confirmed 5 %") {
		t.Errorf("status: %d: %s", code, said)
	}
	<-time.After(15 * time.Second) // long enough for a rollback, which cannot be
	if found := w.story.named(t, "1.1.0", "rollout.failed"); len(found) > 0 {
		t.Errorf("something was decided: %s", found[0].Data.Reason)
	}
	makeRoom()
	room := time.Now()

	ends(t, waits, 3, "restored", "rules")
	t.Logf("taken back %v after there was room", w.story.one(t, "1.1.0", "rollout.failed").Time.Sub(room).Round(time.Second/10))
	if status, body := d.readiness(); status != http.StatusOK {
		t.Errorf("/readyz says %d %s", status, body)
	}
	w.flagServesAll(t, "1.0.0")
	ends(t, w.release(t, "1.2.0"), 0, "promoted", "")
	w.story.wellTold(t)
}
