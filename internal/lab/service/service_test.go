package service_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-cd/serin/internal/lab/service"
)

func TestTheFlagIsTheTrafficSwitch(t *testing.T) {
	s := running(t, service.Options{}, map[string]service.Fault{"1.0.0": {}, "1.1.0": {}})
	f := flagOn("1.0.0")
	l := newLoad(t, s, f.which)
	send(t, l, 30)
	f.set("1.1.0")
	switched := time.Now()
	send(t, l, 20)
	f.set("1.0.0")
	back := time.Now()
	send(t, l, 10)
	want := map[string]service.Count{"1.0.0": {Requests: 40}, "1.1.0": {Requests: 20}}
	if diff := cmp.Diff(want, l.Tally.All()); diff != "" {
		t.Error(diff)
	}
	got := []int{l.Tally.After("1.1.0", switched), l.Tally.After("1.1.0", back), l.Tally.After("1.0.0", back)}
	if diff := cmp.Diff([]int{20, 0, 10}, got); diff != "" {
		t.Error(diff)
	}
	for version, want := range map[string]string{"1.0.0": "40", "1.1.0": "20"} {
		line := fmt.Sprintf("http_requests_total{code=\"200\",service=\"shop\",version=%q} %s\n", version, want)
		if page := metrics(t, s, version); !strings.Contains(page, line) {
			t.Errorf("no %sin\n%s", line, page)
		}
	}
}

func TestARequestBelongsToTheTimeItAskedTheFlag(t *testing.T) {
	s := running(t, service.Options{}, map[string]service.Fault{"1.0.0": {}})
	var answered time.Time
	l := newLoad(t, s, func(context.Context, string) (string, error) {
		answered = time.Now()
		return "1.0.0", nil
	})
	send(t, l, 1)
	if n := l.Tally.After("1.0.0", answered); n != 0 {
		t.Error("a request that asked before the instant counts after it")
	}
}

func TestOneUserInTenHasNoKey(t *testing.T) {
	next := 0.0
	opts := service.Options{Rand: func() float64 { next += 1.0 / 2000; return next - 1.0/4000 }}
	l := newLoad(t, service.New(opts), func(context.Context, string) (string, error) { return "", nil })
	send(t, l, 2000)
	if got := l.Tally.Totals().Keyless; got != 200 {
		t.Errorf("want each tenth of 2000 users without a key, got %d", got)
	}
}

func TestRequestsThatReachNoVersionFailAndAreCounted(t *testing.T) {
	away := errors.New("the flag source is away")
	for _, c := range []struct {
		name  string
		which service.Which
		all   map[string]service.Count
		total service.Totals
	}{
		{"the flag names a version that does not run", func(context.Context, string) (string, error) { return "9.9.9", nil },
			map[string]service.Count{"9.9.9": {Requests: 1, Failed: 1}}, service.Totals{Requests: 1, Failed: 1}},
		{"the flag is away and there is no fallback", func(context.Context, string) (string, error) { return "", away },
			map[string]service.Count{"": {Requests: 1, Failed: 1}}, service.Totals{Requests: 1, Failed: 1, NoFlag: 1}},
		{"the flag is away and there is a fallback", func(context.Context, string) (string, error) { return "1.0.0", away },
			map[string]service.Count{"1.0.0": {Requests: 1}}, service.Totals{Requests: 1, NoFlag: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			one := func() float64 { return 0.5 } // a user with a key
			l := newLoad(t, running(t, service.Options{Rand: one}, map[string]service.Fault{"1.0.0": {}}), c.which)
			send(t, l, 1)
			if diff := cmp.Diff(c.all, l.Tally.All()); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(c.total, l.Tally.Totals()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAStoppedVersionIsNoTargetAndRefuses(t *testing.T) {
	s := running(t, service.Options{}, map[string]service.Fault{"1.0.0": {}, "1.1.0": {}})
	l := newLoad(t, s, flagOn("1.1.0").which)
	send(t, l, 1)
	if err := s.Stop(t.Context(), "1.1.0"); err != nil {
		t.Fatal(err)
	}
	send(t, l, 1)
	if diff := cmp.Diff(service.Count{Requests: 2, Failed: 1}, l.Tally.Of("1.1.0")); diff != "" {
		t.Error(diff)
	}
	if n := len(s.Targets()); n != 1 {
		t.Errorf("want one target, got %d", n)
	}
	if err := s.Stop(t.Context(), "1.1.0"); err == nil {
		t.Error("want an error for a version that does not run")
	}
}

func TestWhatMakesNoSenseIsRefused(t *testing.T) {
	s := running(t, service.Options{}, map[string]service.Fault{"1.0.0": {}})
	for name, f := range map[string]service.Fault{
		"unknown kind": {Kind: "rust"}, "rate above 1": {Kind: service.Errors, Rate: 18},
		"no latency": {Kind: service.Latency}, "share above all": {Kind: service.Crash, FromShare: 10001},
	} {
		if err := s.Start(t.Context(), "2.0.0", f); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	if err := s.Start(t.Context(), "1.0.0", service.Fault{}); err == nil {
		t.Error("a version was started twice")
	}
}

func metrics(t *testing.T, s *service.Service, version string) string {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL(version)+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
