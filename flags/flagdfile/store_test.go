package flagdfile_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/serin-cd/serin/flags"
	"github.com/serin-cd/serin/flags/flagdfile"
	"github.com/serin-cd/serin/flags/flagstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// empty is a document with neighbours that nobody may touch.
const empty = `{
  "$schema": "https://flagd.dev/schema/v0/flags.json",
  "flags": {
    "zebra": { "variants": {"a": 1.50}, "state": "ENABLED" },
    "apple": {"state":"DISABLED","variants":{"one":"1"}}
  },
  "$evaluators": {"qa": {"==": [{"var": "role"}, "qa"]}}
}
`

// atRest is the same with the flag of the suite.
var atRest = strings.Replace(empty, `"flags": {`, `"flags": {`+"\n"+`    "shop.checkout": `+flagstest.FeatureFlag+`,`, 1)

func open(t testing.TB, path string) *flagdfile.Store {
	t.Helper()
	s, err := flagdfile.New(flags.Source{Kind: flags.File, Path: path})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func file(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "flags.json")
	write(t, path, text)
	return path
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func text(t testing.TB, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func ramp(share int, seq uint64) flags.Ramp {
	return flags.Ramp{Fence: flags.Fence{Rollout: "r-1", Slot: "production/shop", Generation: 1, Seq: seq}, Share: share}
}

func TestFileIsAStore(t *testing.T) {
	flagstest.Run(t, func(t *testing.T) flags.Store { return open(t, file(t, empty)) })
}

func TestWriteLeavesEveryOtherByte(t *testing.T) {
	path := file(t, atRest)
	if _, err := flags.Apply(t.Context(), open(t, path), flagstest.Key, ramp(500, 1)); err != nil {
		t.Fatal(err)
	}
	before, after := strings.Split(atRest, "\n"), strings.Split(text(t, path), "\n")
	if len(before) != len(after) {
		t.Fatalf("%d lines became %d", len(before), len(after))
	}
	for i := range before {
		if before[i] != after[i] && !strings.Contains(before[i], `"shop.checkout"`) {
			t.Errorf("line %d: %s\nbecame  %s", i, before[i], after[i])
		}
	}
}

func TestModeAndOwnerStay(t *testing.T) {
	path := file(t, atRest)
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 {
		if err := os.Chown(path, 1234, 4321); err != nil {
			t.Fatal(err)
		}
	}
	was := stat(t, path)
	if _, err := flags.Apply(t.Context(), open(t, path), flagstest.Key, ramp(500, 1)); err != nil {
		t.Fatal(err)
	}
	is := stat(t, path)
	if is.Mode != was.Mode || is.Uid != was.Uid || is.Gid != was.Gid {
		t.Errorf("mode %o owner %d:%d became %o %d:%d", was.Mode, was.Uid, was.Gid, is.Mode, is.Uid, is.Gid)
	}
	if is.Ino == was.Ino {
		t.Error("the file was written in place: a reader may see half of it")
	}
}

func stat(t *testing.T, path string) *syscall.Stat_t {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Sys().(*syscall.Stat_t)
}

func TestPersonsEditBetweenReadAndWriteIsAConflict(t *testing.T) {
	path := file(t, atRest)
	s := open(t, path)
	f, revision, err := s.Get(t.Context(), flagstest.Key)
	if err != nil {
		t.Fatal(err)
	}
	next, err := ramp(500, 1).Edit(f)
	if err != nil {
		t.Fatal(err)
	}
	edited := strings.Replace(atRest, `"defaultVariant":"off"`, `"defaultVariant":"on"`, 1)
	write(t, path, edited)
	if _, err := s.Update(t.Context(), flagstest.Key, next, revision); !errors.Is(err, flags.ErrConflict) {
		t.Errorf("%v, want ErrConflict", err)
	}
	if text(t, path) != edited {
		t.Error("the person's edit is lost")
	}
	if _, err := flags.Apply(t.Context(), s, flagstest.Key, ramp(500, 1)); err == nil {
		t.Error("a ramp over the person's edit is accepted")
	}
	if _, err := flags.Apply(t.Context(), s, flagstest.Key, flags.Kill{Fence: ramp(0, 2).Fence}); err != nil {
		t.Errorf("a kill over the person's edit: %v", err)
	}
}

func TestOtherSpacingAndOtherFlagsAreNoConflict(t *testing.T) {
	path := file(t, atRest)
	s := open(t, path)
	f, revision, _ := s.Get(t.Context(), flagstest.Key)
	next, err := ramp(500, 1).Edit(f)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, strings.NewReplacer(`"state":"ENABLED"`, `"state" :  "ENABLED"`, "1.50", "2").Replace(atRest))
	if _, err := s.Update(t.Context(), flagstest.Key, next, revision); err != nil {
		t.Error(err)
	}
	if !strings.Contains(text(t, path), `{"a": 2}`) {
		t.Error("the other flag's edit is lost")
	}
}

func TestReadersNeverSeeAHalfDocument(t *testing.T) {
	path := file(t, atRest)
	s := open(t, path)
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		for ctx.Err() == nil {
			data, err := os.ReadFile(path)
			if err == nil {
				_, err = flags.ParseDocument(data)
			}
			if err != nil {
				t.Error(err)
				return
			}
		}
	})
	for i := range 100 {
		if _, err := flags.Apply(t.Context(), s, flagstest.Key, ramp(i+1, uint64(i+1))); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	wg.Wait()
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestWhatAKilledWriterLeftIsNoObstacle(t *testing.T) {
	path := file(t, atRest)
	write(t, filepath.Join(filepath.Dir(path), ".flags.json.serin"), "half a docum")
	if _, err := flags.Apply(t.Context(), open(t, path), flagstest.Key, ramp(500, 1)); err != nil {
		t.Error(err)
	}
}

func TestLinkToAFileIsFollowedAndStays(t *testing.T) {
	path := file(t, atRest)
	link := filepath.Join(t.TempDir(), "link.json")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	if _, err := flags.Apply(t.Context(), open(t, link), flagstest.Key, ramp(500, 1)); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("the link is gone: %v", err)
	}
	if !strings.Contains(text(t, path), `"serinShare":500`) {
		t.Error("the file behind the link is not written")
	}
}

