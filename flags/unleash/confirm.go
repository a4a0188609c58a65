package unleash

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/serin-cd/serin/flags"
)

const (
	usersAtRest = 64  // all get the same
	usersInRamp = 300 // other ones at each look
	askedAtOnce = 8
	firstPause  = 50 * time.Millisecond
	lastPause   = time.Second
)

// Confirm asks the frontend API for synthetic users until as many are on as should be: nobody, everybody, or as many as
// a share can come to ([flags.Band]). The frontend API lists what is on and names no revision. Off is therefore
// confirmed only while the flag is there and the token is one for its environment and project, and a mismatch is final
// only when ctx ends.
func (u *Unleash) Confirm(ctx context.Context, key string, want flags.Want) (flags.Confirmation, error) {
	if want.Kind != flags.Feature || !want.Sensible() || len(want.Also) > 0 {
		return flags.Confirmation{}, fmt.Errorf("confirm flag %s in Unleash: %+v says not what users of an on/off flag must get", key, want)
	}
	began := time.Now()
	var seen flags.Confirmation
	for n, pause := 0, firstPause; ; n, pause = n+1, min(2*pause, lastPause) {
		now := u.look(ctx, key, want.Share, n)
		if ctx.Err() == nil || now.Outcome == flags.Confirmed || seen.Outcome == "" {
			seen = now
		}
		if seen.Outcome == flags.Confirmed || !wait(ctx, pause) {
			break
		}
	}
	if ctx.Err() != nil && seen.Outcome != flags.Confirmed {
		seen.Detail = fmt.Sprintf("%s (%v)", seen.Detail, context.Cause(ctx))
	}
	seen.Took = time.Since(began)
	return seen, nil
}

// look asks for one sample. In a ramp each look takes other users: a sample that happens to fall outside the band would
// do so for ever.
func (u *Unleash) look(ctx context.Context, key string, share, n int) flags.Confirmation {
	users, from := usersAtRest, 0
	if share > 0 && share < flags.Total {
		users, from = usersInRamp, n*usersInRamp
	}
	on, err := u.count(ctx, name(key), from, users)
	if err == nil && on == 0 && share == 0 {
		_, err = u.read(ctx, key)
	}
	if err != nil {
		return flags.Confirmation{Outcome: flags.Unverifiable, Detail: err.Error()}
	}
	seen := flags.Confirmation{Outcome: flags.Confirmed, Users: users, Share: (on*flags.Total + users/2) / users}
	if low, high := flags.Band(users, share); on < low || on > high {
		seen.Outcome = flags.Mismatch
		seen.Detail = fmt.Sprintf("Unleash turns it on for %d of %d users, %d to %d are due", on, users, low, high)
	}
	return seen
}

// count asks for that many users, a few at once, and ends at the first answer that is none.
func (u *Unleash) count(ctx context.Context, flag string, from, users int) (int, error) {
	if err := u.checkReader(); err != nil {
		return 0, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next, on atomic.Int64
	var wg sync.WaitGroup
	for range askedAtOnce {
		wg.Go(func() {
			for i := next.Add(1); i <= int64(users) && ctx.Err() == nil; i = next.Add(1) {
				is, err := u.evaluate(ctx, flag, fmt.Sprintf("serin-user-%d", from+int(i)))
				if err != nil {
					cancel(err)
				} else if is {
					on.Add(1)
				}
			}
		})
	}
	wg.Wait()
	return int(on.Load()), context.Cause(ctx)
}

// evaluate says whether the flag is on for a user.
func (u *Unleash) evaluate(ctx context.Context, flag, user string) (bool, error) {
	var answer struct {
		Toggles *[]struct {
			Name    string `json:"name"`
			Enabled bool   `json:"enabled"`
		} `json:"toggles"`
	}
	address := u.source.URL + "/api/frontend?userId=" + url.QueryEscape(user)
	if err := u.call(ctx, http.MethodGet, address, u.source.ReadKeyFile, nil, &answer); err != nil {
		return false, err
	}
	if answer.Toggles == nil {
		return false, errors.New("the answer of Unleash's frontend API has no toggles")
	}
	for _, t := range *answer.Toggles {
		if t.Name == flag {
			return t.Enabled, nil
		}
	}
	return false, nil
}

// checkReader refuses a token of another environment or project, to which every flag of ours would look off. Tokens
// begin with <project>:<environment>. where Unleash makes them; [] is several projects, and of those nothing is known.
func (u *Unleash) checkReader() error {
	token, err := readToken(u.source.ReadKeyFile)
	if err != nil {
		return err
	}
	scope, _, ok := strings.Cut(token, ".")
	project, environment, ok2 := strings.Cut(scope, ":")
	switch {
	case !ok || !ok2:
		return nil
	case environment != u.source.Environment:
		return fmt.Errorf("the frontend token is one for environment %q, the flags are in %q", environment, u.source.Environment)
	case project != "*" && project != "[]" && project != u.source.Project:
		return fmt.Errorf("the frontend token is one for project %q, the flags are in %q", project, u.source.Project)
	}
	return nil
}
