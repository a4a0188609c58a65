package survey

import (
	"fmt"
	"math"
	"regexp"
	"strings"
	"time"

	"github.com/prometheus/common/model"
)

// Seen is what was seen of a service.
type Seen struct {
	Service, URL string
	Requests     *Series  // nil: no request counter
	Times        *Series  // nil: no histogram of their time
	Native       bool     // Times is a native histogram
	Restarts     *Series  // nil: no start times
	Others       []string // other request counters of the service

	InTenMinutes float64       // requests
	Bad          float64       // share of the last hour; NaN without requests
	P95          float64       // of the last hour, in the metric's unit; NaN without requests
	Largest      float64       // the largest finite bucket of classic Times; 0: not known
	Spacing      time.Duration // of the counter's samples
}

// unknownVersion is what the policy says where no label tells versions apart.
const unknownVersion = `# No label of these series tells versions apart. Until one does there is no data, which is never a pass:
# let the service, or Prometheus' relabelling, add a label "version", or write the label that has it below.
`

// Policy is a first policy for the service: ten lines besides the comments that say why, and one more where samples are far
// apart. It is empty where there are no requests.
func (s Seen) Policy() string {
	var b strings.Builder
	if s.Requests == nil {
		return ""
	}
	fmt.Fprintf(&b, "# %s in %s, versions in %s.\n", comment(s.Service), comment(strings.ReplaceAll(s.Requests.Service, "{{service}}", s.Service)), comment(versionsText(*s.Requests)))
	if len(s.Others) > 0 {
		fmt.Fprintf(&b, "# Other counters of its requests: %s.\n", comment(listed(s.Others)))
	}
	if s.Requests.Version == "" {
		b.WriteString(unknownVersion)
	}
	fmt.Fprintf(&b, "service: %s\nprometheus: %s\ntraffic: {version_flag: %s-version} # or flag, event, exec, observe: whatever moves your traffic\n",
		scalar(s.Service), scalar(s.URL), s.Service)
	if window := roundUp(4 * s.Spacing.Round(100*time.Millisecond)); window > 2*time.Minute {
		fmt.Fprintf(&b, "defaults: {window: %s} # samples are %s apart\n", model.Duration(window), model.Duration(s.Spacing.Round(100*time.Millisecond)))
	}
	b.WriteString("rules:\n")
	s.errors(&b)
	s.times(&b)
	s.restarts(&b)
	return b.String()
}

// Template is a first policy where no Prometheus was asked.
func Template(service string) string {
	s := Seen{Service: service, URL: "http://127.0.0.1:9090", Bad: math.NaN(), P95: math.NaN(),
		Requests: &Series{Metric: "http_requests_total", Service: `service="{{service}}"`, Version: `version="{{version}}"`, Bad: `code=~"5.."`, codes: ways[0]}}
	var b strings.Builder
	b.WriteString("# Write your metrics' names and labels; `serin check --online` says which of them Prometheus does not have.\n")
	fmt.Fprintf(&b, "service: %s\nprometheus: %s\ntraffic: {version_flag: %s-version} # or flag, event, exec, observe: whatever moves your traffic\nrules:\n",
		scalar(service), s.URL, service)
	s.errorRule(&b, "5%")
	return b.String()
}

// errors writes the rule of failed requests, or of there being any.
func (s Seen) errors(b *strings.Builder) {
	r := s.Requests
	fmt.Fprintf(b, "  # %s requests in the last 10 minutes", thousands(s.InTenMinutes))
	if r.Bad == "" {
		fmt.Fprintf(b, "; no label of %s tells failed ones apart, so that this rule demands requests alone.\n", r.Metric)
		fmt.Fprintf(b, "  - {name: requests, min: 1, query: %s}\n", quoted("sum(increase("+r.Selector("version")+"[{{window}}]))"))
		return
	}
	limit, why := errorLimit(s.Bad)
	fmt.Fprintf(b, "; %s.\n", why)
	s.errorRule(b, limit)
}

func (s Seen) errorRule(b *strings.Builder, limit string) {
	fmt.Fprintf(b, "  - name: error-rate\n    bad: %s\n    total: %s\n    max: %s\n",
		scalar(s.Requests.Selector("version", s.Requests.Bad)), scalar(s.Requests.Selector("version")), limit)
}