func TestMountedConfigMapIsRefusedWithTheCure(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "..2026_11_21"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "..2026_11_21", "flags.json"), atRest)
	for name, to := range map[string]string{"..data": "..2026_11_21", "flags.json": "..data/flags.json"} {
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	s := open(t, filepath.Join(dir, "flags.json"))
	if _, _, err := s.Get(t.Context(), flagstest.Key); err != nil {
		t.Errorf("reading: %v", err)
	}
	refused(t, s, "mounted ConfigMap", "--flagd-sync")
}

func TestWhatIsNoJSONDocumentIsRefusedWithTheCure(t *testing.T) {
	for content, want := range map[string]string{
		"flags:\n  a:\n    state: ENABLED\n": "JSON, which flagd reads too",
		`{"flags":[]}`:                       "needs an object",
		`{"flags":{}`:                        "unexpected end",
		``:                                   "unexpected end",
		strings.Replace(atRest, `"one":"1"`, `"one":"1","two":2`, 1): "several types",
	} {
		path := file(t, content)
		refused(t, open(t, path), want)
		if text(t, path) != content {
			t.Errorf("%q was written over", content)
		}
	}
	for _, src := range []flags.Source{{Kind: flags.File, Path: "flags.yaml"}, {Kind: flags.File, Path: "flags.YML"}, {Kind: flags.File}, {Kind: flags.Unleash, Path: "x"}} {
		if _, err := flagdfile.New(src); err == nil {
			t.Errorf("%+v is accepted", src)
		}
	}
}

func TestMissingFileIsNoMissingFlag(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "flags.json"))
	if _, _, err := s.Get(t.Context(), flagstest.Key); !errors.Is(err, fs.ErrNotExist) || errors.Is(err, flags.ErrNotFound) {
		t.Errorf("%v", err)
	}
	refused(t, s, "no such file")
}

