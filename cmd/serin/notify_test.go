package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/deployments/jetstream"
	"github.com/serin-cd/serin/deployments/notify"
	"github.com/serin-cd/serin/deployments/notify/slacktest"
)

// hookReceiver takes signed events.
type hookReceiver struct {
	url string
	mu  sync.Mutex
	ids []string
}

func newHook(t *testing.T) *hookReceiver {
	t.Helper()
	h := &hookReceiver{}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.ids = append(h.ids, r.Header.Get("ce-type"))
	}))
	t.Cleanup(func() { server.Close(); http.DefaultClient.CloseIdleConnections() })
	h.url = server.URL
	return h
}

func (h *hookReceiver) heard(kind string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := 0
	for _, id := range h.ids {
		if id == kind {
			n++
		}
	}
	return n
}

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const hookSecret = "a key of at least twenty-four bytes"

// serves runs a daemon with receivers and the rights of a worker, and stops it when asked.
func (g guardedNATS) serves(t *testing.T, receivers ...notify.Receiver) (stop func()) {
	t.Helper()
	ps, findings := deployments.ParsePolicies("policies.yaml", []byte(guardedPolicies))
	if err := findings.Err(); err != nil {
		t.Fatal(err)
	}
	log := &syncBuffer{}
	d, err := newDaemon(t.Context(), daemonConfig{
		Policies: []policyFile{{"policies.yaml", []byte(guardedPolicies), ps}}, NATS: natsFlags{natsAccess: natsAccess{url: g.url("worker")}}, HTTP: "127.0.0.1:0",
		Receivers: receivers, Retention: jetstream.DefaultRetention, Log: slog.New(slog.NewTextHandler(log, nil)), Env: g.env,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		d.close()
	})
	t.Cleanup(func() {
		stop()
		http.DefaultClient.CloseIdleConnections()
		if t.Failed() {
			t.Log(log.String())
		}
	})
	return stop
}

// tellers are a bot, a webhook, and one more receiver that is dead in some way.
func tellers(t *testing.T, slack *slacktest.Server, hook *hookReceiver, dead notify.Receiver) []notify.Receiver {
	t.Helper()
	return []notify.Receiver{
		{Name: "deploys", Kind: notify.SlackChannel, Channel: "#deploys", TokenFile: write(t, slacktest.Token), APIURL: slack.URL, Group: notify.ByRollout},
		{Name: "audit", Kind: notify.HTTPWebhook, URL: hook.url, SecretFile: write(t, hookSecret)},
		dead,
	}
}

func TestADeadReceiverHoldsUpNeitherAnotherNorARollback(t *testing.T) {
	silent, slack, hook, g := slacktest.New(t), slacktest.New(t), newHook(t), newGuardedNATS(t)
	silent.Always(&slacktest.Fault{Hang: true})
	g.serin(t, exitOK, "setup", "setup", "--partitions", "4")
	g.serves(t, tellers(t, slack, hook, notify.Receiver{Name: "silent", Kind: notify.SlackWebhook, URL: silent.Webhook})...)
	g.abortsARelease(t)
	await(t, "the bot and the webhook", func() bool {
		all := slack.Messages()
		return len(all) == 1 && strings.Contains(all[0].Text, "rolled back") && hook.heard("io.serin.rollback.completed.v1") == 1
	})
	await(t, "the silent one", func() bool { return len(silent.Calls()) > 0 })
	if n := len(silent.Messages()); n != 0 {
		t.Errorf("%d messages: the test proves nothing", n)
	}
	var states []toldState
	decode(t, g.serin(t, exitOK, "setup", "notify", "list", "-o", "json"), &states)
	for _, s := range states {
		if s.Name == "silent" && s.Waiting == 0 || s.Name == "audit" && s.Delivered.IsZero() || s.Kind != "" {
			t.Errorf("%+v", s)
		}
	}
	if len(states) != 3 {
		t.Errorf("%+v", states)
	}
}

// abortsARelease releases, waits until it is exposed, aborts, and waits until it is back. It returns how long that took.
func (g guardedNATS) abortsARelease(t *testing.T) time.Duration {
	t.Helper()
	g.released(t)
	began := time.Now()
	g.serin(t, exitOK, "operator-production", "abort", "checkout", "--reason", "enough")
	await(t, "the way back", func() bool { return g.confirmed(t, "viewer-production", "checkout") == 0 })
	return time.Since(began)
}

