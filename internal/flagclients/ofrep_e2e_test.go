//go:build e2e

package flagclients

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	ofrepprovider "github.com/open-feature/go-sdk-contrib/providers/ofrep"
	of "github.com/open-feature/go-sdk/openfeature"
	"github.com/open-feature/go-sdk/openfeature/isolated"

	"github.com/serin-cd/serin/flags"
	"github.com/serin-cd/serin/flags/ofrep"
)

const (
	ofrepUsers    = 20_000
	ofrepNpmUsers = 2_000 // of them: its client takes a millisecond of processor for each
)

// due is a 1 or a 0 for each user, as Serin's buckets have it.
func due(key string, share int) string {
	bits := make([]byte, ofrepUsers)
	for n := range bits {
		bits[n] = '0'
		if flags.Bucket(key, fmt.Sprintf("serin-user-%d", n)) < share {
			bits[n] = '1'
		}
	}
	return string(bits)
}

// goBits asks the provider for Go for all users, with the opposite default.
func goBits(t *testing.T, client *of.Client, key string) string {
	t.Helper()
	bits := make([]byte, ofrepUsers)
	var wg sync.WaitGroup
	const parts = 8
	for part := range parts {
		wg.Go(func() {
			for n := part; n < ofrepUsers; n += parts {
				d, err := client.BooleanValueDetails(t.Context(), key, true, of.NewEvaluationContext(fmt.Sprintf("serin-user-%d", n), nil))
				bits[n] = '0'
				if d.Value {
					bits[n] = '1'
				}
				if err != nil || d.ErrorCode != "" || (d.Variant == flags.On) != d.Value {
					t.Errorf("user %d: %+v %v", n, d, err)
					return
				}
			}
		})
	}
	wg.Wait()
	return string(bits)
}

func (w *ofrepWorld) goClient(t *testing.T) *of.Client {
	t.Helper()
	api := isolated.NewAPI()
	h := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}, Timeout: 10 * time.Second}
	if err := api.SetProviderAndWait(t.Context(), ofrepprovider.NewProvider(w.url, ofrepprovider.WithBearerToken(ofrepToken), ofrepprovider.WithClient(h))); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = api.Shutdown(t.Context()); h.CloseIdleConnections() })
	return api.NewClient()
}

