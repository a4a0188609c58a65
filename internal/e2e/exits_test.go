//go:build e2e && unix

package e2e

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

// bare publishes a release as a plain NATS client does: no header, no acknowledgement.
func (w *world) bare(t *testing.T, service, version string) {
	t.Helper()
	nc, err := nats.Connect(w.nats[1], nats.Token(token))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if err := nc.Publish("serin.release.production."+service, fmt.Appendf(nil, `{"version":%q}`, version)); err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
}

func TestAPipelineStepExitsAsItsRolloutEnds(t *testing.T) {
	t.Parallel()
	w, _ := newPipelines(t)
	w.serve(t)
	w.setFlags(t)
	empty := t.TempDir()
	broken := filepath.Dir(write(t, "endpoint.json", "no JSON"))
	steps := map[string]struct {
		script string
		exit   int
		words  []string
	}{
		"promoted":          {"serin release good 1.1.0 --wait", 0, []string{"released production/good 1.1.0", "promoted"}},
		"unexpected":        {"unset SERIN_NATS; serin wait good --data " + broken, 1, []string{"read endpoint"}},
		"used wrongly":      {"serin wait good --exit-on-thursday", 2, []string{"unknown flag", "--help"}},
		"rolled back":       {"serin release bad 1.1.0 --wait -o json", 3, []string{`"outcome":"restored"`, `"exit":3`}},
		"not confirmed":     {"serin release stuck 1.1.0 --wait --timeout 12s", 4, []string{"still being tried"}},
		"not ready":         {"serin release unready 1.1.0 --wait", 9, nil},
		"no policy":         {"serin release nosuch 1.1.0 --wait", 9, []string{"has no policy"}},
		"never published":   {"serin wait good --version 9.9.9 --accept-timeout 1s", 9, []string{"nobody took it in"}},
		"NATS is away":      {"serin wait good --nats nats://127.0.0.1:1", 10, nil},
		"no data directory": {"unset SERIN_NATS; serin release good 1.1.0 --data " + empty, 10, nil},
	}
	for name, s := range steps {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			exits(t, w.step(t, s.script), s.exit, s.words...)
		})
	}
	// Those of one service, one after the other.
	t.Run("with a person", func(t *testing.T) {
		t.Parallel()
		exits(t, w.step(t, "serin release slow 1.1.0 --wait --timeout 2s"), 8, "the rollout goes on")
		exits(t, w.step(t, "serin pause slow; serin wait slow --version 1.1.0 --exit-on-pause"), 6, "serin resume slow")
		superseded := w.step(t, "exec serin wait slow --version 1.1.0")
		superseded.says(t, `(slow 1\.1\.0)`)
		aborted := w.step(t, "serin release slow 1.2.0 --wait")
		exits(t, superseded, 7, "1.2.0")
		aborted.says(t, `(step 1|traffic|5 %)`)
		exits(t, w.step(t, "serin abort slow --reason 'wrong build'"), 0)
		exits(t, aborted, 5, "wrong build")
	})
}

func TestAWaitAttachesBeforeDuringAndAfterABareRelease(t *testing.T) {
	t.Parallel()
	w, _ := newPipelines(t)
	w.serve(t)
	w.setFlags(t)
	exits(t, w.step(t, "serin release bad 1.0.1 --wait"), 3) // so that there is a rollout before

	before := w.step(t, "serin wait bad --version 1.1.0 -o json")
	w.bare(t, "bad", "1.1.0")
	during := w.step(t, "serin wait bad --version 1.1.0 -o json")
	for _, p := range []*process{before, during} {
		exits(t, p, 3, `"version":"1.1.0"`, `"outcome":"restored"`)
	}
	after := w.step(t, "serin wait bad --version 1.1.0 --accept-timeout 1s --junit report.xml --dotenv serin.env || code=$?; cat report.xml serin.env; exit $code")
	exits(t, after, 3, `<testcase classname="serin.production.bad" name="up">`, "SERIN_FAILED_RULE=up\n", "SERIN_EXIT=3\n")
	first := rolloutOf(t, before)
	if again := rolloutOf(t, during); again != first {
		t.Errorf("rollouts %s and %s", first, again)
	}

	w.bare(t, "bad", "1.1.0") // the same pipeline, run again
	again := w.step(t, "serin wait bad --version 1.1.0 -o json")
	exits(t, again, 3, `"version":"1.1.0"`)
	if second := rolloutOf(t, again); second == first {
		t.Errorf("the second run caught the rollout of the first: %s", second)
	}
	exits(t, w.step(t, "serin wait "+first), 3)
	if letters := w.story.dead(t); len(letters) > 0 {
		t.Errorf("dead letters: %v", letters)
	}
}

func rolloutOf(t *testing.T, p *process) string {
	t.Helper()
	m := regexp.MustCompile(`"rollout":"([^"]+)"`).FindStringSubmatch(p.out.String())
	if m == nil {
		t.Fatalf("no rollout in %s", p.out.String())
	}
	return m[1]
}

func TestACancelledPipelineAbortsOnlyWhereThatIsAsked(t *testing.T) {
	t.Parallel()
	w, _ := newPipelines(t)
	w.serve(t)
	w.setFlags(t)
	detached := w.step(t, "exec serin release slow 1.1.0 --wait")
	detached.says(t, `(step 1|5 %)`)
	detached.signal(t, syscall.SIGTERM)
	exits(t, detached, 8, "the rollout goes on")
	exits(t, w.step(t, "serin wait slow --timeout 1s"), 8)

	aborting := w.step(t, "exec serin wait slow --abort-on-cancel -o github", "GITHUB_OUTPUT="+write(t, "outputs", ""))
	aborting.says(t, `(slow 1\.1\.0)`)
	aborting.signal(t, syscall.SIGTERM)
	exits(t, aborting, 5, "ordering an abort", "::error title=slow 1.1.0 in production%3A aborted::")
	if w.flagServesOf(t, "slow") != "1.0.0" {
		t.Error("the new version has traffic")
	}
}

func (w *world) flagServesOf(t *testing.T, service string) string {
	t.Helper()
	f := w.flag(t, service+"-version")
	if len(f.Targeting) != 0 {
		return "a split"
	}
	return f.DefaultVariant
}

func TestAWaitSurvivesRestartsOfNATSAndOfServe(t *testing.T) {
	t.Parallel()
	w, server := newPipelines(t)
	d := w.serve(t)
	w.setFlags(t)
	store := storeOf(t, server)
	wait := w.step(t, "exec serin release slow 1.1.0 --wait -o json")
	w.story.await(t, patience, "1.1.0", "traffic.confirmed", 5)

	server.kill(t)
	startNATSAt(t, strings.TrimPrefix(w.nats[1], "nats://"), store)
	d.kill(t)
	w.serve(t)
	select {
	case <-wait.done:
		t.Fatalf("the wait is over: %s", wait.out.String())
	case <-time.After(time.Second):
	}
	eventually(t, patience, func() error {
		if p := serin(t, append([]string{"abort", "slow", "--reason", "after the restarts"}, w.nats...)...); p.exit(t, time.Minute) != 0 {
			return fmt.Errorf("abort: %s", p.out.String())
		}
		return nil
	})
	exits(t, wait, 5, `"reason":"after the restarts"`, `"version":"1.1.0"`)
}

// storeOf is the directory that a NATS server keeps its streams in.
func storeOf(t *testing.T, server *process) string {
	t.Helper()
	return server.says(t, `Store Directory: +"(.+)/jetstream"`)
}
