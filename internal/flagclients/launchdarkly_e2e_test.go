//go:build e2e

package flagclients

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldlog"
	ld "github.com/launchdarkly/go-server-sdk/v7"
	"github.com/launchdarkly/go-server-sdk/v7/interfaces"
	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"
	ldprovider "github.com/open-feature/go-sdk-contrib/providers/launchdarkly/pkg"
	of "github.com/open-feature/go-sdk/openfeature"

	"github.com/serin-cd/serin/flags"
	"github.com/serin-cd/serin/flags/launchdarkly"
	"github.com/serin-cd/serin/flags/launchdarkly/ldtest"
)

const ldUsers = 20_000

// ldWorld is the STAND-IN for LaunchDarkly, Serin's store over it, and the real SDK for Go behind OpenFeature.
type ldWorld struct {
	standIn *ldtest.Server
	store   *launchdarkly.Store
	client  *of.Client
}

func newLDWorld(t *testing.T) ldWorld {
	t.Helper()
	standIn := ldtest.New()
	server := httptest.NewServer(standIn)
	t.Cleanup(server.Close)
	standIn.Boolean("new-checkout")
	standIn.Versions("checkout-version", "v1")

	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte(ldtest.Token), 0o600); err != nil {
		t.Fatal(err)
	}
	store, err := launchdarkly.New(flags.Source{
		Kind: flags.LaunchDarkly, URL: server.URL, ReadURL: server.URL, Project: ldtest.Project, Environment: ldtest.Environment,
		TokenFile: token, ReadKey: ldtest.ClientSideID,
	}, server.Client())
	if err != nil {
		t.Fatal(err)
	}

	sdk, err := ld.MakeCustomClient(ldtest.SDKKey, ld.Config{
		ServiceEndpoints: interfaces.ServiceEndpoints{Streaming: server.URL, Polling: server.URL, Events: server.URL},
		Events:           ldcomponents.NoEvents(),
		DiagnosticOptOut: true,
		Logging:          ldcomponents.Logging().MinLevel(ldlog.Error),
	}, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sdk.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := of.SetNamedProviderAndWait("launchdarkly", ldprovider.NewProvider(sdk)); err != nil {
		t.Fatal(err)
	}
	return ldWorld{standIn, store, of.NewClient("launchdarkly")}
}

func ldUser(n int) string { return fmt.Sprintf("serin-user-%d", n) }

// boolean asks the real SDK for one user, with the opposite default.
func (w ldWorld) boolean(t *testing.T, n int, opposite bool) bool {
	t.Helper()
	d, err := w.client.BooleanValueDetails(t.Context(), "new-checkout", opposite, of.NewEvaluationContext(ldUser(n), map[string]any{"kind": "user"}))
	if err != nil || d.ErrorCode != "" {
		t.Fatalf("user %d: %v (%s)", n, err, d.ErrorCode)
	}
	return d.Value
}

func (w ldWorld) version(t *testing.T, n int) string {
	t.Helper()
	d, err := w.client.StringValueDetails(t.Context(), "checkout-version", "not served", of.NewEvaluationContext(ldUser(n), map[string]any{"kind": "user"}))
	if err != nil {
		t.Fatalf("user %d: %v", n, err)
	}
	return d.Value
}

// sight is when the real SDK sees something that is so after a write.
func sight(t *testing.T, wrote time.Time, seen func() bool) time.Duration {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for !seen() {
		select {
		case <-ctx.Done():
			t.Fatal("the SDK never saw it")
		case <-time.After(time.Millisecond):
		}
	}
	return time.Since(wrote)
}

// arrived reports whether the share of the first 2,000 users is the one wanted.
func (w ldWorld) arrived(t *testing.T, want flags.Want) bool {
	t.Helper()
	low, high := flags.Band(2000, want.Share)
	on := 0
	for n := range 2000 {
		if w.boolean(t, n, want.Share == 0) {
			on++
		}
	}
	return on >= low && on <= high
}

