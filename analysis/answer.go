package analysis

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/serin-cd/serin/rules"
)

// Answer is what Prometheus said to one rule's questions about one version: Bad and Total of a ratio, else Value.
type Answer struct{ Value, Bad, Total Result }

// presence says what an answer holds. The zero value is noSeries.
type presence uint8

const (
	noSeries presence = iota // an empty vector
	noEvents                 // series, but nothing happened: a total of 0 or NaN, a value of NaN
	unusable                 // something that is no number
	present
)

// measured is an answer read as numbers.
type measured struct {
	presence   presence
	why        string // of anything but present
	value      float64
	bad, total float64 // counts of a ratio
	labels     map[string]string
	firing     []Sample // of an alert: the series that fire
}

// fault says why the result is no answer, or "". A warning of the server means that series may be missing from it.
func (r Result) fault() string {
	if r.Err != nil {
		return r.Err.Error()
	}
	if len(r.Warnings) > 0 {
		return "answer with warnings: " + strings.Join(r.Warnings, "; ")
	}
	return ""
}

// fault is the first fault of the answer's results, or "".
func (a Answer) fault() string {
	for _, r := range [...]Result{a.Total, a.Bad, a.Value} {
		if why := r.fault(); why != "" {
			return why
		}
	}
	return ""
}

// empty reports whether the answer has no series to judge by.
func (a Answer) empty(rule rules.Rule) bool {
	if rule.Ratio() {
		return len(a.Total.Samples) == 0
	}
	return len(a.Value.Samples) == 0 && len(a.Total.Samples) == 0
}

// read turns the answer into numbers, over a window of that length.
func (a Answer) read(rule rules.Rule, window time.Duration) measured {
	switch {
	case rule.Ratio():
		return a.readRatio(rule, window)
	case rule.Alert != nil:
		return a.readAlert(rule)
	}
	return a.readValue(rule)
}

const histogram = "histogram sample: use histogram_quantile or histogram_avg"

func (a Answer) readRatio(rule rules.Rule, window time.Duration) measured {
	if a.empty(rule) {
		return measured{why: "no series"}
	}
	total, ok := count(a.Total.Samples, rule.Counts, window)
	bad, okBad := count(a.Bad.Samples, rule.Counts, window)
	m := measured{presence: present, bad: bad, total: total}
	switch {
	case !ok || !okBad:
		m.presence, m.why = unusable, histogram
	case math.IsNaN(total) || total == 0:
		m.presence, m.why = noEvents, "no requests"
	case total < 0 || math.IsInf(total, 0):
		m.presence, m.why = unusable, fmt.Sprintf("total is %s, which is no count", text(total, 3))
	case math.IsNaN(bad) || math.IsInf(bad, 0) || bad < -slack*total:
		// A total without a usable bad is no missing error series: that one would be empty, and count as 0.
		m.presence, m.why = unusable, fmt.Sprintf("bad is %s, which is no count", text(bad, 3))
	default:
		m.bad = max(bad, 0)
		m.value = m.bad / total
	}
	return m
}

// slack is the part of total by which bad may fall below 0 and still be 0: `all - good` subtracts two counts that
// increase() extrapolates each on its own. There is no upper clamp: more bad than total shows a mistake in the rule.
const slack = 0.01

// count sums the samples and turns rates into counts. Of no samples it is 0; it is false when one is a histogram.
func count(samples []Sample, counting rules.Counting, window time.Duration) (float64, bool) {
	sum := 0.0
	for _, s := range samples {
		if s.Histogram {
			return 0, false
		}
		sum += s.Value
	}
	if counting == rules.CountPerSecond {
		sum *= window.Seconds()
	}
	return sum, true
}

func (a Answer) readValue(rule rules.Rule) measured {
	if a.empty(rule) {
		return measured{why: "no series"}
	}
	m := measured{presence: noEvents, why: "the value is NaN"}
	for _, s := range a.Value.Samples {
		switch {
		case s.Histogram:
			return measured{presence: unusable, why: histogram}
		case math.IsNaN(s.Value):
			// One idle series among others says nothing; if all are NaN there is no data.
		case m.presence != present || nearest(rule, s.Value).excess > nearest(rule, m.value).excess:
			m = measured{presence: present, value: s.Value, labels: s.Labels}
		}
	}
	return m
}
