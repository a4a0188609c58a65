//go:build e2e

package flagclients

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/serin-cd/serin/flags"
	"github.com/serin-cd/serin/flags/flagstest"
	"github.com/serin-cd/serin/flags/unleash"
)

// TestUnleashItself starts one Unleash, since that takes seconds.
func TestUnleashItself(t *testing.T) {
	w := newUnleashWorld(t)
	t.Run("its clients follow a ramp and a kill", w.followed)
	t.Run("it is a store of on/off flags", w.conforms)
	t.Run("two writers at once never leave a killed flag on", w.contended)
	t.Run("a write through a bad connection may be done again", w.disturbed)
}

func (w unleashWorld) followed(t *testing.T) {
	const users = 20_000
	u, key := w.store(t, w.url), flags.StoreKey("production", "new-checkout")
	w.create(t, "new-checkout")
	clients := map[string]unleashReader{"go": w.goClient(t), "node": w.nodeClient(t)}
	before := map[string]string{}
	fence := flags.Fence{Rollout: "r-42", Slot: "production/shop", Generation: 1}
	for _, e := range []flags.Edit{
		flags.Ramp{Fence: fence.At(1), Share: 500}, flags.Ramp{Fence: fence.At(2), Share: 2500}, flags.Ramp{Fence: fence.At(3), Share: 5000},
		flags.Ramp{Fence: fence.At(4), Share: flags.Total}, flags.Kill{Fence: fence.At(5)},
	} {
		began := time.Now()
		change, err := flags.Apply(t.Context(), u, key, e)
		if err != nil {
			t.Fatal(err)
		}
		wrote, want := time.Since(began), change.Want()
		low, high := flags.Band(2000, want.Share)
		took := map[string]time.Duration{}
		var wg sync.WaitGroup
		var mu sync.Mutex
		for name, ask := range clients {
			wg.Go(func() {
				seen := sight(t, began, func() bool { on := strings.Count(ask("new-checkout", 2000), "1"); return low <= on && on <= high })
				mu.Lock()
				took[name] = seen
				mu.Unlock()
			})
		}
		wg.Wait()
		counts := map[string]int{}
		for name, ask := range clients {
			now := ask("new-checkout", users)
			counts[name] = strings.Count(now, "1")
			if low, high := flags.Band(users, want.Share); counts[name] < low || counts[name] > high {
				t.Errorf("%s: %d of %d are on, %d to %d are due", name, counts[name], users, low, high)
			}
			if left := left(before[name], now); left > 0 && want.Share > 0 {
				t.Errorf("%s: %d users left on the way to %d", name, left, want.Share)
			}
			before[name] = now
		}
		seen := confirm(t, u, key, want, 20*time.Second)
		if seen.Outcome != flags.Confirmed || before["go"] != before["node"] {
			t.Errorf("%+v; the clients agree: %t", seen, before["go"] == before["node"])
		}
		t.Logf("share %5d: %v of %d on; written in %s, seen after %v, confirmed by %d users in %s", want.Share, counts, users,
			wrote.Round(time.Millisecond), took, seen.Users, seen.Took.Round(time.Millisecond))
	}
}

// left counts those who were on and are not.
func left(before, now string) (n int) {
	for i := range before {
		if before[i] == '1' && now[i] == '0' {
			n++
		}
	}
	return n
}

func confirm(t *testing.T, u *unleash.Unleash, key string, want flags.Want, patience time.Duration) flags.Confirmation {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	seen, err := u.Confirm(ctx, key, want)
	if err != nil {
		t.Fatal(err)
	}
	return seen
}

func (w unleashWorld) conforms(t *testing.T) {
	const feature, environment = "projects/default/features/shop.checkout", "projects/default/features/shop.checkout/environments/production"
	flagstest.RunVendor(t, func(t *testing.T) flagstest.Vendor {
		w.admin(t, "DELETE", feature, "")
		w.admin(t, "DELETE", "archive/shop.checkout", "")
		u := w.store(t, w.url)
		return flagstest.Vendor{
			Store: u, Confirmer: u, OnOff: true, Patience: 6 * time.Second,
			Create: func(t testing.TB, _ flags.Kind) { w.create(t, "shop.checkout") },
			Touch: func(t testing.TB) { // somebody moves the slider
				_, answer := w.admin(t, "GET", environment+"/strategies", "")
				var all []struct{ ID string }
				if err := json.Unmarshal([]byte(answer), &all); err != nil {
					t.Error(err)
				}
				for _, s := range all {
					w.admin(t, "PATCH", environment+"/strategies/"+s.ID, fmt.Sprintf(`[{"op":"replace","path":"/parameters/rollout","value":"%d"}]`, 60+time.Now().UnixMilli()%40))
				}
			},
		}
	})
}