// errorLimit is five times the share that was measured, yet from 1 % to 5 %, and above what is there already.
func errorLimit(measured float64) (limit, why string) {
	if math.IsNaN(measured) {
		return "5%", "none in the last hour, so that the limit is a guess"
	}
	percent := min(max(5*measured*100, 1), 5)
	why = fmt.Sprintf("%s%% failed in the last hour: the limit is five times that, from 1%% to 5%%", short(measured*100))
	if measured*100*1.5 > percent {
		percent = min(measured*100*1.5, 100)
		why = fmt.Sprintf("%s%% failed in the last hour, which is much: the limit is half as much again", short(measured*100))
	}
	return short(readable(percent)) + "%", why
}

// times writes the rule of the 95th percentile.
func (s Seen) times(b *strings.Builder) {
	if s.Times == nil {
		return
	}
	unit := "s"
	if strings.Contains(s.Times.Metric, "milliseconds") {
		unit = "ms"
	}
	limit, why := s.timeLimit(unit)
	if limit == "" {
		fmt.Fprintf(b, "  # %s.\n", why)
		return
	}
	by := "sum by (le) "
	if s.Native {
		by = "sum"
	}
	fmt.Fprintf(b, "  # %s.\n  - {name: p95, max: %s, query: %s}\n", why, limit,
		quoted("histogram_quantile(0.95, "+by+"(rate("+s.Times.Selector("version")+"[{{window}}])))"))
}

// timeLimit is half as much again as what was measured, yet below the largest bucket: no quantile gets above that.
func (s Seen) timeLimit(unit string) (limit, why string) {
	switch {
	case math.IsNaN(s.P95) || s.P95 <= 0:
		return map[string]string{"s": "0.5", "ms": "500"}[unit], "no requests in the last hour, so that the limit is a guess"
	case s.Largest > 0 && s.P95 >= 0.95*s.Largest:
		return "", fmt.Sprintf("no rule for %s: its largest bucket is %s %s, which 95%% of requests may exceed without a trace; add larger ones", s.Times.Metric, short(s.Largest), unit)
	}
	why = fmt.Sprintf("95%% took up to %s %s in the last hour: the limit is half as much again", short(s.P95), unit)
	most := readable(1.5 * s.P95)
	if s.Largest > 0 && most >= s.Largest {
		most = (s.P95 + s.Largest) / 2
		why += fmt.Sprintf(", but below the largest bucket, %s %s, above which no quantile gets", short(s.Largest), unit)
	}
	return short(most), why
}

func (s Seen) restarts(b *strings.Builder) {
	if s.Restarts == nil {
		return
	}
	selector := s.Restarts.Selector("version")
	selector = selector[strings.Index(selector, "{")+1 : len(selector)-1]
	if selector == `service="{{service}}",version="{{version}}"` { // what the preset has by itself
		b.WriteString("  - uses: process/restarts\n")
		return
	}
	fmt.Fprintf(b, "  - {uses: process/restarts, with: {selector: %s}}\n", quoted(selector))
}

func versionsText(s Series) string {
	if s.Version == "" {
		return "no label"
	}
	return s.Version + ", now " + listed(s.Versions)
}

// readable rounds up to a number that people would write.
func readable(n float64) float64 {
	if n <= 0 || math.IsInf(n, 0) {
		return 1
	}
	power := math.Pow(10, math.Floor(math.Log10(n)))
	for _, step := range []float64{1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10} {
		if n <= step*power*(1+1e-9) {
			return step * power
		}
	}
	return 10 * power
}

// short is a number of two or three digits.
func short(n float64) string {
	text := fmt.Sprintf("%.2g", n)
	if n >= 100 {
		text = fmt.Sprintf("%.0f", n)
	}
	if strings.Contains(text, "e") {
		text = strings.TrimRight(fmt.Sprintf("%.9f", n), "0")
	}
	return text
}

// thousands is a count with commas.
func thousands(n float64) string {
	text := fmt.Sprintf("%.0f", max(n, 0))
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

var plainScalar = regexp.MustCompile(`^[a-zA-Z][\w./:{}="~|()-]*(,[\w./:{}="~|()+-]+)*$`)

// ofYAML are words that mean something else than themselves.
var ofYAML = regexp.MustCompile(`^(?i:null|true|false|yes|no|on|off|y|n)$`)

// scalar is a text as YAML takes it: by itself where it can be.
func scalar(text string) string {
	if plainScalar.MatchString(text) && !strings.HasSuffix(text, ":") && !ofYAML.MatchString(text) {
		return text
	}
	return quoted(text)
}

func quoted(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

// comment is a text from elsewhere for one line of a comment.
func comment(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '\u0085' || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, text)
}
