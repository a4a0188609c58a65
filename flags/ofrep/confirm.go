package ofrep

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/serin-cd/serin/flags"
)

const (
	firstWait   = 50 * time.Millisecond
	longestWait = time.Second
	callTimeout = 10 * time.Second
	together    = 8 // calls at once
)

// Confirmer is a flags.Confirmer that asks an OFREP endpoint, whoever runs it. It evaluates the part of a store key after
// the environment: which environment the endpoint serves is the endpoint's business.
type Confirmer struct {
	url       string // up to /evaluate/flags/
	tokenFile string
	client    *http.Client
	ours      atomic.Bool // the endpoint was seen to have Serin's buckets
	seen      sync.Map    // flag key → crowd, where it has others
}

var _ flags.Confirmer = (*Confirmer)(nil)

// NewConfirmer asks at the source's ReadURL, with the token that stands in its ReadKeyFile. It follows no redirect, so
// that no server but the one named is ever asked; nil is a client of its own.
func NewConfirmer(src flags.Source, client *http.Client) (*Confirmer, error) {
	u, err := url.Parse(src.ReadURL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" {
		return nil, errors.New("confirm by OFREP: the endpoint is no http or https URL: write it as https://flags.example")
	}
	own := http.Client{Timeout: callTimeout}
	if client != nil {
		own = *client
	}
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	base := strings.TrimSuffix(strings.TrimRight(src.ReadURL, "/"), "/ofrep/v1")
	return &Confirmer{url: base + flagsPath + "/", tokenFile: src.ReadKeyFile, client: &own}, nil
}

// Confirm evaluates for synthetic users, one without a targeting key among them, until all is as wanted or ctx ends.
// Confirmed: each got the variant that is due to them; where the endpoint has buckets of another kind, as many as are
// plausible for the share. Mismatch: somebody got something else, until ctx ended, or at the revision written or a later
// one where the endpoint tells it. Unverifiable: the endpoint did not answer for all.
func (c *Confirmer) Confirm(ctx context.Context, key string, want flags.Want) (flags.Confirmation, error) {
	if !want.Sensible() {
		return flags.Confirmation{}, fmt.Errorf("confirm flag %s: %+v says not what users must get", key, want)
	}
	began, wait := time.Now(), firstWait
	_, name := flags.SplitKey(key)
	sample, extra := users(name, want.Share)
	q := question{key: name, want: want, sample: sample, extra: extra}
	var last sight
	for {
		seen, pause := c.look(ctx, q)
		if ctx.Err() == nil || last.Outcome == "" {
			last = seen // a look that was cut short tells less than the one before it
		}
		last.Took = time.Since(began)
		if last.Outcome == flags.Confirmed || last.final {
			return last.Confirmation, nil
		}
		select {
		case <-time.After(max(wait, pause)):
			wait = min(2*wait, longestWait)
			continue
		case <-ctx.Done():
			last.Took = time.Since(began)
			last.Detail = fmt.Sprintf("%s (%v)", last.Detail, context.Cause(ctx))
			return last.Confirmation, nil
		}
	}
}

// look asks once for all users. What it cannot learn it returns as unverifiable, with the time that the endpoint wants
// to be left alone.
func (c *Confirmer) look(ctx context.Context, q question) (sight, time.Duration) {
	token, err := readToken(c.tokenFile)
	if err != nil {
		return unverifiable(err.Error()), 0
	}
	q.ours = c.ours.Load()
	q.users = slices.Concat([]string{""}, q.sample, q.extra)
	answers := make([]reply, len(q.users))
	for _, part := range [][2]int{{0, min(4, len(q.users))}, {min(4, len(q.users)), len(q.users)}} {
		calls, callCtx := errgroup.WithContext(ctx)
		calls.SetLimit(together)
		for i := part[0]; i < part[1]; i++ {
			calls.Go(func() (err error) {
				answers[i], err = c.ask(callCtx, token, q.key, named(q.users[i]))
				return err
			})
		}
		if err := calls.Wait(); err != nil {
			var busy busyError
			errors.As(err, &busy)
			return unverifiable(err.Error()), time.Duration(busy)
		}
		if seen, certain := q.early(answers[:part[1]]); certain {
			return seen, 0 // the others need not be asked
		}
	}
	seen := q.judge(answers)
	if seen.Outcome == flags.Confirmed {
		if strayed, pause := c.members(ctx, token, q, seen.exact); strayed.Outcome != "" {
			return strayed, pause
		}
	}
	return c.remember(q, seen, answers), 0
}

// crowd is who got the variant when a share was confirmed.
type crowd struct {
	share int
	print uint64
}

// remember learns from a confirmed ramp. In buckets that are not Serin's a share that has not arrived may be plausible
// for the one wanted; the very same users show that it is the old one.
func (c *Confirmer) remember(q question, seen sight, answers []reply) sight {
	switch {
	case seen.Outcome != flags.Confirmed || !q.ramps():
	case seen.exact:
		c.ours.Store(true)
	default:
		now := crowd{q.want.Share, q.print(answers)}
		if before, ok := c.seen.Swap(q.key, now); ok && before.(crowd).print == now.print && before.(crowd).share != now.share {
			c.seen.Store(q.key, before)
			return unverifiable(fmt.Sprintf("the same users get %q as at %g %%", q.want.Variant, float64(before.(crowd).share)/100))
		}
	}
	return seen
}
