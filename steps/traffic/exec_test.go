//go:build unix

package traffic_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/serin-cd/serin/steps"
	"github.com/serin-cd/serin/steps/traffic"
	"github.com/serin-cd/serin/steps/traffic/traffictest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var at25 = steps.Exposure{Share: 2500, Version: "1.4.2", Stable: "1.4.1"}

// sh is a command that runs a script; its arguments begin at $1.
func sh(script string, args ...string) []string {
	return append([]string{"sh", "-c", script, "sh"}, args...)
}

func TestExecIsAMover(t *testing.T) {
	traffictest.Run(t, func(t *testing.T) (traffictest.Exposer, traffictest.Probe) {
		file := filepath.Join(t.TempDir(), "weight")
		x := traffic.Exec{
			Set:  sh(`echo "$1" >"$2.tmp.$$" && mv "$2.tmp.$$" "$2"`, "{{share}}", file),
			Read: sh(`awk '{printf "%.2f%%\n", $1/100}' "$1"`, file),
		}
		return x, traffictest.Probe{Share: func() (steps.Share, error) {
			text, err := os.ReadFile(file)
			if err != nil {
				return 0, err
			}
			n, err := strconv.Atoi(strings.TrimSpace(string(text)))
			return steps.Share(n), err
		}}
	})
}

func TestArgumentsAreFilledInWithoutAShell(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	x := traffic.Exec{
		Set: sh(`out=$1; shift; for a; do printf '<%s>\n' "$a"; done >"$out"`, out,
			"{{share}}", "{{ percent }}", "--version={{version}}", "{{stable}}", "{{service}}.{{environment}}", "{{rollout}}/{{seq}}", "$(id)", ""),
		Service: "checkout", Environment: "production", Rollout: "checkout-1.4.2-8c1f", Seq: 7,
	}
	e := steps.Exposure{Share: 50, Version: "1.4.2 `id`; {{stable}} 'x", Stable: ""}
	if _, err := x.Expose(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	got, _ := os.ReadFile(out)
	want := "<50>\n<0.5>\n<--version=1.4.2 `id`; {{stable}} 'x>\n<>\n<checkout.production>\n<checkout-1.4.2-8c1f/7>\n<$(id)>\n<>\n"
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("arguments (-want +got):\n%s", diff)
	}
}

func TestACommandSeesOnlyItsOwnEnvironment(t *testing.T) {
	t.Setenv("SERIN_NATS_PASSWORD", "secret")
	out := filepath.Join(t.TempDir(), "out")
	x := traffic.Exec{Set: sh(`env | grep -E '^(SERIN|HOME|EXTRA|PWD)' | sort >"$1"`, out), Dir: "/", Env: []string{"EXTRA=1", "PATH=" + os.Getenv("PATH"), "HOME=/home/serin"}, Service: "checkout", Environment: "production", Rollout: "checkout-1.4.2-8c1f", Seq: 7}
	if _, err := x.Expose(t.Context(), at25); err != nil {
		t.Fatal(err)
	}
	got, _ := os.ReadFile(out)
	want := "EXTRA=1\nHOME=/home/serin\nPWD=/\nSERIN_ENVIRONMENT=production\nSERIN_PERCENT=25\nSERIN_ROLLOUT=checkout-1.4.2-8c1f\nSERIN_SEQ=7\nSERIN_SERVICE=checkout\nSERIN_SHARE=2500\nSERIN_STABLE=1.4.1\nSERIN_VERSION=1.4.2\n"
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("environment (-want +got):\n%s", diff)
	}
}