func (w *ofrepWorld) confirmer(t *testing.T) *ofrep.Confirmer {
	t.Helper()
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(ofrepToken), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := ofrep.NewConfirmer(flags.Source{Kind: flags.File, ReadURL: w.url, ReadKeyFile: file}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestOFREPClientsFollowSerin(t *testing.T) {
	w := newOFREPWorld(t)
	t.Run("a ramp user by user, and the kill", w.rampAndKill)
	t.Run("a page in a browser sees the kill by an event", w.killOnAPage)
	t.Run("clients agree where a flag has no value to give", w.noValue)
}

func (w *ofrepWorld) rampAndKill(t *testing.T) {
	const key = "shop.checkout"
	node, client, confirmer := w.node(t), w.goClient(t), w.confirmer(t)
	f, err := flags.Parse(key, []byte(`{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"off"}`))
	if err != nil {
		t.Fatal(err)
	}
	w.put(t, f)
	for _, share := range []int{500, 2500, 5000, 10000} {
		w.edit(t, &f, flags.Ramp{Fence: w.fence(), Share: share})
		w.count(t, confirmer, node, client, key, f, share)
	}
	w.edit(t, &f, flags.Kill{Fence: w.fence()})
	w.count(t, confirmer, node, client, key, f, 0)
}

// count asks all clients for all users: each must get what Serin's buckets say, so that nobody leaves on the way up.
func (w *ofrepWorld) count(t *testing.T, c *ofrep.Confirmer, node ofrepNode, client *of.Client, key string, f flags.Flag, share int) {
	t.Helper()
	want := due(key, share)
	seen, err := c.Confirm(t.Context(), "production."+key, flags.Change{After: f}.Want())
	if err != nil || seen.Outcome != flags.Confirmed {
		t.Fatalf("%d: %+v %v", share, seen, err)
	}
	began := time.Now()
	server := node.ask(t, fmt.Sprintf("server %s %d", key, ofrepNpmUsers))
	took := time.Since(began)
	began = time.Now()
	goes := goBits(t, client, key)
	goTook := time.Since(began)
	web := node.ask(t, fmt.Sprintf("web %s 200", key))
	t.Logf("%5d: %5d of %d by Go (%s), %4d of %d by npm ofrep-provider (%s), %3d of 200 by the web provider; confirmed in %s",
		share, strings.Count(goes, "1"), ofrepUsers, goTook.Round(time.Millisecond), strings.Count(server, "1"), ofrepNpmUsers, took.Round(time.Millisecond), strings.Count(web, "1"), seen.Took.Round(time.Millisecond))
	if server != want[:ofrepNpmUsers] || goes != want || web != want[:200] {
		t.Errorf("%d: clients differ from Serin's buckets (%d users): npm %t, Go %t, web %t %.80s", share, strings.Count(want, "1"), server == want[:ofrepNpmUsers], goes == want, web == want[:200], server)
	}
}

func (w *ofrepWorld) killOnAPage(t *testing.T) {
	node := w.node(t)
	f, err := flags.Parse("shop.page", []byte(`{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"off"}`))
	if err != nil {
		t.Fatal(err)
	}
	ramp := func(rollout uint64) flags.Fence {
		fence := flags.Fence{Rollout: fmt.Sprintf("r-%d", rollout), Slot: "production/checkout", Generation: rollout, Seq: 1}
		w.edit(t, &f, flags.Ramp{Fence: fence, Share: flags.Total})
		return fence.At(2)
	}
	fence := ramp(1)
	if _, err := w.confirmer(t).Confirm(t.Context(), "production.shop.page", flags.Change{After: f}.Want()); err != nil {
		t.Fatal(err)
	}
	if line := node.ask(t, "watch shop.page u"); line != "watching true" {
		t.Fatal(line)
	}
	var took, up []time.Duration
	for rollout := range uint64(10) {
		began := time.Now()
		w.edit(t, &f, flags.Kill{Fence: fence})
		took = append(took, node.saw(t, "false", began))
		w.edit(t, &f, flags.Reset{By: "test", Reason: "again"})
		fence = ramp(rollout + 2)
		up = append(up, node.saw(t, "true", time.Now()))
	}
	slices.Sort(took)
	slices.Sort(up)
	t.Logf("from the kill's write to the page's sight: median %s, longest %s; of a ramp %s and %s", took[5], took[9], up[5], up[9])
}

// saw waits for a value, and returns how long after a moment it was seen.
func (n ofrepNode) saw(t *testing.T, value string, since time.Time) time.Duration {
	t.Helper()
	for {
		parts := strings.Fields(n.line(t))
		if len(parts) == 3 && parts[0] == "saw" && parts[1] == value {
			ms, err := strconv.ParseInt(parts[2], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return time.UnixMilli(ms).Sub(since).Round(time.Millisecond)
		}
	}
}

func (w *ofrepWorld) noValue(t *testing.T) {
	node, client := w.node(t), w.goClient(t)
	for key, definition := range map[string]string{
		"disabled": `{"state":"DISABLED","variants":{"on":true,"off":false},"defaultVariant":"off"}`,
		"orphan":   `{"state":"ENABLED","variants":{"on":true,"off":false}}`,
	} {
		f, err := flags.Parse(key, []byte(definition))
		if err != nil {
			t.Fatal(err)
		}
		w.put(t, f)
	}
	for _, key := range []string{"disabled", "orphan", "missing"} {
		said := node.ask(t, "missing "+key)
		d, err := client.BooleanValueDetails(t.Context(), key, true, of.NewEvaluationContext("u", nil))
		t.Logf("%s: npm %s; Go %t %s %s %v", key, said, d.Value, d.Reason, d.ErrorCode, err)
		if !strings.HasPrefix(said, "true ") || !d.Value {
			t.Errorf("%s: a client does not answer its own default", key)
		}
	}
}
