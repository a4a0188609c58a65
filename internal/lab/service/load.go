package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"
)

// Which asks the flag for the version a user gets. A user without a targeting key is "". An error together with a
// version is a flag that could not be asked, and the version the application falls back to.
type Which func(ctx context.Context, user string) (version string, err error)

// Load is the users of a service: each request is one of them, by chance, who asks the flag and then calls the version.
type Load struct {
	Service   *Service
	Which     Which
	PerSecond float64 // default 200
	Users     int     // default 2000; one in ten has no targeting key
	InFlight  int     // requests under way at most; default 256, and those due beyond it are dropped
	Tally     *Tally  // set by NewLoad
	client    *http.Client
}

// NewLoad makes a load with the defaults, ready to Run.
func NewLoad(s *Service, which Which) *Load {
	return &Load{
		Service: s, Which: which, PerSecond: 200, Users: 2000, InFlight: 256, Tally: newTally(),
		client: &http.Client{
			Timeout:   10 * time.Second,
			Transport: &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true},
		},
	}
}

// Run sends requests at the pace until the context ends, and returns when the last is answered or given up.
func (l *Load) Run(ctx context.Context) {
	var under errgroup.Group
	under.SetLimit(l.InFlight)
	pace(ctx, l.PerSecond, func() {
		if !under.TryGo(func() error { l.Request(ctx); return nil }) {
			l.Tally.drop()
		}
	})
	_ = under.Wait() // requests return no errors: they count them
	l.client.CloseIdleConnections()
}

// Request sends one request and counts it, but where the context ends in the middle of it.
func (l *Load) Request(ctx context.Context) {
	user := l.user()
	r := Request{At: l.Service.opts.Now(), Keyless: user == ""}
	answer, err := l.Which(ctx, user)
	r.Answer, r.NoFlag = answer, err != nil
	var url string
	if r.Answer != "" {
		r.Version, url = l.Service.route(r.Answer)
	}
	r.Failed = l.call(ctx, url) != nil
	if ctx.Err() == nil {
		l.Tally.add(r)
	}
}

// user picks one of the users: their names end in their numbers, and each tenth has none.
func (l *Load) user() string {
	n := int(l.Service.opts.Rand() * float64(l.Users))
	if n%10 == 9 {
		return ""
	}
	return "user-" + strconv.Itoa(n)
}

func (l *Load) call(ctx context.Context, url string) error {
	if url == "" {
		return errors.New("no such version runs")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/", nil)
	if err != nil {
		return fmt.Errorf("call %s: %w", url, err)
	}
	resp, err := l.client.Do(req)
	if err != nil {
		return fmt.Errorf("call %s: %w", url, err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil { // read whole, or the connection is not kept
		return fmt.Errorf("call %s: %w", url, err)
	}
	if resp.StatusCode >= http.StatusInternalServerError {
		return fmt.Errorf("call %s: %s", url, resp.Status)
	}
	return nil
}

// tick is how often due requests are sent: seldom enough to cost little, often enough to look steady.
const tick = 10 * time.Millisecond

// pace calls do so often that after any time the number of calls is that time's share of perSecond: a late tick is made
// up for by the next.
func pace(ctx context.Context, perSecond float64, do func()) {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	start, sent := time.Now(), 0
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			for due := int(time.Since(start).Seconds() * perSecond); sent < due; sent++ {
				do()
			}
		}
	}
}
