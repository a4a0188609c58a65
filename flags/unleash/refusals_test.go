package unleash

import (
	"errors"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/serin-cd/serin/flags"
	"github.com/serin-cd/serin/flags/flagstest"
)

func TestWhatPeopleChangeInUnleashEndsARampAndNotAKill(t *testing.T) {
	plain := map[string]any{"rollout": "30", "stickiness": "default", "groupId": checkout}
	edits := map[string]func(*state){
		"a second strategy": func(s *state) {
			s.Strategies = append(s.Strategies, strategy{ID: "x", Name: flexible, Parameters: plain})
		},
		"another title":       func(s *state) { s.Strategies[0].Title = "mine" },
		"a broken mark":       func(s *state) { s.Strategies[0].Title = titleBegins + `5 % {"Share":{}}` },
		"a constraint":        func(s *state) { s.Strategies[0].Constraints = []any{map[string]any{"contextName": "userId"}} },
		"a segment":           func(s *state) { s.Strategies[0].Segments = []any{1} },
		"a disabled strategy": func(s *state) { s.Strategies[0].Disabled = true },
		"another rollout":     func(s *state) { s.Strategies[0].Parameters = with(s.Strategies[0].Parameters, "80") },
		"a part of a percent": func(s *state) { s.Strategies[0].Parameters = with(s.Strategies[0].Parameters, "5.5") },
		"another group": func(s *state) {
			s.Strategies[0].Parameters = map[string]any{"rollout": "5", "stickiness": "default", "groupId": "x"}
		},
		"the environment off":  func(s *state) { s.Enabled = false },
		"no strategy any more": func(s *state) { s.Strategies = nil },
	}
	for name, edit := range edits {
		t.Run(name, func(t *testing.T) {
			f, u := opened(t)
			apply(t, u, flags.Ramp{Fence: fence(1), Share: 500})
			f.edit(edit)
			if c, err := flags.Apply(t.Context(), u, flagstest.Key, flags.Ramp{Fence: fence(2), Share: 2500}); !errors.Is(err, flags.ErrStranger) && !errors.Is(err, flags.ErrServed) {
				t.Errorf("the next step: %+v, %v, want ErrStranger", c.Written, err)
			}
			kill := flags.Kill{Fence: fence(3)}
			apply(t, u, kill)
			if f.flags[checkout].Enabled {
				t.Error("still on after the kill")
			}
			if again := apply(t, u, kill); again.Written {
				t.Error("the same kill is written twice")
			}
			apply(t, u, flags.Reset{By: "Ada", Reason: "it is mended"})
		})
	}
}

func TestAnotherStrategyIsRefusedBeforeAnyStep(t *testing.T) {
	f, u := newFake(t)
	f.edit(func(s *state) {
		f.add(s, strategy{Name: "userWithId", Title: "testers", Parameters: map[string]any{"userIds": "ada"}})
	})
	image, _, err := u.Get(t.Context(), flagstest.Key)
	if err != nil {
		t.Fatal(err)
	}
	if err := flags.CheckRamp(image, "", ""); !errors.Is(err, flags.ErrStranger) || !strings.Contains(err.Error(), "testers") {
		t.Errorf("%v, want ErrStranger with the strategy", err)
	}
	f.edit(func(s *state) { s.Enabled, s.Strategies = true, nil })
	if image, _, _ = u.Get(t.Context(), flagstest.Key); !errors.Is(flags.CheckRamp(image, "", ""), flags.ErrServed) {
		t.Errorf("a flag that is on without strategies is %s", image.Bytes())
	}
}

func TestCallToTurnOnThatArrivesAfterTheKillReachesNobody(t *testing.T) {
	f, u := opened(t)
	apply(t, u, flags.Ramp{Fence: fence(1), Share: 2500})
	c := apply(t, u, flags.Kill{Fence: fence(2)})
	f.edit(func(s *state) { s.Enabled = true })
	if seen, err := u.Confirm(deadline(t, 5*time.Second), flagstest.Key, c.Want()); err != nil || seen.Outcome != flags.Confirmed {
		t.Errorf("%+v, %v", seen, err)
	}
	if image, _, err := u.Get(t.Context(), flagstest.Key); err != nil || string(image.Targeting()) != "" || !image.Mark().Killed {
		t.Errorf("image %s, %v", image.Bytes(), err)
	}
}