func TestLaunchDarklysSDKFollowsARamp(t *testing.T) {
	w := newLDWorld(t)
	key := flags.StoreKey(ldtest.Environment, "new-checkout")
	fence := flags.Fence{Rollout: "r-42", Slot: "production/shop", Generation: 1}
	before := make([]bool, ldUsers)
	for _, e := range []flags.Edit{
		flags.Ramp{Fence: fence.At(1), Share: 500}, flags.Ramp{Fence: fence.At(2), Share: 2500}, flags.Ramp{Fence: fence.At(3), Share: 5000},
		flags.Ramp{Fence: fence.At(4), Share: flags.Total}, flags.Kill{Fence: fence.At(5)},
	} {
		began := time.Now()
		change, err := flags.Apply(t.Context(), w.store, key, e)
		if err != nil {
			t.Fatal(err)
		}
		wrote := time.Since(began)
		want := change.Want()
		took := sight(t, began, func() bool { return w.arrived(t, want) })
		on, left := 0, 0
		for n := range ldUsers {
			now := w.boolean(t, n, want.Share == 0)
			if now {
				on++
			}
			if before[n] && !now {
				left++
			}
			before[n] = now
		}
		if low, high := flags.Band(ldUsers, want.Share); on < low || on > high {
			t.Errorf("%d of %d are on, %d to %d are due", on, ldUsers, low, high)
		}
		if left > 0 && want.Share > 0 {
			t.Errorf("%d users left on the way to %d", left, want.Share)
		}
		seen, err := w.store.Confirm(t.Context(), key, want)
		if err != nil || seen.Outcome != flags.Confirmed {
			t.Errorf("%+v, %v", seen, err)
		}
		t.Logf("share %5d: %5d of %d on, %d left; written and read back in %s, seen by the SDK after %s, confirmed by %d users in %s",
			want.Share, on, ldUsers, left, wrote.Round(time.Millisecond), took.Round(time.Millisecond), seen.Users, seen.Took.Round(time.Millisecond))
	}
}

func TestLaunchDarklysSDKAndTheConfirmerAgreeUserByUser(t *testing.T) {
	w := newLDWorld(t)
	key := flags.StoreKey(ldtest.Environment, "checkout-version")
	fence := flags.Fence{Rollout: "r-42", Slot: "production/shop", Generation: 1}
	for _, e := range []flags.Edit{
		flags.Ramp{Fence: fence.At(1), Variant: "v2", Base: "v1", Share: 500}, flags.Ramp{Fence: fence.At(2), Variant: "v2", Base: "v1", Share: 5000},
		flags.Kill{Fence: fence.At(3), Base: "v1"},
		flags.Ramp{Fence: flags.Fence{Rollout: "r-43", Slot: "production/shop", Generation: 2, Seq: 1}, Variant: "v3", Base: "v1", Share: 2500},
	} {
		change, err := flags.Apply(t.Context(), w.store, key, e)
		if err != nil {
			t.Fatal(err)
		}
		differ := func() (differ int) {
			for n := range 1000 {
				served, err := w.store.Evaluate(t.Context(), key, ldUser(n))
				if err != nil {
					t.Fatal(err)
				}
				if w.version(t, n) != served.Variant {
					differ++
				}
			}
			return differ
		}
		sight(t, time.Now(), func() bool { return differ() == 0 })
		if seen, err := w.store.Confirm(t.Context(), key, change.Want()); err != nil || seen.Outcome != flags.Confirmed {
			t.Errorf("%+v, %v", seen, err)
		}
	}
}

func TestAKillInLaunchDarklyAlsoEndsWhatOthersTarget(t *testing.T) {
	w := newLDWorld(t)
	w.standIn.Edit("new-checkout", func(f *ldtest.Flag) {
		f.Targets = []ldtest.Target{{Variation: 0, Values: []string{ldUser(1), ldUser(2)}}}
	})
	sight(t, time.Now(), func() bool { return w.boolean(t, 1, false) })
	key := flags.StoreKey(ldtest.Environment, "new-checkout")
	if _, err := flags.Apply(t.Context(), w.store, key, flags.Kill{Fence: flags.Fence{Rollout: "r-42", Slot: "production/shop", Generation: 1, Seq: 1}}); err != nil {
		t.Fatal(err)
	}
	sight(t, time.Now(), func() bool { return !w.boolean(t, 1, true) && !w.boolean(t, 2, true) })
}
