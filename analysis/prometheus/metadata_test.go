package prometheus_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-cd/serin/analysis"
	"github.com/serin-cd/serin/internal/lab/promlab"
)

// scraped is a lab in which a counter has been scraped every 15 s for ten minutes, but for one scrape that failed.
func scraped(t *testing.T) *httptest.Server {
	t.Helper()
	store := promlab.NewStore(func() time.Time { return noon }, 0)
	for i := range 40 {
		if i == 20 {
			continue
		}
		store.Append(noon.Add(time.Duration(i-40)*15*time.Second), promlab.Float(float64(i), "requests_total", "code", "200"))
	}
	store.Append(noon.Add(-30*time.Second), promlab.Float(1, "young_total"))
	store.Append(noon.Add(-15*time.Second), promlab.Float(1, "young_total"))
	s := httptest.NewServer(promlab.NewAPI(store, func() time.Time { return noon }))
	t.Cleanup(s.Close)
	return s
}

func TestTheSpacingOfSamplesIsTheScrapeInterval(t *testing.T) {
	c := client(t, analysis.Source{URL: scraped(t).URL})
	for selector, want := range map[string]time.Duration{
		`requests_total{code="200"}`: 15 * time.Second,
		`young_total`:                0, // one gap proves nothing
		`absent_total`:               0,
	} {
		if got, err := c.Spacing(t.Context(), nil, selector, noon); got != want || err != nil {
			t.Errorf("%s: spacing %s, error %v, want %s", selector, got, err, want)
		}
	}
	if _, err := c.Spacing(t.Context(), nil, "sum(", noon); err == nil || !strings.Contains(err.Error(), "parse error") {
		t.Errorf("error %v", err)
	}
}

func TestSpacingOfNativeHistogramsIsSeen(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		const sample = `{"count":"1","sum":"1","buckets":[]}`
		_, _ = w.Write([]byte(`{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"__name__":"h"},"histograms":[[10,` + sample + `],[40,` + sample + `],[70,` + sample + `]]}]}}`))
	})
	if got, err := client(t, analysis.Source{URL: s.URL}).Spacing(t.Context(), nil, "h", noon); got != 30*time.Second || err != nil {
		t.Errorf("spacing %s, error %v", got, err)
	}
}

func TestMetricNamesAreThoseOfTheTime(t *testing.T) {
	c := client(t, analysis.Source{URL: scraped(t).URL})
	got, err := c.MetricNames(t.Context(), nil, noon.Add(-time.Hour), noon)
	if diff := cmp.Diff([]string{"requests_total", "young_total"}, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
	if got, err = c.MetricNames(t.Context(), nil, noon.Add(-20*time.Second), noon.Add(-14*time.Second)); !slices.Equal(got, []string{"requests_total", "young_total"}) || err != nil {
		t.Error(got, err)
	}
	if got, err = c.MetricNames(t.Context(), nil, noon.Add(time.Hour), noon.Add(2*time.Hour)); len(got) != 0 || err != nil {
		t.Error(got, err)
	}
}

func TestMetricTypesAreWhatExportersDeclare(t *testing.T) {
	var asked string
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked = r.Method + " " + r.URL.String()
		_, _ = w.Write([]byte(`{"status":"success","data":{"m":[{"type":"gauge","help":"","unit":""},{"type":"counter","help":"x","unit":""},{"type":"unknown","help":"y","unit":""}]}}`))
	})
	got, err := client(t, analysis.Source{URL: s.URL + "/prefix/"}).MetricTypes(t.Context(), nil, "m")
	if diff := cmp.Diff([]string{"counter", "gauge"}, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
	if asked != "GET /prefix/api/v1/metadata?metric=m" {
		t.Errorf("asked %s", asked)
	}
}

func TestMetadataIsAskedWithTheSourcesCredentials(t *testing.T) {
	s, seen := header(t, "Authorization")
	c := client(t, analysis.Source{URL: s.URL, BearerTokenFile: secretFile(t, "token\n")})
	_, _ = c.MetricTypes(t.Context(), nil, "m")
	if got := seen(); got != "Bearer token" {
		t.Errorf("Authorization: %q", got)
	}
}

func TestAServerWithoutMetadataIsAnErrorOfItsOwn(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) { http.NotFound(w, nil) })
	_, err := client(t, analysis.Source{URL: s.URL}).MetricTypes(t.Context(), nil, "m")
	if err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("error %v", err)
	}
	closed := httptest.NewServer(nil)
	closed.Close()
	if _, err = client(t, analysis.Source{URL: closed.URL}).MetricNames(t.Context(), nil, noon, noon); err == nil || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("error %v", err)
	}
}
