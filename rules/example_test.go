package rules_test

import (
	"fmt"
	"time"

	"github.com/serin-cd/serin/internal/diag/yamldoc"
	"github.com/serin-cd/serin/rules"
)

func ExampleParseSet() {
	file, docs := yamldoc.Parse("checkout.yaml", []byte(`
rules:
  - name: error-rate
    bad: http_requests_total{service="{{service}}",version="{{version}}",code=~"5.."}
    total: http_requests_total{service="{{service}}",version="{{serivce}}"}
    max: 5
`))
	policy := docs[0].Map("rules", "defaults")
	rules.ParseSet(policy.Get("rules"), policy.Get("defaults"), nil)
	for _, finding := range file.Findings.Sorted() {
		fmt.Println(finding)
	}
	// Output:
	// checkout.yaml:5:63: error: rules[0].total: unknown variable {{serivce}}; did you mean "service"?
	// checkout.yaml:6:10: error: rules[0].max: 5 is above 1, and a ratio lies between 0 and 1; write 5% or 0.05
}

func ExampleTemplate_Render() {
	template, err := rules.Compile(`sum(increase(http_requests_total{version="{{version}}"}[{{window}}]))`)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(template.Render(rules.Vars{Version: "1.42.0", Window: 2 * time.Minute}))
	fmt.Println(template.Render(rules.Vars{Version: `x"} or vector(1)#`, Window: 1500 * time.Millisecond}))
	// Output:
	// sum(increase(http_requests_total{version="1.42.0"}[2m])) <nil>
	// sum(increase(http_requests_total{version="x\"} or vector(1)#"}[1s500ms])) <nil>
}

func ExampleSet_NextDue() {
	set := rules.Set{{Name: "error-rate", Schedule: rules.Interval(30 * time.Second)}, {Name: "p95", Schedule: rules.Interval(time.Minute)}}
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for range 3 {
		now = set.NextDue(now, "http://prometheus:9090", "policy hash")
		fmt.Println(now.Format(time.TimeOnly), set.Due(now, "http://prometheus:9090", "policy hash"))
	}
	// Output:
	// 00:00:13 [error-rate]
	// 00:00:43 [error-rate p95]
	// 00:01:13 [error-rate]
}