func TestAValueNeverBecomesAnOption(t *testing.T) {
	dir := t.TempDir()
	for name, x := range map[string]traffic.Exec{
		"a version":            {Set: []string{"touch", filepath.Join(dir, "x"), "{{version}}"}},
		"an empty value first": {Set: []string{"touch", filepath.Join(dir, "x"), "{{stable}}{{version}}"}},
		"a service":            {Set: []string{"touch", filepath.Join(dir, "x"), "{{service}}"}, Service: "-rf"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := x.Expose(t.Context(), steps.Exposure{Version: "--reference=/etc/shadow"})
			if err == nil || !strings.Contains(err.Error(), "would be an option") {
				t.Errorf("error %v", err)
			}
			if _, err := os.Stat(filepath.Join(dir, "x")); err == nil {
				t.Error("the command ran")
			}
		})
	}
}

func TestOnlyAnEqualShareThatWasReadBackIsConfirmed(t *testing.T) {
	confirmed := steps.Observed{Share: 2500, Confirmed: true, How: "read back by sh"}
	for _, c := range []struct {
		name, prints string
		want         steps.Observed
		err          string
	}{
		{"equal", `25`, confirmed, ""},
		{"with a percent sign and decimals", `25.0%`, confirmed, ""},
		{"equal to a hundredth of a percent", ` 25.004 % `, confirmed, ""},
		{"a hundredth of a percent off", `25.01`, steps.Observed{Share: 2501}, "read traffic back after setting it to 25 %: sh says 25.01 %"},
		{"the old share", `5`, steps.Observed{Share: 500}, "read traffic back after setting it to 25 %: sh says 5 %"},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := traffic.Exec{Set: []string{"true"}, Read: sh(`echo "$1"`, c.prints), Settle: time.Microsecond}
			got, err := x.Expose(t.Context(), at25)
			if diff := cmp.Diff(c.want, got); diff != "" || (c.err == "") != (err == nil) || err != nil && err.Error() != c.err {
				t.Errorf("error %v, observed (-want +got):\n%s", err, diff)
			}
		})
	}
	t.Run("nothing reads it", func(t *testing.T) {
		got, err := traffic.Exec{Set: []string{"true"}}.Expose(t.Context(), at25)
		want := steps.Observed{Share: 2500, How: "the command ended well, and nothing reads the share back"}
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("error %v, observed (-want +got):\n%s", err, diff)
		}
	})
}

