package rules

import (
	"math"
	"strings"
	"time"

	"github.com/serin-cd/serin/internal/diag/yamldoc"
)

// settingKeys are the keys that a rule may have, and `defaults:` for all rules.
var settingKeys = []string{"interval", "window", "warmup", "for", "failures_in_a_row", "failures_in_a_step", "min_samples", "on_no_data", "on_error", "on_data_lost", "alert_after", "fail_after"}

// settings are what a rule has whatever it measures.
type settings struct {
	schedule                      Schedule
	window, holdFor, warmup       time.Duration
	forWritten                    bool // not For's default
	inARow, inAStep               int
	minSamples                    float64
	onNoData, onError, onDataLost Response
	alertAfter, outageAlertAfter  time.Duration
	failAfter                     time.Duration
}

func defaultSettings() settings {
	return settings{
		schedule: Interval(30 * time.Second), window: 2 * time.Minute, holdFor: time.Minute, minSamples: 50,
		onNoData: Hold, onError: Hold, onDataLost: Rollback, alertAfter: 10 * time.Minute, outageAlertAfter: 5 * time.Minute,
	}
}

// readSettings returns s with what m says.
func readSettings(m yamldoc.Map, s settings) settings {
	s.schedule = readSchedule(m.Get("interval"), s.schedule)
	s.window = readDuration(m.Get("window"), s.window, "leave it out for 2m")
	if d, ok := m.Get("for").Duration(); ok {
		s.holdFor, s.forWritten = d, true
	}
	s.inARow = readFailures(m.Get("failures_in_a_row"), s.inARow)
	s.inAStep = readFailures(m.Get("failures_in_a_step"), s.inAStep)
	if d, ok := m.Get("warmup").Duration(); ok {
		s.warmup = d
	}
	if n, ok := readCount(m.Get("min_samples")); ok {
		s.minSamples = n
	}
	if w, ok := m.Get("on_no_data").Word(string(Hold), string(Pass), string(Rollback)); ok {
		s.onNoData = Response(w)
	}
	if w, ok := m.Get("on_error").Word(string(Hold), string(Rollback)); ok {
		s.onError = Response(w)
	}
	if w, ok := m.Get("on_data_lost").Word(string(Rollback), string(Hold)); ok {
		s.onDataLost = Response(w)
	}
	s.alertAfter = readDuration(m.Get("alert_after"), s.alertAfter, "leave it out for 10m")
	if m.Has("alert_after") { // an outage is told sooner, unless the policy says when
		s.outageAlertAfter = s.alertAfter
	}
	s.failAfter = readDuration(m.Get("fail_after"), s.failAfter, "leave it out: a hold then never becomes a failure")
	return s
}

// readFailures reads a number of failing readings.
func readFailures(v yamldoc.Value, otherwise int) int {
	n, ok := v.Number()
	if !ok {
		return otherwise
	}
	if n < 1 || n > 1000 || n != math.Trunc(n) {
		v.Errorf("write a whole number from 1 on, or leave it out", "%v is no number of readings", n)
		return otherwise
	}
	return int(n)
}

func readSchedule(v yamldoc.Value, otherwise Schedule) Schedule {
	text, ok := v.String()
	if !ok {
		return otherwise
	}
	s, err := ParseSchedule(strings.TrimSpace(text))
	if err != nil {
		v.Errorf("write a duration, as in 30s, or a cron line, as in */5 * * * *", "%v", err)
		return otherwise
	}
	return s
}

// readDuration reads a duration that must not be zero.
func readDuration(v yamldoc.Value, otherwise time.Duration, cure string) time.Duration {
	d, ok := v.Duration()
	if !ok {
		return otherwise
	}
	if d <= 0 {
		v.Errorf(cure, "must be longer than 0")
		return otherwise
	}
	return d
}

// readCount reads a number of events.
func readCount(v yamldoc.Value) (float64, bool) {
	n, ok := v.Number()
	if !ok {
		return 0, false
	}
	if text, _ := v.String(); n < 0 || strings.HasSuffix(strings.TrimSpace(text), "%") {
		v.Errorf("write a number of events, as in 50", "%q is no count", text)
		return 0, false
	}
	return n, true
}
