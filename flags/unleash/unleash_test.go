package unleash

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/serin-cd/serin/flags"
	"github.com/serin-cd/serin/flags/flagstest"
)

func fence(seq uint64) flags.Fence {
	return flags.Fence{Rollout: "r-1", Slot: "production/shop", Generation: 1, Seq: seq}
}

// opened has the suite's flag, off and without strategies.
func opened(t *testing.T) (*fake, *Unleash) {
	t.Helper()
	f, u := newFake(t)
	f.edit(func(*state) {})
	return f, u
}

func apply(t *testing.T, u *Unleash, e flags.Edit) flags.Change {
	t.Helper()
	c, err := flags.Apply(t.Context(), u, flagstest.Key, e)
	if err != nil {
		t.Fatalf("%+v: %v", e, err)
	}
	return c
}

func TestUnleashPassesTheSuiteOfVendors(t *testing.T) {
	flagstest.RunVendor(t, func(t *testing.T) flagstest.Vendor {
		f, u := newFake(t)
		return flagstest.Vendor{
			Store: u, Confirmer: u, OnOff: true, Patience: 2 * time.Second,
			Create: func(testing.TB, flags.Kind) { f.edit(func(*state) {}) },
			Touch: func(testing.TB) {
				f.edit(func(s *state) {
					if len(s.Strategies) > 0 {
						s.Strategies[0].Parameters = with(s.Strategies[0].Parameters, "80")
					}
				})
			},
		}
	})
}

func TestFirstStepReachesNobodyUntilItsShareIsWritten(t *testing.T) {
	f, u := opened(t)
	apply(t, u, flags.Ramp{Fence: fence(1), Share: 500})
	got := slices.DeleteFunc(f.calls, func(call string) bool { return call == "GET " })
	if want := []string{"POST /strategies", "POST /on", "PATCH /strategies/id-1"}; !slices.Equal(got, want) {
		t.Errorf("called %q, want %q", got, want)
	}
	if s := f.flags[checkout].Strategies[0]; !strings.HasPrefix(s.Title, "Serin, do not edit: 5 % by rollout r-1 {") || s.Parameters["rollout"] != "5" {
		t.Errorf("people see %q at %v", s.Title, s.Parameters)
	}
}

func TestTurningOnReachesNobodyAlsoWhereAPromotedFlagWasTurnedOff(t *testing.T) {
	f, u := opened(t)
	apply(t, u, flags.Ramp{Fence: fence(1), Share: flags.Total})
	f.edit(func(s *state) { s.Enabled = false })
	var at any
	f.first = func(_ http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, "/on") {
			f.edit(func(s *state) { at = s.Strategies[0].Parameters["rollout"] })
		}
		return false
	}
	apply(t, u, flags.Ramp{Fence: flags.Fence{Rollout: "r-2", Slot: "production/shop", Generation: 2}, Share: 500})
	if at != "0" {
		t.Errorf("turned on at a rollout of %v, want 0", at)
	}
}

func TestPatchTestsWhatWasThere(t *testing.T) {
	f, u := opened(t)
	apply(t, u, flags.Ramp{Fence: fence(1), Share: 500})
	f.first = func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPatch {
			f.edit(func(s *state) { s.Strategies[0].Parameters = with(s.Strategies[0].Parameters, "80") })
		}
		return false
	}
	if _, err := flags.Apply(t.Context(), u, flagstest.Key, flags.Ramp{Fence: fence(2), Share: 2500}); !errors.Is(err, flags.ErrStranger) {
		t.Errorf("a slider that is moved just before the patch: %v, want ErrStranger", err)
	}
	if got := f.flags[checkout].Strategies[0].Parameters["rollout"]; got != "80" {
		t.Errorf("the person's 80 %% is %v", got)
	}
}

func TestWriteThatWasCutOffMayBeDoneAgain(t *testing.T) {
	edits := map[string][]flags.Edit{
		"first step":  {flags.Ramp{Fence: fence(1), Share: 500}},
		"second step": {flags.Ramp{Fence: fence(1), Share: 500}, flags.Ramp{Fence: fence(2), Share: 2500}},
		"promotion":   {flags.Ramp{Fence: fence(1), Share: 500}, flags.Ramp{Fence: fence(2), Share: flags.Total}},
		"kill":        {flags.Ramp{Fence: fence(1), Share: 500}, flags.Kill{Fence: fence(2)}},
		"first kill":  {flags.Kill{Fence: fence(2)}},
		"reset":       {flags.Kill{Fence: fence(2)}, flags.Reset{By: "Ada", Reason: "it is mended"}},
		"back again": {flags.Ramp{Fence: fence(1), Share: flags.Total}, flags.Kill{Fence: fence(2)}, flags.Reset{By: "Ada", Reason: "it is mended"},
			flags.Ramp{Fence: flags.Fence{Rollout: "r-2", Slot: "production/shop", Generation: 2}, Share: 500}},
	}
	for name, all := range edits {
		for _, landed := range []bool{false, true} {
			for cut := 1; cut < 12; cut++ {
				f, u := opened(t)
				for _, e := range all[:len(all)-1] {
					apply(t, u, e)
				}
				last := all[len(all)-1]
				f.cut(cut, landed)
				_, err := flags.Apply(t.Context(), u, flagstest.Key, last)
				f.first = nil
				c := apply(t, u, last)
				seen, _ := u.Confirm(deadline(t, 5*time.Second), flagstest.Key, c.Want())
				if seen.Outcome != flags.Confirmed || c.After.Mark().Killed != (strings.Contains(name, "kill")) {
					t.Errorf("%s, cut off at call %d (%t, %v), then again: %+v", name, cut, landed, err, seen)
				}
			}
		}
	}
}

// cut answers the nth call of the admin API 502, after it was carried out if landed.
func (f *fake) cut(n int, landed bool) {
	f.first = func(w http.ResponseWriter, r *http.Request) bool {
		if n--; n != 0 {
			return false
		}
		if f.first = nil; landed {
			f.ServeHTTP(discard{http.Header{}}, r)
		}
		answer(w, 502, map[string]string{"message": "no upstream"})
		return true
	}
}

type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(b []byte) (int, error) { return len(b), nil }
func (discard) WriteHeader(int)               {}

func deadline(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}
