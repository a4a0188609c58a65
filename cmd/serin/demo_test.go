package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	natsjs "github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/deployments/jetstream"
	"github.com/serin-cd/serin/flags"
	"github.com/serin-cd/serin/flags/natskv"
)

// played is the JSON of a demonstration, as a reader of it sees it.
type played struct {
	Fault    string `json:"fault"`
	OK       bool   `json:"ok"`
	Why      string `json:"why"`
	Releases []struct {
		Version        string    `json:"version"`
		Outcome        string    `json:"outcome"`
		Cause          string    `json:"cause"`
		Weights        []float64 `json:"weights"`
		Rollout        string    `json:"rollout"`
		FailedRule     string    `json:"failed_rule"`
		Value          float64   `json:"value"`
		Limit          float64   `json:"limit"`
		Samples        float64   `json:"samples"`
		FlagConfirmed  bool      `json:"flag_confirmed"`
		DecisionToOff  *int64    `json:"decision_to_off_ms"`
		FaultToOff     *int64    `json:"fault_to_off_ms"`
		CanaryAfterOff *int      `json:"canary_requests_after_off"`
		RollbackEvent  bool      `json:"rollback_event"`
		SlackAlert     bool      `json:"slack_alert"`
		At             time.Time `json:"at"`
		Queries        []string  `json:"queries"`
	} `json:"releases"`
	Keep *demoKept `json:"keep"`
}

// perform runs `serin demo` in this process, and hands its last line to look while it still runs.
func perform(t *testing.T, look func(*testing.T, played), args ...string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	dir, stderr := t.TempDir(), &strings.Builder{}
	r, w := io.Pipe()
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, append([]string{"demo", "--json"}, args...), Env{Stdout: w, Stderr: stderr, Now: time.Now, Getenv: inDir(dir)})
		_ = w.Close()
	}()
	line, err := bufio.NewReader(r).ReadString('\n')
	var got played
	if err == nil {
		err = json.Unmarshal([]byte(line), &got)
	}
	if err == nil {
		look(t, got)
	}
	cancel() // ends what --keep keeps
	if status := <-code; err != nil || status != 0 || !got.OK {
		t.Errorf("status %d, %v, %s\n%s%s", status, err, got.Why, line, stderr)
	}
	left, err := os.ReadDir(dir)
	if err != nil || got.Keep == nil && len(left) > 0 {
		t.Errorf("left behind %v, %v", left, err)
	}
}

// inDir is an environment without anything but a directory for temporary files.
func inDir(dir string) func(string) string {
	return func(name string) string {
		if name == "TMPDIR" {
			return dir
		}
		return ""
	}
}

func TestDemo(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	t.Run("TakesBackTheReleaseWithErrors", func(t *testing.T) {
		t.Parallel()
		perform(t, wentBack("error-rate"), "--speed", "4", "--keep")
	})
	t.Run("PromotesEveryReleaseWithoutAFault", func(t *testing.T) {
		t.Parallel()
		perform(t, func(t *testing.T, got played) {
			for _, r := range got.Releases {
				promoted(t, got, r.Version)
				if r.FailedRule != "" || r.DecisionToOff != nil {
					t.Errorf("%s has a failure: %+v", r.Version, r)
				}
			}
		}, "--speed", "4", "--fault", "none")
	})
	t.Run("StopsWhenInterrupted", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		dir := t.TempDir()
		interrupt := writerFunc(func(p []byte) (int, error) {
			if strings.Contains(string(p), "traffic confirmed") {
				cancel()
			}
			return len(p), nil
		})
		if code := run(ctx, []string{"demo"}, Env{Stdout: interrupt, Stderr: io.Discard, Now: time.Now, Getenv: inDir(dir)}); code != exitInterrupted {
			t.Errorf("status %d, want %d", code, exitInterrupted)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("left behind %v, %v", left, err)
		}
	})
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func promoted(t *testing.T, got played, version string) {
	t.Helper()
	for _, r := range got.Releases {
		if r.Version == version {
			if diff := cmp.Diff([]any{"promoted", "", []float64{5, 25, 50, 100}}, []any{r.Outcome, r.Cause, r.Weights}); diff != "" {
				t.Errorf("%s (-want +got):\n%s", version, diff)
			}
			return
		}
	}
	t.Errorf("no release %s", version)
}

