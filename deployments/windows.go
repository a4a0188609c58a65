package deployments

import (
	"time"

	"github.com/serin-cd/serin/internal/diag/yamldoc"
	"github.com/serin-cd/serin/steps"
)

// parseAdvance reads `advance: {open: CRON, for: 8h}`: steps begin only while it is open.
func parseAdvance(v yamldoc.Value) *steps.Window {
	if !v.Exists() {
		return nil
	}
	m := v.Map("open", "for")
	if w, ok := parseRecurring(m); ok {
		return &w
	}
	return nil
}

// parseFreeze reads the times in which no step begins: {open: CRON, for: 8h}, or {from: TIME, to: TIME}.
func parseFreeze(v yamldoc.Value) []steps.Window {
	var out []steps.Window
	for _, item := range v.List() {
		m := item.Map("open", "for", "from", "to")
		if !m.Has("from") && !m.Has("to") {
			if w, ok := parseRecurring(m); ok {
				out = append(out, w)
			}
			continue
		}
		if m.Has("open") {
			m.Key("open").Errorf("keep open and for, or from and to", "a freeze comes again by `open`, or once by `from`")
			continue
		}
		from, ok := parseInstant(m, "from")
		to, also := parseInstant(m, "to")
		if ok && also && !to.After(from) {
			m.Get("to").Errorf("write a later time", "the freeze ends before it begins")
		} else if ok && also {
			out = append(out, steps.Window{From: from, To: to})
		}
	}
	return out
}

const cronCure = `write minute, hour, day, month and weekday, as in "CRON_TZ=Asia/Seoul 0 9 * * MON-FRI"`

// parseRecurring reads open and for.
func parseRecurring(m yamldoc.Map) (steps.Window, bool) {
	if !m.IsMap() || !required(m, "open", cronCure) || !required(m, "for", "add for example `for: 8h`") {
		return steps.Window{}, false
	}
	line, ok := m.Get("open").String()
	if !ok {
		return steps.Window{}, false
	}
	d, ok := m.Get("for").Duration()
	if ok && d <= 0 {
		m.Get("for").Errorf("write for example 8h", "it is open for no time")
		ok = false
	}
	w := steps.Window{Open: line, For: d}
	// Whether a line ever comes does not depend on the day it is asked; a fixed one keeps parsing the same for ever.
	if err := w.Validate(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)); err != nil {
		m.Get("open").Errorf(cronCure, "%q is no cron line: %v", line, err)
		ok = false
	}
	return w, ok
}

func parseInstant(m yamldoc.Map, key string) (time.Time, bool) {
	const cure = "write for example 2026-12-24T00:00:00+01:00"
	if !required(m, key, cure) {
		return time.Time{}, false
	}
	text, ok := m.Get(key).String()
	if !ok {
		return time.Time{}, false
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		m.Get(key).Errorf(cure, "%q is no time", text)
		return time.Time{}, false
	}
	return at.UTC(), true
}