func TestKillWhileAPatchIsUnderWayLeavesItNothingToWriteTo(t *testing.T) {
	f, u := opened(t)
	apply(t, u, flags.Ramp{Fence: fence(1), Share: 500})
	f.first = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPatch {
			return false
		}
		f.first = nil
		apply(t, u, flags.Kill{Fence: fence(3)})
		return false
	}
	if _, err := flags.Apply(t.Context(), u, flagstest.Key, flags.Ramp{Fence: fence(2), Share: 2500}); !errors.Is(err, flags.ErrLatched) {
		t.Errorf("the ramp: %v, want ErrLatched", err)
	}
	if s := f.flags[checkout]; s.Enabled || len(s.Strategies) != 1 || !killed(s.Strategies[0].Title) {
		t.Errorf("after the kill: %+v", s)
	}
}

func TestOneOfTwoKillsAtOnceStays(t *testing.T) {
	f, u := opened(t)
	f.first = func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "/strategies") {
			return false
		}
		f.first = nil
		apply(t, u, flags.Kill{Fence: fence(2)})
		return false
	}
	apply(t, u, flags.Kill{Fence: fence(2)})
	if s := f.flags[checkout]; s.Enabled || len(s.Strategies) != 1 {
		t.Errorf("after two kills: %+v", s)
	}
}

func TestPatchThatAnotherOverwroteHasLost(t *testing.T) {
	f, u := opened(t)
	apply(t, u, flags.Ramp{Fence: fence(1), Share: 500})
	image, revision, err := u.Get(t.Context(), flagstest.Key)
	if err != nil {
		t.Fatal(err)
	}
	next, err := flags.Ramp{Fence: fence(2), Share: 2500}.Edit(image)
	if err != nil {
		t.Fatal(err)
	}
	f.first = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPatch {
			return false
		}
		f.first = nil
		f.ServeHTTP(w, r)
		f.edit(func(s *state) { s.Strategies[0].Title = title(image, 9) }) // its test had passed as well
		return true
	}
	if _, err := u.Update(t.Context(), flagstest.Key, next, revision); !errors.Is(err, flags.ErrConflict) {
		t.Errorf("%v, want ErrConflict", err)
	}
}

func TestUnleashRefusesWhatItCannotKeep(t *testing.T) {
	_, u := opened(t)
	if _, err := flags.Apply(t.Context(), u, flagstest.Key, flags.Ramp{Fence: fence(1), Share: 550}); err == nil || !strings.Contains(err.Error(), "5.50 % is not to be had") {
		t.Errorf("5.5 %%: %v", err)
	}
	if _, err := flags.Apply(t.Context(), u, flagstest.Key, flags.Ramp{Fence: fence(1), Variant: "v2", Base: "v1", Share: 500}); !errors.Is(err, flags.ErrKind) {
		t.Errorf("a version: %v, want ErrKind", err)
	}
	_, revision, err := u.Get(t.Context(), flagstest.Key)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := u.Update(t.Context(), flagstest.Key, flagstest.MustParse(t, flagstest.VersionFlag), revision); !errors.Is(err, flags.ErrKind) {
		t.Errorf("a version flag: %v, want ErrKind", err)
	}
	if _, err := u.Update(t.Context(), "production.missing", flagstest.MustParse(t, flagstest.FeatureFlag), 0); !errors.Is(err, flags.ErrNotFound) || !strings.Contains(err.Error(), "create it in Unleash") {
		t.Errorf("creating: %v", err)
	}
	if _, err := u.Confirm(t.Context(), flagstest.Key, flags.Want{Kind: flags.Version, Variant: "v2", Base: "v1", Share: 500}); err == nil {
		t.Error("a version is confirmed")
	}
}

func TestAnswersThatAreNoneSayWhatIsWrongAndNotTheToken(t *testing.T) {
	text := func(status int, body string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Retry-After", "3600")
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
			return true
		}
	}
	cases := map[string]struct {
		first func(http.ResponseWriter, *http.Request) bool
		is    error
		says  string
	}{
		"no right":       {text(403, `{"message":"You need permission"}`), ErrNeedsApproval, "answered 403: You need permission; the change needs approval"},
		"another token":  {text(401, `{"message":"no `+adminToken+` here"}`), nil, "answered 401: no … here; look at the token"},
		"missing":        {text(404, `{"message":"Could not find it"}`), flags.ErrNotFound, "answered 404: Could not find it"},
		"a fault":        {text(500, "<html>\nboom"), nil, "answered 500"},
		"too many":       {text(429, ``), nil, "answered 429"},
		"a page":         {text(200, "<html>"), nil, "is the URL that of Unleash?"},
		"an empty one":   {text(200, ""), nil, "is the URL that of Unleash?"},
		"another object": {text(200, "{}"), flags.ErrNotFound, `no environment "production"`},
		"far too much":   {text(200, strings.Repeat(" ", answerBytes+1)), nil, "longer than 4 MiB"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			f, u := opened(t)
			f.first = c.first
			_, _, err := u.Get(t.Context(), flagstest.Key)
			if err == nil || c.is != nil && !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), adminToken) {
				t.Errorf("%v\nwant %q", err, c.says)
			}
			if c.is == nil && errors.Is(err, flags.ErrNotFound) {
				t.Errorf("%v is taken for a missing flag", err)
			}
			if seen, err := u.Confirm(deadline(t, 100*time.Millisecond), flagstest.Key, flags.Want{Kind: flags.Feature, Base: flags.Off}); err != nil || seen.Outcome != flags.Unverifiable {
				t.Errorf("confirmed by it: %+v, %v", seen, err)
			}
		})
	}
}

