package jetstream

import (
	"errors"
	"testing"

	"github.com/serin-cd/serin/deployments"
)

func TestPoliciesAreKeptByHash(t *testing.T) {
	l := newLab(t)
	open := func() *Policies {
		p, err := OpenPolicies(t.Context(), l.js, Names{})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	p, other := open(), open()
	for _, hash := range []string{"0123456789abcdef", "sha256:fedcba9876543210"} {
		if _, err := p.Policy(t.Context(), hash); !errors.Is(err, deployments.ErrNoPolicy) {
			t.Errorf("before: %v, want ErrNoPolicy", err)
		}
		for range 2 {
			if err := p.Put(t.Context(), hash, []byte("steps: "+hash)); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 { // the second time from memory
			if text, err := other.Policy(t.Context(), hash); err != nil || string(text) != "steps: "+hash {
				t.Errorf("%q, %v", text, err)
			}
		}
		if err := other.Put(t.Context(), hash, []byte("another")); err == nil {
			t.Error("another text was kept under the same hash")
		}
	}
	if err := p.Put(t.Context(), "a.b c", nil); err == nil {
		t.Error("a.b c was taken for a hash")
	}
}

func TestAPolicyIsOfferedForEachSlot(t *testing.T) {
	l := newLab(t)
	p, err := OpenPolicies(t.Context(), l.js, Names{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Offered(t.Context(), checkout); !errors.Is(err, deployments.ErrNoPolicy) {
		t.Errorf("before: %v, want ErrNoPolicy", err)
	}
	for _, hash := range []string{"sha256:0123456789abcdef", "sha256:fedcba9876543210"} {
		if err := p.Offer(t.Context(), checkout, hash); err != nil {
			t.Fatal(err)
		}
		if got, err := p.Offered(t.Context(), checkout); err != nil || got != hash {
			t.Errorf("%s, %v, want %s", got, err, hash)
		}
	}
}