func TestFlagThatFlagdWouldRefuseIsNotWritten(t *testing.T) {
	path := file(t, empty)
	f := flagstest.MustParse(t, `{"state":"ENABLED","variants":{"on":true,"off":false},"targeting":{"upper":["a"]}}`)
	if _, err := open(t, path).Update(t.Context(), flagstest.Key, f, 0); err == nil || !strings.Contains(err.Error(), "upper") {
		t.Errorf("%v", err)
	}
	if text(t, path) != empty {
		t.Error("the file was written")
	}
}

func TestLockThatAnotherHoldsIsWaitedForUntilTheContextEnds(t *testing.T) {
	path := file(t, atRest)
	held, err := os.Create(path + ".lock")
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	if err := syscall.Flock(int(held.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := flags.Apply(ctx, open(t, path), flagstest.Key, ramp(500, 1)); err == nil || !strings.Contains(err.Error(), "held by another writer") {
		t.Errorf("%v", err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := flags.Apply(t.Context(), open(t, path), flagstest.Key, ramp(500, 1))
		done <- err
	}()
	if err := syscall.Flock(int(held.Fd()), syscall.LOCK_UN); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Errorf("after the lock is free: %v", err)
	}
}

// mount makes a small file system, or skips: only root can.
func mount(t *testing.T, options string) string {
	t.Helper()
	dir := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", options, "serin-test", dir).CombinedOutput(); err != nil {
		t.Skipf("needs a mount: %s", out)
	}
	t.Cleanup(func() { _ = exec.Command("umount", dir).Run() })
	return dir
}

func TestFullDiskLeavesTheFileAsItWas(t *testing.T) {
	path := filepath.Join(mount(t, "size=16k"), "flags.json")
	write(t, path, atRest)
	write(t, path+".lock", "")
	full := filepath.Join(filepath.Dir(path), "full")
	_ = os.WriteFile(full, make([]byte, 64<<10), 0o600) // as much as there is room for
	refused(t, open(t, path), "no space left", "the file is as it was")
	if text(t, path) != atRest {
		t.Error("the file is not as it was")
	}
	if err := os.Remove(full); err != nil {
		t.Fatal(err)
	}
	if _, err := flags.Apply(t.Context(), open(t, path), flagstest.Key, ramp(500, 1)); err != nil {
		t.Errorf("when there is room again: %v", err)
	}
}

func TestReadOnlyDirectoryIsRefusedWithTheCure(t *testing.T) {
	dir := mount(t, "size=64k")
	path := filepath.Join(dir, "flags.json")
	write(t, path, atRest)
	if out, err := exec.Command("mount", "-o", "remount,ro", dir).CombinedOutput(); err != nil {
		t.Skipf("needs a mount: %s", out)
	}
	refused(t, open(t, path), "read-only", "able to write its directory")
}

func TestFileThatIsAMountOfItsOwnIsRefusedWithTheCure(t *testing.T) {
	source, path := file(t, atRest), file(t, "")
	if out, err := exec.Command("mount", "--bind", source, path).CombinedOutput(); err != nil {
		t.Skipf("needs a mount: %s", out)
	}
	t.Cleanup(func() { _ = exec.Command("umount", path).Run() })
	refused(t, open(t, path), "mount its directory")
}

func refused(t *testing.T, s flags.Store, want ...string) {
	t.Helper()
	_, err := flags.Apply(t.Context(), s, flagstest.Key, ramp(500, 1))
	if err == nil || errors.Is(err, flags.ErrNotFound) {
		t.Fatalf("%v, want a refusal", err)
	}
	for _, part := range want {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%v, want %q", err, part)
		}
	}
}

func BenchmarkKill(b *testing.B) {
	path := file(b, atRest)
	s := open(b, path)
	for i := 0; b.Loop(); i++ {
		if _, err := flags.Apply(b.Context(), s, flagstest.Key, flags.Kill{Fence: ramp(0, uint64(i+1)).Fence}); err != nil {
			b.Fatal(err)
		}
	}
}
