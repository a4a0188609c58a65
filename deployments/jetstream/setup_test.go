package jetstream

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"
)

func TestSetupAgainChangesNothing(t *testing.T) {
	l := labWith(t, Layout{Partitions: 4})
	before := layout(t, l.js)
	for _, again := range []Layout{{}, {Partitions: 4}, {Partitions: 4, Replicas: 1}} {
		if err := Setup(t.Context(), l.js, again); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(before, layout(t, l.js)); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
}

// layout is every stream with its configuration and number of messages.
func layout(t *testing.T, js jetstream.JetStream) map[string]any {
	t.Helper()
	found := map[string]any{}
	streams := js.ListStreams(t.Context())
	for info := range streams.Info() {
		found[info.Config.Name] = []any{info.Config, info.State.Msgs, info.State.Consumers}
	}
	if err := streams.Err(); err != nil {
		t.Fatal(err)
	}
	return found
}

func TestSetupMakesEveryStreamBehindThePrefix(t *testing.T) {
	l := labWith(t, Layout{Names: Names{Prefix: "acme.deploy"}, Partitions: 2})
	var names []string
	for name := range layout(t, l.js) {
		names = append(names, name)
	}
	want := []string{"ACME_DEPLOY_AUDIT", "ACME_DEPLOY_DLQ", "ACME_DEPLOY_EVENTS", "ACME_DEPLOY_JOURNAL", "ACME_DEPLOY_LEASE", "ACME_DEPLOY_RELEASES", "ACME_DEPLOY_SUMMARY",
		"KV_acme_deploy_flags", "KV_acme_deploy_notify", "KV_acme_deploy_policies"}
	if diff := cmp.Diff(want, sorted(names)); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
	// Two prefixes live side by side on one server.
	if err := Setup(t.Context(), l.js, Layout{Partitions: 3}); err != nil {
		t.Error(err)
	}
}

func TestAnotherNumberOfPartitionsIsRefused(t *testing.T) {
	l := labWith(t, Layout{Partitions: 4})
	err := Setup(t.Context(), l.js, Layout{Partitions: 8})
	if err == nil || !strings.Contains(err.Error(), "has 4 partitions, 8 were asked for") {
		t.Errorf("setup: %v, want a refusal with both numbers", err)
	}
	p, err := Partitions(t.Context(), l.js, Names{})
	if err != nil || p != 4 {
		t.Errorf("%d partitions, %v, want 4", p, err)
	}
}

func TestSetupKeepsWhatAnOperatorDecided(t *testing.T) {
	l := labWith(t, Layout{Partitions: 1})
	s, err := l.js.Stream(t.Context(), "SERIN_EVENTS")
	if err != nil {
		t.Fatal(err)
	}
	c := s.CachedInfo().Config
	c.MaxBytes, c.MaxAge, c.Description = 1<<20, c.MaxAge*2, "changed"
	if _, err := l.js.UpdateStream(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if err := Setup(t.Context(), l.js, Layout{}); err != nil {
		t.Fatal(err)
	}
	if s, err = l.js.Stream(t.Context(), "SERIN_EVENTS"); err != nil {
		t.Fatal(err)
	}
	if got := s.CachedInfo().Config; got.MaxBytes != c.MaxBytes || got.MaxAge != c.MaxAge {
		t.Errorf("size %d, age %v, want %d, %v", got.MaxBytes, got.MaxAge, c.MaxBytes, c.MaxAge)
	}
}

func TestPrefixesThatAreNoSubjectAreRefused(t *testing.T) {
	for prefix, ok := range map[string]bool{"": true, "serin": true, "acme.deploy": true, "a b": false, "a.*": false, ".a": false, "a..b": false, ">": false} {
		if err := (Names{Prefix: prefix}).Validate(); (err == nil) != ok {
			t.Errorf("prefix %q: %v", prefix, err)
		}
	}
}