func TestARouterMayTakeAMomentToTakeAShareOver(t *testing.T) {
	late := sh(`echo >>"$1"; if [ "$(wc -l <"$1")" -lt 3 ]; then echo 5; else echo 25; fi`, filepath.Join(t.TempDir(), "asked"))
	got, err := traffic.Exec{Set: []string{"true"}, Read: late, Settle: 20 * time.Second}.Expose(t.Context(), at25)
	if err != nil || !got.Confirmed {
		t.Errorf("observed %+v, error %v", got, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = traffic.Exec{Set: []string{"true"}, Read: sh(`echo 5`), Settle: time.Hour}.Expose(ctx, at25)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
}

func TestWhatIsNoPercentageIsAnError(t *testing.T) {
	for _, prints := range []string{"", "abc", "NaN", "+25", "-0", "1e1", "101", "100.01", "0x10", "25 25", "25%%", "25,0", ".5", "weight=25", "25\x1b[31m"} {
		t.Run(prints, func(t *testing.T) {
			got, err := traffic.Exec{Set: []string{"true"}, Read: sh(`printf '%s' "$1"`, prints)}.Expose(t.Context(), at25)
			if err == nil || !strings.HasPrefix(err.Error(), "read traffic back after setting it to 25 %: sh: printed ") || got != (steps.Observed{}) {
				t.Errorf("observed %+v, error %v", got, err)
			}
			if err != nil && strings.ContainsRune(err.Error(), 0x1b) {
				t.Errorf("the error carries control characters: %q", err)
			}
		})
	}
}

func TestAnErrorNamesTheCommandItsStatusAndItsLastLines(t *testing.T) {
	for _, c := range []struct {
		name string
		x    traffic.Exec
		want string
	}{
		{"a status", traffic.Exec{Set: sh(`echo "nginx: [emerg] no \"upstream\"" >&2; exit 3`)}, `set traffic to 25 %: sh: exit status 3: nginx: [emerg] no "upstream"`},
		{"the last five lines of many", traffic.Exec{Set: sh(`seq 1 200000; exit 1`)}, `set traffic to 25 %: sh: exit status 1: 199996 | 199997 | 199998 | 199999 | 200000`},
		{"reading", traffic.Exec{Set: []string{"true"}, Read: sh(`exit 2`)}, `read traffic back after setting it to 25 %: sh: exit status 2`},
		{"no such program", traffic.Exec{Set: []string{"./no-such-program"}, Dir: "/"}, `set traffic to 25 %: ./no-such-program: fork/exec ./no-such-program: no such file or directory`},
		{"no command", traffic.Exec{}, `set traffic to 25 %: no command`},
		{"a placeholder nobody fills", traffic.Exec{Set: []string{"echo", "{{weight}}"}}, `set traffic to 25 %: argument "{{weight}}": unknown placeholder {{weight}}`},
		{"children that stay", traffic.Exec{Set: sh(`sleep 60 & exit 0`), Grace: 50 * time.Millisecond}, `set traffic to 25 %: sh: ended, but left processes behind that hold its output; they were killed`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := c.x.Expose(t.Context(), at25)
			if err == nil {
				t.Fatal("no error")
			}
			if diff := cmp.Diff(c.want, err.Error()); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOneLineWithoutAnEndStaysBounded(t *testing.T) {
	_, err := traffic.Exec{Set: sh(`head -c 3000000 /dev/zero | tr '\0' x; exit 1`)}.Expose(t.Context(), at25)
	if err == nil || len(err.Error()) > 700 {
		t.Errorf("error of %d bytes", len(err.Error()))
	}
}

// A cancelled call ends its whole group: the program, its children, and those that ignore being asked.
func TestCancelEndsTheWholeProcessGroup(t *testing.T) {
	for name, script := range map[string]string{
		"a child":                    `sleep 60 & echo $! >"$1.tmp"; mv "$1.tmp" "$1"; wait`,
		"a child that ignores TERM":  `sh -c 'trap "" TERM; echo $$ >"$1.tmp"; mv "$1.tmp" "$1"; while :; do sleep 60; done' sh "$1" & wait`,
		"a leader that ignores TERM": `trap "" TERM; echo $$ >"$1.tmp"; mv "$1.tmp" "$1"; while :; do sleep 60; done`,
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "pid")
			ctx, cancel := context.WithCancelCause(t.Context())
			killed := errors.New("a kill came")
			pid := make(chan int, 1)
			go func() { pid <- awaitPID(t.Context(), file); cancel(killed) }()
			_, err := traffic.Exec{Set: sh(script, file), Grace: 50 * time.Millisecond}.Expose(ctx, at25)
			if !errors.Is(err, killed) || !strings.Contains(err.Error(), "stopped") {
				t.Errorf("error %v", err)
			}
			awaitDeath(t, <-pid)
		})
	}
}

func awaitPID(ctx context.Context, file string) int {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		if text, err := os.ReadFile(file); err == nil {
			pid, _ := strconv.Atoi(strings.TrimSpace(string(text)))
			return pid
		}
		select {
		case <-ctx.Done():
			return 0
		case <-tick.C:
		}
	}
}

// awaitDeath waits until a killed orphan has been reaped by init, or is a zombie because nobody reaps here.
func awaitDeath(t *testing.T, pid int) {
	t.Helper()
	for began := time.Now(); syscall.Kill(pid, 0) == nil; {
		stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		if err == nil && strings.Contains(string(stat), ") Z ") {
			return
		}
		if time.Since(began) > 5*time.Second {
			t.Fatalf("process %d still runs", pid)
		}
	}
}

func TestEveryVariableOfAPolicyIsFilledIn(t *testing.T) {
	for _, name := range steps.ExecVariables() {
		if _, err := (traffic.Exec{Set: []string{"true", "{{" + name + "}}"}}).Expose(t.Context(), at25); err != nil {
			t.Error(err)
		}
	}
}