func TestTooManyRequestsAreWaitedOut(t *testing.T) {
	f, u := opened(t)
	refused := 0
	f.first = func(w http.ResponseWriter, _ *http.Request) bool {
		if refused++; refused > 2 {
			return false
		}
		w.Header().Set("Retry-After", "0")
		w.WriteHeader(http.StatusTooManyRequests)
		return true
	}
	if _, _, err := u.Get(t.Context(), flagstest.Key); err != nil || refused != 3 {
		t.Errorf("%v after %d requests", err, refused)
	}
}

func TestOffIsConfirmedOnlyWhereTheFlagCouldBeSeen(t *testing.T) {
	off := flags.Want{Kind: flags.Feature, Base: flags.Off}
	for name, token := range map[string]string{"environment": "default:development.x", "project": "other:production.x"} {
		_, u := opened(t)
		if err := os.WriteFile(u.source.ReadKeyFile, []byte(token), 0o600); err != nil {
			t.Fatal(err)
		}
		seen, err := u.Confirm(deadline(t, 100*time.Millisecond), flagstest.Key, off)
		if err != nil || seen.Outcome != flags.Unverifiable || !strings.Contains(seen.Detail, name) {
			t.Errorf("a token of another %s: %+v, %v", name, seen, err)
		}
	}
	_, u := newFake(t)
	if seen, err := u.Confirm(deadline(t, 100*time.Millisecond), flagstest.Key, off); err != nil || seen.Outcome != flags.Unverifiable {
		t.Errorf("a missing flag: %+v, %v", seen, err)
	}
}

func TestConfirmationWaitsForTheFrontend(t *testing.T) {
	f, u := opened(t)
	f.edit(func(*state) { f.behind = true })
	c := apply(t, u, flags.Ramp{Fence: fence(1), Share: flags.Total})
	if seen, err := u.Confirm(deadline(t, 300*time.Millisecond), flagstest.Key, c.Want()); err != nil || seen.Outcome != flags.Mismatch || seen.Share != 0 {
		t.Errorf("while it serves what was before: %+v, %v", seen, err)
	}
	timer := time.AfterFunc(200*time.Millisecond, func() { f.edit(func(*state) { f.behind = false }) })
	defer timer.Stop()
	seen, err := u.Confirm(deadline(t, 10*time.Second), flagstest.Key, c.Want())
	if err != nil || seen.Outcome != flags.Confirmed || seen.Share != flags.Total || seen.Users != usersAtRest || seen.Took < 100*time.Millisecond {
		t.Errorf("%+v, %v", seen, err)
	}
}

func TestAudiencesAreRefusedInUnleash(t *testing.T) {
	_, u := opened(t)
	also := flags.Audience{{"email": {"*@example.com"}}}
	for _, share := range []int{0, 500} {
		if _, err := flags.Apply(t.Context(), u, flagstest.Key, flags.Ramp{Fence: fence(1), Share: share, Also: also}); !errors.Is(err, flags.ErrKind) {
			t.Errorf("%d with an audience: %v, want ErrKind", share, err)
		}
	}
}

func TestTurnedOnThatNobodyCarriedOutIsNoSuccess(t *testing.T) {
	f, u := opened(t)
	f.first = func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "/on") {
			return false
		}
		_, _ = w.Write([]byte("<html>")) // 200, by something in between
		return true
	}
	if _, err := flags.Apply(t.Context(), u, flagstest.Key, flags.Ramp{Fence: fence(1), Share: 500}); !errors.Is(err, flags.ErrConflict) {
		t.Errorf("%v, want ErrConflict", err)
	}
}