func (g guardedNATS) released(t *testing.T) {
	t.Helper()
	g.serin(t, exitOK, "operator-production", "flags", "set", "checkout-version", "1.0.0")
	g.serin(t, exitOK, "ci-production", "release", "checkout", "1.1.0", "--id", "r-1")
	await(t, "the first step", func() bool { return g.confirmed(t, "viewer-production", "checkout") == 5 })
}

func decode(t *testing.T, text string, v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), v); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
}

func TestAWorkerThatIsReplacedInTheMiddleGoesOnWithTheSameMessage(t *testing.T) {
	slack, hook, g := slacktest.New(t), newHook(t), newGuardedNATS(t)
	g.serin(t, exitOK, "setup", "setup", "--partitions", "4")
	all := tellers(t, slack, hook, notify.Receiver{Name: "gone", Kind: notify.SlackWebhook, URL: "http://127.0.0.1:1/"})
	stop := g.serves(t, all...)
	g.released(t)
	await(t, "the message", func() bool { return len(slack.Messages()) == 1 })
	ts := slack.Messages()[0].TS
	stop()
	g.serves(t, all...)
	g.serves(t, all...) // and a second worker
	g.serin(t, exitOK, "operator-production", "abort", "checkout", "--reason", "enough")
	await(t, "its last state", func() bool { return strings.Contains(slack.Messages()[0].Text, "rolled back") })
	await(t, "the detail", func() bool {
		return slices.ContainsFunc(slack.Answers(ts), func(m slacktest.Message) bool { return strings.Contains(m.Text, "aborted") })
	})
	if m := slack.Messages(); len(m) != 1 || m[0].TS != ts || m[0].Edits == 0 {
		t.Errorf("%+v", m)
	}
	seen := map[string]bool{}
	for _, a := range slack.Answers(ts) {
		if seen[a.Text] {
			t.Errorf("twice in the thread: %s", a.Text)
		}
		seen[a.Text] = true
	}
}

func TestARefusedEventIsCountedKeptAndShown(t *testing.T) {
	slack, hook, g := slacktest.New(t), newHook(t), newGuardedNATS(t)
	slack.Fail(slacktest.Fault{Method: "chat.postMessage", Error: "not_in_channel"})
	g.serin(t, exitOK, "setup", "setup", "--partitions", "4")
	g.serves(t, tellers(t, slack, hook, notify.Receiver{Name: "gone", Kind: notify.SlackWebhook, URL: "http://127.0.0.1:1/"})...)
	g.released(t)
	await(t, "the dead letter", func() bool {
		var states []toldState
		decode(t, g.serin(t, exitOK, "setup", "notify", "list", "-o", "json"), &states)
		i := slices.IndexFunc(states, func(s toldState) bool { return s.Name == "deploys" })
		return states[i].Undelivered == 1 && strings.Contains(states[i].Error, "not_in_channel: invite the app")
	})
	if got := g.serin(t, exitOK, "setup", "dlq", "list", "--reason", "notify_refused"); !strings.Contains(got, "not_in_channel") {
		t.Errorf("dlq says\n%s", got)
	}
}

// commandLine runs a command with a configuration file in its folder.
func commandLine(t *testing.T, config, stdin string, want int, args ...string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"serin.yaml": config, "token": slacktest.Token, "secret": hookSecret, "words.tmpl": "*{{.Headline}}*"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var out strings.Builder
	env := Env{Stdin: strings.NewReader(stdin), Stdout: &out, Stderr: &out, Getenv: func(string) string { return "" }, Now: time.Now, Dir: dir}
	if got := run(t.Context(), args, env); got != want {
		t.Fatalf("serin %s: status %d, want %d: %s", strings.Join(args, " "), got, want, out.String())
	}
	return out.String()
}