func (w unleashWorld) contended(t *testing.T) {
	const rounds = 16
	var landed, refused atomic.Int64
	for n := range rounds {
		flag := fmt.Sprintf("contended-%d", n)
		key := flags.StoreKey("production", flag)
		w.create(t, flag)
		u := w.store(t, w.url)
		fence := flags.Fence{Rollout: "r-1", Slot: "production/shop", Generation: 1}
		if n%2 == 0 {
			if _, err := flags.Apply(t.Context(), u, key, flags.Ramp{Fence: fence.At(1), Share: 500}); err != nil {
				t.Fatal(err)
			}
		}
		meet := &nthCall{Left: n%8 + 1, Begins: make(chan struct{})} // each round meets the ramp at another call
		ramper, err := unleash.New(w.source, &http.Client{Transport: meet})
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			defer meet.Begin()
			if _, err := flags.Apply(t.Context(), ramper, key, flags.Ramp{Fence: fence.At(2), Share: 2500}); err == nil {
				landed.Add(1)
			} else if errors.Is(err, flags.ErrConflict) || errors.Is(err, flags.ErrStale) || errors.Is(err, flags.ErrLatched) || errors.Is(err, flags.ErrStranger) {
				refused.Add(1)
			} else {
				t.Errorf("ramp: %v", err)
			}
		})
		wg.Go(func() {
			<-meet.Begins
			if _, err := flags.Apply(t.Context(), u, key, flags.Kill{Fence: fence.At(3)}); err != nil {
				t.Errorf("kill: %v", err)
			}
		})
		wg.Wait()
		image, _, err := u.Get(t.Context(), key)
		if err != nil || !image.Mark().Killed || image.Targeting() != nil {
			t.Errorf("round %d: after the kill: %s, %v", n, image.Bytes(), err)
		}
		if seen := confirm(t, u, key, flags.Want{Kind: flags.Feature, Base: flags.Off}, 20*time.Second); seen.Outcome != flags.Confirmed {
			t.Errorf("round %d: %+v", n, seen)
		}
	}
	t.Logf("%d kills against ramps at the same time; %d ramps had landed before, %d were refused", rounds, landed.Load(), refused.Load())
}

// nthCall says when the nth call goes out.
type nthCall struct {
	Left   int
	Begins chan struct{}
	once   sync.Once
}

// Begin is called at that call, or when there are no more.
func (c *nthCall) Begin() { c.once.Do(func() { close(c.Begins) }) }

// RoundTrip counts, and passes on.
func (c *nthCall) RoundTrip(r *http.Request) (*http.Response, error) {
	if c.Left--; c.Left == 0 {
		c.Begin()
	}
	return http.DefaultTransport.RoundTrip(r)
}

// disturbed puts a proxy between, which fails one call of a write in one way, before or after it was carried out.
func (w unleashWorld) disturbed(t *testing.T) {
	target, _ := url.Parse(w.url)
	var countdown atomic.Int64
	var fault atomic.Value
	through := httputil.NewSingleHostReverseProxy(target)
	through.ErrorLog = nil
	proxy := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if countdown.Add(-1) != 0 {
			through.ServeHTTP(rw, r)
			return
		}
		fault.Load().(func(http.ResponseWriter, *http.Request))(rw, r)
	}))
	t.Cleanup(proxy.Close)
	status := func(code int, body string) func(http.ResponseWriter, *http.Request) {
		return func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Retry-After", "0")
			rw.WriteHeader(code)
			_, _ = rw.Write([]byte(body))
		}
	}
	faults := map[string]func(http.ResponseWriter, *http.Request){
		"500": status(500, `{"message":"boom"}`), "429": status(429, ""), "garbage": status(200, "<html>"),
		"no answer": func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // else the server does not notice that the client is gone
			<-r.Context().Done()
		},
		"lost after": func(rw http.ResponseWriter, r *http.Request) {
			through.ServeHTTP(httptest.NewRecorder(), r)
			status(502, "")(rw, r)
		},
	}
	tried, failed := 0, 0
	for name, f := range faults {
		for call := int64(1); call <= 7; call += 2 {
			flag := fmt.Sprintf("disturbed-%s-%d", strings.ReplaceAll(name, " ", "-"), call)
			key, fence := flags.StoreKey("production", flag), flags.Fence{Rollout: "r-1", Slot: "production/shop", Generation: 1}
			w.create(t, flag)
			fault.Store(f)
			bad, good := w.store(t, proxy.URL), w.store(t, w.url)
			var last flags.Change
			for _, e := range []flags.Edit{flags.Ramp{Fence: fence.At(1), Share: flags.Total}, flags.Kill{Fence: fence.At(2)}} {
				countdown.Store(call)
				ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
				_, err := flags.Apply(ctx, bad, key, e)
				cancel()
				if tried++; err != nil {
					failed++
				}
				if last, err = flags.Apply(t.Context(), good, key, e); err != nil {
					t.Errorf("%s at call %d of %T, then again: %v", name, call, e, err)
				}
			}
			if seen := confirm(t, good, key, last.Want(), 20*time.Second); seen.Outcome != flags.Confirmed {
				t.Errorf("%s at call %d: %+v", name, call, seen)
			}
		}
	}
	t.Logf("%d writes with a failing call, %d of them failed; each was done again", tried, failed)
}
