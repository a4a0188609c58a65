package survey_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-cd/serin/rules"
	"github.com/serin-cd/serin/rules/survey"
)

var shop = rules.Vars{Service: "shop", Environment: "production", Step: 1, Weight: 5, Extra: map[string]string{"route": "/a"}}

func one(t *testing.T, text string, vars rules.Vars) survey.View {
	t.Helper()
	views := survey.Look(rules.MustCompile(text), vars)
	if len(views) != 1 {
		t.Fatalf("%d views of %s", len(views), text)
	}
	return views[0]
}

func TestOpenVariablesStandForAnyValue(t *testing.T) {
	released := shop
	released.Version = "1.4"
	for text, want := range map[string]string{
		`a{service="{{service}}",version="{{version}}"}`:      `a{service="{{service}}",version=~".+"}`,
		`a{upstream="{{service}}-{{version}}.x"}`:             `a{upstream=~"{{service}}-.+\\.x"}`,
		`a{version=~"{{version}}|b"}`:                         `a{version=~".+|b"}`,
		`a{version!="{{stable_version}}",x="{{vars.route}}"}`: `a{version!~".+",x="{{vars.route}}"}`,
		`{"a.b","c.d"="{{version}}"}`:                         `{"a.b","c.d"=~".+"}`,
		`a`:                                                   `a`,
	} {
		if got := one(t, text, shop).All(); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
		if _, err := rules.Compile("count(" + one(t, text, shop).All() + ")"); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	if got := one(t, `a{version="{{version}}"}`, released).All(); got != `a{version="{{version}}"}` {
		t.Errorf("with a version: %s", got)
	}
}

func TestVersionsAreReadFromTheLabelThatHasThem(t *testing.T) {
	for text, want := range map[string]string{
		`a{version="{{version}}"}`:               "1.4.2",
		`a{upstream="{{service}}-{{version}}"}`:  "1.4.2",
		`a{upstream="{{version}}.{{service}}"}`:  "1.4.2",
		`a{image=~".*/{{service}}:{{version}}"}`: "1.4.2",
		`a{v="{{variant}}"}`:                     "1.4.2",
	} {
		value := map[string]string{"a{ve": "1.4.2", "a{up": "shop-1.4.2", "a{im": "eu/shop:1.4.2", "a{v=": "1.4.2"}[text[:4]]
		if strings.Contains(text, "}}.{{") {
			value = "1.4.2.shop"
		}
		how, ok := one(t, text, shop).Versions(true)
		if got, matched := how.Of(value); !ok || !matched || got != want {
			t.Errorf("%s: %q of %q, want %q", text, got, value, want)
		}
	}
	how, _ := one(t, `a{upstream="{{service}}-{{version}}"}`, shop).Versions(false)
	if got, ok := how.Of("cart-1"); ok {
		t.Errorf("another service's version: %s", got)
	}
	if _, ok := one(t, `a{v="{{variant}}"}`, shop).Versions(false); ok {
		t.Error("a variant of a feature flag is no version")
	}
	if _, ok := one(t, `a{v="1"}`, shop).Versions(true); ok {
		t.Error("no version is named")
	}
}

// has are counts of what is there; all other questions of the view count none.
func has(v survey.View, there ...string) map[string]float64 {
	out := map[string]float64{}
	for _, q := range v.Questions() {
		out[q] = 0
	}
	for _, q := range there {
		out["count("+q+")"] = 3
	}
	return out
}

func TestWhatIsNotThereIsTold(t *testing.T) {
	const text = `sum(rate(a{service="{{service}}",version="{{version}}"}[1m]))`
	v := one(t, text, shop)
	for name, c := range map[string]struct {
		known survey.Known
		at    int
		want  string // message; cure
	}{
		"metric": {survey.Known{Counts: has(v), Names: []string{"b"}}, 9, `Prometheus has no metric a, and had none in the last hour; did you mean "b"?`},
		"metric of the past": {survey.Known{Counts: has(v), Names: []string{"a"}}, 9,
			`a has no series now, but had some in the last hour; see in Prometheus whether its target is up`},
		"label": {survey.Known{Counts: has(v, `a`, `a{service!=""}`, `a{service="{{service}}"}`), Labels: map[string][]string{"a": {"verson", "x"}}}, 33,
			`no series of a has a label version; did you mean "verson"?`},
		"value": {survey.Known{Counts: has(v, `a`, `a{service!=""}`, `a{version!=""}`, `a{version=~".+"}`), Values: map[string]map[string][]string{"a": {"service": {"shops", "cart"}}}}, 11,
			`no series of a has service="shop"; did you mean "shops"?`},
		"together": {survey.Known{Counts: has(v, `a`, `a{service!=""}`, `a{service="{{service}}"}`, `a{version!=""}`, `a{version=~".+"}`)}, 9,
			`a has each of these labels, but no series has them together; look for a series of the service in Prometheus, and compare its labels`},
		"type": {survey.Known{Types: map[string][]string{"a": {"gauge"}}}, 9,
			`a is a gauge, and rate takes each fall of it for a restart; select a counter, or ask for the gauge itself: avg_over_time(…[{{window}}])`},
		"range": {survey.Known{Spacing: map[string]time.Duration{v.All(): 60010 * time.Millisecond}}, 55,
			"1m of a is often without two samples: they are 1m apart; write [4m], four times that"},
	} {
		t.Run(name, func(t *testing.T) {
			notes := c.known.Inspect(v, 2*time.Minute)
			if len(notes) != 1 {
				t.Fatalf("notes %+v", notes)
			}
			if diff := cmp.Diff(c.want, notes[0].Message+"; "+notes[0].Cure); diff != "" || notes[0].At != c.at {
				t.Errorf("at %d, want %d: %s", notes[0].At, c.at, diff)
			}
		})
	}
}

func TestWhatFitsOrIsNotKnownIsNotTold(t *testing.T) {
	bad := rules.MustCompile(`sum(increase(a{service="{{service}}",code=~"5.."}[{{window}}]))`)
	total := rules.MustCompile(`sum(increase(a{service="{{service}}"}[{{window}}]))`)
	views := survey.LookAtBad(bad, total, shop)
	for name, known := range map[string]survey.Known{
		"nothing was asked": {},
		"no error ever":     {Counts: has(views[0], `a`, `a{service!=""}`, `a{service="{{service}}"}`, `a{code!=""}`)},
		"a counter":         {Types: map[string][]string{"a": {"counter"}}},
		"types that differ": {Types: map[string][]string{"a": {"counter", "gauge"}}},
		"two samples fit":   {Spacing: map[string]time.Duration{views[0].All(): 60200 * time.Millisecond}},
	} {
		if notes := known.Inspect(views[0], 2*time.Minute); len(notes) > 0 {
			t.Errorf("%s: notes %+v", name, notes)
		}
	}
	known := survey.Known{Counts: has(views[0], `a`, `a{service!=""}`, `a{service="{{service}}"}`)}
	if notes := known.Inspect(views[0], time.Minute); len(notes) != 1 || !strings.Contains(notes[0].Message, "has a label code") {
		t.Errorf("a label of errors that nothing has: notes %+v", notes)
	}
}

func TestOneSampleIsEnoughForSomeFunctions(t *testing.T) {
	v := one(t, `max_over_time(a[1m])`, shop)
	for spacing, want := range map[time.Duration]int{50 * time.Second: 0, 90 * time.Second: 1} {
		known := survey.Known{Spacing: map[string]time.Duration{v.All(): spacing}}
		if notes := known.Inspect(v, time.Minute); len(notes) != want {
			t.Errorf("spacing %s: notes %+v", spacing, notes)
		}
	}
}

func TestCountersOfOthersAreNotTakenForTheService(t *testing.T) {
	got := survey.Counters([]string{"app_requests_total", "grpc_server_handled_total", "http_requests_total", "http_requests_in_flight", "active_requests",
		"promhttp_metric_handler_requests_total", "http_client_request_duration_seconds_count", "up", "http_server_requests_seconds_count"})
	want := []string{"http_requests_total", "http_server_requests_seconds_count", "grpc_server_handled_total", "active_requests", "app_requests_total"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	times := survey.Histograms([]string{"other_latency_seconds_bucket", "http_server_requests_seconds_bucket", "http_server_requests_seconds_sum", "rpc_duration_seconds"}, "http_server_requests_seconds_count")
	if len(times) != 3 || times[0] != "http_server_requests_seconds" {
		t.Errorf("histograms %v", times)
	}
}

func TestLabelsAreUnderstoodByTheirValues(t *testing.T) {
	type row = map[string]string
	for name, c := range map[string]struct {
		rows                  []row
		service, version, bad string
	}{
		"usual":                 {[]row{{"service": "shop", "version": "1", "code": "200"}}, `service="{{service}}"`, `version="{{version}}"`, `code=~"5.."`},
		"two values win":        {[]row{{"app": "shop", "version": "1", "image_tag": "a"}, {"app": "shop", "version": "1", "image_tag": "b"}}, `app="{{service}}"`, `image_tag="{{version}}"`, ""},
		"a version of HTTP":     {[]row{{"app": "shop", "version": "HTTP/2"}}, `app="{{service}}"`, "", ""},
		"of another service":    {[]row{{"app": "shop"}, {"app": "cart", "version": "2", "status": "500"}}, `app="{{service}}"`, "", ""},
		"behind a namespace":    {[]row{{"job": "eu/shop", "status": "404"}}, `job="eu/{{service}}"`, "", `status=~"5.."`},
		"gRPC":                  {[]row{{"job": "shop", "grpc_code": "OK"}}, `job="{{service}}"`, "", `grpc_code=~"Unknown|DeadlineExceeded|Unimplemented|Internal|Unavailable|DataLoss"`},
		"gRPC of OpenTelemetry": {[]row{{"job": "shop", "rpc_grpc_status_code": "0"}}, `job="{{service}}"`, "", `rpc_grpc_status_code=~"2|4|12|13|14|15"`},
		"an upstream a version": {[]row{{"upstream": "shop-1", "code": "2xx"}, {"upstream": "cart-1", "code": "2xx"}}, `upstream="{{service}}-{{version}}"`, `upstream="{{service}}-{{version}}"`, `code=~"5(xx|XX)"`},
		"a status in words":     {[]row{{"service": "shop", "status": "paid"}}, `service="{{service}}"`, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s, ok := survey.Understand("shop", "m", c.rows)
			if diff := cmp.Diff([]string{c.service, c.version, c.bad}, []string{s.Service, s.Version, s.Bad}); diff != "" || !ok {
				t.Error(ok, diff)
			}
		})
	}
	if s, ok := survey.Understand("shop", "m", []row{{"service": "cart"}}); ok {
		t.Errorf("understood %+v", s)
	}
}

func seen(bad, p95, largest float64) survey.Seen {
	r, _ := survey.Understand("shop", "http_requests_total", []map[string]string{{"service": "shop", "version": "1", "code": "200"}})
	times, _ := survey.Understand("shop", "latency_seconds_bucket", []map[string]string{{"service": "shop", "version": "1"}})
	return survey.Seen{Service: "shop", URL: "http://prometheus:9090", Requests: &r, Times: &times, Bad: bad, P95: p95, Largest: largest, InTenMinutes: 1234567}
}

func TestLimitsFollowWhatWasMeasured(t *testing.T) {
	for _, c := range []struct {
		bad, p95, largest float64
		want              []string
	}{
		{0, 0.0123, 10, []string{"max: 1%", "max: 0.02,", "1,234,567 requests"}},
		{0.004, 0.3, 10, []string{"max: 2%", "max: 0.5,"}},
		{0.01, 2.1, 10, []string{"max: 5%", "max: 4,"}},
		{0.04, 7, 10, []string{"max: 6%", "max: 8.5,", "below the largest bucket, 10 s"}},
		{0.5, 10, 10, []string{"max: 80%", "no rule for latency_seconds_bucket: its largest bucket is 10 s"}},
		{math.NaN(), math.NaN(), 10, []string{"max: 5%", "max: 0.5,", "the limit is a guess"}},
	} {
		text := seen(c.bad, c.p95, c.largest).Policy()
		for _, want := range c.want {
			if !strings.Contains(text, want) {
				t.Errorf("%v %v: no %q in\n%s", c.bad, c.p95, want, text)
			}
		}
	}
}

func TestAFirstPolicyHasAtMostTenLinesBesidesComments(t *testing.T) {
	s := seen(0.01, 0.2, 10)
	s.Restarts = s.Requests
	for spacing, want := range map[time.Duration]int{15 * time.Second: 10, time.Minute: 11} { // one more for a window of its own
		s.Spacing = spacing
		lines := 0
		for line := range strings.SplitSeq(strings.TrimSpace(s.Policy()), "\n") {
			if !strings.HasPrefix(strings.TrimSpace(line), "#") {
				lines++
			}
		}
		if lines != want {
			t.Errorf("%d lines, want %d:\n%s", lines, want, s.Policy())
		}
	}
}

func TestNamesFromElsewhereStayInTheirLine(t *testing.T) {
	r, _ := survey.Understand("null", "m", []map[string]string{{"service": "null", "version": "1\nrules: []"}})
	text := survey.Seen{Service: "null", URL: "http://p #x", Requests: &r, Bad: math.NaN(), P95: math.NaN()}.Policy()
	if strings.Contains(text, "\nrules: []") || !strings.Contains(text, "service: 'null'") || !strings.Contains(text, "'http://p #x'") {
		t.Error(text)
	}
}
