package policytest

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/internal/diag/yamldoc"
	"github.com/serin-cd/serin/steps"
)

// zero is the instant of the release in tests that name none.
var zero = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// readWorld reads what a release meets.
func (r *reader) readWorld(m yamldoc.Map, t *Test) {
	between, start := interval(m.Get("interval"), r.shared.interval), signed(m.Get("start"), 0)
	own := readSeries(m.Get("input_series"))
	for _, s := range r.shared.series {
		if !slices.ContainsFunc(own, s.same) {
			t.Series = append(t.Series, s.placed(start, between))
		}
	}
	for _, s := range own {
		t.Series = append(t.Series, s.placed(start, between))
	}
	release := r.shared.release
	if m.Has("release") {
		release = r.readRelease(m.Get("release"))
	}
	if release == nil && !m.Strange() {
		m.Errorf("add `release: {version: 1.1.0, stable: 1.0.0}`, here or at the head of the file", "`release` is missing")
	}
	if release != nil {
		t.release = *release
	}
	t.ConfirmAfter = duration(m.Get("confirm_after"), 0)
	t.Happenings = readCommands(m.Get("commands"))
	t.Outages = readOutages(m.Get("outages"))
}

// interval reads the time between samples.
func interval(v yamldoc.Value, otherwise time.Duration) time.Duration {
	d, ok := v.Duration()
	if ok && d <= 0 {
		v.Errorf("write for example 30s", "there is no time between samples")
	}
	if !ok || d <= 0 {
		return otherwise
	}
	return d
}

// signed reads a duration that may lie before the release.
func signed(v yamldoc.Value, otherwise time.Duration) time.Duration {
	text, ok := v.String()
	if !ok {
		return otherwise
	}
	rest, before := strings.CutPrefix(text, "-")
	d, err := model.ParseDuration(rest)
	if err != nil {
		v.Errorf("write for example -10m: ten minutes before the release", "%q is no duration", text)
		return otherwise
	}
	if before {
		return -time.Duration(d)
	}
	return time.Duration(d)
}

func readSeries(v yamldoc.Value) []Series {
	var out []Series
	for _, item := range v.List() {
		m := item.Map("series", "values", "start")
		if !m.IsMap() || !required(m, "series", "add `series: http_requests_total{version=\"1.1.0\"}`") || !required(m, "values", "add `values: 0+10x40`") {
			continue
		}
		s := Series{Start: signed(m.Get("start"), 0), fixed: m.Has("start")}
		if s.parse(m.Get("series"), m.Get("values")) {
			if slices.ContainsFunc(out, s.same) {
				item.Errorf("keep one of them", "the series %s is written twice", s.Labels)
			}
			out = append(out, s)
		}
	}
	return out
}

func (s Series) same(o Series) bool { return labels.Equal(o.Labels, s.Labels) }

// placed is the series in a test whose samples start then, unless the series says when.
func (s Series) placed(start, interval time.Duration) Series {
	if s.Interval = interval; !s.fixed {
		s.Start = start
	}
	return s
}

// parse reads promtool's notation. A fault is shown where it stands, in the series or in its values.
func (s *Series) parse(series, values yamldoc.Value) bool {
	name, ok := series.String()
	numbers, also := values.String()
	if !ok || !also {
		return false
	}
	var err error
	s.Labels, s.Values, err = parser.NewParser(parser.Options{}).ParseSeriesDesc(name + " " + numbers)
	if err == nil {
		return true
	}
	at, message := 0, err.Error()
	if all, ok := errors.AsType[parser.ParseErrors](err); ok && len(all) > 0 {
		at, message = int(all[0].PositionRange.Start), all[0].Err.Error()
	}
	const cure = "write it as for `promtool test rules`: "
	if at <= len(name) {
		series.ErrorAt(min(at, len(name)-1), cure+`http_requests_total{version="1.1.0"}`, "%s", message)
	} else {
		values.ErrorAt(min(at-len(name)-1, len(numbers)-1), cure+"0+10x40, 1 2 _ 4, NaN, stale, {{schema:0 sum:5 count:4 buckets:[1 2 1]}}", "%s", message)
	}
	return false
}

func (r *reader) readRelease(v yamldoc.Value) *release {
	m := v.Map("version", "stable", "at")
	out := release{Zero: zero}
	if !m.IsMap() || !required(m, "version", "add `version: 1.1.0`") {
		return &out
	}
	out.Version, _ = m.Get("version").String()
	out.Stable, _ = m.Get("stable").String()
	if text, ok := m.Get("at").String(); ok {
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			m.Get("at").Errorf("write for example 2026-03-02T09:00:00Z", "%q is no time", text)
		}
		out.Zero = at.UTC()
	}
	slot := deployments.Slot{Environment: deployments.DefaultEnvironment, Service: "x"}
	if err := (deployments.Release{Slot: slot, Version: out.Version}).Validate(); err != nil && out.Version != "" {
		m.Get("version").Errorf("write the version as CI does", "%v", err)
	}
	return &out
}

// verbs are what a person may do in a test; release is a newer release of the slot.
var verbs = []string{"approve", "promote", "promote_full", "pause", "resume", "abort", "retry", "release"}

func readCommands(v yamldoc.Value) []Happening {
	var out []Happening
	for _, item := range v.List() {
		m := item.Map("at", "do", "version")
		if !m.IsMap() {
			continue
		}
		at, ok := moment(m, "at")
		if !required(m, "do", "add `do: approve`") || !ok {
			continue
		}
		verb, ok := m.Get("do").Word(verbs...)
		h := Happening{At: at, Command: steps.Command{Verb: steps.Verb(verb), By: "test"}}
		switch {
		case !ok:
			continue
		case verb == "release":
			if !required(m, "version", "add `version: 1.2.0`") {
				continue
			}
			h.Version, _ = m.Get("version").String()
		case verb == "promote_full":
			h.Command.Verb, h.Command.Full = steps.Promote, true
		}
		if verb != "release" && m.Has("version") {
			m.Key("version").Errorf("remove it", "only `do: release` has a version")
		}
		out = append(out, h)
	}
	slices.SortStableFunc(out, func(a, b Happening) int { return int(a.At - b.At) })
	return out
}

func readOutages(v yamldoc.Value) []Outage {
	var out []Outage
	for _, item := range v.List() {
		m := item.Map("from", "to")
		if !m.IsMap() {
			continue
		}
		from, ok := moment(m, "from")
		to, also := moment(m, "to")
		if ok && also && to <= from {
			m.Get("to").Errorf("write a later time", "the outage ends before it begins")
		} else if ok && also {
			out = append(out, Outage{from, to})
		}
	}
	return out
}
