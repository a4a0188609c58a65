//go:build e2e

package flagclients

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	flagd "github.com/open-feature/go-sdk-contrib/providers/flagd/pkg"
	of "github.com/open-feature/go-sdk/openfeature"
	"github.com/open-feature/go-sdk/openfeature/isolated"

	"github.com/serin-cd/serin/flags"
	"github.com/serin-cd/serin/flags/flagdfile"
	"github.com/serin-cd/serin/flags/flagdsync"
	"github.com/serin-cd/serin/flags/flagstest"
)

const (
	flagdFlag  = "shop.checkout"
	flagdUsers = 20_000
)

// flagdClient is a client that somebody else wrote.
type flagdClient interface {
	wait(t *testing.T, key, value string) // until the flag's metadata has the value
	count(t *testing.T) string            // a 1 or a 0 for each user
}

// flagdSource is where a client reads flags from, and where Serin writes them.
type flagdSource struct {
	store flags.Store
	mode  string // of a client: file, sync
	where string // a path, or a port
	key   string // of the metadata that tells a write from the one before
}

func (s flagdSource) value(c flags.Change) string {
	if s.key == flagdsync.RevisionKey {
		return strconv.FormatUint(c.Revision, 10)
	}
	return strconv.FormatUint(c.After.Mark().Seq, 10)
}

func fileSource(t *testing.T) flagdSource {
	path := filepath.Join(t.TempDir(), "flags.json")
	text := `{"$schema":"https://flagd.dev/schema/v0/flags.json","flags":{"` + flagdFlag + `":` + flagstest.FeatureFlag + `}}`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := flagdfile.New(flags.Source{Kind: flags.File, Path: path})
	if err != nil {
		t.Fatal(err)
	}
	return flagdSource{s, "file", path, "serinSeq"}
}

// inMemory is a store whose flags are served by gRPC, without NATS between.
type inMemory struct {
	flagstest.Memory
	server *flagdsync.Server
}

func (m *inMemory) Names() []string { return []string{flagstest.Key} }
func (m *inMemory) Flag(key string) (flags.Flag, uint64, error) {
	return m.Get(context.Background(), key)
}

func (m *inMemory) Update(ctx context.Context, key string, f flags.Flag, revision uint64) (uint64, error) {
	next, err := m.Memory.Update(ctx, key, f, revision)
	m.server.Changed()
	return next, err
}

func syncSource(t *testing.T) flagdSource {
	m := &inMemory{}
	server, err := flagdsync.New(m, "production", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	m.server = server
	if _, err := m.Update(t.Context(), flagstest.Key, flagstest.MustParse(t, flagstest.FeatureFlag), 0); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- server.Serve(ctx, l) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return flagdSource{m, "sync", strconv.Itoa(l.Addr().(*net.TCPAddr).Port), flagdsync.RevisionKey}
}

// onNode is npm @openfeature/flagd-provider.
type onNode struct {
	in  io.Writer
	out *bufio.Reader
}

func newOnNode(t *testing.T, s flagdSource) flagdClient {
	cmd := exec.CommandContext(t.Context(), "node", "flagd-client.mjs", s.mode, s.where)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	c := onNode{in, bufio.NewReaderSize(out, 2*flagdUsers)}
	if got := c.line(t); got != "ready" {
		t.Fatalf("node says %q", got)
	}
	return c
}

func (c onNode) line(t *testing.T) string {
	t.Helper()
	line, err := c.out.ReadString('\n')
	if err != nil {
		t.Fatalf("node: %v", err)
	}
	return strings.TrimSpace(line)
}

func (c onNode) wait(t *testing.T, key, value string) {
	t.Helper()
	fmt.Fprintf(c.in, "wait %s %s %s\n", flagdFlag, key, value)
	c.line(t)
}

func (c onNode) count(t *testing.T) string {
	t.Helper()
	fmt.Fprintf(c.in, "count %s %d\n", flagdFlag, flagdUsers)
	return c.line(t)
}

// inGo is go-sdk-contrib's flagd provider.
type inGo struct{ client *of.Client }

func newInGo(t *testing.T, s flagdSource) flagdClient {
	options := []flagd.ProviderOption{flagd.WithFileResolver(), flagd.WithOfflineFilePath(s.where)}
	if s.mode == "sync" {
		port, _ := strconv.ParseUint(s.where, 10, 16)
		options = []flagd.ProviderOption{flagd.WithInProcessResolver(), flagd.WithHost("127.0.0.1"), flagd.WithPort(uint16(port)), flagd.WithSelector("production")}
	}
	p, err := flagd.NewProvider(options...)
	if err != nil {
		t.Fatal(err)
	}
	api := isolated.NewAPI()
	if err := api.SetProviderAndWait(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = api.Shutdown(context.WithoutCancel(t.Context())) })
	return inGo{api.NewClient()}
}

