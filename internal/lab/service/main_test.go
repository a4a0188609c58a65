package service_test

import (
	"context"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"github.com/serin-cd/serin/internal/lab/service"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// flag is a Which that names one version for everybody until it is set to another.
type flag struct{ version atomic.Pointer[string] }

func flagOn(version string) *flag {
	f := &flag{}
	f.set(version)
	return f
}

func (f *flag) set(version string) { f.version.Store(&version) }

func (f *flag) which(context.Context, string) (string, error) { return *f.version.Load(), nil }

// running is a service with those versions, stopped when the test ends.
func running(t *testing.T, opts service.Options, versions map[string]service.Fault) *service.Service {
	t.Helper()
	s := service.New(opts)
	t.Cleanup(func() {
		if err := s.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	for _, name := range []string{"1.0.0", "1.1.0", "1.2.0"} {
		if f, ok := versions[name]; ok {
			if err := s.Start(t.Context(), name, f); err != nil {
				t.Fatal(err)
			}
		}
	}
	return s
}

// send lets n users come, one after the other.
func send(t *testing.T, l *service.Load, n int) {
	t.Helper()
	for range n {
		l.Request(t.Context())
	}
}

// newLoad is a load whose connections are closed when the test ends.
func newLoad(t *testing.T, s *service.Service, which service.Which) *service.Load {
	t.Helper()
	l := service.NewLoad(s, which)
	t.Cleanup(func() { l.Run(t.Context()) }) // that context has ended: Run sends nothing and closes
	return l
}
