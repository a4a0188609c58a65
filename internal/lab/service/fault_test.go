package service_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-cd/serin/internal/lab/service"
)

func TestErrorsComeAtTheirRateAndTheFirstIsNoted(t *testing.T) {
	s := running(t, service.Options{}, map[string]service.Fault{"1.1.0": {Kind: service.Errors, Rate: 0.18}})
	l := newLoad(t, s, flagOn("1.1.0").which)
	before := time.Now()
	send(t, l, 2000)
	// Five standard deviations are 86.
	if c := l.Tally.Of("1.1.0"); c.Failed < 360-86 || c.Failed > 360+86 {
		t.Errorf("want about 360 of 2000 to fail, got %d", c.Failed)
	}
	if bad := s.FirstBad("1.1.0"); bad.Before(before) || bad.Before(l.Tally.FirstFailed("1.1.0")) || bad.After(time.Now()) {
		t.Errorf("the first bad answer is at %s, the request for it asked at %s", bad, l.Tally.FirstFailed("1.1.0"))
	}
	bad := s.FirstBad("1.1.0")
	if err := s.Stop(t.Context(), "1.1.0"); err != nil || !s.FirstBad("1.1.0").Equal(bad) {
		t.Errorf("stopped, it was first bad at %s, before at %s; %v", s.FirstBad("1.1.0"), bad, err)
	}
}

func TestAHealthyVersionNeverHasAnErrorSeries(t *testing.T) {
	s := running(t, service.Options{}, map[string]service.Fault{"1.0.0": {}})
	l := newLoad(t, s, flagOn("1.0.0").which)
	send(t, l, 100)
	if page := metrics(t, s, "1.0.0"); strings.Contains(page, `code="500"`) {
		t.Error(page)
	}
	if !s.FirstBad("1.0.0").IsZero() {
		t.Error("a healthy version has a bad answer")
	}
}

func TestBackgroundErrorsAreThereFromTheStartAndNoFault(t *testing.T) {
	s := running(t, service.Options{Background: 1}, map[string]service.Fault{"1.0.0": {}})
	if page := metrics(t, s, "1.0.0"); !strings.Contains(page, `code="500",service="shop",version="1.0.0"} 0`) {
		t.Error(page)
	}
	l := newLoad(t, s, flagOn("1.0.0").which)
	send(t, l, 3)
	if diff := cmp.Diff(service.Count{Requests: 3, Failed: 3}, l.Tally.Of("1.0.0")); diff != "" {
		t.Error(diff)
	}
	if !s.FirstBad("1.0.0").IsZero() {
		t.Error("background errors count as a fault")
	}
}

func TestAFaultBeginsAtItsShareOfTheFlagsAnswers(t *testing.T) {
	s := running(t, service.Options{}, map[string]service.Fault{"1.0.0": {}, "1.1.0": {Kind: service.Errors, FromShare: 2500}})
	share, n := 0, 0
	l := newLoad(t, s, func(context.Context, string) (string, error) {
		if n++; n%100 < share {
			return "1.1.0", nil
		}
		return "1.0.0", nil
	})
	for _, c := range []struct {
		share int
		bad   bool
	}{{5, false}, {19, false}, {25, true}} {
		share = c.share
		send(t, l, 400)
		if got := !s.FirstBad("1.1.0").IsZero(); got != c.bad {
			t.Errorf("at %d %%: bad %t, want %t", c.share, got, c.bad)
		}
	}
	share = 5
	failed := l.Tally.Of("1.1.0").Failed
	send(t, l, 100)
	if got := l.Tally.Of("1.1.0").Failed - failed; got != 5 {
		t.Errorf("a fault that began goes on: want 5 more failed, got %d", got)
	}
}

func TestSlowAnswersTakeTheirTime(t *testing.T) {
	const slow = 30 * time.Millisecond
	s := running(t, service.Options{}, map[string]service.Fault{"1.1.0": {Kind: service.Latency, Latency: slow}})
	l := newLoad(t, s, flagOn("1.1.0").which)
	began := time.Now()
	send(t, l, 3)
	if took := time.Since(began); took < 3*slow {
		t.Errorf("three answers took %s", took)
	}
	page := metrics(t, s, "1.1.0")
	if !strings.Contains(page, `version="1.1.0",le="0.025"} 0`) || !strings.Contains(page, `version="1.1.0"} 3`) {
		t.Errorf("want three answers, all above 25ms:\n%s", page)
	}
	if diff := cmp.Diff(service.Count{Requests: 3}, l.Tally.Of("1.1.0")); diff != "" {
		t.Error(diff)
	}
}

func TestACrashedVersionRefusesAndIsStillATarget(t *testing.T) {
	s := running(t, service.Options{}, map[string]service.Fault{"1.0.0": {}, "1.1.0": {Kind: service.Crash}})
	f := flagOn("1.0.0")
	l := newLoad(t, s, f.which)
	send(t, l, 100)
	if !s.FirstBad("1.1.0").IsZero() {
		t.Error("it crashed before the flag named it")
	}
	f.set("1.1.0")
	send(t, l, 5)
	if diff := cmp.Diff(service.Count{Requests: 5, Failed: 5}, l.Tally.Of("1.1.0")); diff != "" {
		t.Error(diff)
	}
	if s.FirstBad("1.1.0").IsZero() || len(s.Targets()) != 2 {
		t.Errorf("crashed at %s, targets %v", s.FirstBad("1.1.0"), s.Targets())
	}
}

func TestAFaultBegunByHandActsAtOnce(t *testing.T) {
	s := running(t, service.Options{}, map[string]service.Fault{"1.1.0": {Kind: service.Crash, FromShare: 10000}})
	s.Begin("1.1.0")
	l := newLoad(t, s, flagOn("1.1.0").which)
	send(t, l, 1)
	if diff := cmp.Diff(service.Count{Requests: 1, Failed: 1}, l.Tally.Of("1.1.0")); diff != "" {
		t.Error(diff)
	}
}

func TestAVersionWithoutTrafficGetsNoneAndTheUsersGetTheOther(t *testing.T) {
	s := running(t, service.Options{}, map[string]service.Fault{"1.0.0": {}, "1.1.0": {Kind: service.NoTraffic}})
	l := newLoad(t, s, flagOn("1.1.0").which)
	send(t, l, 20)
	if diff := cmp.Diff(map[string]service.Count{"1.0.0": {Requests: 20}}, l.Tally.All()); diff != "" {
		t.Error(diff)
	}
	if page := metrics(t, s, "1.1.0"); !strings.Contains(page, `code="200",service="shop",version="1.1.0"} 0`) {
		t.Errorf("want the series, at 0:\n%s", page)
	}
}

func TestAVersionThatIgnoresTheFlagTakesItsShareOfAll(t *testing.T) {
	s := running(t, service.Options{}, map[string]service.Fault{"1.0.0": {}, "1.1.0": {Kind: service.IgnoresFlag, Rate: 0.3}})
	l := newLoad(t, s, flagOn("1.0.0").which)
	send(t, l, 1000)
	// Five standard deviations are 73.
	if got := l.Tally.Of("1.1.0").Requests; got < 300-73 || got > 300+73 {
		t.Errorf("want about 300 of 1000, got %d", got)
	}
	if s.Share("1.1.0") != 0 || s.FirstBad("1.1.0").IsZero() {
		t.Errorf("the flag's own share is %d, first request against it at %s", s.Share("1.1.0"), s.FirstBad("1.1.0"))
	}
}
