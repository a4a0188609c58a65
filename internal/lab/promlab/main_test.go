package promlab_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/prometheus/client_golang/api"
	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"go.uber.org/goleak"

	"github.com/serin-cd/serin/internal/lab/promlab"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// epoch is where the tests' time begins: before now, so that every instant of a test can be sealed.
var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// lab is a store behind its API on a real listener, with client_golang before it.
type lab struct {
	store *promlab.Store
	url   string
	http  *http.Client
	api   v1.API
}

func newLab(t *testing.T) lab {
	t.Helper()
	return newLabOn(t, promlab.NewStore(time.Now, 0))
}

func newLabOn(t *testing.T, store *promlab.Store) lab {
	t.Helper()
	server := httptest.NewServer(promlab.NewAPI(store, func() time.Time { return epoch.Add(time.Minute) }))
	t.Cleanup(server.Close)
	client, err := api.NewClient(api.Config{Address: server.URL, Client: server.Client()})
	if err != nil {
		t.Fatal(err)
	}
	return lab{store: store, url: server.URL, http: server.Client(), api: v1.NewAPI(client)}
}

// ask returns the answer as a vector of text, or fails the test.
func (l lab) ask(t *testing.T, expr string, at time.Time) string {
	t.Helper()
	v, _, _, err := l.api.Query(t.Context(), expr, at)
	if err != nil {
		t.Fatalf("%s: %v", expr, err)
	}
	return v.String()
}

func (l lab) value(t *testing.T, expr string, at time.Time) float64 {
	t.Helper()
	v, _, _, err := l.api.Query(t.Context(), expr, at)
	if err != nil {
		t.Fatalf("%s: %v", expr, err)
	}
	vector, ok := v.(model.Vector)
	if !ok || len(vector) != 1 {
		t.Fatalf("%s: want one sample, got %v", expr, v)
	}
	return float64(vector[0].Value)
}

func series(name string, pairs ...string) labels.Labels {
	return labels.FromStrings(append([]string{model.MetricNameLabel, name}, pairs...)...)
}

// ramp appends a counter that rises by the step every half second, n+1 times from epoch.
func (l lab) ramp(name string, step float64, n int) {
	for i := range n + 1 {
		at := epoch.Add(time.Duration(i) * 500 * time.Millisecond)
		l.store.Append(at, promlab.Sample{Labels: series(name), Value: step * float64(i)})
	}
}
