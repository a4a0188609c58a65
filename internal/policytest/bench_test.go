package policytest_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/serin-cd/serin/internal/policytest"
)

// BenchmarkAHundredTests takes a hundred releases through 5, 25, 50 and 100 %: 27 minutes of simulated time each.
func BenchmarkAHundredTests(b *testing.B) {
	var text strings.Builder
	text.WriteString(`policy: p.yaml
interval: 30s
release: {version: 1.1.0, stable: 1.0.0}
input_series:
  - series: http_requests_total{service="checkout",version="1.0.0",code="200"}
    values: 0+1000x60
  - series: http_requests_total{service="checkout",version="1.1.0",code="200"}
    values: 0+100x60
tests:
`)
	for i := range 100 {
		fmt.Fprintf(&text, "  - {name: test %d, outcome: promoted, ended: 27m}\n", i)
	}
	const policy = `service: checkout
traffic: {version_flag: checkout-version}
rules:
  - name: error-rate
    bad: http_requests_total{service="{{service}}",version="{{version}}",code=~"5.."}
    total: http_requests_total{service="{{service}}",version="{{version}}"}
    max: 5%
  - name: latency
    query: histogram_quantile(0.95, sum by (le) (rate(http_request_duration_seconds_bucket{service="{{service}}",version="{{version}}"}[{{window}}])))
    max: 0.5
    on_no_data: pass
`
	file, findings := policytest.Parse("a_test.yaml", []byte(text.String()), files(map[string]string{"p.yaml": policy}))
	if err := findings.Err(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		results := policytest.Runner{}.Run(b.Context(), []policytest.File{file})
		if len(results) != 100 || policytest.Failed(results) > 0 {
			var out strings.Builder
			_ = policytest.Text(&out, results[:1])
			b.Fatal(out.String())
		}
	}
}
