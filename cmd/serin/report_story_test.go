package main

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/steps"
)

const valuedPolicy = `
service: shop
prometheus: %s
ready: none
traffic: {version_flag: shop-version}
steps: [{weight: 20, bake: 1s}, {weight: 100, bake: 1s}]
defaults: {interval: 1s, window: 1s, for: 1s}
value_per_request: 0.50 EUR
rules:
  - name: errors
    bad: bad{version="{{version}}"}
    total: all{version="{{version}}"}
    max: 5%%
`

// faultyShop is a Prometheus by which half of the requests of 1.2.0 fail, until it is mended. In each window the new
// version has 100 requests.
func faultyShop(t *testing.T) (url string, mended *atomic.Bool) {
	mended = &atomic.Bool{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query, value := r.FormValue("query"), 0
		switch {
		case strings.Contains(query, "all{"):
			value = 100
		case strings.Contains(query, "1.2.0") && !mended.Load():
			value = 50
		}
		fmt.Fprintf(w, `{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[%d,"%d"]}]}}`, time.Now().Unix(), value)
	}))
	t.Cleanup(server.Close)
	return server.URL, mended
}

// told are the events of a service's journal by name, the first of each and version.
func (o *ordered) told(service string) map[string]deployments.Event {
	o.t.Helper()
	out := map[string]deployments.Event{}
	prev := deployments.Entry{}
	entries, err := o.d.journal.History(o.t.Context(), deployments.Slot{Environment: "production", Service: service})
	if err != nil {
		o.t.Fatal(err)
	}
	for _, e := range entries {
		for _, ev := range deployments.Events(prev, e) {
			if key := ev.Data.Version + " " + ev.Name; out[key].ID == "" {
				out[key] = ev
			}
		}
		prev = e
	}
	return out
}

func TestTheReportAgreesWithTheEvents(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	t.Run("of one that is promoted and one that is taken back", agreesWithTheEvents)
}

func agreesWithTheEvents(t *testing.T) {
	url, mended := faultyShop(t)
	o := newOrdered(t, fmt.Sprintf(valuedPolicy, url))
	o.do("flags", "set", "shop-version", "1.0.0")
	if code, said := o.serin("report"); code != exitOK || !strings.Contains(said, "No rollout ended in this time.") {
		t.Errorf("of nothing: %d: %s", code, said)
	}
	o.do("release", "shop", "1.1.0")
	o.until("shop", func(r steps.Rollout) bool { return r.Outcome == steps.Promoted })
	o.do("release", "shop", "1.2.0")
	o.until("shop", in(steps.Recovering))
	mended.Store(true)
	o.until("shop", func(r steps.Rollout) bool { return r.Outcome == steps.Restored })

	_, said := o.serin("report", "-o", "json")
	var got reportOf
	if err := json.Unmarshal([]byte(said), &got); err != nil {
		t.Fatal(err, said)
	}
	events := o.told("shop")
	since := events["1.2.0 rule.failing"].Data.Evidence[0].Reading.At
	restore := events["1.2.0 rollback.completed"].Time.Sub(since).Seconds()
	for _, f := range []deployments.Figures{got.Total, got.Services[0].Figures} {
		for name, figure := range map[string][2]float64{
			"releases":         {2, float64(f.Releases)},
			"failure rate":     {.5, *f.FailureRate},
			"lead":             {events["1.1.0 rollout.promoted"].Time.Sub(o.published("1.1.0")).Seconds(), *f.Lead.Median},
			"decided":          {events["1.2.0 rollout.failed"].Time.Sub(since).Seconds(), *f.Decide.Median},
			"restored":         {restore, *f.Restore.Median},
			"healthy":          {events["1.2.0 rollout.restored"].Time.Sub(since).Seconds(), *f.Healthy.Median},
			"mean share":       {.2, *f.Exposure.Mean},
			"met":              {restore / 5, f.Exposure.Met},
			"avoided":          {restore * 4 / 5, f.Exposure.Avoided},
			"requests avoided": {500 * restore * 4 / 5, f.Requests.Avoided}, // 100 in a second at 20 %
			"failures avoided": {250 * restore * 4 / 5, f.Requests.Failed},
			"loss avoided":     {125 * restore * 4 / 5, f.Loss.Amounts[0].Amount},
		} {
			if math.Abs(figure[0]-figure[1]) > 1e-6*max(1, figure[0]) || math.IsNaN(figure[0]) || figure[0] <= 0 {
				t.Errorf("%s is %v, want %v", name, figure[1], figure[0])
			}
		}
	}
	rollout := got.Rollouts[1].Rollout
	for _, output := range []string{"text", "markdown", "json"} {
		if code, said := o.serin("explain", rollout, "-o", output); code != exitOK || !strings.Contains(said, "after the first bad reading") && !strings.Contains(said, `"restore_seconds"`) {
			t.Errorf("explain -o %s: %d: %s", output, code, said)
		}
	}
	if code, said := o.serin("history", "shop"); code != exitOK || !strings.Contains(said, lasting(restore)) {
		t.Errorf("history: %d: no %s in %s", code, lasting(restore), said)
	}
	for _, output := range []string{"text", "md"} {
		code, said := o.serin("report", "shop", "--since", "1h", "-o", output, "--rollouts")
		for _, want := range []string{"50 %: 1 taken back of 2", "1 in 20 %; 1 for rules", "EUR", "1.2.0 taken back"} {
			if code != exitOK || !strings.Contains(said, want) {
				t.Errorf("%s: %d: no %q in\n%s", output, code, want, said)
			}
		}
	}
}

// published is when the event of a release was.
func (o *ordered) published(version string) time.Time {
	o.t.Helper()
	entries, err := o.d.journal.History(o.t.Context(), deployments.Slot{Environment: "production", Service: "shop"})
	if err != nil {
		o.t.Fatal(err)
	}
	for _, e := range entries {
		if e.State.Release != nil && e.State.Release.Version == version {
			return e.State.Release.Order.At
		}
	}
	o.t.Fatalf("%s was not published", version)
	return time.Time{}
}
