package ofrep_test

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/serin-cd/serin/flags"
	"github.com/serin-cd/serin/flags/ofrep"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// board keeps flags in memory.
type board struct {
	mu    sync.Mutex
	flags map[string]flags.Flag
	bad   map[string]error
	rev   map[string]uint64
	last  uint64
}

func newBoard() *board {
	return &board{flags: map[string]flags.Flag{}, bad: map[string]error{}, rev: map[string]uint64{}}
}

func (b *board) Flag(key string) (flags.Flag, uint64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.rev[key] == 0 {
		return flags.Flag{}, 0, flags.ErrNotFound
	}
	return b.flags[key], b.rev[key], b.bad[key]
}

func (b *board) Names() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Collect(maps.Keys(b.rev))
}

// put sets a flag's definition, however bad.
func (b *board) put(key, definition string) uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	_, name := flags.SplitKey(key)
	b.last++
	b.flags[key], b.bad[key] = flags.Parse(name, []byte(definition))
	b.rev[key] = b.last
	return b.last
}

// ramp sets the feature flag to a share, as Serin writes it.
func (b *board) ramp(t testing.TB, key string, share int) flags.Want {
	t.Helper()
	_, name := flags.SplitKey(key)
	f, err := flags.Parse(name, []byte(feature))
	if err != nil {
		t.Fatal(err)
	}
	f, err = flags.Ramp{Fence: flags.Fence{Rollout: "r-1", Slot: "production/shop", Generation: 1, Seq: 1}, Share: share}.Edit(f)
	if err != nil {
		t.Fatal(err)
	}
	return flags.Want{Kind: flags.Feature, Variant: flags.On, Base: flags.Off, Share: share, Revision: b.put(key, string(f.Bytes()))}
}

const (
	feature  = `{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"off","metadata":{"team":"shop","serinResetBy":"ada"}}`
	disabled = `{"state":"DISABLED","variants":{"on":true,"off":false},"defaultVariant":"on"}`
	orphan   = `{"state":"ENABLED","variants":{"on":true,"off":false}}`
	broken   = `{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"off","targeting":{"fractional":[["other",1],["more",1]]}}`
	garbage  = `{"state":"SLEEPING"}`
)

// world is a handler over a board, behind a real server.
type world struct {
	*httptest.Server
	board   *board
	handler *ofrep.Handler
}

func serve(t testing.TB, change func(*ofrep.Options)) world {
	t.Helper()
	b := newBoard()
	o := ofrep.Options{Flags: b, Environment: "production"}
	if change != nil {
		change(&o)
	}
	h, err := ofrep.NewHandler(o)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(h)
	t.Cleanup(func() {
		h.Close()
		s.Client().CloseIdleConnections()
		s.Close()
	})
	return world{s, b, h}
}

// got is an answer.
type got struct {
	status int
	header http.Header
	body   string
}

// post asks; headers are in pairs.
func (w world) post(t testing.TB, path, body string, headers ...string) got {
	t.Helper()
	return w.do(t, http.MethodPost, path, body, append([]string{"Content-Type", "application/json"}, headers...)...)
}

func (w world) do(t testing.TB, method, path, body string, headers ...string) got {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, w.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := w.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return got{res.StatusCode, res.Header, strings.TrimSpace(string(text))}
}

func (g got) json(t testing.TB) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(g.body), &m); err != nil {
		t.Fatalf("%d %q: %v", g.status, g.body, err)
	}
	return m
}

func asking(user string) string { return fmt.Sprintf(`{"context":{"targetingKey":%q}}`, user) }
