//go:build e2e && unix

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// screen is a terminal of a size, with a serin command in it.
type screen struct {
	tmux, socket, dir string
	width             int
}

// open runs a serin command in a terminal of its own, between two lines of a shell. Its environment has what env says
// besides a PATH and an empty home.
func (w *world) open(t *testing.T, width, height int, env []string, args ...string) *screen {
	t.Helper()
	s := &screen{tmux: needs(t, "tmux"), dir: t.TempDir(), width: width}
	s.socket = filepath.Join(s.dir, "tmux")
	words := []string{filepath.Join(bin, "serin")}
	for _, word := range append(args, w.nats...) {
		words = append(words, "'"+word+"'")
	}
	command := "trap : INT; echo before; " + strings.Join(words, " ") + "; echo ended with $?; cat"
	s.do(t, "-f", "/dev/null", "new-session", "-d", "-x", strconv.Itoa(width), "-y", strconv.Itoa(height), "env "+strings.Join(env, " ")+` sh -c "`+command+`"`)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the screen at last:\n%s", s.shows(t))
		}
		s.do(t, "kill-server")
	})
	return s
}

// do gives tmux an order and returns what it says.
func (s *screen) do(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command(s.tmux, append([]string{"-u", "-S", s.socket}, args...)...)
	cmd.Dir = s.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.dir, "TERM=xterm-256color", "LC_ALL=C.UTF-8"}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("tmux %q: %v: %s", args, err, out)
	}
	return string(out)
}

// shows is what stands on the screen.
func (s *screen) shows(t *testing.T, args ...string) string {
	t.Helper()
	return s.do(t, append([]string{"capture-pane", "-p"}, args...)...)
}

// see waits until one screen shows all patterns, and keeps it in the log. A sentence may go on in the next line.
func (s *screen) see(t *testing.T, within time.Duration, patterns ...string) string {
	t.Helper()
	var seen string
	eventually(t, within, func() error {
		seen = s.shows(t)
		both := seen + strings.ReplaceAll(seen, "\n  ", " ")
		for _, p := range patterns {
			if !regexp.MustCompile(p).MatchString(both) {
				return fmt.Errorf("%q is not on the screen:\n%s", p, seen)
			}
		}
		return nil
	})
	t.Logf("%d columns:\n%s", s.width, strings.TrimRight(seen, "\n"))
	if n := strings.Count(seen, "├─ steps"); n > 1 {
		t.Errorf("the tree stands there %d times", n)
	}
	return seen
}

// given checks that the program has ended well and left the terminal as it was.
func (s *screen) given(t *testing.T) {
	t.Helper()
	s.see(t, patience, `(?m)^before$`, `(?m)^ended with 0$`)
	if state := strings.TrimSpace(s.do(t, "display-message", "-p", "#{alternate_on} #{cursor_flag}")); state != "0 1" {
		t.Errorf("the other screen and the cursor are %q, want it left, and shown", state)
	}
}

// program is the process id of the serin in the terminal.
func (s *screen) program(t *testing.T) int {
	t.Helper()
	pid := strings.TrimSpace(s.do(t, "display-message", "-p", "#{pane_pid}"))
	out, err := exec.Command("pgrep", "-P", pid, "serin").Output()
	n, wrong := strconv.Atoi(strings.TrimSpace(string(out)))
	if err != nil || wrong != nil {
		t.Fatalf("find serin below %s: %v %v", pid, err, wrong)
	}
	return n
}

// row is the pattern of a row of the tree.
func row(mark, text string) string { return `(?m)^.\s+` + regexp.QuoteMeta(mark) + `\s+` + text }

