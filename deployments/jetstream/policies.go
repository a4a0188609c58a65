package jetstream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/serin-cd/serin/deployments"
)

// Policies is a deployments.PolicyStore in a key-value bucket: hash.<hash> is a text, slot.<env>.<service> says which
// one is that of new releases.
type Policies struct {
	conn  *nats.Conn
	names Names
	kv    jetstream.KeyValue
	mu    sync.Mutex
	texts map[string][]byte // by hash; a text never changes
}

var _ deployments.PolicyStore = (*Policies)(nil)

// OpenPolicies finds the bucket that Setup has made.
func OpenPolicies(ctx context.Context, js jetstream.JetStream, n Names) (*Policies, error) {
	kv, err := js.KeyValue(ctx, n.Bucket(PoliciesBucket))
	if err != nil {
		return nil, fmt.Errorf("open bucket %s: %w", n.Bucket(PoliciesBucket), err)
	}
	return &Policies{conn: js.Conn(), names: n, kv: kv, texts: map[string][]byte{}}, nil
}

var hashForm = regexp.MustCompile(`^[A-Za-z0-9_-]{8,128}$`)

// hashKey is the key of a policy's text. A leading "sha256:" stays out of it: a key has no colon.
func hashKey(hash string) (string, error) {
	short := strings.TrimPrefix(hash, "sha256:")
	if !hashForm.MatchString(short) {
		return "", fmt.Errorf("%q is no hash of a policy", hash)
	}
	return "hash." + short, nil
}

// Put keeps a text under its hash. The same again changes nothing; another text under the same hash is refused.
func (p *Policies) Put(ctx context.Context, hash string, text []byte) error {
	key, err := hashKey(hash)
	if err != nil {
		return err
	}
	if _, err = p.kv.Create(ctx, key, text); errors.Is(err, jetstream.ErrKeyExists) {
		var stored []byte
		if stored, err = p.Policy(ctx, hash); err == nil && !bytes.Equal(stored, text) {
			err = errors.New("another text is kept under this hash")
		}
	}
	if err != nil {
		return fmt.Errorf("keep policy %s: %w", hash, err)
	}
	return nil
}

// Policy is the text with a hash, ErrNoPolicy when there is none. It must not be changed.
func (p *Policies) Policy(ctx context.Context, hash string) ([]byte, error) {
	key, err := hashKey(hash)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	text, ok := p.texts[hash]
	p.mu.Unlock()
	if ok {
		return text, nil
	}
	entry, err := p.kv.Get(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("read policy %s: %w", hash, noPolicy(err))
	}
	p.mu.Lock()
	p.texts[hash] = entry.Value()
	p.mu.Unlock()
	return entry.Value(), nil
}

// Offered is the hash of the policy for new releases of a slot, ErrNoPolicy when there is none.
func (p *Policies) Offered(ctx context.Context, s deployments.Slot) (string, error) {
	if err := s.Validate(); err != nil {
		return "", err
	}
	entry, err := p.kv.Get(ctx, "slot."+s.Subject())
	if err != nil {
		return "", fmt.Errorf("read the policy offered for %s: %w", s, noPolicy(err))
	}
	return parseOffer(string(entry.Value())).accepted, nil
}

// noPolicy gives a missing key its word.
func noPolicy(err error) error {
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return deployments.ErrNoPolicy
	}
	return err
}
