package webhook

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/serin-cd/serin/flags"
)

// Store is a flags.Store behind a receiver. Its keys are flags.StoreKey's.
type Store struct {
	caller caller
	mu     sync.Mutex
	last   map[string]seen // by store key: saves a read before each write
}

// seen is a state and its revision.
type seen struct {
	state    string
	revision uint64
}

var _ flags.Store = (*Store)(nil)

// New asks nobody. It refuses a source that is no webhook. A nil client is one that gives each request ten seconds.
func New(src flags.Source, client *http.Client, now func() time.Time) (*Store, error) {
	if src.Kind != flags.Webhook || src.URL == "" || src.SecretFile == "" {
		return nil, fmt.Errorf("open webhook: %s names no webhook with a URL and a secret", &src)
	}
	return &Store{caller: newCaller(src, client, now), last: map[string]seen{}}, nil
}

// get is the body that asks for a flag.
type get struct {
	Type        string `json:"type"`
	Flag        string `json:"flag"`
	Environment string `json:"environment"`
}

// set is the body that moves a flag.
type set struct {
	get
	Variant    string  `json:"variant"`
	Base       string  `json:"base"`
	Share      int     `json:"share"`   // of 10000
	Percent    float64 `json:"percent"` // the same of 100
	Kill       bool    `json:"kill"`
	Rollout    string  `json:"rollout"`
	Slot       string  `json:"slot"`
	Generation uint64  `json:"generation"`
	Seq        uint64  `json:"seq"`
	State      string  `json:"state"`
	Previous   string  `json:"previous"`
}

// answer is what a receiver tells of a flag.
type answer struct {
	State  string  `json:"state"`
	Serves *serves `json:"serves"`
}

// Get is the flag and its revision: flags.ErrNotFound for one that the receiver does not know.
func (s *Store) Get(ctx context.Context, key string) (flags.Flag, uint64, error) {
	environment, name := flags.SplitKey(key)
	body := encode(get{"flag.get", name, environment})
	text, err := s.caller.call(ctx, s.id("get-", body), body)
	if err != nil {
		return flags.Flag{}, 0, fmt.Errorf("read flag %s: %w", name, err)
	}
	var a answer
	if err := json.Unmarshal(text, &a); err != nil {
		return flags.Flag{}, 0, fmt.Errorf("read flag %s: the receiver's answer is not {\"state\": …}: %w", name, err)
	}
	f, err := a.image(name)
	if err != nil {
		return flags.Flag{}, 0, fmt.Errorf("read flag %s: %w", name, err)
	}
	now := seen{a.State, a.revision()}
	s.remember(key, now)
	return f, now.revision, nil
}

// revision counts by content: of the state, and of what is served besides. 53 bits pass through every JSON reader.
func (a answer) revision() uint64 {
	sum := sha256.Sum256(append([]byte(a.State), encode(a.Serves)...))
	return max(binary.BigEndian.Uint64(sum[:8])>>11, 1)
}

// Update writes the flag if the receiver still has the state of that revision; 0 creates it. A flag whose targeting is
// more than a share is refused: no receiver could follow it.
func (s *Store) Update(ctx context.Context, key string, f flags.Flag, revision uint64) (uint64, error) {
	next, err := s.update(ctx, key, f, revision)
	if err != nil {
		return 0, fmt.Errorf("write flag %s: %w", f.Key(), err)
	}
	return next, nil
}

func (s *Store) update(ctx context.Context, key string, f flags.Flag, revision uint64) (uint64, error) {
	is, err := servedBy(f)
	if err != nil {
		return 0, err
	}
	before, err := s.before(ctx, key, revision)
	if err != nil {
		return 0, err
	}
	environment, name := flags.SplitKey(key)
	m := f.Mark()
	body := set{
		get: get{"flag.set", name, environment}, Variant: is.Variant, Base: is.Base, Share: is.Share, Percent: float64(is.Share) / 100,
		Kill: m.Killed, Rollout: m.Rollout, Slot: m.Slot, Generation: m.Generation, Seq: m.Seq,
		State: string(f.Bytes()), Previous: before.state,
	}
	if err := s.post(ctx, key, encode(body), body.State); err != nil {
		s.forget(key)
		return 0, err
	}
	return s.remember(key, seen{body.State, answer{State: body.State}.revision()}), nil
}

// post asks for the change. A conflict after a try whose answer was lost may be with that try itself.
func (s *Store) post(ctx context.Context, key string, body []byte, state string) error {
	_, err := s.caller.call(ctx, s.id("set-", body), body)
	lost, retried := errors.AsType[*retriedError](err)
	if !retried || !errors.Is(err, flags.ErrConflict) {
		return err
	}
	if _, _, readErr := s.Get(ctx, key); readErr != nil {
		return errors.Join(lost.first, readErr)
	}
	if now, _ := s.remembered(key); now.state == state {
		return nil
	}
	return err
}

// before is the state that a revision stands for: the one read last, or one that is read now.
func (s *Store) before(ctx context.Context, key string, revision uint64) (seen, error) {
	if was, ok := s.remembered(key); ok && was.revision == revision {
		return was, nil
	}
	_, now, err := s.Get(ctx, key)
	if errors.Is(err, flags.ErrNotFound) {
		now, err = 0, nil
		s.forget(key)
	}
	switch {
	case err != nil:
		return seen{}, err
	case now != revision:
		return seen{}, flags.ErrConflict
	}
	was, _ := s.remembered(key)
	return was, nil
}

func (s *Store) remembered(key string) (seen, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	was, ok := s.last[key]
	return was, ok
}

func (s *Store) remember(key string, now seen) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last[key] = now
	return now.revision
}

func (s *Store) forget(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.last, key)
}

// id names a message: the same for all its tries, and another one when the same is asked later.
func (s *Store) id(kind string, body []byte) string {
	h := sha256.New()
	h.Write([]byte(s.caller.now().Format(time.RFC3339Nano)))
	h.Write(body)
	return kind + hex.EncodeToString(h.Sum(nil)[:16])
}

// encode writes texts and numbers as JSON, which cannot fail.
func encode(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic("webhook: " + err.Error())
	}
	return bytes.TrimRight(b.Bytes(), "\n")
}
