package flagdsync_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"buf.build/gen/go/open-feature/flagd/grpc/go/flagd/sync/v1/syncv1grpc"
	syncv1 "buf.build/gen/go/open-feature/flagd/protocolbuffers/go/flagd/sync/v1"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/serin-cd/serin/flags"
	"github.com/serin-cd/serin/flags/flagdsync"
	"github.com/serin-cd/serin/flags/flagstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// held are flags in memory.
type held struct {
	mu       sync.Mutex
	all      map[string]string
	revision uint64
}

func (h *held) set(key, definition string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all[key] = definition
	h.revision++
}

func (h *held) Names() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Collect(maps.Keys(h.all))
}

func (h *held) Flag(key string) (flags.Flag, uint64, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	definition, ok := h.all[key]
	if !ok {
		return flags.Flag{}, 0, flags.ErrNotFound
	}
	_, name := flags.SplitKey(key)
	f, err := flags.Parse(name, []byte(definition))
	return f, h.revision, err
}

// start serves the flags, and is a client of it.
func start(t *testing.T, h *held) (*flagdsync.Server, syncv1grpc.FlagSyncServiceClient, context.CancelFunc) {
	t.Helper()
	s, err := flagdsync.New(h, "production", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, l) }()
	conn, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
		conn.Close()
	})
	return s, syncv1grpc.NewFlagSyncServiceClient(conn), stop
}

func shop() *held {
	return &held{all: map[string]string{
		"production.shop.checkout": flagstest.FeatureFlag, "production.shop.broken": `{"state":"ON"}`,
		"staging.shop.checkout": flagstest.VersionFlag, "production.search": flagstest.VersionFlag,
	}, revision: 7}
}

func sync1(t *testing.T, c syncv1grpc.FlagSyncServiceClient, selector string) grpc.ServerStreamingClient[syncv1.SyncFlagsResponse] {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	t.Cleanup(cancel)
	stream, err := c.SyncFlags(ctx, &syncv1.SyncFlagsRequest{ProviderId: "test", Selector: selector})
	if err != nil {
		t.Fatal(err)
	}
	return stream
}

func next(t *testing.T, stream grpc.ServerStreamingClient[syncv1.SyncFlagsResponse]) flags.Document {
	t.Helper()
	m, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	return document(t, m.GetFlagConfiguration())
}

func document(t *testing.T, text string) flags.Document {
	t.Helper()
	d, err := flags.ParseDocument([]byte(text))
	if err == nil {
		err = d.Validate()
	}
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return d
}

func TestClientGetsTheWholeDocumentOfItsEnvironment(t *testing.T) {
	_, c, _ := start(t, shop())
	for selector, want := range map[string]string{
		"": "[search shop.checkout]", "production": "[search shop.checkout]", "flagSetId=staging": "[shop.checkout]", "elsewhere": "[]",
	} {
		d := next(t, sync1(t, c, selector))
		if got := fmt.Sprint(d.Keys()); got != want {
			t.Errorf("selector %q: %s, want %s", selector, got, want)
		}
		fetched, err := c.FetchAllFlags(t.Context(), &syncv1.FetchAllFlagsRequest{Selector: selector})
		if err != nil || fetched.GetFlagConfiguration() != string(d.Bytes()) {
			t.Errorf("selector %q: fetched %s, %v", selector, fetched.GetFlagConfiguration(), err)
		}
	}
	byHeader := metadata.AppendToOutgoingContext(t.Context(), "flagd-selector", "flagSetId=staging")
	if m, err := c.FetchAllFlags(byHeader, &syncv1.FetchAllFlagsRequest{}); err != nil || fmt.Sprint(document(t, m.GetFlagConfiguration()).Keys()) != "[shop.checkout]" {
		t.Errorf("selector as a header: %v, %v", m, err)
	}
	if _, err := c.GetMetadata(t.Context(), &syncv1.GetMetadataRequest{}); err != nil {
		t.Error(err)
	}
	_, err := c.FetchAllFlags(t.Context(), &syncv1.FetchAllFlagsRequest{Selector: "source=a,b"})
	if status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), "flagSetId=production") {
		t.Errorf("a selector that is none: %v", err)
	}
}

func TestChangeReachesEveryStreamAndNothingElseDoes(t *testing.T) {
	h := shop()
	s, c, _ := start(t, h)
	production, staging := sync1(t, c, ""), sync1(t, c, "staging")
	next(t, production)
	next(t, staging)
	s.Changed() // nothing is another
	h.set("production.search", strings.Replace(flagstest.VersionFlag, `"defaultVariant":"v1"`, `"defaultVariant":null`, 1))
	s.Changed()
	h.set("staging.new", flagstest.FeatureFlag)
	s.Changed()
	if f, err := next(t, production).Flag("search"); err != nil || strings.Contains(string(f.Bytes()), `"defaultVariant":"v1"`) {
		t.Errorf("%s, %v", f.Bytes(), err)
	}
	if keys := fmt.Sprint(next(t, staging).Keys()); keys != "[new shop.checkout]" {
		t.Errorf("staging has %s", keys)
	}
}

func TestWhatSerinNotesOnAFlagIsNotSentButItsRevision(t *testing.T) {
	h := shop()
	f := flagstest.MustParse(t, flagstest.VersionFlag)
	ramped, err := flags.Ramp{Fence: flags.Fence{Rollout: "r-1", Generation: 1}, Variant: "v2", Base: "v1", Share: 500}.Edit(f)
	if err != nil {
		t.Fatal(err)
	}
	h.set("production.shop.checkout", string(ramped.Bytes()))
	_, c, _ := start(t, h)
	d := next(t, sync1(t, c, ""))
	got, err := d.Resolve("shop.checkout")
	if err != nil {
		t.Fatal(err)
	}
	if text, _ := json.Marshal(got.Metadata()); string(text) != `{"flagSetId":"production","serinRevision":8,"team":"shop"}` {
		t.Errorf("metadata %s", text)
	}
	if string(got.Targeting()) != string(ramped.Targeting()) || !strings.Contains(string(got.Bytes()), `"x-owner":{"mail":"a<b>@example.com"}`) {
		t.Errorf("%s", got.Bytes())
	}
}

func TestEndOfTheServerEndsItsStreamsAsUnavailable(t *testing.T) {
	_, c, stop := start(t, shop())
	stream := sync1(t, c, "")
	next(t, stream)
	stop()
	if _, err := stream.Recv(); status.Code(err) != codes.Unavailable {
		t.Errorf("%v, want Unavailable: the client comes again then", err)
	}
}

func TestManyStreamsFollowManyChangesWithoutAQueue(t *testing.T) {
	h := shop()
	s, c, _ := start(t, h)
	var wg sync.WaitGroup
	for range 20 {
		stream := sync1(t, c, "")
		wg.Go(func() {
			for {
				m, err := stream.Recv()
				if err != nil {
					t.Error(err)
					return
				}
				if strings.Contains(m.GetFlagConfiguration(), `"last"`) {
					return
				}
			}
		})
	}
	for i := range 200 {
		h.set("production.n", fmt.Sprintf(`{"state":"ENABLED","variants":{"a":%d}}`, i))
		s.Changed()
	}
	h.set("production.last", flagstest.FeatureFlag)
	s.Changed()
	wg.Wait()
}

func TestEnvironmentThatIsNoneIsRefused(t *testing.T) {
	for _, name := range []string{"", "a.b", "*", "a b"} {
		if _, err := flagdsync.New(shop(), name, slog.New(slog.DiscardHandler)); err == nil {
			t.Errorf("%q is accepted", name)
		}
	}
}
