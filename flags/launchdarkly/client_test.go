package launchdarkly

import (
	"context"
	"errors"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/serin-cd/serin/flags"
	"github.com/serin-cd/serin/flags/launchdarkly/ldtest"
)

func TestApprovalsAreSaidAndNotTriedAgain(t *testing.T) {
	s, standIn := open(t)
	standIn.Boolean(flagKey)
	standIn.Refuse(ldtest.Answer{Status: http.StatusMethodNotAllowed, Message: "approval\nrequired"})
	_, err := flags.Apply(t.Context(), s, storeKey, flags.Kill{Fence: fence(1)})
	if !errors.Is(err, ErrNeedsApproval) || !strings.Contains(err.Error(), "needs approval") || !strings.Contains(err.Error(), "approval required") {
		t.Errorf("%v, want ErrNeedsApproval", err)
	}
	if n := len(standIn.Patches()); n != 1 {
		t.Errorf("%d patches, want 1", n)
	}
}

func TestOnlyAKillIgnoresWhatIsPending(t *testing.T) {
	s, standIn := open(t)
	standIn.Boolean(flagKey)
	pending := ldtest.Answer{Status: http.StatusBadRequest, Message: "a scheduled change would fail", Unless: "ignoreConflicts=true"}
	standIn.Refuse(pending)
	if _, err := flags.Apply(t.Context(), s, storeKey, ramp(1, 500)); err == nil || !strings.Contains(err.Error(), "pending") {
		t.Errorf("%v, want it to say what is pending", err)
	}
	standIn.Refuse(pending)
	apply(t, s, flags.Kill{Fence: fence(2)})
}

func TestAConflictOfTwoCallsIsTriedAgain(t *testing.T) {
	s, standIn := open(t)
	standIn.Boolean(flagKey)
	conflict := ldtest.Answer{Status: http.StatusConflict, Message: "concurrent"}
	standIn.Refuse(conflict, conflict)
	apply(t, s, ramp(1, 500))
	if n := len(standIn.Patches()); n != 3 {
		t.Errorf("%d patches, want 3", n)
	}
}

func TestARateLimitIsWaitedForWhileThereIsTime(t *testing.T) {
	s, standIn := open(t)
	standIn.Boolean(flagKey)
	standIn.Refuse(ldtest.Answer{Status: http.StatusTooManyRequests, Header: map[string]string{
		"X-Ratelimit-Reset": strconv.FormatInt(time.Now().Add(200*time.Millisecond).UnixMilli(), 10),
	}})
	began := time.Now()
	apply(t, s, ramp(1, 500))
	if took := time.Since(began); took < 150*time.Millisecond {
		t.Errorf("tried again after %s", took)
	}
	standIn.Refuse(ldtest.Answer{Status: http.StatusTooManyRequests, Header: map[string]string{"Retry-After": "30"}})
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	began = time.Now()
	if _, err := flags.Apply(ctx, s, storeKey, ramp(2, 2500)); err == nil || !strings.Contains(err.Error(), "429") || time.Since(began) > 4*time.Second {
		t.Errorf("after %s: %v, want the limit at once, as there is no time to wait", time.Since(began), err)
	}
}

func TestRateLimitsAreReadFromWhicheverHeaderIsThere(t *testing.T) {
	now := time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)
	tests := map[string]struct {
		header, value string
		want          time.Duration
	}{
		"seconds":      {"Retry-After", "3", 3 * time.Second},
		"date":         {"Retry-After", now.Add(5 * time.Second).Format(http.TimeFormat), 5 * time.Second},
		"milliseconds": {"X-Ratelimit-Reset", strconv.FormatInt(now.Add(2*time.Second).UnixMilli(), 10), 2 * time.Second},
		"past":         {"X-Ratelimit-Reset", "1", 0},
		"nonsense":     {"Retry-After", "soon", 0},
		"none":         {"X-Other", "1", 0},
	}
	for name, test := range tests {
		h := http.Header{}
		h.Set(test.header, test.value)
		if got := limit(h, now); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}

func TestAKillDoesWithoutItsNotesWhenTheyAreRefused(t *testing.T) {
	s, standIn := open(t)
	standIn.Boolean(flagKey)
	standIn.Edit(flagKey, func(f *ldtest.Flag) { f.Fallthrough = ldtest.Serve{Variation: new(int)} })
	standIn.Refuse(ldtest.Answer{Status: http.StatusForbidden, Message: "updateFlagCustomProperties"})
	_, err := flags.Apply(t.Context(), s, storeKey, flags.Kill{Fence: fence(1)})
	if err == nil || !strings.Contains(err.Error(), "the flag is off") || !strings.Contains(err.Error(), "role lacks") {
		t.Errorf("%v, want it to say what is done and what is not", err)
	}
	if f := standIn.Flag(flagKey); f.On {
		t.Error("the flag is still on")
	}
}

func TestErrorsTellNoToken(t *testing.T) {
	s, standIn := open(t)
	standIn.Boolean(flagKey)
	const secret = "api-secret-of-nobody"
	if err := os.WriteFile(s.tokenFile, []byte(secret), 0o600); err != nil {
		t.Fatal(err)
	}
	_, _, err := s.Get(t.Context(), storeKey)
	if err == nil || strings.Contains(err.Error(), secret) || !strings.Contains(err.Error(), "401") || !strings.Contains(err.Error(), "no SDK key") {
		t.Errorf("%v", err)
	}
	if err := os.Remove(s.tokenFile); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Get(t.Context(), storeKey); err == nil || !strings.Contains(err.Error(), "read the token") {
		t.Errorf("%v", err)
	}
}