func TestNotifyTestSaysWhatTheReceiverAnswers(t *testing.T) {
	slack := slacktest.New(t)
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	config := fmt.Sprintf("notify:\n- {name: deploys, slack: {channel: '#deploys', token_file: token, api_url: '%s'}}\n", slack.URL)
	if got := commandLine(t, config, "", exitOK, "notify", "test", "--receiver", "deploys"); got != "deploys (slack channel) took the message\n" {
		t.Errorf("%q", got)
	}
	if m := slack.Messages(); len(m) != 1 || !strings.Contains(m[0].Text, "a test of the receiver deploys: nothing has happened") {
		t.Errorf("%+v", m)
	}
	slack.Fail(slacktest.Fault{Error: "channel_not_found"})
	if got := commandLine(t, config, "", exitNo, "notify", "test", "--receiver", "deploys", "-o", "json"); !strings.Contains(got, `"taken": false`) || !strings.Contains(got, "channel_not_found: write the channel's id") {
		t.Errorf("%q", got)
	}
	if got := commandLine(t, config, "", exitUsage, "notify", "test", "--receiver", "deploy"); !strings.Contains(got, `no receiver is named "deploy": there are deploys`) {
		t.Errorf("%q", got)
	}
}

func TestNotifyRenderTakesWhatEventsPrints(t *testing.T) {
	line, err := json.Marshal(eventLine{ID: "r/7/rollout.failed", Event: "rollout.failed", Severity: deployments.Warning, Time: time.Unix(0, 0),
		Data: deployments.EventData{Service: "checkout", Environment: "production", Version: "1.4.2", Rollout: "r", Rev: 7, FromPercent: 25}})
	if err != nil {
		t.Fatal(err)
	}
	config := "notify:\n- {name: words, slack: {webhook_file: hook}, template_file: words.tmpl, services: [cart]}\n"
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--receiver", "words"}, `"text": "*checkout 1.4.2 failed at 25 %*"`},
		{[]string{"--receiver", "words"}, `"wanted": false`},
		{[]string{"--kind", "slack"}, `"text": "❌ checkout 1.4.2 failed at 25 %"`},
		{[]string{"--kind", "slack-webhook"}, `"wanted": true`},
		{[]string{"--kind", "webhook"}, `"Ce-Type": [`},
	} {
		got := commandLine(t, config, string(line)+"\n", exitOK, append([]string{"notify", "render", "--event", "-"}, c.args...)...)
		if !strings.Contains(got, c.want) {
			t.Errorf("%v: %s", c.args, got)
		}
	}
	if got := commandLine(t, config, "{}", exitUsage, "notify", "render", "--event", "-", "--kind", "slack"); !strings.Contains(got, "-:1: is no event") {
		t.Error(got)
	}
}

func TestAMistakeInATemplateStopsServeBeforeItStarts(t *testing.T) {
	config := "notify:\n- {name: words, slack: {webhook_file: hook}, template_file: words.tmpl}\n"
	dir := t.TempDir()
	for name, text := range map[string]string{"serin.yaml": config, "words.tmpl": "\n{{.Servce}}", "p.yaml": strings.Split(guardedPolicies, "---")[0]} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var out strings.Builder
	env := Env{Stdin: strings.NewReader(""), Stdout: io.Discard, Stderr: &out, Getenv: func(string) string { return "" }, Now: time.Now, Dir: dir}
	if got := run(t.Context(), []string{"serve", "--policies", "p.yaml"}, env); got != exitUsage || !strings.Contains(out.String(), "words.tmpl:2:3: error: <.Servce>") {
		t.Errorf("status %d: %s", got, out.String())
	}
}

func TestAWebhooksEventHasTheAttributesOfTheOneOnNATS(t *testing.T) {
	e := notify.Sample(time.Unix(1, 0))
	e.Subject, e.Data.Release, e.Trace = "event.production.checkout.rollback.completed", "r 1", deployments.NewTrace("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "a=1")
	onNATS, err := jetstream.EncodeEvent(jetstream.Names{}, e)
	if err != nil {
		t.Fatal(err)
	}
	teller, err := notify.Open(notify.Receiver{Name: "a", Kind: notify.HTTPWebhook}, notify.Options{Memory: &notify.Brief{}})
	if err != nil {
		t.Fatal(err)
	}
	text, err := teller.Render(e)
	if err != nil {
		t.Fatal(err)
	}
	var sent struct{ Headers http.Header }
	decode(t, string(text), &sent)
	for name, values := range onNATS.Header {
		if attribute, ok := strings.CutPrefix(name, "ce-"); ok && attribute != "datacontenttype" && sent.Headers.Get(name) != values[0] {
			t.Errorf("%s: %q over HTTP, %q on NATS", name, sent.Headers.Get(name), values[0])
		}
	}
}