// wentBack demands that 1.2.0, and no other, was taken back by a rule, and asks again what that rests on.
func wentBack(rule string) func(*testing.T, played) {
	return func(t *testing.T, got played) {
		promoted(t, got, "1.1.0")
		promoted(t, got, "1.2.1")
		if len(got.Releases) != 3 {
			t.Fatalf("%d releases", len(got.Releases))
		}
		r := got.Releases[1]
		switch {
		case r.Outcome != "restored", r.FailedRule != rule, !r.FlagConfirmed, !r.RollbackEvent, !r.SlackAlert:
			t.Errorf("not taken back as it should be: %+v", r)
		case r.DecisionToOff == nil, *r.DecisionToOff < 0, r.FaultToOff == nil, *r.FaultToOff <= *r.DecisionToOff, r.CanaryAfterOff == nil, *r.CanaryAfterOff != 0:
			t.Errorf("times or requests that cannot be: %+v", r)
		case len(r.Weights) == 0 || r.Weights[0] != 5 || len(r.Queries) != 2:
			t.Errorf("weights or queries are missing: %+v", r)
		}
		if r.Cause == "rules" && !(r.Value > r.Limit && r.Limit > 0 && r.Samples >= 20) {
			t.Errorf("value %v, limit %v, samples %v", r.Value, r.Limit, r.Samples)
		}
		if got.Keep == nil {
			return
		}
		bad, total := ask(t, got.Keep.Prometheus, r.Queries[0], r.At), ask(t, got.Keep.Prometheus, r.Queries[1], r.At)
		if bad/total != r.Value {
			t.Errorf("asked again it is %v / %v, on record is %v", bad, total, r.Value)
		}
		remembered(t, *got.Keep)
	}
}

// ask asks a query again.
func ask(t *testing.T, prometheus, query string, at time.Time) float64 {
	t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get(prometheus + "/api/v1/query?" + url.Values{"query": {query}, "time": {at.Format(time.RFC3339Nano)}}.Encode())
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct {
		Data struct{ Result []struct{ Value [2]any } }
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || len(answer.Data.Result) != 1 {
		t.Fatalf("%s: %+v, %v", query, answer, err)
	}
	text, _ := answer.Data.Result[0].Value[1].(string)
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// remembered reads flag and journal as a stranger would.
func remembered(t *testing.T, k demoKept) {
	t.Helper()
	at, err := jetstream.ReadEndpoint(k.Data)
	if err != nil || at.URL != k.NATS {
		t.Fatalf("endpoint %v at %s, %v", at.URL, k.NATS, err)
	}
	nc, err := jetstream.Connect(t.Context(), k.NATS, jetstream.ClientOptions{Token: at.Token})
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := natsjs.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	kv, err := js.KeyValue(t.Context(), jetstream.Names{}.Bucket(jetstream.FlagsBucket))
	if err != nil {
		t.Fatal(err)
	}
	f, _, err := natskv.Store{KV: kv}.Get(t.Context(), flags.StoreKey(deployments.DefaultEnvironment, demoFlag))
	if def, _ := f.Default(); err != nil || def != "1.2.1" || f.Targeting() != nil {
		t.Errorf("the flag is %s, %v", f.Bytes(), err)
	}
	journal, err := jetstream.OpenJournal(t.Context(), js, jetstream.Names{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	last, err := journal.Last(t.Context(), deployments.Slot{Environment: deployments.DefaultEnvironment, Service: "shop"})
	if err != nil || last.State.Stable != "1.2.1" {
		t.Errorf("stable is %q, %v", last.State.Stable, err)
	}
}
