//go:build e2e && unix

package e2e

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	of "github.com/open-feature/go-sdk/openfeature"
	"github.com/open-feature/go-sdk/openfeature/isolated"
	"golang.org/x/sync/errgroup"

	"github.com/serin-cd/serin/flags/openfeature"
)

const (
	perSecond  = 120
	population = 2000
)

// route decides which version a user's request goes to: its URL, and its name where it is known beforehand.
type route func(ctx context.Context, user string) (url, version string)

// visit is one request of a user.
type visit struct {
	at      time.Time // when it was decided where it goes
	version string    // where it went: by the answer's header, else by the decision
	failed  bool
}

// users send requests to a service, and remember what became of them.
type users struct {
	route route
	http  http.Client
	mu    sync.Mutex
	seen  []visit
}

// sendUsers lets users come until the test is over.
func sendUsers(t *testing.T, r route) *users {
	t.Helper()
	u := &users{route: r, http: http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 16}}}
	ctx, stop := context.WithCancel(t.Context())
	over := make(chan struct{})
	go func() {
		defer close(over)
		u.come(ctx)
	}()
	t.Cleanup(func() {
		stop()
		<-over
		u.http.CloseIdleConnections()
	})
	return u
}

func (u *users) come(ctx context.Context) {
	var under errgroup.Group
	under.SetLimit(64)
	next := time.NewTicker(time.Second / perSecond)
	defer next.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			_ = under.Wait()
			return
		case <-next.C:
			under.TryGo(func() error {
				u.visit(ctx, "user-"+strconv.Itoa(n*7919%population))
				return nil
			})
		}
	}
}

func (u *users) visit(ctx context.Context, user string) {
	v := visit{at: time.Now()}
	url, version := u.route(ctx, user)
	v.version = version
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return
	}
	request.AddCookie(&http.Cookie{Name: "uid", Value: user})
	response, err := u.http.Do(request)
	if err == nil {
		_, err = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
		if name := response.Header.Get("X-Version"); name != "" {
			v.version = name
		}
	}
	v.failed = err != nil || response.StatusCode >= http.StatusInternalServerError
	if ctx.Err() == nil {
		u.mu.Lock()
		u.seen = append(u.seen, v)
		u.mu.Unlock()
	}
}

// between counts the requests of a stretch of time, and those of them that went to a version.
func (u *users) between(from, to time.Time, version string) (all, there int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, v := range u.seen {
		if v.at.Before(from) || v.at.After(to) {
			continue
		}
		all++
		if v.version == version {
			there++
		}
	}
	return all, there
}

// byFlag asks a version flag through our OpenFeature provider, as an application does.
func byFlag(t *testing.T, js jetstream.JetStream, key, fallback string, versions map[string]*version) route {
	t.Helper()
	api := isolated.NewAPI()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := api.SetProviderAndWait(ctx, &openfeature.Provider{JetStream: js, Environment: "production"}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = api.Shutdown(context.WithoutCancel(t.Context())) })
	asks := api.NewClient()
	return func(ctx context.Context, user string) (string, string) {
		name := asks.String(ctx, key, fallback, of.NewEvaluationContext(user, nil))
		if v := versions[name]; v != nil {
			return v.url, name
		}
		return "", name
	}
}
