package launchdarkly

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"github.com/serin-cd/serin/flags"
	"github.com/serin-cd/serin/flags/flagstest"
	"github.com/serin-cd/serin/flags/launchdarkly/ldtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open is a store over the stand-in.
func open(t *testing.T) (*Store, *ldtest.Server) {
	t.Helper()
	standIn := ldtest.New()
	server := httptest.NewServer(standIn)
	t.Cleanup(server.Close)
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(ldtest.Token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := New(flags.Source{
		Kind: flags.LaunchDarkly, URL: server.URL, ReadURL: server.URL, Project: ldtest.Project, Environment: ldtest.Environment,
		TokenFile: file, ReadKey: ldtest.ClientSideID,
	}, server.Client())
	if err != nil {
		t.Fatal(err)
	}
	return s, standIn
}

func TestStandInPassesTheSuiteOfVendors(t *testing.T) {
	flagstest.RunVendor(t, func(t *testing.T) flagstest.Vendor {
		s, standIn := open(t)
		_, key := flags.SplitKey(flagstest.Key)
		return flagstest.Vendor{
			Store: s, Confirmer: s,
			Create: func(_ testing.TB, kind flags.Kind) {
				if kind == flags.Version {
					standIn.Versions(key, "v1")
					return
				}
				standIn.Boolean(key)
			},
			Touch: func(testing.TB) {
				standIn.Edit(key, func(f *ldtest.Flag) { f.Rules = append(f.Rules, map[string]any{"clauses": []any{}}) })
			},
		}
	})
}