func (c inGo) ask(t *testing.T, n int) of.BooleanEvaluationDetails {
	d, _ := c.client.BooleanValueDetails(t.Context(), flagdFlag, true, of.NewEvaluationContext(fmt.Sprintf("serin-user-%d", n), nil))
	return d
}

func (c inGo) wait(t *testing.T, key, value string) {
	t.Helper()
	end := time.Now().Add(20 * time.Second)
	for tick := time.NewTicker(time.Millisecond); ; <-tick.C {
		d := c.ask(t, 0)
		got := fmt.Sprint(d.FlagMetadata[key])
		if f, ok := d.FlagMetadata[key].(float64); ok {
			got = strconv.FormatFloat(f, 'f', -1, 64)
		}
		if got == value {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("metadata %v, want %s %s", d.FlagMetadata, key, value)
		}
	}
}

func (c inGo) count(t *testing.T) string {
	t.Helper()
	bits := make([]byte, flagdUsers)
	for n := range bits {
		d := c.ask(t, n)
		if d.ErrorCode != "" || d.Variant != map[bool]string{true: "on", false: "off"}[d.Value] {
			t.Fatalf("%+v", d)
		}
		bits[n] = map[bool]byte{true: '1', false: '0'}[d.Value]
	}
	return string(bits)
}

func TestFlagdProvidersFollowTheFileAndTheSync(t *testing.T) {
	sources := map[string]func(*testing.T) flagdSource{"file": fileSource, "sync": syncSource}
	for name, open := range sources {
		t.Run(name+" npm", func(t *testing.T) { s := open(t); follow(t, s, newOnNode(t, s), true) })
		t.Run(name+" go", func(t *testing.T) { s := open(t); follow(t, s, newInGo(t, s), false) })
	}
}

// follow ramps, and turns off, three times. Exact says that the client has the present buckets.
func follow(t *testing.T, s flagdSource, c flagdClient, exact bool) {
	var killed []time.Duration
	for round := range uint64(3) {
		fence := flags.Fence{Rollout: fmt.Sprint("r-", round), Slot: "production/shop", Generation: round + 1}
		before := strings.Repeat("0", flagdUsers)
		var counts []int
		for i, share := range []int{500, 2500, 5000, 10000} {
			if round > 0 && share < flags.Total {
				continue
			}
			change := apply(t, s, flags.Ramp{Fence: fence.At(100*round + uint64(i) + 1), Share: share})
			c.wait(t, s.key, s.value(change))
			if round > 0 {
				continue
			}
			now := c.count(t)
			counts = append(counts, strings.Count(now, "1"))
			check(t, share, before, now, exact)
			before = now
		}
		change := apply(t, s, flags.Kill{Fence: fence.At(100*round + 9)})
		began := time.Now()
		c.wait(t, s.key, s.value(change))
		killed = append(killed, time.Since(began).Round(100*time.Microsecond))
		if round == 0 {
			now := c.count(t)
			counts = append(counts, strings.Count(now, "1"))
			t.Logf("on of %d at 5, 25, 50, 100 %%, kill: %v", flagdUsers, counts)
			if strings.Contains(now, "1") {
				t.Errorf("%d are on after the kill", strings.Count(now, "1"))
			}
		}
		apply(t, s, flags.Reset{By: "ana", Reason: "the next round"})
	}
	slices.Sort(killed)
	t.Logf("from the kill's write to the client's sight: %v", killed)
}

func apply(t *testing.T, s flagdSource, e flags.Edit) flags.Change {
	t.Helper()
	change, err := flags.Apply(t.Context(), s.store, flagstest.Key, e)
	if err != nil {
		t.Fatal(err)
	}
	return change
}

// check holds one step against what is due: nobody left, and everybody who is due, or the binomial 99.9 % band.
func check(t *testing.T, share int, before, now string, exact bool) {
	t.Helper()
	for n := range flagdUsers {
		if before[n] == '1' && now[n] == '0' {
			t.Fatalf("at %d user %d left", share, n)
		}
		if due := flags.Bucket(flagdFlag, fmt.Sprintf("serin-user-%d", n)) < share || share == flags.Total; exact && due != (now[n] == '1') {
			t.Fatalf("at %d user %d: on is %c, due %t", share, n, now[n], due)
		}
	}
	p := float64(share) / flags.Total
	if off := math.Abs(float64(strings.Count(now, "1")) - p*flagdUsers); off > 3.29*math.Sqrt(flagdUsers*p*(1-p)) {
		t.Errorf("at %d: %d of %d are on", share, strings.Count(now, "1"), flagdUsers)
	}
}