func TestAPersonSeesEachStepOfAGoodRelease(t *testing.T) {
	t.Parallel()
	w := newWorld(t, strings.ReplaceAll(policy(byVersionFlag), "{weight: 100, bake: 6s}", "{weight: 100, bake: 12s}"), "1.0.0", "1.1.0", "1.2.0")
	w.serve(t)
	w.do(t, "flags", "set", "checkout-version", "1.0.0")
	w.usersByFlag(t)
	s := w.open(t, 80, 40, nil, "get", "checkout", "-w")
	all := w.open(t, 80, 10, nil, "get", "-w")
	log := serin(t, append([]string{"get", "checkout", "-w"}, w.nats...)...)
	s.see(t, patience, "Nothing was released here yet")
	all.see(t, patience, "No rollout is under way")

	released := w.release(t, "1.1.0")
	steps := []string{"5 %", "25 %", "50 %"}
	for i, step := range steps {
		want := []string{`checkout  1\.1\.0 ← 1\.0\.0  production`, `(?m)^▶ ` + step + ` of traffic, confirmed; \d+s more to bake`,
			row("▶", step+`\s+[█░]+  confirmed; \d+s of 6s to go`), row("○", `100 %  watched for 12s`), `[✓~○] error-rate\s+\S+`,
			`decisions`, `\d\d:\d\d:\d\d  ` + step + ` confirmed`}
		for _, done := range steps[:i] {
			want = append(want, row("✓", done))
		}
		s.see(t, patience, want...)
	}
	all.see(t, patience, `checkout  1\.1\.0 ← 1\.0\.0  production +✓ 5 %  ✓ 25 %  [✓▶] 50 %`)
	s.see(t, patience, `(?m)^▶ 100 % of traffic, confirmed; \d+s more to watch; 2 of 2 rules healthy; promoted`, row("✓", "50 %"), row("▶", `100 %`),
		row("✓", `error-rate\s+0 % ≤ 5 %\s+\d+  .*▁▁▁▁`), row("✓", `p95\s+0\.\d+ ≤ 0\.5`))
	ends(t, released, 0, "promoted", "")
	s.see(t, patience, `(?m)^✓ Promoted at \d\d:\d\d:\d\d, \d+s ago: all traffic has 1\.1\.0`, row("✓", "100 %"), `\d\d:\d\d:\d\d  promoted`)
	all.see(t, patience, `(?m)^✓ Promoted at`)

	s.do(t, "resize-window", "-x", "100", "-y", "20")
	w.publish(t, "serin.release.production.checkout", `{"version":"1.2.0","author":"Ann"}`)
	s.see(t, patience, `(?m)^checkout  1\.2\.0 ← 1\.1\.0  production$`, `(?m)^by Ann$`, row("▶", "5 %"))
	s.do(t, "send-keys", "C-c")
	s.given(t)

	log.signal(t, syscall.SIGINT)
	if code := log.exit(t, patience); code != 0 {
		t.Errorf("away from a terminal it ends with %d", code)
	}
	text := log.out.String()
	if blocks := strings.Count(text, "── 20"); blocks < 8 || blocks > 60 || strings.Contains(text, "\x1b") {
		t.Errorf("%d blocks, want one a change and no escapes:\n%s", blocks, text)
	}
	for _, want := range []string{"release 1.1.0 accepted", "5 % of traffic, confirmed", "100 % of traffic, confirmed", "Promoted at", "1.2.0 ← 1.1.0"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not among the blocks:\n%s", want, text)
		}
	}
}

func TestAPersonSeesWhyAReleaseIsTakenBack(t *testing.T) {
	t.Parallel()
	p := strings.ReplaceAll(policy(byVersionFlag), "for: 2s", "for: 8s")
	w := newWorld(t, p, "1.0.0", "1.1.0")
	w.serve(t)
	w.do(t, "flags", "set", "checkout-version", "1.0.0")
	w.usersByFlag(t)
	s := w.open(t, 80, 40, nil, "get", "checkout", "-w")
	wide := w.open(t, 120, 40, []string{"NO_COLOR=1"}, "get", "checkout", "-w")

	bad := w.release(t, "1.1.0")
	both := func(within time.Duration, patterns ...string) {
		t.Helper()
		s.see(t, within, patterns...)
		wide.see(t, within, patterns...)
	}
	both(patience, row("▶", "25 %"), `25 % of traffic, confirmed`)
	w.versions["1.1.0"].fault(t, "errors=0.5")
	both(patience, row("✗", `error-rate\s+[\d.]+ % > 5 %\s+\d+  .*[▅▆▇█]`), `unhealthy for \d+s of 8s`, `error-rate\s+fails for \d+s`)
	ends(t, bad, 3, "restored", "rules")
	both(patience, `↩ Taken back and confirmed`, row("✓", "5 %"), row("✗", "25 %  turned back here"), row("·", "50 %  not reached"),
		`taken back at \d\d:\d\d:\d\d, from 25 %, because of its rules`, row("✗", `error-rate: [\d.]+ % > 5 % \(\d+ of \d+ requests\)`), row("✓", `rollback: confirmed at \d\d:\d\d:\d\d`))

	if !strings.Contains(s.shows(t, "-e"), "\x1b[31m") {
		t.Error("nothing is red")
	}
	if plain := wide.shows(t, "-e"); strings.Contains(plain, "\x1b[") {
		t.Errorf("there are colours in spite of NO_COLOR:\n%q", plain)
	}
	if err := syscall.Kill(s.program(t), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	s.given(t)
	wide.do(t, "send-keys", "C-c")
	wide.given(t)
}

func TestAScreenOutlivesTheServerItAsks(t *testing.T) {
	t.Parallel()
	w := emptyWorld(t, policy(byVersionFlag), "1.0.0", "1.1.0") // without users nothing is measured, and it holds
	dir := t.TempDir()
	w.nats = []string{"--data", dir}
	d := w.serve(t, "--listen", "127.0.0.1:0")
	w.do(t, "flags", "set", "checkout-version", "1.0.0")
	w.do(t, "release", "checkout", "1.1.0")
	s := w.open(t, 80, 40, nil, "get", "checkout", "-w")
	s.see(t, patience, row("▶", "5 %"), "5 % of traffic, confirmed")
	d.kill(t)
	silent := s.see(t, patience, `! no answer from a worker for \d+s; this is from \d\d:\d\d:\d\d`, row("▶", "5 %"))
	w.serve(t, "--listen", "127.0.0.1:0") // another port: the data directory says which
	eventually(t, patience, func() error {
		if now := s.shows(t); strings.Contains(now, "no answer") || !strings.Contains(now, "5 %") {
			return fmt.Errorf("it was\n%s\nand is\n%s", silent, now)
		}
		return nil
	})
	s.see(t, patience, `no data for`, row("?", `(error-rate|p95)\s+–`))
	s.do(t, "send-keys", "C-c")
	s.given(t)
}
