package launchdarkly

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/serin-cd/serin/flags"
)

const (
	usersAtRest = 64  // all get the same variant
	usersInRamp = 400 // each is a call: enough to tell 5 % from 25 %, few enough for a rate limit
	callsAtOnce = 8
)

// Served is what one user gets.
type Served struct {
	Variant string
	Version uint64 // of the flag in the environment, as the evaluation reports it
}

// Evaluate asks as a client-side SDK does what the user gets from the flag.
func (s *Store) Evaluate(ctx context.Context, key, user string) (Served, error) {
	_, name := flags.SplitKey(key)
	who, err := json.Marshal(map[string]any{"kind": "user", "key": user, "anonymous": true})
	if err != nil {
		return Served{}, err
	}
	address := s.eval + "/sdk/evalx/" + url.PathEscape(s.clientSideID) + "/contexts/" + base64.RawURLEncoding.EncodeToString(who)
	var all map[string]struct {
		Value       any     `json:"value"`
		Version     uint64  `json:"version"`
		FlagVersion *uint64 `json:"flagVersion"`
	}
	if err := s.call(ctx, http.MethodGet, address, http.Header{}, nil, &all); err != nil {
		return Served{}, fmt.Errorf("evaluate flag %s: %w", key, err)
	}
	got, ok := all[name]
	if !ok {
		return Served{}, fmt.Errorf("evaluate flag %s: client-side SDKs do not get it; check client_side_id, and make the flag available to SDKs using Client-side ID", key)
	}
	served := Served{Version: got.Version}
	if got.FlagVersion != nil {
		served.Version = *got.FlagVersion
	}
	served.Variant, err = variant(got.Value)
	return served, err
}

// Confirm evaluates for synthetic users, and again until the version written is served. Confirmed: at that version or a
// later one all get the one variant that is due, or a share within the 99.9 % band of LaunchDarkly's own bucketing gets
// the new variant and all others the base. Mismatch: at such a version they do not. Unverifiable: ctx ended before.
func (s *Store) Confirm(ctx context.Context, key string, want flags.Want) (flags.Confirmation, error) {
	if want.Kind == flags.Other || want.Base == "" || want.Share < 0 || want.Share > flags.Total || want.Share > 0 && want.Variant == "" {
		return flags.Confirmation{}, fmt.Errorf("confirm flag %s: %+v says not what users must get", key, want)
	}
	began, wait := time.Now(), firstWait
	for {
		seen := s.look(ctx, key, want)
		seen.Took = time.Since(began)
		if seen.Outcome != flags.Unverifiable {
			return seen, nil
		}
		if err := pause(ctx, wait); err != nil {
			seen.Took = time.Since(began)
			seen.Detail = fmt.Sprintf("%s (%v)", seen.Detail, err)
			return seen, nil
		}
		wait = min(2*wait, longestWait)
	}
}

// look asks for one user, and for the others when that shows the version written.
func (s *Store) look(ctx context.Context, key string, want flags.Want) flags.Confirmation {
	n := usersAtRest
	if want.Share > 0 && want.Share < flags.Total {
		n = usersInRamp
	}
	first, err := s.fresh(ctx, key, 0, want)
	if err != nil {
		return flags.Confirmation{Outcome: flags.Unverifiable, Detail: err.Error()}
	}
	got, err := s.all(ctx, key, want, n)
	if err != nil {
		return flags.Confirmation{Outcome: flags.Unverifiable, Detail: err.Error()}
	}
	return judge(append([]Served{first}, got...), want)
}

// fresh is what the n-th synthetic user gets, an error when it is older than what was written.
func (s *Store) fresh(ctx context.Context, key string, n int, want flags.Want) (Served, error) {
	served, err := s.Evaluate(ctx, key, fmt.Sprintf("serin-user-%d", n))
	if written := environmentVersion(want.Revision); err == nil && served.Version < written {
		err = fmt.Errorf("version %d is served, %d was written", served.Version, written)
	}
	return served, err
}

// all is what the synthetic users 1 to n-1 get.
func (s *Store) all(ctx context.Context, key string, want flags.Want, n int) ([]Served, error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	got, next := make([]Served, n-1), make(chan int)
	var wg sync.WaitGroup
	for range callsAtOnce {
		wg.Go(func() {
			for i := range next {
				var err error
				if got[i], err = s.fresh(ctx, key, i+1, want); err != nil {
					stop(err)
				}
			}
		})
	}
	for i := range got {
		if ctx.Err() != nil {
			break
		}
		next <- i
	}
	close(next)
	wg.Wait()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return got, nil
}

// judge compares what the users get with what is due.
func judge(got []Served, want flags.Want) flags.Confirmation {
	reached, wrong := 0, ""
	for n, served := range got {
		if served.Variant == want.Base {
			continue
		}
		reached++
		if wrong == "" && (served.Variant != want.Variant || want.Share == 0) {
			wrong = fmt.Sprintf("at version %d user serin-user-%d gets %q", served.Version, n, served.Variant)
		}
	}
	low, high := flags.Band(len(got), want.Share)
	seen := flags.Confirmation{
		Outcome: flags.Confirmed, Users: len(got), Share: (reached*flags.Total + len(got)/2) / len(got),
	}
	switch {
	case wrong != "":
		seen.Outcome, seen.Detail = flags.Mismatch, wrong
	case reached < low || reached > high:
		seen.Outcome = flags.Mismatch
		seen.Detail = fmt.Sprintf("at version %d %d of %d users get %q, %d to %d are due", got[0].Version, reached, len(got), want.Variant, low, high)
	}
	return seen
}
