package natskv_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"github.com/serin-cd/serin/flags"
	"github.com/serin-cd/serin/flags/flagstest"
	"github.com/serin-cd/serin/flags/natskv"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start runs a NATS server without a port and opens an empty bucket on it.
func start(t *testing.T) (*server.Server, *nats.Conn, jetstream.KeyValue) {
	t.Helper()
	s, err := server.NewServer(&server.Options{DontListen: true, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(10 * time.Second) {
		t.Fatal("NATS does not start")
	}
	nc, err := nats.Connect("", nats.InProcessServer(s))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	kv, err := natskv.Bucket(t.Context(), js, "serin_flags", 1)
	if err != nil {
		t.Fatal(err)
	}
	return s, nc, kv
}

func TestBucketIsAStore(t *testing.T) {
	flagstest.Run(t, func(t *testing.T) flags.Store {
		_, _, kv := start(t)
		return natskv.Store{KV: kv}
	})
}

func TestBucketKeepsFiveRevisionsAndMayBeMadeTwice(t *testing.T) {
	_, nc, kv := start(t)
	js, _ := jetstream.New(nc)
	if _, err := natskv.Bucket(t.Context(), js, "serin_flags", 1); err != nil {
		t.Error(err)
	}
	status, err := kv.Status(t.Context())
	if err != nil || status.History() != natskv.History {
		t.Errorf("history %d, %v", status.History(), err)
	}
}

func TestDeletedFlagIsMissingAndMayBeCreatedAnew(t *testing.T) {
	_, _, kv := start(t)
	s := natskv.Store{KV: kv}
	f := flagstest.MustParse(t, flagstest.FeatureFlag)
	for _, remove := range []func(context.Context, string, ...jetstream.KVDeleteOpt) error{kv.Delete, kv.Purge} {
		if _, err := s.Update(t.Context(), flagstest.Key, f, 0); err != nil {
			t.Fatal(err)
		}
		if err := remove(t.Context(), flagstest.Key); err != nil {
			t.Fatal(err)
		}
		if _, _, err := s.Get(t.Context(), flagstest.Key); !errors.Is(err, flags.ErrNotFound) {
			t.Errorf("after the deletion: %v, want ErrNotFound", err)
		}
	}
}

func TestGarbageNamesItsKeyAndRevision(t *testing.T) {
	_, _, kv := start(t)
	if _, err := kv.Put(t.Context(), flagstest.Key, []byte("garbage")); err != nil {
		t.Fatal(err)
	}
	_, _, err := natskv.Store{KV: kv}.Get(t.Context(), flagstest.Key)
	if err == nil || errors.Is(err, flags.ErrNotFound) || !strings.Contains(err.Error(), flagstest.Key+" at revision 1") {
		t.Errorf("%v, want the key and the revision", err)
	}
}

func TestConflictIsSeenInBothOfItsCodes(t *testing.T) {
	for _, code := range []jetstream.ErrorCode{10071, 10164} {
		kv := refusing{err: &jetstream.APIError{Code: 400, ErrorCode: code}}
		for _, revision := range []uint64{0, 7} {
			_, err := natskv.Store{KV: kv}.Update(t.Context(), flagstest.Key, flags.Flag{}, revision)
			if !errors.Is(err, flags.ErrConflict) {
				t.Errorf("code %d at revision %d: %v, want ErrConflict", code, revision, err)
			}
		}
	}
}

// refusing answers writes as a replicated server would, which cannot be had in one process quickly.
type refusing struct {
	jetstream.KeyValue
	err error
}

func (r refusing) Create(context.Context, string, []byte, ...jetstream.KVCreateOpt) (uint64, error) {
	return 0, r.err
}

func (r refusing) Update(context.Context, string, []byte, uint64) (uint64, error) { return 0, r.err }

func TestServerThatIsGoneIsNoConflictAndNoMissingFlag(t *testing.T) {
	s, _, kv := start(t)
	s.Shutdown()
	s.WaitForShutdown()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	store := natskv.Store{KV: kv}
	_, _, err := store.Get(ctx, flagstest.Key)
	if err == nil || errors.Is(err, flags.ErrNotFound) {
		t.Errorf("Get: %v", err)
	}
	if _, err = store.Update(ctx, flagstest.Key, flagstest.MustParse(t, flagstest.FeatureFlag), 0); err == nil || errors.Is(err, flags.ErrConflict) {
		t.Errorf("Update: %v", err)
	}
}
