package deployments

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
)

// shelf is a PolicyStore that counts how often a text is read.
type shelf struct {
	PolicyStore
	mu    sync.Mutex
	texts map[string]string
	read  int
}

func (s *shelf) Policy(_ context.Context, hash string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.read++
	text, ok := s.texts[hash]
	if !ok {
		return nil, ErrNoPolicy
	}
	return []byte(text), nil
}

func fileOf(services ...string) string {
	var b strings.Builder
	for _, s := range services {
		fmt.Fprintf(&b, "---\nservice: %s\ntraffic: {version_flag: %s}\nrules: [{name: up, query: \"up{version='{{version}}'}\", min: 1}]\n", s, s)
	}
	return b.String()
}

func named(service string) Slot { return Slot{Environment: DefaultEnvironment, Service: service} }

func TestAFileOfPoliciesIsReadOnceForAllItsSlots(t *testing.T) {
	store := &shelf{texts: map[string]string{"h": fileOf("a", "b", "c")}}
	c := policyCache{store: store}
	var all sync.WaitGroup
	for _, s := range []string{"a", "b", "c", "a", "b", "c"} {
		all.Go(func() {
			if p, err := c.get(t.Context(), named(s), "h"); err != nil || p.Service != s {
				t.Errorf("%s has the policy of %s: %v", s, p.Service, err)
			}
		})
	}
	all.Wait()
	if store.read != 1 {
		t.Errorf("read %d times", store.read)
	}
}

func TestAFileIsForgottenWithItsLastSlot(t *testing.T) {
	store := &shelf{texts: map[string]string{"old": fileOf("a", "b"), "new": fileOf("a", "b")}}
	c := policyCache{store: store}
	for _, ask := range []struct{ service, hash string }{{"a", "old"}, {"b", "old"}, {"a", "new"}, {"b", "old"}, {"b", "new"}, {"a", "new"}} {
		if _, err := c.get(t.Context(), named(ask.service), ask.hash); err != nil {
			t.Fatal(err)
		}
	}
	if len(c.files) != 1 || c.files["new"] == nil || store.read != 2 {
		t.Errorf("%d files kept, read %d times; want the new one alone, and each read once", len(c.files), store.read)
	}
}

func TestAPolicyThatCannotBeHadIsAskedForAgain(t *testing.T) {
	store := &shelf{texts: map[string]string{}}
	c := policyCache{store: store}
	if _, err := c.get(t.Context(), named("a"), "h"); !errors.Is(err, ErrNoPolicy) {
		t.Errorf("error %v", err)
	}
	store.texts["h"] = fileOf("a")
	if _, err := c.get(t.Context(), named("a"), "h"); err != nil {
		t.Error(err)
	}
	if _, err := c.get(t.Context(), named("b"), "h"); !errors.Is(err, ErrNoPolicy) {
		t.Errorf("a slot without a policy in the file: error %v", err)
	}
}

func TestAFileThatCannotBeReadIsAnErrorForEachOfItsSlots(t *testing.T) {
	c := policyCache{store: &shelf{texts: map[string]string{"h": fileOf("a") + "service: b\n"}}}
	for _, s := range []string{"a", "b"} {
		if _, err := c.get(t.Context(), named(s), "h"); err == nil || !strings.Contains(err.Error(), "read the policy of production/"+s) {
			t.Errorf("error %v", err)
		}
	}
}
